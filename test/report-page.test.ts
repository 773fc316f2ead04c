// The pages of runs and of a study in a real browser: curves, legend, tables, and that nobody is kept out. With
// FLEETSTEP_SCREENSHOTS set to a folder, it leaves pictures there.

import './support/uncounted.js';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StudyFolder, rankedRows, tableSoFar } from '#jobs/index.js';
import { compileScenario, preset } from '#engine/index.js';
import { episodeView, runsPage, studyPage } from '#report/index.js';
import { readRun } from '#train/index.js';
import { barriers } from './support/barriers.js';
import { browserMissing, openBrowser, openFile } from './support/browser.js';
import { playedBy } from './support/played-episode.js';
import { kpisOf, metricsLine, writeRun, writeStudy } from './support/written-runs.js';

const pictures = process.env['FLEETSTEP_SCREENSHOTS'];
const HOSTILE = '</script><img src=x onerror="document.title=1"><!--';

describe.skipIf(browserMissing())('a report', { tags: ['long'] }, () => {
  let browser: Browser;
  let folder: string;
  let runs: string;
  let study: string;
  const faults: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fleetstep-report-page-'));
    const at = (name: string): string => join(folder, name);
    for (const [name, seed, rise] of [
      ['a-s1', 1, 10],
      ['a-s2', 2, 20],
      ['b', 1, 5],
    ] as const) {
      const metrics = Array.from({ length: 30 }, (_, k) => metricsLine(k + 1, rise * (k + 1)));
      const returns = { ppo: [rise, rise + 1, rise], edf: [9, 9, 12], greedy: [1, 2, 3], [HOSTILE]: [7, 8, 7] };
      writeRun(at(name), { seed, metrics, returns });
    }
    const episode = episodeView(playedBy(compileScenario(preset('geneva')), 'edf', 0, 1));
    runs = runsPage(
      ['a-s1', 'a-s2', 'b'].map((name) => readRun(at(name))),
      { episode },
    );
    const space = {
      algorithm: { choice: ['ppo', 'dqn'] },
      learningRate: { float: [1e-4, 1e-1], log: true },
      tau: { float: [0.001, 1], log: true, when: { algorithm: ['dqn'] } },
    };
    const changes = {
      ...{ config: { steps: 384 }, space, trials: 12, pruner: { minSteps: 128 } },
      objective: { episodes: 4, constraints: [{ metric: 'serviceRate', min: 0.5 }] },
    };
    const written = writeStudy(at('study'), changes, (trial, seed) =>
      trial === 5
        ? { failure: 'it has diverged' }
        : {
            ...{ steps: 128, meanReturn: 100 * trial + seed, weightsSha256: 'a' },
            kpis: kpisOf(trial % 4 === 3 ? 0.2 : 0.9 - trial / 100),
          },
    );
    const { folder: studyFolder, saved } = StudyFolder.open(at('study'));
    const table = tableSoFar(saved, studyFolder);
    const ranked = rankedRows(written, table.trials);
    study = studyPage({ saved, table, ranked, isFinished: true, runs: [readRun(at('a-s1'))] });
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  const open = (name: string, text: string, width?: number): Promise<Page> =>
    openFile({ browser, faults }, join(folder, name), text, width);

  /** The pixels of a chart: how many have a colour of their own, neither paper nor the greys of its axes; and what all add up to. */
  async function pixels(page: Page, chart: string): Promise<{ coloured: number; sum: number }> {
    return page.evaluate(`(() => {
      const canvas = document.querySelector('${chart} canvas');
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      let sum = 0;
      for (let p = 0; p < data.length; p += 4) {
        const [r, g, b] = [data[p], data[p + 1], data[p + 2]];
        sum += r + g + b;
        if (data[p + 3] > 40 && Math.max(r, g, b) - Math.min(r, g, b) > 60) coloured++;
      }
      return { coloured, sum };
    })()`);
  }

  it('draws curves, tells the numbers under the pointer, and hides what the legend switches off', async () => {
    const page = await open('runs.html', runs);
    const chart = page.locator('#plot-0');
    expect(await chart.getAttribute('aria-label')).toContain('a, seeds 1, 2: from 15 to 450 at 30.0k steps');
    const { coloured } = await pixels(page, '#plot-0');
    expect(coloured).toBeGreaterThan(500);
    await chart.scrollIntoViewIfNeeded();
    const box = (await chart.locator('.u-over').boundingBox())!;
    await page.mouse.move(box.x + box.width - 1, box.y + box.height / 2);
    await expect.poll(() => page.locator('#readout-0').textContent()).toBe('30,000 steps: a, seeds 1, 2 450; b 150');
    await page.getByRole('checkbox', { name: 'a, seeds 1, 2' }).click();
    await page.mouse.move(box.x + box.width - 8, box.y + box.height / 2);
    await expect.poll(() => page.locator('#readout-0').textContent()).toMatch(/ steps: b 1[45]/);
    await expect.poll(async () => (await pixels(page, '#plot-0')).coloured).toBeLessThan(coloured / 2);
    await page.getByText('Numbers of Return of training episodes').click();
    const numbers = page.getByRole('region', { name: 'Table: Return of training episodes' });
    expect(await numbers.locator('tbody tr').last().innerText()).toMatch(/^30,000\s+450 \(300 to 600\)\s+150$/);
    expect(faults).toEqual([]);
  });

  it('shows an episode, whose keys leave the page its own', async () => {
    const page = await open('episode.html', runs);
    const time = page.locator('#time');
    await page.keyboard.press('End');
    expect(await time.inputValue()).toBe('0');
    await page.getByRole('button', { name: 'One tick on' }).focus();
    await page.keyboard.press('End');
    expect(await time.inputValue()).toBe('28800');
    expect(await page.locator('#map .driver').count()).toBe(10);
    expect((await pixels(page, '#plot-0')).coloured).toBeGreaterThan(500);
    expect(faults).toEqual([]);
  });

  it('gives the verdict on each run, and on replicates together', async () => {
    const page = await open('verdicts.html', runs);
    expect(await page.locator('.verdicts li').allInnerTexts()).toEqual([
      expect.stringMatching(/^undecided a, seeds 1, 2 is not told apart from edf: \+5.33 /),
      expect.stringMatching(/^fail b is worse than edf: -4.67 /),
    ]);
  });

  it('draws in other colours where the system turns dark', async () => {
    const page = await open('dark.html', runs);
    const { sum } = await pixels(page, '#plot-0');
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(async () => (await pixels(page, '#plot-0')).sum).not.toBe(sum);
  });

  it('takes names that look like HTML as names', async () => {
    const page = await open('hostile.html', runs);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.getByRole('region', { name: /evaluation/ }).innerText()).toContain(HOSTILE);
    expect(await page.title()).toBe('3 training runs');
    expect(faults).toEqual([]);
  });

  it('has a mark for each trial, a line for each trial, and a row for each trial', async () => {
    const page = await open('study.html', study);
    const values = page.getByRole('region', { name: 'Picture of values' });
    expect(await values.locator('.mark').count()).toBe(12);
    expect(await values.locator('.mark.failed').count()).toBe(1);
    expect(await values.locator('.mark.broken').count()).toBe(3);
    // The failed trial has no place in the plane of return and service.
    const front = page.getByRole('region', { name: 'Picture of the front of return and serviceRate' });
    expect(await front.locator('.mark').count()).toBe(11);
    expect(await front.locator('.front').count()).toBe(1);
    expect(await page.locator('.trial').count()).toBe(12);
    expect(await page.getByRole('region', { name: 'Table: trials' }).locator('tbody tr').count()).toBe(12);
    const importance = page.getByRole('region', { name: 'Table: importance of parameters' });
    expect(await importance.locator('tbody tr').count()).toBe(3);
    expect(await page.getByRole('region', { name: 'Table: constraints' }).innerText()).toContain('3, 7, 11');
    expect((await pixels(page, '#plot-0')).coloured).toBeGreaterThan(200);
    expect(faults).toEqual([]);
  });

  it('keeps nobody out, narrow and wide, light and dark', async () => {
    for (const [name, text] of [
      ['runs', runs],
      ['study', study],
    ] as const) {
      for (const width of [400, 1600]) {
        const page = await open(`${name}-${width}.html`, text, width);
        await page.evaluate(`for (const one of document.querySelectorAll('details')) one.open = true`);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          expect([name, width, colorScheme, await barriers(page)]).toEqual([name, width, colorScheme, []]);
          if (pictures === undefined) continue;
          mkdirSync(pictures, { recursive: true });
          await page.screenshot({ path: join(pictures, `report-${name}-${width}-${colorScheme}.png`), fullPage: true });
        }
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      }
    }
    expect(faults).toEqual([]);
  });
});
