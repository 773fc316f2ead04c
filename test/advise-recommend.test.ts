// Recommendations against an independent checker, and reasons against what happens when they are taken away.

import './support/uncounted.js';
import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, actionCount, compileScenario, observationSize, preset } from '#engine/index.js';
import { initialiseNetwork, networkLayout } from '#policy/index.js';
import { answerProps, checkRequest, Policies, Recommender, SimulatedFleet } from '#advise/index.js';
import type { Answer, Place, TrainedNetwork } from '#advise/index.js';
import { compile } from '#advise/schema.js';
import { checkAnswer } from './support/check-answer.js';
import type { Asked, Given } from './support/check-answer.js';
import { randomRequest } from './support/random-request.js';
import { sized, told } from './support/size.js';

const checkShape = compile(answerProps);

const recommender = new Recommender(new Policies(), '0.0.0');

function ask(request: unknown, decisionId = 'd'): Answer {
  // As it comes over the wire.
  return recommender.recommend(checkRequest(JSON.parse(JSON.stringify(request))), { decisionId, stateHash: '' });
}

describe('a recommendation', () => {
  const requests = sized(400, 10_000);
  it(
    `never breaks a lock, a skill, a load, a window, a shift or a queue, in ${told(requests)} random requests`,
    { tags: ['attack'] },
    () => {
      const seen = { assigned: 0, waiting: 0, unassigned: 0, locked: 0, violations: 0, late: 0 };
      for (let seed = 1; seed <= requests; seed++) {
        const request = JSON.parse(JSON.stringify(randomRequest(seed))) as Asked;
        const answer = ask(request);
        expect(checkShape(answer)).toBeNull();
        try {
          seen.assigned += checkAnswer(request, answer as unknown as Given);
        } catch (cause) {
          throw new Error(`seed ${seed}: ${JSON.stringify(request)}`, { cause });
        }
        seen.waiting += answer.waiting.length;
        seen.unassigned += answer.unassigned.length;
        seen.locked += answer.locked.length;
        seen.violations += answer.violations.length;
        seen.late += answer.assignments.filter(({ lateness }) => lateness > 0).length;
      }
      // Nothing of this is rare enough to be missed.
      for (const count of Object.values(seen)) expect(count).toBeGreaterThan(requests / 20);
    },
  );

  it('gives reasons that hold: without them a named vehicle could take the shipment', { tags: ['attack'] }, () => {
    const counts: Record<string, number> = {};
    for (let seed = 1; seed <= sized(1250, 5000); seed++) {
      const request = JSON.parse(JSON.stringify(randomRequest(seed))) as Asked;
      for (const { shipment, reasons } of ask(request).unassigned) {
        if (request.vehicles.length === 0) continue;
        expect(reasons.length).toBeGreaterThan(0);
        for (const { relaxed, vehicles } of reasons) {
          if (vehicles.length === 0) continue;
          const [vehicle] = vehicles;
          if (hasChoice(request, vehicle)) continue;
          const became = outcome(request, shipment, vehicle, relaxed);
          if (became !== 'assigned')
            throw new Error(`${seed} ${shipment} ${vehicle} ${relaxed.join()}: ${became} ${JSON.stringify(request)}`);
          for (const one of relaxed) {
            counts[one] = (counts[one] ?? 0) + 1;
            // Nothing is named that does not stand in the way.
            const rest = relaxed.filter((other) => other !== one);
            if (one === 'others') continue;
            if (outcome(request, shipment, vehicle, rest) === 'assigned') {
              throw new Error(
                `${seed} ${shipment} ${vehicle} ${relaxed.join()} without ${one} ${JSON.stringify(request)}`,
              );
            }
          }
        }
      }
    }
    for (const one of [
      'skills',
      'capacity',
      'window',
      'delivery_window',
      'shift',
      'queue',
      'status',
      'route',
      'others',
    ]) {
      expect([one, (counts[one] ?? 0) > 3]).toEqual([one, true]);
    }
  });

  it('names first who would be there first, and says how late that is', () => {
    const vehicle = (id: number, east: number): object => ({ id, start: [6.14 + east, 46.2] });
    const { unassigned } = ask({
      as_of: 36_000,
      vehicles: [vehicle(1, 0.3), vehicle(2, 0.1), vehicle(3, 0.2)],
      shipments: [
        {
          id: 9,
          pickup: { location: [6.14, 46.2], time_windows: [[36_000, 36_060]] },
          delivery: { location: [6.15, 46.2] },
        },
      ],
      options: { late_tolerance: 60 },
    });
    expect(unassigned).toMatchObject([{ shipment: 9, reasons: [{ relaxed: ['window'], vehicles: [2, 3, 1] }] }]);
    const [, minutes] =
      /^vehicles 2, 3, 1 would be (\d+) min late at the pickup \(1 min allowed\) \(figures of vehicle 2\)$/.exec(
        unassigned[0].reasons[0].message,
      )!;
    // 7.7 km at 30 km/h and up to 1.5 times that in traffic.
    expect(Number(minutes)).toBeGreaterThanOrEqual(14);
    expect(Number(minutes)).toBeLessThan(23);
  });
});

