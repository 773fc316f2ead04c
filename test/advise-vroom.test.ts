// Requests in VROOM's form: each field does what docs/vroom.md says, answers have VROOM's shape, and faults are named.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdviseError, Policies, Recommender, checkRequest, planVroom, vroomProps } from '#advise/index.js';
import type { VroomAnswer } from '#advise/index.js';
import type { Props, Rule } from '#advise/rules.js';

/** Five places on a line, 100 s and 1,000 m from one to the next. */
const durations = [0, 1, 2, 3, 4].map((a) => [0, 1, 2, 3, 4].map((b) => 100 * Math.abs(a - b)));
const distances = durations.map((row) => row.map((one) => 10 * one));
const matrices = { car: { durations, distances } };

interface Request {
  readonly [field: string]: unknown;
}

const plan = (request: Request): VroomAnswer => planVroom({ matrices, turns: 200, ...request });
/** Type and id of each step of a vehicle. */
const stepsOf = ({ routes }: VroomAnswer, vehicle: number): string[] =>
  (routes.find((one) => one.vehicle === vehicle)?.steps ?? []).map(({ type, id }) =>
    id === undefined ? type : `${type} ${id}`,
  );
const unservedOf = ({ unassigned }: VroomAnswer): string[] => unassigned.map(({ type, id }) => `${type} ${id}`);

const van = { id: 1, start_index: 0 };
const job = (id: number, more: Request = {}): Request => ({ id, location_index: id, ...more });
const shipment = (from: number, to: number, more: Request = {}): Request => ({
  pickup: { id: from, location_index: from },
  delivery: { id: to, location_index: to },
  ...more,
});

describe('a request in VROOM’s form', () => {
  it('is answered in the shape that VROOM documents, with its figures for its example of four places', () => {
    const table = [
      [0, 2104, 197, 1299],
      [2103, 0, 2255, 3152],
      [197, 2256, 0, 1102],
      [1299, 3153, 1102, 0],
    ];
    const answer = planVroom({
      vehicles: [{ id: 0, start_index: 0, end_index: 3 }],
      jobs: [
        { id: 1414, location_index: 1 },
        { id: 1515, location_index: 2 },
      ],
      matrices: { car: { durations: table } },
    });
    const zero = { setup: 0, service: 0, waiting_time: 0, violations: [] };
    const sums = { cost: 5461, setup: 0, service: 0, duration: 5461, waiting_time: 0, priority: 0, violations: [] };
    expect(answer).toEqual({
      code: 0,
      summary: { ...sums, routes: 1, unassigned: 0 },
      unassigned: [],
      routes: [
        {
          vehicle: 0,
          ...sums,
          steps: [
            { type: 'start', location_index: 0, ...zero, arrival: 0, duration: 0 },
            { type: 'job', id: 1414, job: 1414, location_index: 1, ...zero, arrival: 2104, duration: 2104 },
            { type: 'job', id: 1515, job: 1515, location_index: 2, ...zero, arrival: 4359, duration: 4359 },
            { type: 'end', location_index: 3, ...zero, arrival: 5461, duration: 5461 },
          ],
        },
      ],
      search: { turns: 420, seed: 1 },
      notices: [],
    });
  });

  it('with coordinates, skills, loads, a break and a shipment is served whole, like VROOM’s first example', () => {
    const depot = [2.35, 48.72];
    const day = [1_600_416_000, 1_600_430_400];
    const answer = planVroom({
      vehicles: [
        { id: 1, start: depot, end: depot, capacity: [4], skills: [1, 14], time_window: day },
        {
          ...{ id: 2, start: depot, end: depot, capacity: [4], skills: [2, 14], time_window: day },
          breaks: [{ id: 2, service: 300, time_windows: [[1_600_423_200, 1_600_425_000]] }],
        },
      ],
      jobs: [
        {
          id: 1,
          service: 300,
          delivery: [1],
          location: [1.99, 48.7],
          skills: [1],
          time_windows: [[1_600_419_600, 1_600_423_200]],
        },
        { id: 2, service: 300, pickup: [1], location: [2.04, 48.61], skills: [1], description: 'a gate' },
        { id: 5, service: 300, delivery: [1], location: [2.28, 48.6], skills: [14] },
        { id: 6, service: 300, delivery: [1], location: [2.89, 48.9], skills: [14] },
      ],
      shipments: [
        {
          ...{ amount: [1], skills: [2] },
          pickup: { id: 4, service: 300, location: [2.42, 49.2] },
          delivery: { id: 3, service: 300, location: [2.4, 49.07] },
        },
      ],
      options: { g: true, speed_kmh: 60 },
    });
    expect(unservedOf(answer)).toEqual([]);
    expect(answer.summary).toMatchObject({ delivery: [4], pickup: [2], service: 2100, routes: 2 });
    expect(stepsOf(answer, 1)).toEqual(expect.arrayContaining(['job 1', 'job 2']));
    const second = stepsOf(answer, 2);
    expect(second).toContain('break 2');
    expect(second.indexOf('pickup 4')).toBeLessThan(second.indexOf('delivery 3'));
    expect(answer.routes[0].steps.find(({ id }) => id === 2)).toMatchObject({
      description: 'a gate',
      location: [2.04, 48.61],
    });
    expect(answer.notices).toEqual(['options.g is ignored: there are no geometries of roads here']);
  });

  it('with one vehicle, an urgent ride and a trivial one, of which only one is possible, serves the urgent one', () => {
    const first = { time_windows: [[0, 100]] };
    const answer = plan({
      vehicles: [{ id: 1, start_index: 2 }],
      jobs: [job(1, { ...first, priority: 1 }), job(3, { ...first, priority: 90 })],
    });
    expect([stepsOf(answer, 1), unservedOf(answer)]).toEqual([['start', 'job 3', 'end'], ['job 1']]);
  });
});

