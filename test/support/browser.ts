// A real browser: Debian's chromium, driven by playwright-core. Where there is none, tests say so; in CI they fail.

import { existsSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const browserPath: string | undefined = [process.env['FLEETSTEP_TEST_BROWSER'] ?? '', ...places].find(
  (path) => path !== '' && existsSync(path),
);

/** @throws if there is no browser and CI would skip */
export function browserMissing(): boolean {
  if (browserPath !== undefined) return false;
  if (process.env['CI'] === 'true') throw new Error('CI needs a browser: install chromium');
  process.stderr.write(
    '\nWARNING: the dashboard is NOT tested: no chromium on this machine (apt-get install chromium)\n\n',
  );
  return true;
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: browserPath!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}

/** A browser whose page is looked at, and what went wrong there. */
export interface Watched {
  readonly browser: Browser;
  /** Errors, what was written to the console, and requests that the page was not allowed. */
  readonly faults: string[];
}

/** A new page on nothing yet; `mayAsk` says what it may request. */
export async function watchedPage(
  { browser, faults }: Watched,
  width: number,
  mayAsk: (url: string) => boolean,
): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width, height: 900 } })).newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => faults.push(message.text()));
  page.on('request', (request) => {
    if (!mayAsk(request.url())) faults.push(`asked ${request.url()}`);
  });
  page.setDefaultTimeout(30_000);
  return page;
}

/** A page that is one file, which is written first. */
export async function openFile(watched: Watched, file: string, text: string, width = 1600): Promise<Page> {
  writeFileSync(file, text);
  const { href } = pathToFileURL(file);
  const page = await watchedPage(watched, width, (url) => url === href);
  await page.goto(href);
  return page;
}
