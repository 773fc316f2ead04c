// What keeps people out who do not see a page, or not well, or use no mouse: the rules of axe-core for WCAG 2.2 A and AA, and
// its best practices.

import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** Every rule that the page as it is now breaks, with where. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  );
}
