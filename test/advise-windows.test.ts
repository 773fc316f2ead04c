// Stops with several windows, each question with its answer: in order or not, open, missed, past, promised.

import { describe, expect, it } from 'vitest';
import { analyze, checkRequest, Policies, Recommender } from '#advise/index.js';
import type { Answer } from '#advise/index.js';

const recommender = new Recommender(new Policies(), '0.0.0');
const context = { decisionId: 'd', stateHash: '' };
const asOf = 1_763_971_200;

type Windows = readonly (readonly [number, number])[];
interface Case {
  /** Seconds from now. */
  readonly pickup: Windows;
  readonly delivery?: Windows;
  /** Seconds of every way. */
  readonly way?: number;
  readonly vehicle?: object;
  readonly options?: object;
}

function requestOf({ pickup, delivery, way = 1200, vehicle = {}, options = {} }: Case): Record<string, unknown> {
  const onClock = (windows: Windows): number[][] => windows.map((pair) => pair.map((second) => asOf + second));
  return {
    as_of: asOf,
    options,
    matrices: {
      car: {
        durations: [
          [0, way],
          [way, 0],
        ],
      },
    },
    vehicles: [{ id: 1, start_index: 0, ...vehicle }],
    shipments: [
      {
        id: 'a',
        pickup: { location_index: 1, time_windows: onClock(pickup) },
        delivery: { location_index: 0, ...(delivery === undefined ? {} : { time_windows: onClock(delivery) }) },
      },
    ],
  };
}

function ask(request: object): Answer {
  return recommender.recommend(checkRequest(structuredClone(request)), context);
}

/** Pickup, lateness and delivery of the shipment, in seconds from now. */
function taken(one: Case): readonly number[] {
  const answer = ask(requestOf(one));
  expect([answer.violations, answer.unassigned, answer.waiting]).toEqual([[], [], []]);
  const [{ pickup_eta: pickup, lateness, delivery_eta: delivery, reasons }] = answer.assignments;
  // The first of the reasons speaks of the same window.
  if (lateness > 0)
    expect(reasons[0]).toBe(
      `pickup ${Math.ceil(lateness / 60)} min after its window ends, within the tolerance of ${minutes(one)}`,
    );
  else expect(reasons[0]).toMatch(/^pickup .* before its window ends$/);
  return [pickup - asOf, lateness, delivery - asOf];
}

function minutes({ options = {} }: Case): string {
  return `${Math.round(((options as { late_tolerance?: number }).late_tolerance ?? 900) / 60)} min`;
}

