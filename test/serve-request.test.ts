// What a request may say, and what it is told: tables, names of all kinds, unknown members, clocks.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdviseError, checkRequest, Policies, Recommender } from '#advise/index.js';
import type { Answer } from '#advise/index.js';
import { testService } from './support/service.js';
import type { TestService } from './support/service.js';

const recommender = new Recommender(new Policies(), '0.0.0');
const asOf = 1_763_971_200;

/** As it comes over the wire; a text keeps members such as `__proto__`. */
function ask(request: unknown): Answer {
  const text = typeof request === 'string' ? request : JSON.stringify(request);
  return recommender.recommend(checkRequest(JSON.parse(text)), { decisionId: 'd', stateHash: '' });
}

function refusal(request: unknown): { path: string | undefined; message: string; faults: AdviseError['faults'] } {
  try {
    ask(request);
  } catch (error) {
    if (!(error instanceof AdviseError) || error.code !== 'ERR_REQUEST') throw error;
    return { path: error.path, message: error.message, faults: error.faults };
  }
  throw new Error('was answered');
}

const vehicle = { id: 1, start_index: 0 };
const shipment = { id: 1, pickup: { location_index: 1 }, delivery: { location_index: 2 } };
const durations = [
  [0, 60, 60],
  [60, 0, 120],
  [60, 300, 0],
];
const base = { as_of: asOf, vehicles: [vehicle], shipments: [shipment] };

describe('a table', () => {
  const distances = [
    [0, 700, 600],
    [600, 0, 600],
    [600, 3000, 0],
  ];
  const without = (table: (number | null)[][], a: number, b: number): (number | null)[][] =>
    table.map((row, k) => row.map((cell, n) => (k === a && n === b ? null : cell)));
  const approach = (matrices: object, more: object = {}): number =>
    ask({ ...base, ...more, matrices: { car: matrices } }).assignments[0].approach_distance;

  it('gives a missing distance the duration at 30 km/h, cell by cell as well as for all', () => {
    expect(approach({ durations, distances })).toBe(700);
    expect(approach({ durations })).toBe(500);
    expect(approach({ durations, distances: without(distances, 0, 1) })).toBe(500);
  });

  it('knows no way where both are null, and says which duration is missing where a distance is there', () => {
    const both = { durations: without(durations, 0, 1), distances: without(distances, 0, 1) };
    expect(ask({ ...base, matrices: { car: both } }).unassigned).toMatchObject([{ reasons: [{ relaxed: ['route'] }] }]);
    expect(ask({ ...base, matrices: { car: { durations: both.durations } } }).unassigned).toHaveLength(1);
    expect(refusal({ ...base, matrices: { car: { durations: both.durations, distances } } })).toMatchObject({
      path: 'matrices.car.durations[0][1]',
      message:
        'matrices.car.durations[0][1] is null, but matrices.car.distances[0][1] is 700: give the duration, or null in both where there is no route',
    });
  });

  it('by time of day takes the first distance that any of them gives', () => {
    const later = { from: 0, to: 3600, durations, distances };
    const byTime = { matrices_by_time: { car: [later] } };
    expect(approach({ durations }, byTime)).toBe(700);
    expect(approach({ durations, distances: without(distances, 0, 1) }, byTime)).toBe(700);
    const hole = { ...later, distances: without(distances, 0, 1) };
    expect(approach({ durations }, { matrices_by_time: { car: [hole] } })).toBe(500);
  });

  it.each<[string, unknown, string]>([
    ['text', '"60"', 'matrices.car.durations[0][1] is "60": expected a number from 0 to 1000000, or null'],
    ['below 0', -1, 'matrices.car.durations[0][1] is -1: expected'],
    ['huge', 1e300, 'matrices.car.durations[0][1] is 1e+300: expected'],
    ['over the largest', 1_000_001, 'matrices.car.durations[0][1] is 1000001: expected'],
    ['true', true, 'matrices.car.durations[0][1] is true: expected'],
    ['a list', [1], 'matrices.car.durations[0][1] is [1]: expected'],
  ])('has no cell that is %s', (_, cell, message) => {
    const value: unknown = cell === '"60"' ? '60' : cell;
    const table = durations.map((row, a) => row.map((one, b) => (a === 0 && b === 1 ? value : one)));
    expect(refusal({ ...base, matrices: { car: { durations: table } } }).message).toContain(message);
  });

  it('may have fractions, which are rounded', () => {
    const table = durations.map((row) => row.map((cell) => cell + 0.4));
    expect(ask({ ...base, matrices: { car: { durations: table } } }).assignments[0].pickup_eta).toBe(asOf + 60);
  });

  it('of another size than its durations is refused', () => {
    expect(refusal({ ...base, matrices: { car: { durations, distances: [[0]] } } }).message).toBe(
      'matrices.car.distances has 1 rows: expected 3',
    );
    const ragged = [[0, 1, 2], [0, 1, 2], [0]];
    expect(refusal({ ...base, matrices: { car: { durations, distances: ragged } } }).message).toBe(
      'matrices.car.distances[2] has 1 numbers: expected 3, the number of rows',
    );
  });

  it('takes what OSRM brings along, and nothing else', () => {
    const osrm = { code: 'Ok', sources: [], destinations: [], fallback_speed_cells: [[0, 1]], data_version: '1' };
    expect(approach({ durations, distances, ...osrm })).toBe(700);
    const { path, message } = refusal({ ...base, matrices: { car: { durations, costs: durations } } });
    expect(path).toBe('matrices.car.costs');
    expect(message).toMatch(
      /^matrices\.car\.costs is not a known field: costs are not used, as vehicles are chosen by time and distance/,
    );
    // Also in tables that no vehicle uses, and in those by time.
    for (const [change, where] of [
      [{ matrices: { car: { durations }, bike: { durations, weights: [] } } }, 'matrices.bike.weights'],
      [{ matrices: { 'car.v1.5': { durations, x: 1 } } }, 'matrices.car.v1.5.x'],
      [
        { matrices: { car: { durations } }, matrices_by_time: { car: [{ from: 0, to: 60, durations, costs: [] }] } },
        'matrices_by_time.car[0].costs',
      ],
    ] as const) {
      expect(refusal({ ...base, ...change }).path).toBe(where);
    }
  });

  it('of a profile whose name has dots is found by faults within', () => {
    const table = { durations: [[0, 'x'], [1]] };
    const { message } = refusal({
      ...base,
      vehicles: [{ ...vehicle, profile: 'v1.5' }],
      matrices: { 'v1.5': table },
    });
    expect(message).toContain('matrices.v1.5.durations[0][1] is "x"');
    expect(refusal({ ...base, matrices: { 'v1.5': { durations: 7 } } }).message).toMatch(
      /^matrices\.v1\.5\.durations is 7: it must be an array/,
    );
  });
});