describe('a vehicle that cannot leave at once', () => {
  const leaving = (vehicle: object): string | undefined =>
    ask({
      as_of: 36_000,
      vehicles: [{ id: 1, start: [6.14, 46.2], ...vehicle }],
      shipments: [{ id: 9, pickup: { location: [6.14, 46.2] }, delivery: { location: [6.15, 46.2] } }],
    }).assignments[0].reasons[1];

  it('says whether its work or its shift is what it waits for', () => {
    expect(leaving({ status: 'busy', free_at: 36_600 })).toBe('after its current work (10 min)');
    expect(leaving({ time_window: [37_800, 80_000] })).toBe('after its shift starts (30 min)');
    expect(leaving({})).toBe('no other vehicle can take it');
  });
});

describe('times of day', () => {
  it('are those of the local clock, also after clocks are changed', () => {
    // 01:30 in Zurich; at 02:00 it becomes 03:00. The booking is for the rush hour of 08:30.
    const asOf = 1_774_744_200;
    const rush = asOf + 6 * 3600;
    const request = (from: number): object => ({
      as_of: asOf,
      time_zone: 'Europe/Zurich',
      options: { horizon: 86_400 },
      vehicles: [{ id: 1, start: [6.1, 46.2] }],
      shipments: [
        {
          id: 1,
          pickup: { location: [6.1, 46.2], time_windows: [[from, from + 600]], service: 0 },
          delivery: { location: [6.2, 46.2], service: 0 },
        },
      ],
    });
    const ride = (from: number): number => {
      const [{ pickup_eta: from_, delivery_eta: to }] = ask(request(from)).assignments;
      return to - from_;
    };
    // Levels 0.8 and 0.3, and half of that is lost speed.
    expect(ride(rush) / ride(rush - 7200)).toBeCloseTo(0.85 / 0.6, 2);
    // An hour on it is over; by the clock of before it would be 08:30.
    expect(ride(rush + 3600)).toBe(ride(rush - 7200));
  });
});

