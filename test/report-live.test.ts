// A report that is served while a training runs: it follows without losing the reader's place, and leaves the training as it is. With
// FLEETSTEP_SCREENSHOTS set to a folder, it leaves pictures there.

import './support/uncounted.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runsPage } from '#report/index.js';
import { serveLive } from '#report/live.js';
import type { LivePage } from '#report/live.js';
import { readRun } from '#train/index.js';
import { barriers } from './support/barriers.js';
import { browserMissing, openBrowser, watchedPage } from './support/browser.js';
import { tinyStudy } from './support/tiny-study.js';
import { metricsLine, writeRun } from './support/written-runs.js';

const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
const pictures = process.env['FLEETSTEP_SCREENSHOTS'];
const root = mkdtempSync(join(tmpdir(), 'fleetstep-live-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string): string => join(root, name);

/** Serves a run of so many iterations as it is now; `go` lets it go on. */
async function liveRun(name: string): Promise<{ page: LivePage; go: (iterations: number) => void }> {
  let done = 10;
  const write = (): void =>
    writeRun(at(name), { metrics: Array.from({ length: done }, (_, k) => metricsLine(k + 1, 10 * (k + 1))) });
  write();
  const page = await serveLive(
    { title: 'Training', stamp: () => String(done), page: (askMs) => runsPage([readRun(at(name))], { askMs }) },
    0,
  );
  const go = (iterations: number): void => {
    done = iterations;
    write();
  };
  return { page, go };
}

describe('a page that is served', () => {
  it('answers with what has changed alone, says why it cannot, and ends with the last state', async () => {
    let stamp = 'one';
    let fault: Error | null = null;
    const page = await serveLive(
      {
        title: 'Training',
        stamp: () => {
          if (fault !== null) throw fault;
          return stamp;
        },
        page: () => (stamp === 'one' ? null : `page ${stamp}`),
      },
      0,
    );
    const ask = async (tag: string): Promise<[number, string, string | null, string]> => {
      const answer = await fetch(`${page.url}/page?reader=a&tag=${tag}`);
      const { headers } = answer;
      const about = decodeURIComponent(headers.get('x-page-fault')!);
      return [answer.status, await answer.text(), headers.get('x-page-last'), about];
    };
    expect(await (await fetch(page.url)).text()).toContain('There is nothing to show yet');
    expect(await ask('')).toEqual([204, '', 'false', '']);
    stamp = 'two & 2';
    await expect.poll(() => ask('')).toEqual([200, 'page two & 2', 'false', '']);
    expect(await ask(encodeURIComponent(stamp))).toEqual([204, '', 'false', '']);
    fault = new Error('metrics.jsonl:3 is damaged');
    await expect.poll(() => ask('')).toEqual([200, 'page two & 2', 'false', 'metrics.jsonl:3 is damaged']);
    fault = null;
    stamp = 'three';
    const closing = page.close();
    expect(await ask('')).toEqual([200, 'page three', 'true', '']);
    await closing;
    await expect(fetch(page.url)).rejects.toThrow();
  });

  it('answers this machine alone', async () => {
    const { page } = await liveRun('alone');
    const asked = get(page.url, { headers: { host: 'elsewhere.example' } });
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    expect(new URL(page.url).hostname).toBe('127.0.0.1');
    await page.close();
    expect(answer.statusCode).toBe(403);
  });

  it('on a port that is taken is an error before anything is done', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const port = String((other.address() as AddressInfo).port);
    writeFileSync(at('study.json'), JSON.stringify(tinyStudy));
    const run = async (...args: string[]): Promise<[number, string]> => {
      const child = spawn(process.execPath, [main, ...args, '--out', at('none'), '--ui', port], { cwd: root });
      let errors = '';
      child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
      const [code] = (await once(child, 'close')) as [number];
      return [code, errors];
    };
    const said = `fleetstep: cannot serve the page on 127.0.0.1:${port}: the port is taken; give another port, or none for one that is free\n`;
    expect(await run('train', '--steps', '100')).toEqual([2, said]);
    expect(await run('sweep', 'study.json')).toEqual([2, said]);
    expect(existsSync(at('none'))).toBe(false);
    other.close();
  });
});

describe.skipIf(browserMissing())('a page that is served, in a browser', { tags: ['long'] }, () => {
  let browser: Browser;
  const faults: string[] = [];
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  const open = async (url: string, width = 1600): Promise<Page> => {
    const page = await watchedPage({ browser, faults }, width, (asked) => asked.startsWith(url));
    await page.goto(url);
    return page;
  };

  it('follows the run, and the reader stays where he is', async () => {
    const { page: served, go } = await liveRun('followed');
    const page = await open(served.url);
    const steps = page.getByRole('region', { name: 'Table: runs' }).locator('td').nth(4);
    await expect.poll(() => steps.textContent()).toBe('10.0k');
    await page.getByText('Numbers of Steps per second, all in').click();
    const legend = page.getByRole('checkbox', { name: 'followed' });
    await legend.uncheck();
    await legend.focus();
    await page.evaluate('scrollTo(0, 300)');
    go(20);
    await expect.poll(() => steps.textContent(), { timeout: 20_000 }).toBe('20.0k');
    const numbers = page.getByRole('region', { name: 'Table: Steps per second, all in' });
    expect(await numbers.isVisible()).toBe(true);
    expect(await numbers.locator('tbody tr').last().innerText()).toMatch(/^20,000/);
    expect(await legend.isChecked()).toBe(false);
    expect(await page.evaluate('[scrollY, document.activeElement.dataset.group]')).toEqual([300, '0']);
    expect(await page.locator('.uplot').count()).toBe(await page.locator('.plot').count());
    go(30);
    await served.close();
    await expect.poll(() => page.locator('#live').textContent()).toContain('the last state');
    expect(await steps.textContent()).toBe('30.0k');
    expect(faults).toEqual([]);
  });

  it('keeps nobody out, narrow and wide, light and dark', async () => {
    const { page: served } = await liveRun('looked-at');
    for (const width of [400, 1600]) {
      const page = await open(served.url, width);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect([width, colorScheme, await barriers(page)]).toEqual([width, colorScheme, []]);
        if (pictures === undefined) continue;
        mkdirSync(pictures, { recursive: true });
        await page.screenshot({ path: join(pictures, `live-${width}-${colorScheme}.png`) });
      }
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      await page.close();
    }
    await served.close();
    expect(faults).toEqual([]);
  });

  it('leaves a training and a sweep as they are without it', async () => {
    const tiny = ['--steps', '4096', '--envs', '8', '--rollout-steps', '32', '--hidden', '8', '--eval-episodes', '4'];
    writeFileSync(at('study.json'), JSON.stringify(tinyStudy));
    /** The last line, and what the page shows at the end. */
    const run = async (
      name: string,
      ...args: string[]
    ): Promise<{ result: Record<string, unknown>; shown: string }> => {
      const child = spawn(process.execPath, [main, ...args, '--out', at(name), '--json'], { cwd: root });
      const pages: Promise<Page>[] = [];
      let said = '';
      let answer = '';
      child.stdout.on('data', (text: Buffer) => (answer += text.toString()));
      child.stderr.on('data', (text: Buffer) => {
        said += text.toString();
        const [url] = /http:\S+/.exec(said) ?? [];
        if (url !== undefined && pages.length === 0) pages.push(open(url, 400));
      });
      const [code] = (await once(child, 'close')) as [number];
      expect([code, pages.length]).toEqual([0, args.includes('--ui') ? 1 : 0]);
      const [last] = await Promise.all(pages);
      if (last !== undefined) {
        await expect.poll(() => last.locator('#live').textContent(), { timeout: 20_000 }).toContain('the last state');
      }
      const shown = last === undefined ? '' : await last.locator('main').innerText();
      return { result: JSON.parse(answer) as Record<string, unknown>, shown };
    };
    const [bare, served] = [await run('bare', 'train', ...tiny), await run('served', 'train', ...tiny, '--ui')];
    expect(served.result['weightsSha256']).toBe(bare.result['weightsSha256']);
    expect(served.shown).toContain('4 validation episodes');
    const [plain, followed] = [
      await run('plain', 'sweep', 'study.json'),
      await run('on', 'sweep', 'study.json', '--ui'),
    ];
    expect(followed.result['resultsSha256']).toBe(plain.result['resultsSha256']);
    expect(followed.shown).toContain('Importance of parameters');
    expect(faults).toEqual([]);
  });
});
