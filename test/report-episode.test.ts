// What is written about an episode, for people: the page in a real browser, and the picture. With FLEETSTEP_SCREENSHOTS set to a
// folder, it leaves pictures there.

import './support/uncounted.js';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileScenario, preset } from '#engine/index.js';
import { episodePage, episodeSvg, episodeView, pageScript } from '#report/index.js';
import type { PlayedEpisode } from '#report/index.js';
import { barriers } from './support/barriers.js';
import { browserMissing, openBrowser, openFile } from './support/browser.js';
import { playedBy } from './support/played-episode.js';

const pictures = process.env['FLEETSTEP_SCREENSHOTS'];
const played = playedBy(compileScenario(preset('geneva-live')), 'edf', 0, 1);
const view = episodeView(played);
const HOSTILE = '</script><img src=x onerror="document.title=1"><!--';

/** Counts at a second, from the events alone. */
function countsAt(second: number): Record<string, number> {
  const of = (kind: string): number =>
    played.simulation.events.filter((event) => event.kind === kind && event.second <= second).length;
  const lost = { expired: of('expired'), refused: of('refused') };
  return {
    created: of('created'),
    open: of('created') - of('assigned') - lost.expired - lost.refused,
    promised: of('assigned') - of('pickedUp'),
    onBoard: of('pickedUp') - of('completed'),
    completed: of('completed'),
    ...lost,
  };
}

describe('the picture of an episode', () => {
  it('has a row for each driver, a bar for each ride, a mark for each late pickup and each loss', () => {
    const svg = episodeSvg(view);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /);
    for (const i of view.drivers.keys()) expect(svg).toContain(`>driver ${i}`);
    // What begins after the horizon is not in it.
    const rides = view.legs.filter(({ pickupAt }) => pickupAt < view.horizonSeconds - 60);
    expect(svg.match(/<rect class="ride"/g)!.length).toBeGreaterThanOrEqual(rides.length);
    const late = view.legs.filter(({ lateSeconds }) => lateSeconds > 0);
    expect(late.length).toBeGreaterThan(0);
    expect(svg.match(/ min late, done/g)).toHaveLength(late.length);
    const lost = view.bookings.filter(({ fate }) => fate === 'expired' || fate === 'refused');
    expect(lost.length).toBeGreaterThan(0);
    expect(svg.match(/(?:expired|refused) at \d\d:\d\d/g)).toHaveLength(lost.length);
  });
});

describe('the script of a page', () => {
  it('is that of all its modules, and imports and exports nothing', () => {
    const script = pageScript('page');
    for (const name of ['class EpisodeMap', 'class Player', 'class Moments', 'function eventTable']) {
      expect(script.split(name)).toHaveLength(2);
    }
    expect(script).not.toMatch(/^\s*(?:import|export)\b/m);
    expect(script).not.toContain('</');
  });
});