describe('a request that cannot be meant', () => {
  const asOf = 1_763_974_800;
  const vehicle = { id: 1, start: [6.14, 46.2] };
  const shipment = { id: 1, pickup: { location: [6.141, 46.2] }, delivery: { location: [6.15, 46.2] } };
  const table = (size: number, rows = size): number[][] =>
    Array.from({ length: rows }, () => Array<number>(size).fill(60));
  const indexed = { ...vehicle, start_index: 0 };
  const part = (from: number, to: number): object => ({ from, to, durations: table(2) });

  it.each<[string, object, RegExp]>([
    [
      'a shift without an end',
      { vehicles: [{ ...vehicle, time_window: [asOf, null] }] },
      /^vehicles\[0\]\.time_window\[1\] is null: expected a whole number \(Last second\)$/,
    ],
    [
      'an empty shift',
      { vehicles: [{ ...vehicle, time_window: [] }] },
      /^vehicles\[0\]\.time_window is \[\]: expected a list of 2/,
    ],
    [
      'no id',
      { vehicles: [{ ...vehicle, id: null }] },
      /^vehicles\[0\]\.id is null: expected a whole number, or up to 64 letters/,
    ],
    [
      'a vehicle far off',
      { vehicles: [vehicle, { id: 2, start: [6.2, 46.2] }, { id: 3, start: [-74, 40.7] }] },
      /vehicles\[2\]\.start is \[-74, 40\.7\], 6\d{3} km from most vehicles: expected .* within 1000 km of them, or tables/,
    ],
    [
      'swapped coordinates of a vehicle',
      { vehicles: [vehicle, { id: 2, start: [6.2, 46.2] }, { id: 3, start: [46.2, 6.14] }] },
      /vehicles\[2\]\.start .* they seem to be swapped/,
    ],
    ['milliseconds', { as_of: asOf * 1000 }, /as_of is 1763974800000: it must be less/],
    [
      'a shift on another clock',
      { vehicles: [{ ...vehicle, time_window: [28_800, 64_800] }] },
      /vehicles\[0\]\.time_window is \[28800,64800\], more than a year from as_of \(1763974800\)/,
    ],
    [
      'a ride that ends in years',
      { vehicles: [{ ...vehicle, status: 'busy', free_at: asOf + 40_000_000 }] },
      /vehicles\[0\]\.free_at is .* more than a year/,
    ],
    [
      'no place',
      { vehicles: [{ id: 1 }] },
      /vehicles\[0\]\.start is missing: it is required where the request has no matrices/,
    ],
    ['no end', { vehicles: [vehicle], shipments: undefined }, /shipments is missing: give a list/],
    [
      'an OSRM error',
      { matrices: { car: { code: 'InvalidQuery', message: 'no such profile' } } },
      /matrices\.car\.durations is missing: OSRM answered InvalidQuery, no such profile/,
    ],
    [
      'OSRM without durations',
      { matrices: { car: { code: 'Ok', distances: table(2) } } },
      /annotations=duration,distance/,
    ],
    [
      'a row too few',
      { vehicles: [indexed], matrices: { car: { durations: table(3, 2) } } },
      /durations has 2 rows of 3 numbers: expected as many rows as numbers in a row/,
    ],
    [
      'one short row',
      { vehicles: [indexed], matrices: { car: { durations: [[1, 2], [1]] } } },
      /durations\[1\] has 1 numbers: expected 2/,
    ],
    [
      'parts over midnight',
      { vehicles: [indexed], matrices_by_time: { car: [part(79_200, 21_600)] } },
      /\[0\]\.to is 21600: .*over midnight give two, 79200 to 86400 and 0 to 21600/,
    ],
    [
      'parts that overlap',
      { vehicles: [indexed], matrices_by_time: { car: [part(0, 43_200), part(36_000, 86_400)] } },
      /\[1\]\.from is 36000: 36000 to 86400 overlaps with matrices_by_time\.car\[0\]/,
    ],
    [
      'parts of no whole minute',
      { vehicles: [indexed], matrices_by_time: { car: [part(0, 90)] } },
      /\[0\]\.to is 90: expected whole minutes, such as 60/,
    ],
    [
      'a gap in the day',
      { vehicles: [indexed], matrices_by_time: { car: [part(0, 3600)] } },
      /has no table for second 3600 of the day: give matrices\.car/,
    ],
  ])('is refused: %s', (_, change, message) => {
    expect(() => ask({ as_of: asOf, vehicles: [vehicle], shipments: [shipment], ...change })).toThrow(message);
  });

  it.each<[string, object, RegExp]>([
    ['far off', { delivery: { location: [2.35, 10.2] } }, /delivery\.location .* km from most vehicles/],
    ['swapped', { pickup: { location: [46.2, 6.14] } }, /pickup\.location .* they seem to be swapped/],
    [
      'on another clock',
      { pickup: { location: [6.1, 46.2], time_windows: [[36_000, 37_000]] } },
      /more than a year from as_of/,
    ],
    [
      'with a window that has no end',
      { pickup: { location: [6.1, 46.2], time_windows: [[asOf, null]] } },
      /^shipments\[0\]\.pickup\.time_windows\[0\]\[1\] is null: expected a whole number \(Last second\)$/,
    ],
    [
      'with no window in the list of windows',
      { pickup: { location: [6.1, 46.2], time_windows: [null] } },
      /^shipments\[0\]\.pickup\.time_windows\[0\] is null: expected a list of 2/,
    ],
    [
      'with an empty window',
      { pickup: { location: [6.1, 46.2], time_windows: [[]] } },
      /^shipments\[0\]\.pickup\.time_windows\[0\] is \[\]: expected a list of 2/,
    ],
  ])('is set aside: a shipment %s', (_, change, message) => {
    const answer = ask({
      as_of: asOf,
      vehicles: [vehicle],
      shipments: [
        { ...shipment, ...change },
        { ...shipment, id: 2 },
      ],
    });
    expect(answer.violations).toHaveLength(1);
    expect(answer.violations[0].message).toMatch(message);
    expect(answer.assignments).toHaveLength(1);
  });

  it('is not one across the antimeridian, where the near way is taken', () => {
    const fiji = (east: number): number[] => [east > 180 ? east - 360 : east, -17];
    const answer = ask({
      as_of: asOf,
      vehicles: [
        { id: 1, start: fiji(179.9) },
        { id: 2, start: fiji(180.3) },
      ],
      shipments: [{ id: 1, pickup: { location: fiji(180.05) }, delivery: { location: fiji(179.95) } }],
    });
    expect(answer.violations).toEqual([]);
    const [{ vehicle: taken, approach_distance: metres }] = answer.assignments;
    expect(taken).toBe(1);
    expect(metres).toBeGreaterThan(15_000);
    expect(metres).toBeLessThan(17_000);
  });
});

