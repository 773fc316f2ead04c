// What stands beside a verdict: guardrails, and the scenario's variants.

import { describe, expect, it } from 'vitest';
import { EventLog, Purpose, RandomStream, compileScenario, preset } from '#engine/index.js';
import { initialiseNetwork, networkLayout, ownPolicy } from '#policy/index.js';
import type { NetworkShape } from '#policy/index.js';
import { comparePolicies, variantNames, variantOf } from '#train/index.js';
import { loadScenario } from '#trips/index.js';
import { evaluateEpisodes, evaluatePolicies, guardNames } from '#workers/index.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

const geneva = compileScenario(preset('geneva'));

describe('guardrails', () => {
  it('are the figures that the events of an episode give', () => {
    const log = new EventLog();
    const task = { compiled: geneva, policy: { kind: 'heuristic', name: 'edf' }, from: 3, to: 4, seed: 9 } as const;
    const part = evaluateEpisodes({ ...task, days: new Int32Array(0), guards: true }, log);
    const { events } = log;
    const created = events.filter(({ kind }) => kind === 'created').length;
    const lost = events.filter(({ kind }) => kind === 'expired' || kind === 'refused').length;
    const loads = new Map<number, number>();
    for (const { kind, driver } of events) if (kind === 'assigned') loads.set(driver, (loads.get(driver) ?? 0) + 1);
    const [, wait, expired, , worst] = part.guards!;
    expect(guardNames[1]).toBe('waitP90Minutes');
    expect(expired).toBeCloseTo(lost / created, 12);
    expect(worst).toBe(Math.max(...loads.values()));
    // Pickups within the episode: their waits are those that were planned, but for the last ones.
    const known = new Map(
      events.flatMap(({ kind, booking, second }) => (kind === 'created' ? [[booking, second]] : [])),
    );
    const waits = events
      .filter(({ kind }) => kind === 'pickedUp')
      .map(({ booking, second }) => (second - known.get(booking)!) / 60)
      .sort((a, b) => a - b);
    expect(wait).toBeGreaterThan(waits[Math.floor(0.7 * waits.length)]);
    expect(wait).toBeLessThanOrEqual(1.5 * waits.at(-1)!);
  });

  it('are broken by a policy that lets bookings expire, and then a strict verdict is "fail"', async () => {
    const request = {
      compiled: geneva,
      split: 'validation' as const,
      episodes: 30,
      seed: 1,
      workers: 2,
      contenders: [{ policy: 'greedy', members: [{ kind: 'heuristic', name: 'greedy' } as const] }],
      baselines: [{ kind: 'heuristic', name: 'random' } as const],
    };
    const result = (await comparePolicies(request))!;
    expect(result.verdict).toBe('pass');
    const state = Object.fromEntries(result.guardrails.map((guardrail) => [guardrail.name, guardrail.state]));
    // Greedy serves fewer than random, but never late.
    expect(state).toMatchObject({ expiredShare: 'broken', topLateMinutes: 'held' });
    expect((await comparePolicies({ ...request, strict: true }))!.verdict).toBe('fail');
  });
});

