// Perfect foresight: a bound that holds on every day for every policy, is exact on small days, and is refused where there is none.

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import loadHighs from 'highs';
import { afterAll, describe, expect, it } from 'vitest';
import { Purpose, RandomStream, compileScenario, preset } from '#engine/index.js';
import { heuristicNames } from '#policy/index.js';
import { hindsightBounds, shareOfGap, whyNoHindsight } from '#train/index.js';
import { boundOf, eachService, solveDay } from '#train/hindsight.js';
import type { HindsightDay } from '#train/hindsight.js';
import { solverOf } from '#train/hindsight-worker.js';
import { loadScenario } from '#trips/index.js';
import { evaluatePolicies } from '#workers/index.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';
import { sized } from './support/size.js';

const folder = mkdtempSync(join(tmpdir(), 'fleetstep-hindsight-'));
afterAll(() => rmSync(folder, { recursive: true }));

const highs = await (loadHighs as unknown as typeof loadHighs.default)();

/** A day of few requests, in zones a tick or two apart. */
function smallDay(seed: number, vehicles: number): HindsightDay {
  const stream = new RandomStream(seed, Purpose.demand);
  const zones = 3;
  const ticks = new Int32Array(zones * zones);
  for (let a = 0; a < zones; a++) for (let b = 0; b < zones; b++) ticks[a * zones + b] = Math.abs(a - b);
  const requests = Array.from({ length: 6 }, () => {
    const tick = stream.integer(0, 6);
    const from = stream.integer(0, 2);
    const to = (from + stream.integer(1, 2)) % 3;
    return { tick, from, to, deadline: tick + 2, fare: stream.integer(1, 9), metres: 1000 * Math.abs(from - to) };
  }).sort((a, b) => a.tick - b.tick);
  const starts = [0, 0, 0];
  for (let i = 0; i < vehicles; i++) starts[i % 3]++;
  return {
    ...{ zones, ticks, requests, starts, boarding: 1, horizon: 10 },
    metres: ticks.map((count) => 1000 * count),
    costPerMetre: 0.002,
  };
}

/** The most that one vehicle can earn, by trying every order. */
function bestByHand(day: HindsightDay): number {
  const paths: Parameters<Parameters<typeof eachService>[2]>[0][] = [];
  eachService(day, true, (service) => paths.push(service));
  eachService(day, false, (service) => paths.push(service));
  const start = day.starts.indexOf(1);
  const best = (zone: number, tick: number, used: number): number => {
    let most = 0;
    for (const service of paths) {
      // Waiting is free: it may begin a service later than its plan ended.
      if (service.zone !== zone || service.tick < tick || (used & (1 << service.request)) !== 0) continue;
      most = Math.max(most, service.profit + best(service.toZone, service.toTick, used | (1 << service.request)));
    }
    return most;
  };
  return best(start, 0, 0);
}

describe('the bound of perfect foresight', () => {
  it('is what one vehicle can earn at best, on days small enough to try every order', () => {
    let exact = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const day = smallDay(seed, 1);
      const best = bestByHand(day);
      const bound = solveDay(day, solverOf(highs));
      expect(bound).toBeGreaterThan(best - 1e-9);
      if (bound < best + 1e-6) exact++;
    }
    // A flow may take parts of a vehicle, seldom to its advantage.
    expect(exact).toBeGreaterThanOrEqual(22);
  });

  it('holds for any prices, and is least for those of the programme', () => {
    const stream = new RandomStream(5, Purpose.action);
    for (let seed = 1; seed <= 10; seed++) {
      const day = smallDay(seed, 2);
      const bound = solveDay(day, solverOf(highs));
      const prices = Float64Array.from({ length: 3 * 11 }, () => 10 * stream.float());
      expect(boundOf(day, prices).bound).toBeGreaterThan(bound - 1e-6);
      expect(boundOf(day, new Float64Array(33)).bound).toBeGreaterThan(bound - 1e-6);
    }
  });

  it('measures how far a policy gets from greedy', () => {
    expect(shareOfGap(85, 80, 100)).toBe(0.25);
    expect(shareOfGap(70, 80, 100)).toBe(-0.5);
    expect(shareOfGap(80, 80, 80)).toBeNull();
  });

  it('is refused by name where there is none, and says why', async () => {
    const compiled = compileScenario(preset('geneva'));
    expect(whyNoHindsight(compiled)).toContain('there is no hindsight for geneva: its rewards depend on');
    await expect(hindsightBounds({ compiled, split: 'validation', workers: 1 })).rejects.toMatchObject({
      code: 'ERR_TRAIN_OPTION',
    });
  });
});

describeWithTrips('the bound of perfect foresight on recorded days', () => {
  // The second one only in the long form.
  const worlds = [
    ['nyc-small', sized(5, 25), heuristicNames],
    ['nyc-large', 1, ['greedy', 'myopic', 'linear'] as const],
  ] as const;
  it.each(worlds.slice(0, sized(1, 2)))(
    'is not below what any policy earns, on the validation days of %s',
    { tags: ['attack'] },
    async (scenario, episodes, names) => {
      const compiled = loadScenario({ scenario, data: nycAmod });
      const bounds = (await hindsightBounds({ compiled, split: 'validation', episodes, workers: 2 }))!;
      const evaluations = await evaluatePolicies({
        ...{ compiled, split: 'validation', episodes, seed: 1, workers: 2 },
        policies: names.map((name) => ({ kind: 'heuristic', name })),
      });
      expect(bounds).toHaveLength(episodes);
      for (const { policy, episodes: played } of evaluations) {
        for (const [k, one] of played.entries()) expect(one.return, `${policy} ${one.id}`).toBeLessThan(bounds[k]);
      }
    },
  );

  it('is kept by day, and computed anew where the file is damaged', async () => {
    const compiled = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    const request = { compiled, split: 'validation' as const, episodes: 1, workers: 1, cache: folder };
    const [bound] = (await hindsightBounds(request))!;
    const [file] = readdirSync(folder).map((name) => join(folder, name));
    const [day] = Object.keys(JSON.parse(readFileSync(file, 'utf8')) as object);
    expect(day).toBe(compiled.dataset!.trace.days[compiled.dataset!.splits.validation[0]]);
    writeFileSync(file, `{"${day}":${bound + 1}}`);
    expect([...(await hindsightBounds(request))!]).toEqual([bound + 1]);
    writeFileSync(file, '{"2015');
    expect([...(await hindsightBounds(request))!]).toEqual([bound]);
  }, 60_000);
});