describe('a promise', () => {
  it('stands, and says what it does not keep to', () => {
    const asOf = 1_763_974_800;
    const answer = ask({
      as_of: asOf,
      vehicles: [
        { id: 1, start: [6.1, 46.2], capacity: [1], time_window: [asOf - 3600, asOf + 600], locked: [1] },
        { id: 2, start: [6.1, 46.2], skills: ['wheelchair'], locked: [2] },
      ],
      shipments: [
        {
          id: 1,
          pickup: { location: [6.2, 46.2], time_windows: [[asOf - 7200, asOf - 3600]] },
          delivery: { location: [6.1, 46.2], time_windows: [[asOf, asOf + 60]] },
          skills: ['wheelchair'],
          amount: [2],
        },
        { id: 2, pickup: { location: [6.1, 46.2] }, delivery: { location: [6.1, 46.2] }, skills: ['wheelchair'] },
      ],
    });
    expect(answer.locked.map(({ shipment, breaks }) => [shipment, breaks])).toEqual([
      [1, ['skills', 'capacity', 'window', 'delivery_window', 'shift']],
      [2, []],
    ]);
  });
});

describe('loads', () => {
  it('of any number of sizes are told apart by who carries them, and skills are counted once', () => {
    const asOf = 1_763_974_800;
    const answer = ask({
      as_of: asOf,
      options: { queue: 16, assignments_per_vehicle: 16, late_tolerance: 86_400 },
      vehicles: [
        ...['small-1', 'small-2'].map((id) => ({ id, start: [6.14, 46.2], capacity: [20] })),
        ...['large-1', 'large-2'].map((id) => ({ id, start: [6.14, 46.2], capacity: [100], skills: ['a'] })),
      ],
      shipments: Array.from({ length: 40 }, (_, k) => ({
        id: k,
        pickup: { location: [6.141, 46.2] },
        delivery: { location: [6.142, 46.2] },
        amount: [k + 1],
        ...(k === 5 ? { skills: Array<string>(31).fill('a') } : {}),
      })),
    });
    expect([answer.violations, answer.unassigned]).toEqual([[], []]);
    expect(answer.assignments).toHaveLength(40);
    for (const { shipment, vehicle } of answer.assignments) {
      if (Number(shipment) >= 20 || shipment === 5) expect(vehicle).toMatch(/large/);
    }
  });
});