describe('fields', () => {
  it('several shipments are on board together, as far as there is room', () => {
    const shipments = [shipment(1, 3, { amount: [1] }), shipment(2, 4, { amount: [1] })];
    const pooled = plan({ vehicles: [{ ...van, capacity: [2] }], shipments });
    expect(stepsOf(pooled, 1)).toEqual(['start', 'pickup 1', 'pickup 2', 'delivery 3', 'delivery 4', 'end']);
    expect(pooled.routes[0].steps.map(({ load }) => load)).toEqual([[0], [1], [2], [1], [0], [0]]);
    const alone = plan({ vehicles: [{ ...van, capacity: [1] }], shipments });
    expect(alone.summary.duration).toBe(100 + 200 + 100 + 200);
  });

  it('max_ride_time: a ride is not made longer than that for another one', () => {
    const shipments = [
      shipment(0, 4, { max_ride_time: 400 }),
      {
        ...shipment(1, 2),
        pickup: { id: 1, location_index: 1, service: 60 },
        delivery: { id: 2, location_index: 2, service: 60 },
      },
    ];
    const steps = stepsOf(plan({ vehicles: [van], shipments }), 1);
    expect(Math.abs(steps.indexOf('pickup 0') - steps.indexOf('delivery 4'))).toBe(1);
  });

  it.each<[string, Request, Request, string[]]>([
    ['skills', {}, { skills: [7] }, ['job 1']],
    ['max_tasks', { max_tasks: 0 }, {}, ['job 1']],
    ['max_travel_time', { max_travel_time: 99 }, {}, ['job 1']],
    ['max_travel_time that is enough', { max_travel_time: 100 }, {}, []],
    ['max_distance', { max_distance: 999 }, {}, ['job 1']],
    ['speed_factor', { speed_factor: 2 }, { time_windows: [[0, 50]] }, []],
    ['time_windows', {}, { time_windows: [[0, 50]] }, ['job 1']],
    ['time_window', { time_window: [0, 99] }, {}, ['job 1']],
    ['service in a shift', { time_window: [0, 120] }, { service: 30 }, ['job 1']],
    ['setup_per_type', { time_window: [0, 120], type: 'slow' }, { setup_per_type: { slow: 30 } }, ['job 1']],
    ['setup of another type', { time_window: [0, 120], type: 'quick' }, { setup_per_type: { slow: 30 } }, []],
    ['capacity', { capacity: [1] }, { delivery: [2] }, ['job 1']],
    ['the way home', { end_index: 0, time_window: [0, 150] }, {}, ['job 1']],
    ['a break that does not fit', { time_window: [0, 150], breaks: [{ id: 1, service: 60 }] }, {}, ['job 1']],
    ['a break that fits', { time_window: [0, 160], breaks: [{ id: 1, service: 60 }] }, {}, []],
  ])('%s', (_, vehicle, more, unserved) => {
    expect(unservedOf(plan({ vehicles: [{ ...van, ...vehicle }], jobs: [job(1, more)] }))).toEqual(unserved);
  });

  it('costs: what a vehicle costs decides which one drives, and counts in the answer', () => {
    const vehicles = [
      { ...van, costs: { fixed: 500, per_km: 100 } },
      { id: 2, start_index: 4, costs: { fixed: 10, per_hour: 7200, per_task_hour: 3600 } },
    ];
    const { routes } = plan({ vehicles, jobs: [job(1, { service: 30 })] });
    expect(routes).toMatchObject([{ vehicle: 2, cost: 10 + 2 * 300 + 30 }]);
  });

  it('matrices.costs are what is saved, and mixed profiles have their own tables', () => {
    const costs = durations.map((row) => row.map(() => 7));
    const bike = { durations: durations.map((row) => row.map((one) => 3 * one)), distances };
    const request = { vehicles: [van, { id: 2, start_index: 0, profile: 'bike' }], jobs: [job(1)] };
    const { routes } = plan({ ...request, matrices: { car: { durations, distances, costs }, bike } });
    expect(routes).toMatchObject([{ vehicle: 1, cost: 7, duration: 100 }]);
  });

  it('steps: the search begins with them', () => {
    const steps = [{ type: 'start' }, { type: 'job', id: 3 }, { type: 'job', id: 1 }, { type: 'end' }];
    const answer = plan({ vehicles: [{ ...van, steps }], jobs: [job(1), job(3)], turns: 0 });
    expect(stepsOf(answer, 1)).toEqual(['start', 'job 3', 'job 1', 'end']);
  });

  it('the page names every field', () => {
    const text = readFileSync(join(import.meta.dirname, '../docs/vroom.md'), 'utf8');
    const namesOf = (props: Props): string[] => Object.entries(props).flatMap(([name, rule]) => [name, ...inner(rule)]);
    const inner = (rule: Rule): string[] =>
      rule.type === 'object'
        ? namesOf(rule.props)
        : rule.type === 'array'
          ? inner(rule.items)
          : rule.type === 'record'
            ? inner(rule.value)
            : [];
    const names = [...new Set(namesOf(vroomProps))];
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !new RegExp(`[\`.]${name}[\`.\\[]`).test(text))).toEqual(
      ['vehicles', 'jobs', 'shipments', 'options'].filter((one) => !new RegExp(`[\`.]${one}[\`.\\[]`).test(text)),
    );
  });
});

