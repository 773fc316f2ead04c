// From a request in VROOM's form to a plan in VROOM's form.

import { shownJson } from '../engine/index.js';
import { ImpossibleRoute, NOWHERE, solve } from '../routing/index.js';
import type {
  RoutingPlan,
  RoutingProblem,
  Step,
  StopSpec,
  TaskSpec,
  Travel,
  VehicleSpec,
  Window,
} from '../routing/index.js';
import { badField } from './errors.js';
import { metresBetween } from './places.js';
import type { Place } from './places.js';
import { MAX_PLACES, NO_GEOMETRY } from './request.js';
import type { Table } from './request.js';
import type { Id } from './rules.js';
import { compile, refuse } from './schema.js';
import { checkTable } from './tables.js';
import { vroomProps } from './vroom-request.js';
import type {
  VroomAnswer,
  VroomJob,
  VroomRequest,
  VroomRoute,
  VroomShipment,
  VroomStep,
  VroomStop,
  VroomVehicle,
} from './vroom-request.js';

const check = compile(vroomProps);

const DEADLINE_MS = 500;
const LONGEST_DEADLINE_MS = 1000;

/** A job, a pickup or a delivery, as it is named in requests and answers; in the order of the problem's nodes. */
interface Named {
  readonly type: 'job' | 'pickup' | 'delivery';
  readonly id: Id;
  readonly stop: VroomStop;
  readonly task: number;
}

/**
 * Plans routes.
 * @param body a request, unchecked
 * @throws AdviseError `ERR_REQUEST` naming path, value and remedy
 */
export function planVroom(body: unknown): VroomAnswer {
  const started = performance.now();
  refuse(check(body));
  const request = body as VroomRequest;
  const reading = new Reading(request);
  const { problem } = reading;
  const seed = request.seed ?? 1;
  const deadline = started + Math.min(request.deadline_ms ?? DEADLINE_MS, LONGEST_DEADLINE_MS);
  const initial = reading.initial();
  let plan: RoutingPlan;
  try {
    plan = solve(problem, {
      seed,
      turns: request.turns,
      isOver: () => performance.now() > deadline,
      ...(initial ? { initial } : {}),
    });
  } catch (error) {
    if (!(error instanceof ImpossibleRoute)) throw error;
    throw badField(
      `vehicles[${error.vehicle}].steps`,
      'cannot be driven within the limits of the vehicle: mend them, or leave them out',
    );
  }
  return answerOf(request, reading, plan, seed);
}

/** Whether a request, unchecked, wants its answer in VROOM's form. */
export function wantsVroom(body: unknown): body is object {
  const { options } = (body ?? {}) as { readonly options?: { readonly format?: unknown } | null };
  return options?.format === 'vroom';
}

/** The request as a problem, and how its parts are named. */
class Reading {
  readonly problem: RoutingProblem;
  readonly named: readonly Named[];
  readonly hasDistances: boolean;
  readonly #request: VroomRequest;
  readonly #places: readonly Place[];