describe('a simulated company', () => {
  it('can drive all that is recommended, tick by tick, and fares as the rule itself does', () => {
    let promised = 0;
    let moved = 0;
    for (const policy of ['hungarian', 'edf', 'nearest']) {
      for (let seed = 1; seed <= 3; seed++) {
        const fleet = new SimulatedFleet(compileScenario(preset('geneva')), seed);
        let recommended = 0;
        let taken = 0;
        let before = new Map<unknown, { start: Place; free: Place }>();
        while (!fleet.over) {
          const state = fleet.state();
          const answer = ask({ ...state, policy });
          expect(answer.violations).toEqual([]);
          promised += answer.locked.length;
          // Who goes on with a ride is further on the way, or waits at the pickup.
          const now = new Map(
            state.vehicles.flatMap(({ id, start, free_location: free }) =>
              free === undefined ? [] : [[id, { start: start!, free }] as const],
            ),
          );
          for (const [id, { start, free }] of now) {
            expect(Math.hypot(start[0] - 6.1432, start[1] - 46.2044)).toBeLessThan(0.3);
            const earlier = before.get(id);
            if (earlier !== undefined && String(earlier.free) === String(free))
              moved += Number(String(start) !== String(earlier.start));
          }
          before = now;
          recommended += answer.assignments.length;
          taken += fleet.apply(answer);
          fleet.advance();
        }
        // Degrees are not metres to the bit: now and then a second decides.
        expect(taken).toBeGreaterThanOrEqual(recommended - 1);
        expect(taken).toBeGreaterThan(20);
        expect(fleet.figures().return).toBeGreaterThan(0);
      }
    }
    expect(promised).toBeGreaterThan(20);
    expect(moved).toBeGreaterThan(500);
  });
});

describe('waiting', () => {
  const asked = sized(1000, 20_000);
  it(
    'is safe until it says: at that second a vehicle, its plan driven as told, can still take the shipment',
    { tags: ['attack'] },
    () => {
      let compared = 0;
      for (let seed = 1; seed <= asked; seed++) {
        const request = JSON.parse(JSON.stringify(randomRequest(seed))) as Asked;
        const answer = ask(request);
        for (const { shipment, latest_safe: safe } of answer.waiting) {
          // Beyond its area the service's plane is about the middle of each request, and seconds differ between two.
          if (safe === null || request.vehicles.some(({ start }) => start !== undefined && beyond(start))) continue;
          if (request.shipments.some((one) => one?.pickup?.location !== undefined && beyond(one.pickup.location)))
            continue;
          if (isBeyondHorizon(request, shipment, safe)) continue;
          compared++;
          const became = outcomeAt(request, answer, shipment, safe);
          if (became !== 'assigned')
            throw new Error(`${seed} ${shipment} at ${safe}: ${became} ${JSON.stringify(request)}`);
        }
      }
      expect(compared).toBeGreaterThan(asked / 3);
    },
  );
});

function beyond([longitude, latitude]: readonly [number, number]): boolean {
  return Math.abs(longitude - 6.1432) > 0.1 || Math.abs(latitude - 46.2044) > 0.1;
}

/** A horizon shorter than the approach: at `later` every window that is left begins beyond it, so the shipment still waits. */
function isBeyondHorizon(request: Asked, shipment: number | string, later: number): boolean {
  const { pickup } = request.shipments.find((one) => one?.id === shipment)!;
  const left = (pickup.time_windows ?? []).filter(([, end]) => end >= later);
  const horizon = request.options?.horizon ?? 7200;
  return left.length > 0 && left.every(([begin]) => begin > later + horizon);
}

