// A real browser: Debian's chromium, driven by playwright-core. Where there is none, tests say so; in CI they fail.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

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
