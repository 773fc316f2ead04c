// Plans of routes: whatever is asked for, they keep every limit; where all plans can be tried, none is better; and they are the same again.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NOWHERE, solve } from '#routing/index.js';
import type { RoutingPlan, RoutingProblem, StopSpec, TaskSpec, VehicleSpec, Window } from '#routing/index.js';
import { faultsOf } from './support/check-plan.js';
import { sized, told } from './support/size.js';

const PLACES = 6;

const anyWindows = fc.oneof(
  fc.constant<Window[]>([]),
  fc.tuple(fc.nat(3000), fc.nat(1500)).map(([from, long]): Window[] => [[from, from + long]]),
  fc.tuple(fc.nat(900), fc.nat(300), fc.nat(900), fc.nat(900)).map(([from, long, gap, more]): Window[] => [
    [from, from + long],
    [from + long + gap + 1, from + long + gap + 1 + more],
  ]),
);
const anyStop: fc.Arbitrary<StopSpec> = fc.record({
  place: fc.nat(PLACES - 1),
  setup: fc.nat(60).map((one) => [one]),
  service: fc.nat(300).map((one) => [one]),
  windows: anyWindows,
});
const amount = fc.nat(2).map((one) => [one]);

function anyTask(vehicles: number): fc.Arbitrary<TaskSpec> {
  const shared = {
    worth: fc.integer({ min: 1, max: 3 }),
    allowed: fc
      .array(fc.integer({ min: 0, max: 3 }), { minLength: vehicles, maxLength: vehicles })
      .map((list) => Uint8Array.from(list, Math.sign)),
  };
  return fc.oneof(
    fc.record({ kind: fc.constant('job' as const), stop: anyStop, delivery: amount, pickup: amount, ...shared }),
    fc.record({
      kind: fc.constant('shipment' as const),
      pickup: anyStop,
      delivery: anyStop,
      amount,
      maxRide: fc.oneof(fc.constant(Infinity), fc.integer({ min: 200, max: 2000 })),
      ...shared,
    }),
  );
}

const anyVehicle: fc.Arbitrary<VehicleSpec> = fc
  .record({
    start: fc.integer({ min: NOWHERE, max: PLACES - 1 }),
    end: fc.integer({ min: NOWHERE, max: PLACES - 1 }),
    capacity: fc.integer({ min: 1, max: 4 }).map((one) => [one]),
    shift: fc
      .tuple(fc.nat(1000), fc.oneof(fc.constant(Infinity), fc.integer({ min: 500, max: 6000 })))
      .map(([from, long]): Window => [from, from + long]),
    breaks: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      {
        weight: 1,
        arbitrary: fc.array(
          fc.record({
            service: fc.nat(600),
            windows: anyWindows,
            maxLoad: fc.oneof(
              fc.constant(null),
              fc.nat(1).map((one) => [one]),
            ),
          }),
          { minLength: 1, maxLength: 2 },
        ),
      },
    ),
    maxStops: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 5 })),
    maxTravel: fc.oneof(fc.constant(Infinity), fc.integer({ min: 300, max: 4000 })),
    maxDistance: fc.oneof(fc.constant(Infinity), fc.integer({ min: 3000, max: 40_000 })),
    fixed: fc.nat(500),
  })
  .map((one) => ({ ...one, start: one.start < 0 && one.end < 0 ? 0 : one.start, travel: 0, kind: 0, perTaskHour: 0 }));

/** Any durations, also where a way by another place is shorter. */
const anyTable = fc
  .array(fc.integer({ min: 1, max: 900 }), { minLength: PLACES ** 2, maxLength: PLACES ** 2 })
  .map((cells) => Float64Array.from(cells, (cell, k) => (k % (PLACES + 1) === 0 ? 0 : cell)));

function anyProblem(vehicles: number, tasks: number): fc.Arbitrary<RoutingProblem> {
  return fc
    .tuple(
      anyTable,
      fc.array(anyVehicle, { minLength: 1, maxLength: vehicles }),
      fc.array(anyTask(vehicles), { minLength: 0, maxLength: tasks }),
    )
    .map(([durations, fleet, list]) => ({
      places: PLACES,
      dimensions: 1,
      travels: [{ durations, distances: durations.map((one) => 10 * one), costs: durations }],
      vehicles: fleet,
      tasks: list,
    }));
}

/** The same with the shortest ways: what one stop more costs is then never negative, so that plans can be built stop by stop. */
function shortened(problem: RoutingProblem): RoutingProblem {
  const d = problem.travels[0].durations.slice();
  for (let by = 0; by < PLACES; by++) {
    for (let a = 0; a < PLACES; a++) {
      for (let b = 0; b < PLACES; b++) {
        d[a * PLACES + b] = Math.min(d[a * PLACES + b], d[a * PLACES + by] + d[by * PLACES + b]);
      }
    }
  }
  return { ...problem, travels: [{ durations: d, distances: d.map((one) => 10 * one), costs: d }] };
}

const search = (problem: RoutingProblem, turns: number, seed = 1): RoutingPlan =>
  solve(problem, { seed, turns, isOver: () => false });

const RUNS = sized(150, 3000);