/** What becomes of a shipment at `later`, if all was driven as the answer says. */
function outcomeAt(request: Asked, answer: Answer, shipment: number | string, later: number): string {
  const vehicles = request.vehicles.map((vehicle) => {
    const { locked, start_index: index, ...rest } = vehicle;
    const driven = [...answer.locked, ...answer.assignments].filter((one) => one.vehicle === vehicle.id);
    const last = driven.at(-1);
    if (last === undefined) {
      if (locked !== undefined) return { ...vehicle, locked: [], status: 'offline' };
      if ((vehicle.free_at ?? 0) <= request.as_of || vehicle.status === 'offline') return vehicle;
      // By then the ride under way may be over, and the vehicle where it ended.
      const { free_location: start, free_location_index: zone = index } = vehicle;
      return {
        ...vehicle,
        ...(start === undefined ? {} : { start }),
        ...(zone === undefined ? {} : { start_index: zone }),
      };
    }
    const { delivery } = request.shipments.find((one) => one?.id === last.shipment)!;
    const { location, location_index: zone = index } = delivery;
    const at = {
      ...(location === undefined ? {} : { start: location, free_location: location }),
      ...(zone === undefined ? {} : { start_index: zone, free_location_index: zone }),
    };
    const { free_location: _, free_location_index: __, start: ___, ...bare } = rest;
    return { ...bare, ...at, status: 'available', free_at: Math.max(last.delivery_eta, later) };
  });
  const wanted = request.shipments.find((one) => one?.id === shipment)!;
  const options = { ...request.options, queue: 16 };
  const asked = { ...request, as_of: later, vehicles, options, shipments: [wanted], policy: 'hungarian' };
  const then = ask(asked);
  return then.assignments.length === 1 ? 'assigned' : JSON.stringify(then.unassigned);
}

describe('a network', () => {
  const compiled = compileScenario(preset('geneva'));
  const network = (kind: 'pairs' | 'flat', hidden: number[] = [32]): TrainedNetwork => {
    const inputs = observationSize(compiled.scenario, 'full');
    const shape = { kind, inputs, hidden, criticHidden: [8], actions: actionCount(compiled.scenario) };
    const weights = new Float32Array(networkLayout(shape).size);
    initialiseNetwork(shape, new RandomStream(3, Purpose.weights), weights);
    return { name: `net-${kind}-${hidden.join('-')}`, shape, weights, observation: 'full', compiled, training: {} };
  };
  const asking = new Recommender(
    new Policies([network('pairs'), network('flat'), network('flat', [4096, 4096, 4096])]),
    '0.0.0',
  );
  const context = { decisionId: 'd', stateHash: '' };
  const inHours = (vehicles: number, shipments: number): Asked => {
    const stream = new RandomStream(vehicles * 100 + shipments, Purpose.demand);
    const place = (): [number, number] => [
      6.0632 + stream.integer(0, 160) / 1000,
      46.1244 + stream.integer(0, 160) / 1000,
    ];
    // 09:00 on a day in UTC.
    const asOf = 1_763_974_800;
    return {
      as_of: asOf,
      // These are about what is decided, however busy the machine is.
      deadline_ms: 60_000,
      vehicles: Array.from({ length: vehicles }, (_, id) => ({ id, start: place() })),
      shipments: Array.from({ length: shipments }, (_, id) => ({
        id,
        pickup: { location: place(), time_windows: [[asOf, asOf + 1800]] },
        delivery: { location: place() },
      })),
    };
  };

  it('decides on problems up to the size it was trained on, padded, with the probability of each decision', () => {
    for (const policy of ['net-pairs-32', 'net-flat-32']) {
      for (const [vehicles, shipments] of [
        [10, 20],
        [1, 1],
        [3, 20],
        [10, 2],
        [7, 0],
      ]) {
        const request = { ...inHours(vehicles, shipments), policy };
        const answer = asking.recommend(checkRequest(request), context);
        expect(answer.provenance).toMatchObject({ policy, fallback: null, out_of_distribution: [] });
        checkAnswer(request, answer as unknown as Given);
        for (const { confidence } of answer.assignments) {
          expect(confidence).toBeGreaterThan(0);
          expect(confidence).toBeLessThanOrEqual(1);
        }
        expect(asking.recommend(checkRequest(request), context)).toEqual(answer);
      }
    }
  });

  it('gives way to the planner, and says so, where a request is unlike its training', () => {
    const base = inHours(6, 9);
    const [first, ...rest] = base.vehicles;
    for (const [change, unlike] of [
      [inHours(11, 5), '11 vehicles'],
      [inHours(5, 21), '21 shipments'],
      [{ time_zone: 'Asia/Tokyo' }, 'time of day'],
      [{ vehicles: [{ ...first, start: [8.54, 47.37] }, ...rest] }, 'area'],
      [{ options: { queue: 5 } }, 'queue'],
      [{ options: { late_tolerance: 60 } }, 'late tolerance'],
      [{ options: { speed_kmh: 50 } }, 'speed'],
      [{ shipments: base.shipments.map((one) => ({ ...one, skills: ['crane'] })) }, 'skills'],
    ] as const) {
      const request = { ...base, ...change };
      const answer = asking.recommend(checkRequest({ ...request, policy: 'net-pairs-32' }), context);
      expect(answer.provenance.out_of_distribution).toContain(unlike);
      expect(answer.provenance.fallback).toEqual({ policy: 'planner', reason: 'out_of_distribution' });
      // On a busy machine the clock may stop the search: the other is to stop where it did.
      const same = { ...context, replay: answer.provenance };
      const planner = asking.recommend(checkRequest({ ...request, policy: 'planner' }), same);
      expect(answer.assignments).toEqual(planner.assignments);
    }
  });

  it('that does not decide by the deadline gives way, too, and the same comes out of a replay', () => {
    const request = { ...inHours(10, 20), policy: 'net-flat-4096-4096-4096', deadline_ms: 1 };
    const answer = asking.recommend(checkRequest(request), context);
    expect(answer.provenance.fallback).toEqual({ policy: 'planner', reason: 'deadline' });
    expect(answer.provenance.turns).toBe(0);
    const first = { ...context, replay: { fallback: null, futures: [], turns: 0 } };
    const planner = asking.recommend(checkRequest({ ...request, policy: 'planner' }), first);
    expect(answer.assignments).toEqual(planner.assignments);
    const patient = { ...request, deadline_ms: 60_000 };
    const again = asking.recommend(checkRequest(patient), { ...context, replay: answer.provenance });
    expect(again).toEqual(answer);
    expect(asking.recommend(checkRequest(patient), context).provenance.fallback?.reason).not.toBe('deadline');
  });

  it('is refused under a name that is taken, and for a world of zones', () => {
    expect(() => new Policies([{ ...network('pairs'), name: 'edf' }])).toThrow('two policies have the name edf');
    const { scenario } = compiled;
    const zones = { ...compiled, scenario: { ...scenario, travel: { kind: 'matrix' as const } } };
    expect(() => new Policies([], zones)).toThrow('has zones without coordinates');
    expect(() => asking.policies.named('none')).toThrow(/policy is "none": expected one of net-pairs-32/);
  });
});

