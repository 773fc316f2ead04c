// Whatever policy is asked, nobody is left out for somebody less important; and what the clock decided comes out again.

import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, actionCount, compileScenario, observationSize, preset } from '#engine/index.js';
import { initialiseNetwork, networkLayout } from '#policy/index.js';
import { checkRequest, Policies, Recommender } from '#advise/index.js';
import type { Answer, TrainedNetwork } from '#advise/index.js';

const compiled = compileScenario(preset('geneva'));

/** A network that knows nothing: it gives rides away at random. */
function untrained(kind: 'pairs' | 'flat'): TrainedNetwork {
  const inputs = observationSize(compiled.scenario, 'full');
  const shape = { kind, inputs, hidden: [16], criticHidden: [8], actions: actionCount(compiled.scenario) };
  const weights = new Float32Array(networkLayout(shape).size);
  initialiseNetwork(shape, new RandomStream(5, Purpose.weights), weights);
  return { name: `untrained-${kind}`, shape, weights, observation: 'full', compiled, training: {} };
}

const recommender = new Recommender(new Policies([untrained('pairs'), untrained('flat')]), '0.0.0');
const { policies } = recommender;

const NOW = 1_763_974_800;

interface State {
  readonly as_of: number;
  readonly shipments: readonly { readonly id: number; readonly priority: number }[];
}

/** More rides than vehicles, most windows tight: 09:00 in Geneva, within what the networks know. */
function state(seed: number, vehicles: number, shipments: number): State {
  const stream = new RandomStream(seed, Purpose.demand);
  const place = (): number[] => [6.0632 + stream.integer(0, 1600) / 1e4, 46.1244 + stream.integer(0, 1600) / 1e4];
  return {
    as_of: NOW,
    ...{ vehicles: Array.from({ length: vehicles }, (_, id) => ({ id, start: place() })) },
    shipments: Array.from({ length: shipments }, (_, id) => {
      const from = NOW + stream.integer(-900, 300);
      return {
        id,
        priority: stream.integer(0, 100),
        pickup: { location: place(), time_windows: [[from, Math.max(NOW + 60, from + stream.integer(300, 1500))]] },
        delivery: { location: place() },
      };
    }),
  };
}

function ask(request: object, replay?: Answer['provenance']): Answer {
  return recommender.recommend(checkRequest({ deadline_ms: 60_000, ...request }), {
    decisionId: 'd',
    stateHash: '',
    ...(replay === undefined ? {} : { replay }),
  });
}

describe('an answer', () => {
  it.each(policies.all.map(({ name }) => name))(
    'of %s leaves out nobody whom the planner serves, for somebody less important',
    (policy) => {
      let gaveWay = 0;
      for (let seed = 1; seed <= 25; seed++) {
        const request = state(seed, 4 + (seed % 6), 8 + (seed % 12));
        const priority = new Map(request.shipments.map(({ id, priority: p }) => [id, p]));
        const planned = ask({ ...request, policy: 'planner' });
        const servable = new Set([...planned.assignments, ...planned.waiting].map(({ shipment }) => shipment));
        const answer = ask({ ...request, policy });
        const { fallback } = answer.provenance;
        if (fallback !== null) {
          gaveWay++;
          expect(fallback).toEqual({ policy: 'planner', reason: 'objective' });
        }
        const least = Math.min(...answer.assignments.map(({ shipment }) => priority.get(shipment as number)!));
        for (const { shipment } of answer.unassigned) {
          if (!servable.has(shipment) || planned.unassigned.some((one) => one.shipment === shipment)) continue;
          // What waits there is planned, or could still be: only what is planned counts.
          const place = planned.waiting.find((one) => one.shipment === shipment);
          if (place !== undefined && !place.reason.startsWith('planned')) continue;
          expect(priority.get(shipment as number)!).toBeLessThanOrEqual(least);
        }
      }
      // Policies that know nothing of windows are caught; the planner has nobody to give way to.
      if (policy === 'planner') expect(gaveWay).toBe(0);
      if (['nearest', 'untrained-pairs', 'untrained-flat'].includes(policy)) expect(gaveWay).toBeGreaterThan(3);
    },
  );

  it.each(['planner', 'nearest', 'untrained-pairs'])(
    'of %s comes out of a replay as it was, byte for byte, however much time there is',
    (policy) => {
      for (let seed = 1; seed <= 6; seed++) {
        for (const deadline of [1, 5, 1000]) {
          const request = { ...state(seed, 12, 60), policy, deadline_ms: deadline };
          const answer = ask(request);
          for (const patience of [1, 60_000]) {
            const again = ask({ ...request, deadline_ms: patience }, answer.provenance);
            expect(JSON.stringify(again)).toBe(JSON.stringify(answer));
          }
        }
      }
    },
  );

  it('of the planner is there even if all the time is gone before it begins', () => {
    const request = checkRequest({ ...state(1, 10, 20), policy: 'planner' });
    const long = performance.timeOrigin + performance.now() - 60_000;
    const answer = recommender.recommend(request, { decisionId: 'd', stateHash: '', askedAt: long });
    expect(answer.provenance).toMatchObject({ fallback: null, turns: 0 });
    expect(answer.assignments.length).toBeGreaterThan(5);
  });

  it('says of each that waits for its turn where it is planned', () => {
    let planned = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const request = state(seed, 4, 14);
      // Without a search, as the one for whole plans is another.
      const first = { ...ask({ ...request, policy: 'planner' }).provenance, turns: 0 };
      const one = ask({ ...request, policy: 'planner' }, first);
      const whole = ask({ ...request, policy: 'planner', options: { assignments_per_vehicle: 3 } }, first);
      for (const { shipment, reason } of one.waiting) {
        const [, vehicle, after, minutes] =
          /^planned for vehicle (\d+)(?: after shipment (\d+))?: pickup in (\d+) (?:min|s)/.exec(reason) ?? [];
        if (vehicle === undefined) continue;
        planned++;
        // With more at once the whole plan is answered, and there it is.
        const there = whole.assignments.find((given) => given.shipment === shipment)!;
        expect(String(there.vehicle)).toBe(vehicle);
        const before = whole.assignments.filter((given) => given.vehicle === there.vehicle && given.rank < there.rank);
        expect(String(before.at(-1)?.shipment)).toBe(after ?? 'undefined');
        if (reason.includes(' min,')) expect(Number(minutes)).toBe(Math.round((there.pickup_eta - NOW) / 60));
      }
    }
    expect(planned).toBeGreaterThan(40);
  });
});