describe.skipIf(browserMissing())('the page of an episode', () => {
  let browser: Browser;
  let folder: string;
  const faults: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fleetstep-page-'));
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  const open = (name: string, text: string, width?: number): Promise<Page> =>
    openFile({ browser, faults }, join(folder, name), text, width);

  async function shownCounts(page: Page): Promise<Record<string, number>> {
    const names = Object.keys(countsAt(0));
    const texts = await Promise.all(names.map((name) => page.locator(`#count-${name}`).textContent()));
    return Object.fromEntries(names.map((name, k) => [name, Number(texts[k])]));
  }

  it('shows each second as the events tell it, on the map and in counts', async () => {
    const page = await open('episode.html', episodePage(played));
    for (const second of [0, 30, 1800, 2130, 9000, view.horizonSeconds]) {
      await page.locator('#time').fill(String(second));
      const counts = countsAt(second);
      expect([second, await shownCounts(page)]).toEqual([second, counts]);
      expect(await page.locator('#map .driver').count()).toBe(view.drivers.length);
      expect(await page.locator('#map .booking.open').count()).toBe(counts['open']);
      expect(await page.locator('#map .booking.promised').count()).toBe(counts['promised']);
      expect(await page.locator('#map .driver.ride').count()).toBe(counts['onBoard']);
    }
    // Return is that of the last tick that has ended.
    expect(await page.locator('#count-return').textContent()).toBe(view.return.toFixed(2));
    expect(await page.locator('#clock').textContent()).toBe('16:00:00');
    expect(faults).toEqual([]);
  });

  it('moves drivers along their legs', async () => {
    const page = await open('moving.html', episodePage(played));
    const leg = view.legs.find(({ departAt, arriveAt }) => arriveAt - departAt > 600)!;
    const at = async (second: number): Promise<{ x: number; y: number }> => {
      const rounded = Math.round(second / 30) * 30;
      await page.locator('#time').fill(String(rounded));
      return (await page.locator('#map .driver').nth(leg.driver).boundingBox())!;
    };
    const [a, b, c] = [
      await at(leg.departAt + 60),
      await at((leg.departAt + leg.arriveAt) / 2),
      await at(leg.arriveAt - 60),
    ];
    expect(Math.hypot(c.x - a.x, c.y - a.y)).toBeGreaterThan(20);
    // In the middle in between: a straight line at one speed.
    expect(Math.abs((a.x + c.x) / 2 - b.x)).toBeLessThan(8);
    expect(Math.abs((a.y + c.y) / 2 - b.y)).toBeLessThan(8);
  });

  it('plays, pauses and goes by keys and buttons', async () => {
    const page = await open('keys.html', episodePage(played));
    const time = async (): Promise<number> => Number(await page.locator('#time').inputValue());
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await expect.poll(time, { timeout: 30_000 }).toBeGreaterThan(300);
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Play' }).waitFor();
    const paused = await time();
    await page.keyboard.press('Home');
    expect(await time()).toBe(0);
    await page.keyboard.press('ArrowRight');
    await page.getByRole('button', { name: 'One tick on' }).click();
    expect(await time()).toBe(2 * view.tickSeconds);
    await page.getByRole('button', { name: 'One tick back' }).click();
    expect(await time()).toBe(view.tickSeconds);
    expect(paused).toBeGreaterThan(300);
    await page.keyboard.press('End');
    expect(await time()).toBe(view.horizonSeconds);
    const speed = page.getByLabel('Speed');
    const before = await speed.inputValue();
    await page.keyboard.press('+');
    expect(Number(await speed.inputValue())).toBeGreaterThan(Number(before));
    // Played at the end, it begins anew; it stops by itself.
    await speed.selectOption({ index: (await speed.locator('option').count()) - 1 });
    await page.getByRole('button', { name: 'Play' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await page.getByRole('button', { name: 'Play' }).waitFor();
    expect(await time()).toBe(view.horizonSeconds);
  });

  it('lists all events, by kind and driver, and leads to their second', async () => {
    const page = await open('table.html', episodePage(played));
    const { events } = played.simulation;
    const rows = page.locator('#events tr');
    expect(await rows.count()).toBe(events.length);
    await page.locator('#event-kind').selectOption('picked up');
    await page.locator('#event-driver').selectOption('driver 2');
    const picked = events.filter(({ kind, driver }) => kind === 'pickedUp' && driver === 2);
    expect(picked.length).toBeGreaterThan(1);
    expect(await rows.count()).toBe(picked.length);
    expect(await page.locator('#event-count').textContent()).toBe(`${picked.length} of ${events.length} events`);
    await rows.nth(1).getByRole('button').click();
    const clock = await rows.nth(1).getByRole('button').textContent();
    expect(await page.locator('#clock').textContent()).toBe(clock);
  });

  it('keeps nobody out, narrow and wide, light and dark', async () => {
    for (const width of [400, 1600]) {
      const page = await open(`width-${width}.html`, episodePage(played), width);
      await page.locator('#time').fill('2130');
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect([width, colorScheme, await barriers(page)]).toEqual([width, colorScheme, []]);
        if (pictures === undefined) continue;
        mkdirSync(pictures, { recursive: true });
        await page.screenshot({ path: join(pictures, `episode-${width}-${colorScheme}.png`), fullPage: true });
      }
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
    expect(faults).toEqual([]);
  });

  it('takes names that look like HTML as names', async () => {
    const { request, simulation } = played;
    const hostile: PlayedEpisode = { request, simulation: { ...simulation, policy: HOSTILE, id: HOSTILE } };
    const page = await open('hostile.html', episodePage(hostile));
    expect(await page.locator('h1').textContent()).toBe(`geneva-live, episode ${HOSTILE}, policy ${HOSTILE}`);
    expect(await page.locator('img').count()).toBe(0);
    await page.locator('#time').fill('2130');
    expect(await shownCounts(page)).toEqual(countsAt(2130));
    expect(await page.title()).toContain('geneva-live');
    const svg = await open('hostile.svg', episodeSvg(episodeView(hostile)));
    expect(await svg.locator('.title').textContent()).toContain(HOSTILE);
    expect(faults).toEqual([]);
  });
});