  constructor(request: VroomRequest) {
    this.#request = request;
    const { vehicles, jobs = [], shipments = [], matrices } = request;
    this.named = [
      ...jobs.map((job, task): Named => ({ type: 'job', id: job.id, stop: job, task })),
      ...shipments.flatMap((shipment, k) => pairOf(shipment, k, jobs.length + k)),
    ];
    unique(
      vehicles.map(({ id }) => id),
      (k) => `vehicles[${k}].id`,
    );
    unique(
      jobs.map(({ id }) => id),
      (k) => `jobs[${k}].id`,
    );
    for (const type of ['pickup', 'delivery'] as const) {
      unique(
        this.named.filter((one) => one.type === type).map(({ id }) => id),
        (k) => `shipments[${k}].${type}.id`,
      );
    }
    const dimensions = dimensionsOf(request);
    const types = [...new Set(vehicles.map(({ type }) => type))];
    const size = matrices === undefined ? null : sizeOf(request);
    this.#places = size === null ? placesOf(request) : [];
    const places = size ?? this.#places.length;
    if (places > MAX_PLACES)
      throw badField('the body', `has ${places} different places: expected at most ${MAX_PLACES}`);
    const travels: Travel[] = [];
    const keys: string[] = [];
    const travelOf = (vehicle: VroomVehicle, k: number): number => {
      const {
        profile = 'car',
        speed_factor: factor = 1,
        costs: { per_hour: perHour = 3600, per_km: perKm = 0 } = {},
      } = vehicle;
      const key = shownJson([profile, factor, perHour, perKm]);
      if (!keys.includes(key)) {
        keys.push(key);
        const bare = matrices === undefined ? this.#plane() : tableOf(matrices[profile]);
        travels.push(priced(bare, places, factor, perHour, perKm, `vehicles[${k}].costs`));
      }
      return keys.indexOf(key);
    };
    const at = (stop: VroomStop, path: string): number =>
      this.#indexOf(stop.location, stop.location_index, path, 'location', size);
    const spec = (stop: VroomStop, path: string): StopSpec => ({
      place: at(stop, path),
      setup: types.map((type) => perType(stop.setup_per_type, type) ?? stop.setup ?? 0),
      service: types.map((type) => perType(stop.service_per_type, type) ?? stop.service ?? 0),
      windows: windowsOf(stop.time_windows, `${path}.time_windows`),
    });
    const tasks = jobs.length + shipments.length;
    const shared = ({ priority = 0, skills = [] }: VroomJob | VroomShipment) => ({
      // The sum of priorities first, then how many are served.
      worth: priority * (tasks + 1) + 1,
      allowed: Uint8Array.from(vehicles, (vehicle) =>
        Number(skills.every((skill) => vehicle.skills?.includes(skill) === true)),
      ),
    });
    const amount = (list: readonly number[] = []): number[] =>
      Array.from({ length: dimensions }, (_, x) => list[x] ?? 0);
    this.problem = {
      places,
      dimensions,
      vehicles: vehicles.map((vehicle, k): VehicleSpec => {
        const path = `vehicles[${k}]`;
        const [start, end] = (['start', 'end'] as const).map((side) =>
          vehicle[side] === undefined && vehicle[`${side}_index`] === undefined
            ? NOWHERE
            : this.#indexOf(vehicle[side], vehicle[`${side}_index`], path, side, size),
        );
        if (start === NOWHERE && end === NOWHERE)
          throw badField(`${path}.start`, 'is missing: give start, end or both');
        const shift = windowsOf(vehicle.time_window && [vehicle.time_window], `${path}.time_window`);
        const breaks = (vehicle.breaks ?? []).map((pause, n) => ({
          service: pause.service ?? 0,
          windows: windowsOf(pause.time_windows, `${path}.breaks[${n}].time_windows`),
          maxLoad: pause.max_load === undefined ? null : amount(pause.max_load),
        }));
        if (breaks.length > 0)
          unique(
            vehicle.breaks!.map(({ id }) => id),
            (n) => `${path}.breaks[${n}].id`,
          );
        return {
          start,
          end,
          travel: travelOf(vehicle, k),
          kind: types.indexOf(vehicle.type),
          capacity: amount(vehicle.capacity),
          shift: shift[0] ?? [0, Infinity],
          breaks,
          maxStops: vehicle.max_tasks ?? Infinity,
          maxTravel: vehicle.max_travel_time ?? Infinity,
          maxDistance: vehicle.max_distance ?? Infinity,
          fixed: vehicle.costs?.fixed ?? 0,
          perTaskHour: vehicle.costs?.per_task_hour ?? 0,
        };
      }),
      tasks: [
        ...jobs.map((job, k): TaskSpec => ({
          kind: 'job',
          stop: spec(job, `jobs[${k}]`),
          delivery: amount(job.delivery ?? job.amount),
          pickup: amount(job.pickup),
          ...shared(job),
        })),
        ...shipments.map((shipment, k): TaskSpec => ({
          kind: 'shipment',
          pickup: spec(shipment.pickup, `shipments[${k}].pickup`),
          delivery: spec(shipment.delivery, `shipments[${k}].delivery`),
          amount: amount(shipment.amount),
          maxRide: shipment.max_ride_time ?? Infinity,
          ...shared(shipment),
        })),
      ],
      travels,
    };
    this.hasDistances = travels.every(({ distances }) => distances !== null);
    for (const [k, { max_distance: most }] of vehicles.entries()) {
      if (most !== undefined && travels[this.problem.vehicles[k].travel].distances === null) {
        throw badField(`vehicles[${k}].max_distance`, `is ${most}: it needs matrices with distances`);
      }
    }
  }