describe('a plan', () => {
  it(`keeps every limit: ${told(RUNS)} problems of any kind`, { tags: ['attack'] }, () => {
    const seen = { served: 0, unserved: 0, breaks: 0, rides: 0 };
    fc.assert(
      fc.property(anyProblem(3, 8), (problem) => {
        const plan = search(problem, 30);
        expect(faultsOf(problem, plan)).toEqual([]);
        seen.unserved += plan.unserved.length;
        seen.served += problem.tasks.length - plan.unserved.length;
        seen.breaks += plan.steps.flat().filter(({ type }) => type === 'break').length;
        seen.rides += problem.tasks.filter(
          (task, t) => task.kind === 'shipment' && task.maxRide < Infinity && !plan.unserved.includes(t),
        ).length;
      }),
      { numRuns: RUNS },
    );
    // All of it must have come up, or the claim says little.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(RUNS / 15);
  });

  it('is the same for the same seed and turns, also where the clock ended the search', () => {
    const [problem] = fc.sample(anyProblem(3, 12), { seed: 5, numRuns: 1 });
    let asked = 0;
    const cut = solve(problem, { seed: 7, turns: 100, isOver: () => ++asked > 4 });
    expect(cut.turns).toBeLessThan(100);
    expect(search(problem, cut.turns, 7)).toEqual(cut);
    expect(search(problem, 50)).toEqual(search(problem, 50));
  });

  it('is made from what is given to begin with, which must be possible', () => {
    const problem = line([0, 10, 20, 30]);
    const given = solve(problem, { seed: 1, turns: 0, isOver: () => false, initial: [[2, 0, 1]] });
    expect(given.steps[0].filter(({ type }) => type === 'stop').map(({ index }) => index)).toEqual([2, 0, 1]);
    const late = { ...problem, vehicles: [{ ...problem.vehicles[0], shift: [0, 5] as const }] };
    expect(() => solve(late, { seed: 1, turns: 0, isOver: () => false, initial: [[2, 0, 1]] })).toThrow(
      'the plan of vehicle 0 is not possible',
    );
  });
});

/** One vehicle at the first place, a job at each other place, on a line of seconds. */
function line(at: readonly number[]): RoutingProblem {
  const durations = Float64Array.from(at.flatMap((a) => at.map((b) => Math.abs(a - b))));
  const stop = (place: number): StopSpec => ({ place, setup: [0], service: [0], windows: [] });
  const job = (place: number): TaskSpec => ({
    ...{ kind: 'job', stop: stop(place), delivery: [], pickup: [], worth: 1, allowed: Uint8Array.of(1) },
  });
  return {
    places: at.length,
    dimensions: 0,
    travels: [{ durations, distances: null, costs: durations }],
    vehicles: [
      {
        ...{
          start: 0,
          end: NOWHERE,
          travel: 0,
          kind: 0,
          capacity: [],
          shift: [0, 1e6],
          breaks: [],
          fixed: 0,
          perTaskHour: 0,
        },
        ...{ maxStops: Infinity, maxTravel: Infinity, maxDistance: Infinity },
      },
    ],
    tasks: at.slice(1).map((_, k) => job(k + 1)),
  };
}

/** The best worth and cost of all plans, by trying each sequence of each vehicle as a plan that is given to begin with. */
function bestOfAll(problem: RoutingProblem): { worth: number; cost: number } {
  let best = { worth: 0, cost: 0 };
  const first: number[] = [];
  let count = 0;
  for (const task of problem.tasks) {
    first.push(count);
    count += task.kind === 'job' ? 1 : 2;
  }
  const sequences: number[][] = problem.vehicles.map(() => []);
  const tryIt = (): void => {
    let plan: RoutingPlan;
    try {
      plan = solve(problem, { seed: 1, turns: 0, isOver: () => false, initial: sequences });
    } catch {
      return;
    }
    // What was inserted beside it counts, too: it is another plan that is possible.
    const worth = problem.tasks.reduce((sum, task, t) => sum + (plan.unserved.includes(t) ? 0 : task.worth), 0);
    const cost = plan.costs.reduce((sum, one) => sum + one, 0);
    if (worth > best.worth || (worth === best.worth && cost < best.cost)) best = { worth, cost };
  };
  const place = (t: number): void => {
    if (t === problem.tasks.length) {
      tryIt();
      return;
    }
    place(t + 1);
    const task = problem.tasks[t];
    for (const [k, sequence] of sequences.entries()) {
      if (task.allowed[k] === 0) continue;
      for (let p = 0; p <= sequence.length; p++) {
        sequence.splice(p, 0, first[t]);
        if (task.kind === 'job') place(t + 1);
        else {
          for (let q = p + 1; q <= sequence.length; q++) {
            sequence.splice(q, 0, first[t] + 1);
            place(t + 1);
            sequence.splice(q, 1);
          }
        }
        sequence.splice(p, 1);
      }
    }
  };
  place(0);
  return best;
}

const SMALL = sized(25, 300);

describe('of small problems', () => {
  it(
    `none is better than what is found: ${told(SMALL)} problems of two vehicles and three tasks`,
    { tags: ['attack'] },
    () => {
      fc.assert(
        fc.property(anyProblem(2, 3).map(shortened), (problem) => {
          const plan = search(problem, 200);
          const worth = problem.tasks.reduce((sum, task, t) => sum + (plan.unserved.includes(t) ? 0 : task.worth), 0);
          const cost = plan.costs.reduce((sum, one) => sum + one, 0);
          const best = bestOfAll(problem);
          expect([worth, Math.round(cost)]).toEqual([best.worth, Math.round(best.cost)]);
        }),
        { numRuns: SMALL },
      );
    },
  );

  it('the round trip of four places that VROOM documents costs as much', () => {
    const table = [0, 2104, 197, 1299, 2103, 0, 2255, 3152, 197, 2256, 0, 1102, 1299, 3153, 1102, 0];
    const durations = Float64Array.from(table);
    const base = line([0, 1, 2]);
    const plan = search(
      {
        ...base,
        places: 4,
        travels: [{ durations, distances: null, costs: durations }],
        vehicles: [{ ...base.vehicles[0], end: 3 }],
      },
      50,
    );
    expect(plan.costs).toEqual([5461]);
    expect(plan.steps[0].map(({ arrival }) => arrival)).toEqual([0, 2104, 4359, 5461]);
  });
});