describe('without options.format', () => {
  const vehicle = { id: 1, start_index: 0 };
  const ride = { id: 1, pickup: { location_index: 1 }, delivery: { location_index: 2 } };
  const asked = (more: Request, first: Request = {}, ...[table]: Request[]): Request => ({
    ...{ vehicles: [{ ...vehicle, ...first }], shipments: [ride], matrices: table ?? { car: { durations } } },
    ...more,
  });

  it.each<[string, Request]>([
    ['jobs', asked({ jobs: [] })],
    ...Object.entries({
      ...{ end: [0, 0], end_index: 0, breaks: [], speed_factor: 1, max_tasks: 1, max_travel_time: 1, max_distance: 1 },
      ...{ steps: [], type: 'van', costs: {} },
    }).map(([name, value]): [string, Request] => [`vehicles[0].${name}`, asked({}, { [name]: value })]),
    ['matrices.car.costs', asked({}, {}, { car: { durations, costs: durations } })],
  ])('POST /v1/recommend refuses %s by name, and says where it is taken', (path, request) => {
    expect(() => checkRequest(request)).toThrow(`${path} is not a known field`);
    expect(() => checkRequest(request)).toThrow('options.format to "vroom"');
  });

  it.each(['setup', 'setup_per_type', 'service_per_type', 'max_ride_time'])('it refuses %s of a shipment', (name) => {
    const where =
      name === 'max_ride_time' ? { ...ride, [name]: 1 } : { ...ride, pickup: { ...ride.pickup, [name]: 1 } };
    const request = checkRequest(asked({ shipments: [where] }));
    const { violations } = new Recommender(new Policies(), '').recommend(request, { decisionId: '', stateHash: '' });
    expect(violations.map(({ message }) => message)).toEqual([expect.stringContaining('options.format to "vroom"')]);
  });

  it('its clock begins at 0 without as_of, descriptions are dropped, and options.g is ignored with a notice', () => {
    const described = { ...ride, description: 'a', pickup: { ...ride.pickup, description: 'b' } };
    const request = checkRequest(asked({ shipments: [described], options: { g: true } }, { description: 'c' }));
    expect(request).toEqual({ ...asked({ options: { g: true } }), as_of: 0 });
    const answer = new Recommender(new Policies(), '').recommend(request, { decisionId: '', stateHash: '' });
    expect(answer).toMatchObject({ as_of: 0, assignments: [{ shipment: 1, vehicle: 1, pickup_eta: 100 }] });
    expect(answer.notices).toEqual(['options.g is ignored: there are no geometries of roads here']);
  });

  it('a request that was not to come here is refused', () => {
    expect(() => checkRequest(asked({ options: { format: 'vroom' } }))).toThrow('options.format is "vroom": only');
  });
});