  /** Row of a place in the tables. */
  #indexOf(
    location: Place | undefined,
    index: number | undefined,
    path: string,
    field: string,
    size: number | null,
  ): number {
    if (size === null) {
      if (location === undefined) throw badField(`${path}.${field}`, 'is missing: it is required without matrices');
      return this.#places.findIndex(([a, b]) => a === location[0] && b === location[1]);
    }
    if (index === undefined) throw badField(`${path}.${field}_index`, 'is missing: it is required with matrices');
    if (index < size) return index;
    throw badField(
      `${path}.${field}_index`,
      `is ${index}: the tables have ${size} places, so expected 0 to ${size - 1}`,
    );
  }

  /** Travel on the straight line. */
  #plane(): Bare {
    const speed = (this.#request.options?.speed_kmh ?? 30) / 3.6;
    const distances = Float64Array.from(
      this.#places.flatMap((a) => this.#places.map((b) => Math.round(metresBetween(a, b)))),
    );
    return { durations: distances.map((metres) => metres / speed), distances, costs: null };
  }

  /** The sequences that `steps` describe; null without any. */
  initial(): number[][] | null {
    const { vehicles } = this.#request;
    if (vehicles.every(({ steps }) => steps === undefined)) return null;
    const seen = new Set<number>();
    return vehicles.map(({ steps = [] }, k) =>
      steps.flatMap(({ type, id }, n) => {
        if (type === 'start' || type === 'end' || type === 'break') return [];
        const path = `vehicles[${k}].steps[${n}].id`;
        const node = this.named.findIndex((one) => one.type === type && one.id === id);
        if (node < 0) throw badField(path, `is ${shownJson(id)}: expected the id of a ${type}`);
        if (seen.has(node)) throw badField(path, `is ${shownJson(id)}: the ${type} is in the steps twice`);
        if (type === 'delivery' && !seen.has(node - 1))
          throw badField(path, `is ${shownJson(id)}: its pickup must come before it`);
        seen.add(node);
        return [node];
      }),
    );
  }
}

function pairOf(shipment: VroomShipment, k: number, task: number): Named[] {
  return (['pickup', 'delivery'] as const).map((type) => {
    const id = shipment[type].id ?? shipment.id;
    if (id === undefined)
      throw badField(`shipments[${k}].${type}.id`, 'is missing: give it, or the id of the shipment');
    return { type, id, stop: shipment[type], task };
  });
}

function unique(ids: readonly Id[], path: (k: number) => string): void {
  const seen = new Set<string>();
  for (const [k, id] of ids.entries()) {
    if (seen.has(String(id))) throw badField(path(k), `is ${shownJson(id)}: another one has the same id`);
    seen.add(String(id));
  }
}

function perType(times: Readonly<Record<string, number>> | undefined, type: string | undefined): number | undefined {
  return times !== undefined && type !== undefined && Object.hasOwn(times, type) ? times[type] : undefined;
}

/** In order and apart: windows that meet are one. */
function windowsOf(windows: readonly Window[] | undefined, path: string): Window[] {
  const list: [number, number][] = [];
  for (const [k, window] of (windows ?? []).entries()) {
    if (window[0] > window[1]) throw badField(`${path}[${k}]`, `is ${shownJson(window)}: it ends before it begins`);
  }
  for (const [from, to] of [...(windows ?? [])].sort((a, b) => a[0] - b[0])) {
    const last = list.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else list.push([from, to]);
  }
  return list;
}