describe('variants of a scenario', () => {
  it('keep the groups of a fleet by their shares, and scale what was ordered before', () => {
    const medical = compileScenario(preset('geneva-medical'));
    const groups = (name: (typeof variantNames)[number]): [string, number][] =>
      variantOf(medical, name).scenario.fleet!.map((group) => [group.name, group.drivers]);
    expect(groups('fleet -20%').map(([, drivers]) => drivers)).toEqual([3, 3, 2, 2]);
    expect(groups('fleet +20%').map(([, drivers]) => drivers)).toEqual([5, 3, 4, 2]);
    const { demand } = variantOf(medical, 'demand x1.3').scenario;
    expect(demand).toMatchObject({ prebooked: { bookings: [20, 33], windowStartMinutes: [15, 600] } });
    const one = compileScenario({
      ...medical.scenario,
      drivers: 3,
      fleet: medical.scenario.fleet!.slice(1).map((group) => ({ ...group, drivers: 1 })),
    });
    expect(variantOf(one, 'fleet -20%').scenario.fleet!.map(({ drivers }) => drivers)).toEqual([1, 1]);
  });

  it('have the demand and the fleet that their names say', async () => {
    const created = async (compiled: typeof geneva): Promise<number> => {
      const [{ kpis }] = await evaluatePolicies({
        ...{ compiled, split: 'validation', episodes: 150, seed: 1, workers: 2 },
        policies: [{ kind: 'heuristic', name: 'edf' }],
      });
      return kpis.created;
    };
    const all = await created(geneva);
    const [less, more, small, large] = variantNames.map((name) => variantOf(geneva, name));
    // Bookings that are known at the start stay as they are.
    expect((await created(less)) / all).toBeGreaterThan(0.68);
    expect((await created(less)) / all).toBeLessThan(0.78);
    expect((await created(more)) / all).toBeGreaterThan(1.22);
    expect((await created(more)) / all).toBeLessThan(1.33);
    expect([small, large].map(({ scenario }) => scenario.drivers)).toEqual([8, 12]);
  });

  it('are played by the first policy and the baseline; a network of another size is named', async () => {
    const request = {
      compiled: geneva,
      split: 'validation' as const,
      episodes: 6,
      seed: 1,
      workers: 2,
      robustness: true,
    };
    const edf = { policy: 'edf', members: [{ kind: 'heuristic', name: 'edf' } as const] };
    const baselines = [{ kind: 'heuristic', name: 'random' } as const];
    const { robustness } = (await comparePolicies({ ...request, contenders: [edf], baselines }))!;
    expect(robustness.map(({ variant }) => variant)).toEqual(variantNames);
    for (const entry of robustness) expect(entry).toMatchObject({ policy: 'edf', against: 'random', verdict: 'pass' });
    const shape: NetworkShape = { kind: 'flat', inputs: 122, hidden: [8], criticHidden: [8], actions: 201 };
    const weights = new Float32Array(networkLayout(shape).size);
    initialiseNetwork(shape, new RandomStream(1, Purpose.weights), weights);
    const flat = { kind: 'network', name: 'flat', shape, observation: 'classic', weights } as const;
    const flats = (await comparePolicies({
      ...request,
      contenders: [{ policy: 'flat', members: [flat] }],
      baselines,
    }))!;
    const reasons = flats.robustness.map((entry) => ('reason' in entry ? entry.reason : 'fits'));
    expect(reasons.slice(0, 2)).toEqual(['fits', 'fits']);
    expect(reasons[2]).toContain('the network of flat takes 122 numbers and 201 actions, the variant has 114 and 161');
  });
});

describe('a planted difference', () => {
  it('is found: the same policy that throws away a tenth of its decisions is worse', async () => {
    const lazy = await ownPolicy(new URL('./support/lazy-policy.js', import.meta.url).pathname);
    const result = (await comparePolicies({
      ...{ compiled: geneva, split: 'validation' as const, episodes: 60, seed: 1, workers: 2 },
      contenders: [{ policy: 'lazy', members: [lazy] }],
      baselines: [{ kind: 'heuristic', name: 'edf' }],
    }))!;
    expect(result).toMatchObject({ verdict: 'fail', baseline: 'edf' });
    expect(result.differences[0].mean).toBeLessThan(0);
  });
});

describeWithTrips('variants of recorded days', () => {
  it('leave bookings out, or play them twice, in order', () => {
    const compiled = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    const count = compiled.dataset!.trace.knownAt.length;
    for (const [name, factor] of [
      ['demand x0.7', 0.7],
      ['demand x1.3', 1.3],
    ] as const) {
      const { trace } = variantOf(compiled, name).dataset!;
      expect(trace.knownAt.length / count).toBeCloseTo(factor, 1);
      expect(trace.dayStart.at(-1)).toBe(trace.knownAt.length);
      for (let day = 0; day < trace.days.length; day++) {
        const known = trace.knownAt.subarray(trace.dayStart[day], trace.dayStart[day + 1]);
        expect(known.every((second, k) => k === 0 || second >= known[k - 1])).toBe(true);
      }
    }
  });
});