describe('a fault is named', () => {
  it.each<[string, unknown]>([
    ['the body is null: expected an object', null],
    ['vehicles is missing', {}],
    ['vehicles[0].start is missing: give start, end or both', { vehicles: [{ id: 1 }] }],
    [
      'jobs[0].location_index is missing: it is required with matrices',
      { vehicles: [van], jobs: [{ id: 1 }], matrices },
    ],
    [
      'jobs[0].location_index is 9: the tables have 5 places, so expected 0 to 4',
      { vehicles: [van], jobs: [{ id: 1, location_index: 9 }], matrices },
    ],
    ['vehicles[0].profile is "bike": matrices has car', { vehicles: [{ ...van, profile: 'bike' }], matrices }],
    ['jobs[1].id is 1: another one has the same id', { vehicles: [van], jobs: [job(1), job(1)], matrices }],
    [
      'jobs[1].id is "1": another one has the same id',
      { vehicles: [van], jobs: [job(1), { ...job(1), id: '1' }], matrices },
    ],
    [
      'vehicles[0].capacity is missing: give 1 numbers, as in jobs[0].pickup',
      { vehicles: [van], jobs: [job(1, { pickup: [1] })], matrices },
    ],
    [
      'vehicles[0].max_distance is 5: it needs matrices with distances',
      { vehicles: [{ ...van, max_distance: 5 }], matrices: { car: { durations } } },
    ],
    [
      'jobs[0].time_windows[0] is [9,1]: it ends before it begins',
      { vehicles: [van], jobs: [job(1, { time_windows: [[9, 1]] })], matrices },
    ],
    [
      'vehicles[0].steps[0].id is 8: expected the id of a job',
      { vehicles: [{ ...van, steps: [{ type: 'job', id: 8 }] }], matrices },
    ],
    [
      'vehicles[0].steps cannot be driven within the limits of the vehicle',
      { vehicles: [{ ...van, max_tasks: 0, steps: [{ type: 'job', id: 1 }] }], jobs: [job(1)], matrices },
    ],
    ['jobs[0].colour is not a known field', { vehicles: [van], jobs: [job(1, { colour: 'red' })], matrices }],
    [
      'matrices.car.costs[0] has 1 numbers: expected 5, the number of rows',
      { vehicles: [van], matrices: { car: { durations, costs: [[1], ...durations.slice(1)] } } },
    ],
  ])('%s', (message, body) => {
    let found: unknown;
    try {
      planVroom(body);
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(AdviseError);
    expect((found as Error).message).toContain(message);
  });
});