/** Numbers in each amount, which all must have. */
function dimensionsOf({ vehicles, jobs = [], shipments = [] }: VroomRequest): number {
  const all: (readonly [path: string, list: readonly number[]])[] = [];
  const add = (path: string, list: readonly number[] | undefined): void => {
    if (list !== undefined) all.push([path, list]);
  };
  jobs.forEach((job, k) => {
    for (const field of ['delivery', 'pickup', 'amount'] as const) add(`jobs[${k}].${field}`, job[field]);
  });
  shipments.forEach(({ amount }, k) => add(`shipments[${k}].amount`, amount));
  vehicles.forEach(({ capacity, breaks = [] }, k) => {
    add(`vehicles[${k}].capacity`, capacity);
    breaks.forEach((pause, n) => add(`vehicles[${k}].breaks[${n}].max_load`, pause.max_load));
  });
  if (all.length === 0) return 0;
  const dimensions = all[0][1].length;
  for (const [path, list] of all) {
    if (list.length !== dimensions)
      throw badField(path, `has ${list.length} numbers: expected ${dimensions}, as in ${all[0][0]}`);
  }
  const k = vehicles.findIndex(({ capacity }) => capacity === undefined);
  if (k >= 0) throw badField(`vehicles[${k}].capacity`, `is missing: give ${dimensions} numbers, as in ${all[0][0]}`);
  return dimensions;
}

/** Places in the tables, which must be there for each profile. */
function sizeOf({ vehicles, matrices = {} }: VroomRequest): number {
  let size: number | undefined;
  for (const [k, { profile = 'car' }] of vehicles.entries()) {
    if (!Object.hasOwn(matrices, profile)) {
      throw badField(
        `vehicles[${k}].profile`,
        `is ${shownJson(profile)}: matrices has ${Object.keys(matrices).join(', ') || 'none'}`,
      );
    }
    const path = `matrices.${profile}`;
    const { costs, ...rest } = matrices[profile];
    size = checkTable(rest, path, size);
    if (costs !== undefined) checkTable({ durations: costs }, path, size, 'costs');
  }
  return size!;
}

function placesOf({ vehicles, jobs = [], shipments = [] }: VroomRequest): Place[] {
  const all = [
    ...vehicles.flatMap(({ start, end }) => [start, end]),
    ...jobs.map(({ location }) => location),
    ...shipments.flatMap(({ pickup, delivery }) => [pickup.location, delivery.location]),
  ];
  const seen = new Map<string, Place>();
  for (const one of all) if (one !== undefined) seen.set(one.join(), one);
  return [...seen.values()];
}

/** Tables before speeds and prices. */
interface Bare {
  readonly durations: Float64Array;
  readonly distances: Float64Array | null;
  readonly costs: Float64Array | null;
}

function tableOf({ durations, distances, costs }: { durations: Table; distances?: Table; costs?: Table }): Bare {
  const flat = (table: Table): Float64Array =>
    Float64Array.from(table.flatMap((row) => (row ?? []).map((cell) => cell ?? Infinity)));
  return {
    durations: flat(durations),
    distances: distances === undefined ? null : flat(distances),
    costs: costs === undefined ? null : flat(costs),
  };
}

/** Travel of vehicles of one speed and one price. */
function priced(bare: Bare, places: number, factor: number, perHour: number, perKm: number, path: string): Travel {
  const { distances } = bare;
  const durations = bare.durations.map((seconds) => Math.round(seconds / factor));
  if (bare.costs !== null) {
    if (perHour !== 3600) throw badField(`${path}.per_hour`, `is ${perHour}: leave it out, as the matrices have costs`);
    if (perKm !== 0) throw badField(`${path}.per_km`, `is ${perKm}: leave it out, as the matrices have costs`);
    return { durations, distances, costs: bare.costs };
  }
  if (perKm !== 0 && distances === null)
    throw badField(`${path}.per_km`, `is ${perKm}: it needs matrices with distances`);
  const costs = durations.map(
    (seconds, k) => (seconds * perHour) / 3600 + (perKm === 0 ? 0 : (distances![k] * perKm) / 1000),
  );
  for (let p = 0; p < places; p++) costs[p * (places + 1)] ||= 0;
  return { durations, distances, costs };
}

/** Location, row and words of a stop, where the request has them. */
function givenAt(
  location: Place | undefined,
  index: number | undefined,
  description: string | undefined,
): Pick<VroomStep, 'location' | 'location_index' | 'description'> {
  return {
    ...(location === undefined ? {} : { location }),
    ...(index === undefined ? {} : { location_index: index }),
    ...(description === undefined ? {} : { description }),
  };
}