describe('of several windows of a pickup', () => {
  it.each<[string, Case, readonly number[]]>([
    [
      'the second counts inside it, where the first is over',
      {
        pickup: [
          [0, 900],
          [600, 1800],
        ],
      },
      [1200, 0, 2400],
    ],
    [
      'the one that is open now, sent last',
      {
        pickup: [
          [7140, 7200],
          [0, 1800],
        ],
      },
      [1200, 0, 2400],
    ],
    [
      'the second, waited for, where the first cannot be reached',
      {
        pickup: [
          [0, 60],
          [3600, 7200],
        ],
      },
      [3600, 0, 4800],
    ],
    [
      'the second, waited for, where a late pickup would be tolerated',
      {
        pickup: [
          [-1200, 600],
          [1500, 1800],
        ],
      },
      [1500, 0, 2700],
    ],
    [
      'the third of three in any order',
      {
        pickup: [
          [1900, 2000],
          [0, 100],
          [1300, 1400],
        ],
      },
      [1300, 0, 2500],
    ],
    [
      'one that begins the second after the other ends',
      {
        pickup: [
          [601, 1199],
          [1200, 1300],
          [0, 600],
        ],
      },
      [1200, 0, 2400],
    ],
    [
      'any of the same twice',
      {
        pickup: [
          [0, 1200],
          [0, 1200],
        ],
      },
      [1200, 0, 2400],
    ],
    [
      'one within another',
      {
        pickup: [
          [500, 600],
          [0, 3000],
        ],
      },
      [1200, 0, 2400],
    ],
    [
      'the last, late, where all are missed',
      {
        pickup: [
          [0, 600],
          [700, 1000],
        ],
      },
      [1200, 200, 2400],
    ],
    [
      'the last to end, not the last in the list',
      {
        pickup: [
          [0, 1000],
          [0, 600],
        ],
      },
      [1200, 200, 2400],
    ],
    [
      'the last, late, where all are over',
      {
        pickup: [
          [-600, -300],
          [-7200, -3600],
        ],
        way: 100,
      },
      [100, 400, 200],
    ],
    [
      'the first, late, where the shift ends before the second',
      {
        pickup: [
          [0, 1000],
          [3600, 7200],
        ],
        vehicle: { time_window: [asOf, asOf + 4000] },
      },
      [1200, 200, 2400],
    ],
    [
      'the second where the shift begins after the first',
      {
        pickup: [
          [0, 1000],
          [3600, 7200],
        ],
        vehicle: { time_window: [asOf + 2000, asOf + 9000] },
      },
      [3600, 0, 4800],
    ],
    [
      'the first, late, where the delivery cannot wait for the second',
      {
        pickup: [
          [0, 1000],
          [3600, 7200],
        ],
        delivery: [[0, 3000]],
      },
      [1200, 200, 2400],
    ],
    [
      'the first, late, where the second begins beyond the horizon',
      {
        pickup: [
          [0, 1000],
          [3600, 7200],
        ],
        options: { horizon: 3599 },
      },
      [1200, 200, 2400],
    ],
    [
      'the second just within the horizon',
      {
        pickup: [
          [0, 1000],
          [3600, 7200],
        ],
        options: { horizon: 3600 },
      },
      [3600, 0, 4800],
    ],
  ])('it is %s', (_, one, times) => {
    expect(taken(one)).toEqual(times);
  });

  it('none may begin so early that tolerance would open it', () => {
    const one: Case = {
      pickup: [
        [3000, 3600],
        [1800, 2400],
      ],
      options: { late_tolerance: 86_400 },
    };
    expect(taken(one)).toEqual([1800, 0, 3000]);
  });

  it('an empty list is refused, with its path', () => {
    const { violations } = ask(requestOf({ pickup: [] }));
    expect(violations).toMatchObject([{ shipment: 'a', path: 'shipments[0].pickup.time_windows' }]);
  });

  it('one beyond the horizon keeps the shipment waiting, safe until the end of that window', () => {
    const one: Case = {
      pickup: [
        [0, 60],
        [10_800, 14_400],
      ],
      options: { late_tolerance: 0 },
    };
    const { waiting, unassigned, assignments } = ask(requestOf(one));
    expect([unassigned, assignments]).toEqual([[], []]);
    expect(waiting).toEqual([
      {
        shipment: 'a',
        reason:
          'no vehicle can keep a window that begins within 120 min; later windows are planned when they are nearer',
        revisit_at: asOf + 300,
        latest_safe: asOf + 14_400 - 1200,
      },
    ]);
    const then = { ...requestOf(one), as_of: waiting[0].latest_safe! };
    expect(ask(then).assignments[0]).toMatchObject({ pickup_eta: asOf + 14_400, lateness: 0 });
    expect(ask({ ...then, as_of: then.as_of + 1 }).unassigned).toHaveLength(1);
  });

  it('what cannot be kept is told by how much the last one before is missed', () => {
    const one: Case = {
      pickup: [
        [0, 60],
        [3600, 7200],
      ],
      vehicle: { time_window: [asOf, asOf + 4000] },
    };
    expect(ask(requestOf(one)).unassigned).toMatchObject([
      {
        reasons: [
          {
            relaxed: ['shift'],
            message: expect.stringContaining('would finish 13 min after the end of the shift') as string,
          },
        ],
      },
    ]);
    const never: Case = {
      pickup: [
        [0, 60],
        [100, 160],
      ],
    };
    expect(ask(requestOf(never)).unassigned).toMatchObject([
      {
        reasons: [
          {
            relaxed: ['window'],
            message: expect.stringContaining('would be 17 min late at the pickup (15 min allowed)') as string,
          },
        ],
      },
    ]);
  });
});

describe('of several windows of a delivery', () => {
  it.each<[string, Windows, readonly number[] | null]>([
    [
      'the second counts inside it, where the first is over',
      [
        [0, 600],
        [2300, 2500],
      ],
      [1200, 0, 2400],
    ],
    [
      'the second is waited for',
      [
        [0, 600],
        [3000, 3600],
      ],
      [1200, 0, 3000],
    ],
    [
      'the open one counts, sent last',
      [
        [7000, 7200],
        [0, 3600],
      ],
      [1200, 0, 2400],
    ],
    [
      'two that touch are one',
      [
        [2401, 2500],
        [0, 2400],
      ],
      [1200, 0, 2400],
    ],
    [
      'there is no tolerance after the last',
      [
        [0, 600],
        [700, 2399],
      ],
      null,
    ],
  ])('%s', (_, delivery, times) => {
    const one: Case = { pickup: [[0, 3600]], delivery };
    if (times !== null) expect(taken(one)).toEqual(times);
    else expect(ask(requestOf(one)).unassigned).toMatchObject([{ reasons: [{ relaxed: ['delivery_window'] }] }]);
  });
});