describe('what-if', () => {
  it('plays the same futures for every candidate, within the deadline, and the same ones again', () => {
    const request = randomRequestInHours();
    const full = ask({ ...request, explain: true, deadline_ms: 60_000 });
    expect(checkShape(full)).toBeNull();
    expect(full.assignments.length).toBeGreaterThan(2);
    expect(full.provenance.futures).toEqual(full.assignments.map(() => 16));
    for (const { what_if: whatIf, vehicle } of full.assignments) {
      const [chosen, ...others] = whatIf!.candidates;
      expect(chosen.vehicle).toBe(vehicle);
      expect(chosen.advantage).toEqual({ mean: 0, low: 0, high: 0 });
      expect(others.at(-1)!.vehicle).toBeNull();
      for (const { late, minutes_late: minutes, lost } of whatIf!.candidates) {
        for (const { mean, low, high } of [late, minutes, lost]) {
          expect(low).toBeLessThanOrEqual(mean);
          expect(mean).toBeLessThanOrEqual(high);
        }
      }
      expect(whatIf).toMatchObject({ futures: 16, new_demand: true });
    }
    const { provenance, ...rest } = ask({ ...request, explain: true, deadline_ms: 60_000 });
    expect({ ...rest, provenance }).toEqual(full);
    // Another seed, other futures.
    expect(ask({ ...request, explain: true, deadline_ms: 60_000, seed: 2 }).assignments).not.toEqual(full.assignments);
    // Time for nearly nothing: there is a first plan; what is explained is, the rest says null.
    const hurried = ask({ ...request, explain: true, deadline_ms: 1 });
    expect(hurried.assignments).toHaveLength(full.assignments.length);
    expect(hurried.assignments.at(-1)!.what_if).toBeNull();
    const replay = hurried.provenance;
    const again = recommender.recommend(checkRequest({ ...request, explain: true }), {
      decisionId: 'd',
      stateHash: '',
      replay,
    });
    expect(again).toEqual(hurried);
  });
});

