// Makes docs/images/dashboard.png: a simulated morning in the dashboard, in Debian's Chromium. Needs a built checkout.
//
//   node scripts/dashboard-picture.js

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { URL, fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const picture = fileURLToPath(new URL('../docs/images/dashboard.png', import.meta.url));
/** Pace of the simulated morning, and how much of it passes until vehicles are spread over the town. */
const TICK_MS = '1000';
const WARM_UP_MS = 45_000;
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-picture-'));
chmodSync(folder, 0o755);

const service = spawn(process.execPath, [main, 'serve', '--port', '0', '--dev-token', 'admin', '--json'], {
  env: { ...process.env, FLEETSTEP_DATA: folder },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((done) => service.once('exit', done));
let company;
try {
  const [line] = await Promise.race([
    createInterface({ input: service.stdout })
      [Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [value]),
    ended.then(() => Promise.reject(new Error('the service ended before it was ready'))),
  ]);
  const { url, token } = JSON.parse(line);
  company = spawn(process.execPath, [main, 'drive', '--url', url, '--token', token, '--tick-ms', TICK_MS], {
    stdio: 'ignore',
  });
  const browser = await chromium.launch({
    executablePath: process.env['FLEETSTEP_TEST_BROWSER'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  await page.goto(`${url}/#token=${token}`);
  await page.waitForTimeout(WARM_UP_MS);
  // A moment in which there is something to decide.
  await page
    .getByRole('button', { name: /^Accept/ })
    .nth(1)
    .waitFor({ timeout: 120_000 });
  await page.screenshot({ path: picture });
  await browser.close();
} finally {
  company?.kill('SIGINT');
  service.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