describe('a promise with several windows', () => {
  const locked = (one: Case): Answer['locked'][number] =>
    ask(requestOf({ ...one, vehicle: { ...one.vehicle, locked: ['a'] } })).locked[0];

  it.each<[string, Case, number, number, readonly string[]]>([
    [
      'waits for the second between the two',
      {
        pickup: [
          [-600, 600],
          [1800, 2400],
        ],
      },
      1800,
      0,
      [],
    ],
    [
      'keeps the open one, sent last',
      {
        pickup: [
          [7000, 7200],
          [0, 1300],
        ],
      },
      1200,
      0,
      [],
    ],
    [
      'is late for the first where the second is beyond the horizon',
      {
        pickup: [
          [0, 1000],
          [9000, 9600],
        ],
      },
      1200,
      200,
      [],
    ],
    [
      'takes the second beyond the horizon where the first is missed for good',
      {
        pickup: [
          [0, 100],
          [9000, 9600],
        ],
      },
      9000,
      0,
      [],
    ],
    [
      'says that it breaks its window where all are missed',
      {
        pickup: [
          [0, 100],
          [150, 200],
        ],
      },
      1200,
      1000,
      ['window'],
    ],
  ])('%s', (_, one, pickup, lateness, breaks) => {
    expect(locked(one)).toMatchObject({ pickup_eta: asOf + pickup, lateness, breaks });
  });
});

describe('several windows', () => {
  const one: Case = {
    pickup: [
      [0, 60],
      [3600, 7200],
    ],
    vehicle: { id: 1 },
  };
  const request = requestOf(one);

  it('mean the same to every rule, to an analysis, to alternatives, and to what-if', () => {
    const vehicles = [
      { id: 1, start_index: 0 },
      { id: 2, start_index: 1, free_at: asOf + 4000 },
    ];
    for (const { name } of recommender.policies.all) {
      const answer = ask({ ...request, vehicles, policy: name, explain: true, deadline_ms: 60_000 });
      const [{ vehicle, pickup_eta: pickup, lateness, alternatives, what_if: whatIf }] = answer.assignments;
      const etas = { 1: asOf + 3600, 2: asOf + 4000 };
      expect([pickup, lateness]).toEqual([etas[vehicle as 1 | 2], 0]);
      expect(alternatives).toMatchObject([
        { pickup_eta: etas[(3 - Number(vehicle)) as 1 | 2], lateness: 0, extra_lateness: 0 },
      ]);
      // Nothing is late, whoever takes it; left alone it is taken later.
      for (const { late, lost } of whatIf!.candidates) expect([late.mean, lost.mean]).toEqual([0, 0]);
    }
    const { plan } = analyze(recommender, checkRequest({ ...request, vehicles }), [{ vehicle: 1, shipment: 'a' }]);
    expect(plan).toMatchObject([{ breaks: [], pickup_eta: asOf + 3600, lateness: 0 }]);
  });

  it('come out of a replay as they were', () => {
    const answer = ask(request);
    const again = recommender.recommend(checkRequest(request), { ...context, replay: answer.provenance });
    expect(again).toEqual(answer);
  });

  it('leave room for others before a later one: who waits for it takes nothing else meanwhile', () => {
    // Both at the same place; the second shipment can only be served now.
    const other = {
      id: 'b',
      pickup: { location_index: 0, time_windows: [[asOf, asOf + 600]] },
      delivery: { location_index: 1 },
    };
    const shipments = [...(request['shipments'] as object[]), other];
    const { assignments, waiting } = ask({
      ...request,
      shipments,
      options: { assignments_per_vehicle: 2 },
      policy: 'edf',
    });
    expect(assignments.map(({ shipment, lateness }) => [shipment, lateness])).toEqual([
      ['b', 0],
      ['a', 0],
    ]);
    expect(waiting).toEqual([]);
  });
});