describe('names that every object has', () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', 'isPrototypeOf'];

  it.each(names)('mean nothing as a profile, a policy, a time zone or a mode: %s', (name) => {
    const matrices = { car: { durations } };
    expect(refusal({ ...base, matrices, vehicles: [{ ...vehicle, profile: name }] })).toMatchObject({
      path: 'matrices',
      message: `matrices has the profiles car: expected ${name}, the profile of the vehicles`,
    });
    const byTime = { car: [{ from: 0, to: 86_400, durations }] };
    expect(refusal({ ...base, matrices_by_time: byTime, vehicles: [{ ...vehicle, profile: name }] }).message).toBe(
      `matrices has the profiles car: expected ${name}, the profile of the vehicles`,
    );
    expect(refusal({ ...base, matrices, policy: name }).message).toMatch(
      /^policy is ".*": expected one of .*hungarian/,
    );
    expect(refusal({ ...base, matrices, time_zone: name }).message).toMatch(/^time_zone is/);
    expect(refusal({ ...base, matrices, mode: name }).message).toMatch(/^mode is ".*": expected one of shadow/);
  });

  it.each(names)('are ids, skills and profiles like others where they are sent: %s', (name) => {
    // Of a table, only __proto__ cannot be the name.
    const profile = name === '__proto__' ? 'car' : name;
    const answer = ask({
      ...base,
      matrices: { [profile]: { durations } },
      vehicles: [
        { id: name, start_index: 0, skills: [name], profile, locked: ['x'] },
        { id: 2, start_index: 0, profile, skills: ['other'] },
      ],
      shipments: [
        { ...shipment, id: name, skills: [name] },
        { ...shipment, id: 'x' },
        { ...shipment, id: 'y', skills: ['toLocaleString'] },
      ],
    });
    expect(answer.violations).toEqual([]);
    expect(answer.assignments).toMatchObject([{ shipment: name, vehicle: name }]);
    expect(answer.locked).toMatchObject([{ shipment: 'x', vehicle: name }]);
    expect(answer.unassigned).toMatchObject([{ shipment: 'y', reasons: [{ relaxed: ['skills'] }] }]);
  });

  it.each(names)('are refused as members: %s', (name) => {
    const text = (where: string): string =>
      JSON.stringify({ ...base, matrices: { car: { durations } } }).replace(where, `${where}"${name}":{},`);
    for (const [where, path] of [
      ['{', name],
      ['"vehicles":[{', `vehicles[0].${name}`],
      ['"car":{', `matrices.car.${name}`],
    ] as const) {
      expect(refusal(text(where)).path).toBe(path);
    }
    const { violations } = ask(text('"pickup":{'));
    expect(violations).toMatchObject([{ path: `shipments[0].pickup.${name}` }]);
  });
});