function answerOf(request: VroomRequest, reading: Reading, plan: RoutingPlan, seed: number): VroomAnswer {
  const { named, problem } = reading;
  const routes = plan.steps.flatMap((steps, k) =>
    steps.length === 0 ? [] : [routeOf(request, reading, steps, plan.costs[k], k)],
  );
  const unassigned = named
    .filter(({ task }) => plan.unserved.includes(task))
    .map(({ id, type, stop }) => ({ id, type, ...givenAt(stop.location, stop.location_index, stop.description) }));
  const sum = (field: 'cost' | 'setup' | 'service' | 'duration' | 'waiting_time' | 'priority'): number =>
    routes.reduce((total, route) => total + route[field], 0);
  const amounts = (field: 'delivery' | 'pickup'): number[] =>
    Array.from({ length: problem.dimensions }, (_, x) => routes.reduce((total, route) => total + route[field]![x], 0));
  return {
    code: 0,
    summary: {
      cost: sum('cost'),
      routes: routes.length,
      unassigned: unassigned.length,
      ...(problem.dimensions === 0 ? {} : { delivery: amounts('delivery'), pickup: amounts('pickup') }),
      setup: sum('setup'),
      service: sum('service'),
      duration: sum('duration'),
      waiting_time: sum('waiting_time'),
      priority: sum('priority'),
      ...(reading.hasDistances ? { distance: routes.reduce((total, { distance = 0 }) => total + distance, 0) } : {}),
      violations: [],
    },
    unassigned,
    routes,
    search: { turns: plan.turns, seed },
    notices: request.options?.g === true ? [NO_GEOMETRY] : [],
  };
}

function routeOf(
  request: VroomRequest,
  { named, problem, hasDistances }: Reading,
  steps: readonly Step[],
  cost: number,
  k: number,
): VroomRoute {
  const vehicle = request.vehicles[k];
  const list = steps.map((step): VroomStep => {
    const { type, index, arrival, waiting, setup, service, travelled, distance, load } = step;
    const figures = {
      setup,
      service,
      waiting_time: waiting,
      ...(problem.dimensions === 0 ? {} : { load: [...load] }),
      arrival,
      duration: travelled,
      ...(hasDistances ? { distance: Math.round(distance) } : {}),
      violations: [],
    };
    if (type === 'break') {
      const { id, description } = vehicle.breaks![index];
      return { type, id, ...givenAt(undefined, undefined, description), ...figures };
    }
    if (type !== 'stop') return { type, ...givenAt(vehicle[type], vehicle[`${type}_index`], undefined), ...figures };
    const { type: kind, id, stop } = named[index];
    const at = givenAt(stop.location, stop.location_index, stop.description);
    return { type: kind, id, ...(kind === 'job' ? { job: id } : {}), ...at, ...figures };
  });
  const stops = steps.filter(({ type }) => type === 'stop').map(({ index }) => named[index]);
  const tasks = [...new Set(stops.map(({ task }) => task))];
  const { jobs = [], shipments = [] } = request;
  const amountOf = (field: 'delivery' | 'pickup', x: number): number =>
    tasks.reduce((sum, t) => {
      const task = problem.tasks[t];
      return sum + (task.kind === 'job' ? task[field][x] : task.amount[x]);
    }, 0);
  const amounts = (field: 'delivery' | 'pickup'): number[] =>
    Array.from({ length: problem.dimensions }, (_, x) => amountOf(field, x));
  const last = steps[steps.length - 1];
  return {
    vehicle: vehicle.id,
    ...(vehicle.description === undefined ? {} : { description: vehicle.description }),
    cost: Math.round(cost),
    ...(problem.dimensions === 0 ? {} : { delivery: amounts('delivery'), pickup: amounts('pickup') }),
    setup: steps.reduce((sum, { setup }) => sum + setup, 0),
    // As in VROOM, a break counts as service.
    service: steps.reduce((sum, { service }) => sum + service, 0),
    duration: last.travelled,
    waiting_time: steps.reduce((sum, { waiting }) => sum + waiting, 0),
    priority: tasks.reduce((sum, t) => sum + ([...jobs, ...shipments][t].priority ?? 0), 0),
    ...(hasDistances ? { distance: Math.round(last.distance) } : {}),
    violations: [],
    steps: list,
  };
}