function randomRequestInHours(): Record<string, unknown> {
  const asOf = 1_763_974_800;
  const at = (k: number): [number, number] => [6.09 + 0.013 * ((k * 7) % 8), 46.15 + 0.014 * ((k * 5) % 8)];
  return {
    as_of: asOf,
    vehicles: Array.from({ length: 5 }, (_, id) => ({ id, start: at(id) })),
    shipments: Array.from({ length: 8 }, (_, k) => ({
      id: `s${k}`,
      pickup: { location: at(k + 3), time_windows: [[asOf, asOf + 1200]] },
      delivery: { location: at(2 * k) },
    })),
  };
}

/** Whether a vehicle's promises have several windows: which of them is kept changes with what is taken away. */
function hasChoice({ vehicles, shipments }: Asked, vehicle: number | string): boolean {
  const locked = vehicles.find(({ id }) => id === vehicle)!.locked ?? [];
  const isLong = (stop: { time_windows?: unknown[] }): boolean => (stop.time_windows ?? []).length > 1;
  return locked.some((id) => {
    const promise = shipments.find((one) => one?.id === id);
    return promise !== undefined && (isLong(promise.pickup) || isLong(promise.delivery));
  });
}

/** What becomes of one shipment with one vehicle, some constraints taken out of the request. */
function outcome(
  request: Asked,
  shipment: number | string,
  vehicle: number | string,
  relaxed: readonly string[],
): string {
  const options = { ...request.options };
  let vehicles = request.vehicles.map((one) => ({ ...one }));
  const kept = new Set([shipment, ...vehicles.flatMap(({ locked = [] }) => locked)]);
  const shipments = request.shipments
    .filter((one) => typeof one === 'object' && one !== null && kept.has(one.id ?? ''))
    .map((one) => ({ ...one }));
  vehicles = vehicles.map((one) => (one.id === vehicle ? one : { ...one, status: 'offline' }));
  const its = vehicles.find(({ id }) => id === vehicle)! as unknown as Record<string, unknown>;
  const wanted = shipments.find(({ id }) => id === shipment)! as unknown as Record<string, unknown>;
  let { matrices, matrices_by_time: byTime } = request;
  // Where there is no way, there are no times that could be judged: they are let go with it.
  for (const one of relaxed.includes('route') ? [...relaxed, 'window', 'delivery_window', 'shift'] : relaxed) {
    switch (one) {
      case 'route': {
        const open = <T extends { durations: (number | null)[][] }>(table: T): T => ({
          ...table,
          durations: table.durations.map((row) => row.map((cell) => cell ?? 1)),
        });
        if (matrices !== undefined) matrices = { car: open(matrices['car']) };
        if (byTime !== undefined) byTime = { car: byTime['car'].map(open) };
        break;
      }
      case 'skills':
        delete wanted['skills'];
        break;
      case 'capacity':
        delete wanted['amount'];
        break;
      case 'window':
        options['late_tolerance'] = 86_400;
        break;
      case 'delivery_window': {
        const { time_windows: windows, ...rest } = wanted['delivery'] as { time_windows?: number[][] };
        if (windows === undefined) break;
        const from = Math.min(...windows.map(([first]) => first));
        wanted['delivery'] = {
          ...rest,
          time_windows: [...windows, [request.as_of, request.as_of + 10_000_000], [from, from]],
        };
        break;
      }
      case 'shift': {
        if (its['time_window'] === undefined) break;
        const [from] = its['time_window'] as number[];
        its['time_window'] = [from, request.as_of + 10_000_000];
        break;
      }
      case 'queue':
        options['queue'] = 16;
        break;
      case 'status':
        its['status'] = 'available';
        break;
    }
  }
  const answer = ask({
    ...request,
    policy: 'hungarian',
    options,
    vehicles,
    shipments,
    ...(matrices === undefined ? {} : { matrices }),
    ...(byTime === undefined ? {} : { matrices_by_time: byTime }),
  });
  for (const lot of ['assignments', 'waiting', 'unassigned'] as const) {
    if (answer[lot].some((one) => one.shipment === shipment)) return lot === 'assignments' ? 'assigned' : lot;
  }
  return 'nowhere';
}