describe('a small state', () => {
  // Found by trying every plan of random states: the search used to end before it came to this one.
  it('is searched until the plan that serves one more is found', () => {
    const durations = [
      [0, 561, 451, 1188, 449, 286, 112, 785, 1409, 475, 936, 928],
      [561, 0, 900, 1095, 848, 518, 476, 896, 858, 184, 965, 710],
      [451, 900, 0, 1027, 91, 733, 461, 556, 1663, 879, 730, 1378],
      [1188, 1095, 1027, 0, 941, 1399, 1092, 473, 1280, 1238, 301, 1805],
      [449, 848, 91, 941, 0, 735, 437, 471, 1588, 843, 645, 1365],
      [286, 518, 733, 1399, 735, 0, 331, 1039, 1363, 356, 1175, 659],
      [112, 476, 461, 1092, 437, 331, 0, 710, 1312, 421, 852, 929],
      [785, 896, 556, 473, 471, 1039, 710, 0, 1400, 983, 174, 1563],
      [1409, 858, 1663, 1280, 1588, 1363, 1312, 1400, 0, 1007, 1358, 1212],
      [475, 184, 879, 1238, 843, 356, 421, 983, 1007, 0, 1077, 581],
      [936, 965, 730, 301, 645, 1175, 852, 174, 1358, 1077, 0, 1658],
      [928, 710, 1378, 1805, 1365, 659, 929, 1563, 1212, 581, 1658, 0],
    ];
    const ride = (id: string, priority: number, [from, to]: [number, number], index: number): object => ({
      id,
      priority,
      pickup: { location_index: index, time_windows: [[NOW + from, NOW + to]], service: 30 },
      delivery: { location_index: index + 1, service: 30 },
    });
    const answer = ask({
      as_of: NOW,
      matrices: { car: { durations } },
      vehicles: [
        { id: 1, start_index: 0 },
        { id: 2, start_index: 1 },
      ],
      shipments: [
        ride('s0', 0, [-249, 215], 2),
        ride('s1', 20, [671, 1387], 4),
        ride('s2', 0, [923, 2012], 6),
        ride('s3', 80, [650, 1107], 8),
        ride('s4', 20, [864, 961], 10),
      ],
      options: { late_tolerance: 300, assignments_per_vehicle: 16, queue: 16 },
    });
    expect(answer.assignments.map(({ shipment, vehicle }) => [vehicle, shipment]).sort()).toEqual([
      [1, 's1'],
      [1, 's2'],
      [2, 's3'],
    ]);
  });
});