describe('members that are not known', () => {
  it('are one fault each, with a path of its own', () => {
    const { path, message, faults } = refusal({
      ...base,
      matrices: { car: { durations } },
      vehicles: [vehicle, { id: 2, start_index: 0, end: [6, 46], breaks: [] }],
    });
    expect(path).toBe('vehicles[1].end');
    expect(message).toMatch(
      /^vehicles\[1\]\.end is not a known field: it belongs to whole routes: set options\.format to "vroom"; vehicles\[1\]\.breaks is not a known field: it .*"vroom"; the known fields here are id, description, profile, start,/,
    );
    expect(faults!.map((one) => one.path)).toEqual(['vehicles[1].end', 'vehicles[1].breaks']);
    expect(faults!.map((one) => one.message).join('; ')).toBe(message);
  });

  it('of a shipment are one violation each', () => {
    const { violations, assignments } = ask({
      ...base,
      matrices: { car: { durations } },
      shipments: [
        { ...shipment, pickup: { ...shipment.pickup, setup: 60, 'a, b': 1 } },
        { ...shipment, id: 2 },
      ],
    });
    expect(violations.map(({ path }) => path)).toEqual(['shipments[0].pickup.setup', 'shipments[0].pickup.a, b']);
    expect(violations[0].message).toMatch(
      /^shipments\[0\]\.pickup\.setup is not a known field: it belongs to whole routes/,
    );
    expect(violations[1].message).toMatch(
      /is not a known field: the known fields here are id, description, location, location_index, service, time_windows$/,
    );
    expect(assignments).toHaveLength(1);
  });

  it('with one long name are told short', () => {
    expect(refusal({ ...base, ['x'.repeat(5000)]: 1 }).message.length).toBeLessThan(400);
  });
});

describe('a clock that counts from a midnight', () => {
  const slow = [
    [0, 3000],
    [3000, 0],
  ];
  const request = (now: number, more: object = {}): object => ({
    as_of: now,
    options: { late_tolerance: 86_400 },
    matrices: {
      car: {
        durations: [
          [0, 60],
          [60, 0],
        ],
      },
    },
    matrices_by_time: { car: [{ from: 32_400, to: 36_000, durations: slow }] },
    vehicles: [vehicle],
    shipments: [{ id: 1, pickup: { location_index: 1 }, delivery: { location_index: 0 } }],
    ...more,
  });
  const way = (asked: object): number => ask(asked).assignments[0].approach_duration;

  it.each(['Europe/Zurich', 'America/New_York', 'Asia/Kolkata', 'UTC', undefined])(
    'shows the time of day where it is, whatever the zone: %s',
    (zone) => {
      const more = zone === undefined ? {} : { time_zone: zone };
      expect(way(request(32_399, more))).toBe(60);
      expect(way(request(32_400, more))).toBe(3000);
      expect(way(request(35_999, more))).toBe(3000);
      expect(way(request(36_000, more))).toBe(60);
      // The next day, and the day before the year is over.
      expect(way(request(86_400 + 32_400, more))).toBe(3000);
      expect(way(request(365 * 86_400 + 32_400, more))).toBe(3000);
    },
  );

  it('is told from that of the epoch, which a zone moves', () => {
    // 08:30 in UTC, 09:30 in Zurich.
    const now = 1_763_971_200 + 1800;
    expect(way(request(now, { time_zone: 'Europe/Zurich' }))).toBe(3000);
    expect(way(request(now))).toBe(60);
    expect(way(request(now + 3600))).toBe(3000);
  });
});

describe('over HTTP', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await testService();
  });

  afterAll(async () => {
    await service.close();
  });

  it('faults are those of the command line, each with its path', async () => {
    const bad = { ...base, matrices: { car: { durations } }, vehicles: [{ ...vehicle, end: 1, breaks: 2 }] };
    const told = refusal(bad);
    const { status, body } = await service.call('POST', '/v1/recommend', bad);
    expect([status, body.error]).toEqual([400, { code: 'ERR_REQUEST', ...told }]);
    expect(told.faults!.map(({ path }) => path)).toEqual(['vehicles[0].end', 'vehicles[0].breaks']);
    const costs = await service.call('POST', '/v1/recommend', { ...base, matrices: { car: { durations, costs: [] } } });
    expect([costs.status, costs.body.error.path, costs.body.error.faults]).toEqual([
      400,
      'matrices.car.costs',
      undefined,
    ]);
    // A long question is read on another thread.
    const far = { ...base, policy: 'lookahead', vehicles: [{ ...vehicle, profile: 'constructor' }] };
    const unknown = await service.call('POST', '/v1/recommend', { ...far, matrices: { car: { durations } } });
    expect([unknown.status, unknown.body.error.path]).toEqual([400, 'matrices']);
    const query = await service.call('GET', '/v1/decisions?__proto__=1');
    expect([query.status, query.body.error.path]).toEqual([400, '__proto__']);
  });
});
