// The question: vehicles, shipments and travel times in the conventions of VROOM ([lon, lat], seconds, metres, inclusive
// windows), and what is live about them. A vehicle that is wrong voids the request, a shipment only itself.

import { compile, join, refuse, show } from './schema.js';
import type { Fault, Id, Props, Rule } from './schema.js';
import { badField } from './errors.js';

export const requestModes = ['shadow', 'recommend', 'auto'] as const;
export type RequestMode = (typeof requestModes)[number];

export interface VehicleInput {
  readonly id: Id;
  readonly profile?: string;
  readonly start?: readonly [number, number];
  readonly start_index?: number;
  readonly skills?: readonly Id[];
  readonly capacity?: readonly number[];
  readonly time_window?: readonly [number, number];
  readonly kind?: 'REGULAR' | 'EMERGENCY';
  readonly status?: 'available' | 'busy' | 'offline';
  readonly free_at?: number;
  readonly free_location?: readonly [number, number];
  readonly free_location_index?: number;
  readonly locked?: readonly Id[];
  readonly load?: number;
}

export interface StopInput {
  readonly id?: Id;
  readonly location?: readonly [number, number];
  readonly location_index?: number;
  readonly service?: number;
  readonly time_windows?: readonly (readonly [number, number])[];
}

export interface ShipmentInput {
  readonly id?: Id;
  readonly pickup: StopInput;
  readonly delivery: StopInput;
  readonly skills?: readonly Id[];
  readonly amount?: readonly number[];
  readonly priority?: number;
  readonly known_at?: number;
  readonly leg?: 'outbound' | 'return';
}

/** A square table; `null` where there is no way. */
export type Table = readonly (readonly (number | null)[])[];

export interface MatrixInput {
  readonly durations: Table;
  readonly distances?: Table;
}

export interface MatrixPeriodInput extends MatrixInput {
  /** Seconds of the local day, whole minutes; `from` inclusive, `to` exclusive. */
  readonly from: number;
  readonly to: number;
}

export interface RequestOptions {
  readonly late_tolerance?: number;
  readonly queue?: number;
  readonly assignments_per_vehicle?: number;
  readonly speed_kmh?: number;
  readonly horizon?: number;
  readonly revisit_after?: number;
  readonly alternatives?: number;
}

export interface RecommendRequest {
  readonly as_of: number;
  readonly time_zone?: string;
  readonly mode?: RequestMode;
  readonly policy?: string;
  readonly deadline_ms?: number;
  readonly explain?: boolean;
  readonly seed?: number;
  readonly options?: RequestOptions;
  readonly vehicles: readonly VehicleInput[];
  /** Checked one by one, by `checkShipment`. */
  readonly shipments: readonly unknown[];
  readonly matrices?: Readonly<Record<string, MatrixInput>>;
  readonly matrices_by_time?: Readonly<Record<string, readonly MatrixPeriodInput[]>>;
}

export const MAX_VEHICLES = 200;
export const MAX_SHIPMENTS = 500;
/** Places in a table. */
export const MAX_PLACES = 700;
/** About the year 2100. */
const LATEST = 4_102_444_800;
/** Of a table's cells. */
const LONGEST = 1_000_000;

const id: Rule = {
  type: 'id',
  description: 'A number, or letters, digits and . : _ -; no names of people',
};
const time = (description: string): Rule => ({ type: 'number', integer: true, min: 0, max: LATEST, description });
const optional = (rule: Rule, description?: string): Rule => ({
  ...rule,
  optional: true,
  ...(description === undefined ? {} : { description }),
});
const span: Rule = { type: 'tuple', items: [time('First second'), time('Last second')], description: 'Inclusive' };
const place: Rule = {
  type: 'tuple',
  items: [
    { type: 'number', min: -180, max: 180 },
    { type: 'number', min: -85, max: 85 },
  ],
  description: '[longitude, latitude] in degrees',
};
const placeIndex: Rule = { type: 'number', integer: true, min: 0, max: MAX_PLACES - 1 };
const amounts: Rule = { type: 'array', max: 8, items: { type: 'number', integer: true, min: 0, max: 1_000_000 } };
const skills: Rule = { type: 'array', max: 31, items: id };
const name: Rule = { type: 'string', min: 1, max: 64, pattern: /^[\w./:-]+$/ };

const vehicleProps: Props = {
  id,
  profile: optional(name, 'Which of `matrices`; all vehicles have the same. Default "car"'),
  start: optional(place, 'Where it is'),
  start_index: optional(placeIndex, 'The same as a row of the table'),
  skills: optional(skills),
  capacity: optional(amounts, 'One shipment is carried at a time: each amount must fit'),
  time_window: optional(span, 'Its shift'),
  kind: optional({ type: 'enum', values: ['REGULAR', 'EMERGENCY'] }, 'Default REGULAR'),
  status: optional({ type: 'enum', values: ['available', 'busy', 'offline'] }, 'Default available'),
  free_at: optional(time('When the ride under way ends; needed if busy')),
  free_location: optional(place, 'Where it ends; default `start`'),
  free_location_index: optional(placeIndex),
  locked: optional(
    { type: 'array', max: 16, items: id },
    'Shipments promised to this vehicle, in the order of driving: never given to another',
  ),
  load: optional({ type: 'number', integer: true, min: 0, max: 10_000 }, 'Shipments driven so far today'),
};

const stop: Rule = {
  type: 'object',
  strict: true,
  props: {
    id: optional(id),
    location: optional(place),
    location_index: optional(placeIndex),
    service: optional({ type: 'number', integer: true, min: 0, max: 86_400 }, 'Seconds spent there'),
    time_windows: optional(
      { type: 'array', min: 1, max: 16, items: span },
      'When service may begin; of several, the first that is not over',
    ),
  },
};

const shipmentProps: Props = {
  id: optional(id, 'Default: the id of its pickup'),
  pickup: stop,
  delivery: stop,
  skills: optional(skills),
  amount: optional(amounts),
  priority: optional({ type: 'number', integer: true, min: 0, max: 100 }, 'Higher is more urgent; default 50'),
  known_at: optional(time('When it was booked; default `as_of`')),
  leg: optional({ type: 'enum', values: ['outbound', 'return'] }),
};

const table: Rule = {
  type: 'array',
  min: 1,
  max: MAX_PLACES,
  items: { type: 'any', optional: true, nullable: true },
  description: 'Square; null where there is no way',
};
// An answer of OSRM's table service brings more, which is dropped.
const matrix: Rule = {
  type: 'object',
  props: { durations: { ...table }, distances: optional(table, 'Metres; default: 30 km/h') },
};
const minute = (description: string): Rule => ({ type: 'number', integer: true, min: 0, max: 86_400, description });

export const requestProps: Props = {
  as_of: time('Now, on the clock of all times here: seconds, of the epoch or since midnight'),
  time_zone: optional(
    { type: 'string', max: 64, pattern: /^[\w/+-]+$/ },
    'IANA name: which time of day `as_of` is. Default UTC',
  ),
  mode: optional({ type: 'enum', values: requestModes }, 'Default recommend'),
  policy: optional(name, 'Name of a policy; default: the first of /v1/policies'),
  deadline_ms: optional(
    { type: 'number', integer: true, min: 1, max: 60_000 },
    'Default 250, with `explain` 1000; the service takes 1000 at most',
  ),
  explain: optional({ type: 'boolean' }, 'Try the candidates out in simulated futures'),
  seed: optional({ type: 'number', integer: true, min: 0, max: 2_147_483_647 }, 'Of those futures; default 1'),
  options: optional({
    type: 'object',
    strict: true,
    props: {
      late_tolerance: optional({ type: 'number', integer: true, min: 0, max: 86_400 }, 'Seconds after a window'),
      queue: optional({ type: 'number', integer: true, min: 1, max: 16 }, 'Shipments in a vehicle’s plan at most'),
      assignments_per_vehicle: optional({ type: 'number', integer: true, min: 1, max: 16 }, 'New ones in one answer'),
      speed_kmh: optional({ type: 'number', min: 1, max: 300 }, 'On the straight line, where there is no table'),
      horizon: optional({ type: 'number', integer: true, min: 0, max: 86_400 }, 'Later windows wait; default 7200'),
      revisit_after: optional({ type: 'number', integer: true, min: 1, max: 86_400 }, 'Default 300'),
      alternatives: optional({ type: 'number', integer: true, min: 0, max: 10 }, 'Per assignment; default 3'),
    },
  }),
  vehicles: { type: 'array', max: MAX_VEHICLES, items: { type: 'object', strict: true, props: vehicleProps } },
  shipments: { type: 'array', max: MAX_SHIPMENTS, items: { type: 'any', optional: true, nullable: true } },
  matrices: optional(
    { type: 'record', key: name, value: matrix },
    'By profile: tables of durations, also as an OSRM table answer',
  ),
  matrices_by_time: optional(
    {
      type: 'record',
      key: name,
      value: {
        type: 'array',
        min: 1,
        max: 24,
        items: {
          type: 'object',
          props: {
            from: minute('Second of the local day, inclusive; a whole minute'),
            to: minute('Exclusive'),
            durations: { ...table },
            distances: optional(table),
          },
        },
      },
    },
    'By profile: tables that hold for departures within a part of the day; `matrices` holds for the rest',
  ),
};

/** The request's schema with that of a shipment in its place, for the document. */
export const documentedRequest: Props = {
  ...requestProps,
  shipments: { type: 'array', max: MAX_SHIPMENTS, items: { type: 'object', strict: true, props: shipmentProps } },
};

const checkProps = compile(requestProps);
const checkShipmentProps = compile(shipmentProps);

/** The first fault of a shipment by itself. */
export function checkShipment(value: unknown): Fault | null {
  const fault = checkShipmentProps(value);
  if (fault !== null) return fault;
  const shipment = value as ShipmentInput;
  if (shipment.id === undefined && shipment.pickup.id === undefined) {
    return { path: 'id', message: 'is missing: give it, or pickup.id' };
  }
  for (const end of ['pickup', 'delivery'] as const) {
    for (const [k, [from, to]] of (shipment[end].time_windows ?? []).entries()) {
      if (from > to)
        return { path: `${end}.time_windows[${k}]`, message: `is [${from}, ${to}]: it ends before it begins` };
    }
  }
  return null;
}

/**
 * Checks the whole but for the shipments, and gives back what is meant, without what an OSRM answer brings along.
 * @throws ServeError `ERR_REQUEST` naming path, value and remedy
 */
export function checkRequest(body: unknown): RecommendRequest {
  refuse(checkProps(body));
  const request = body as RecommendRequest;
  const { vehicles, matrices, matrices_by_time: byTime, time_zone: zone } = request;
  if (zone !== undefined && !isTimeZone(zone)) {
    throw badField('time_zone', `is ${show(zone)}: expected an IANA name such as Europe/Zurich`);
  }
  const tables = matrices !== undefined || byTime !== undefined;
  const profile = vehicles[0]?.profile ?? 'car';
  const seen = new Set<Id>();
  const locked = new Set<Id>();
  for (const [k, vehicle] of vehicles.entries()) {
    const at = `vehicles[${k}]`;
    if (seen.has(vehicle.id)) throw badField(`${at}.id`, `is ${show(vehicle.id)}: another vehicle has it`);
    seen.add(vehicle.id);
    if ((vehicle.profile ?? 'car') !== profile) {
      throw badField(
        `${at}.profile`,
        `is ${show(vehicle.profile)}: all vehicles of a request have one (${show(profile)})`,
      );
    }
    const [field, other] = tables ? (['start_index', 'start'] as const) : (['start', 'start_index'] as const);
    if (vehicle[field] === undefined) {
      throw badField(
        `${at}.${field}`,
        `is missing: give it, as there are ${tables ? '' : 'no '}matrices (not ${other})`,
      );
    }
    if (vehicle.status === 'busy' && vehicle.free_at === undefined) {
      throw badField(`${at}.free_at`, 'is missing: a busy vehicle needs the time at which its ride ends');
    }
    if (vehicle.time_window !== undefined && vehicle.time_window[0] > vehicle.time_window[1]) {
      throw badField(`${at}.time_window`, `is ${show(vehicle.time_window)}: it ends before it begins`);
    }
    for (const [n, shipment] of (vehicle.locked ?? []).entries()) {
      if (locked.has(shipment)) throw badField(`${at}.locked[${n}]`, `is ${show(shipment)}: it is locked twice`);
      locked.add(shipment);
    }
  }
  if (!tables) return request;
  const own = matrices?.[profile];
  const periods = byTime?.[profile];
  if (own === undefined && periods === undefined) {
    throw badField(
      'matrices',
      `have ${Object.keys(matrices ?? byTime ?? {}).join(', ')}: the vehicles' profile is ${profile}`,
    );
  }
  const size = checkTables(own, `matrices.${profile}`, undefined);
  let places = size;
  for (const [k, period] of (periods ?? []).entries()) {
    const at = `matrices_by_time.${profile}[${k}]`;
    if (period.from % 60 !== 0 || period.to % 60 !== 0 || period.from >= period.to) {
      throw badField(`${at}.from`, `to ${period.to} is ${period.from}: expected whole minutes, from before to`);
    }
    places = checkTables(period, at, places);
  }
  if (own === undefined) {
    const minutes = new Uint8Array(1440);
    for (const { from, to } of periods!) minutes.fill(1, from / 60, to / 60);
    const gap = minutes.indexOf(0);
    if (gap >= 0) {
      throw badField(
        `matrices_by_time.${profile}`,
        `has nothing for second ${60 * gap} of the day: give matrices.${profile} for the rest of the day`,
      );
    }
  }
  for (const [k, { start_index: start = 0, free_location_index: free = start }] of vehicles.entries()) {
    if (Math.max(start, free) >= places!) {
      const field = start >= places! ? 'start_index' : 'free_location_index';
      throw badField(`vehicles[${k}].${field}`, `is ${Math.max(start, free)}: the table has ${places!} places, from 0`);
    }
  }
  const kept = ({ durations, distances }: MatrixInput): MatrixInput =>
    distances === undefined ? { durations } : { durations, distances };
  return {
    ...request,
    ...(own === undefined ? {} : { matrices: { [profile]: kept(own) } }),
    ...(periods === undefined
      ? {}
      : { matrices_by_time: { [profile]: periods.map((p) => ({ from: p.from, to: p.to, ...kept(p) })) } }),
  };
}

/** Square, of one size, of numbers; gives the size. */
function checkTables(matrix: MatrixInput | undefined, at: string, expected: number | undefined): number | undefined {
  if (matrix === undefined) return expected;
  const size = expected ?? matrix.durations.length;
  for (const field of ['durations', 'distances'] as const) {
    const rows: unknown = matrix[field];
    if (rows === undefined) continue;
    const path = join(at, field);
    const found = rows as readonly unknown[];
    if (found.length !== size) throw badField(path, `has ${found.length} rows: expected ${size}`);
    for (let a = 0; a < size; a++) {
      const row = found[a];
      if (!Array.isArray(row) || row.length !== size) {
        const length = Array.isArray(row) ? `has ${row.length} numbers` : `is ${show(row)}`;
        throw badField(`${path}[${a}]`, `${length}: expected ${size}, as there are places`);
      }
      for (let b = 0; b < size; b++) {
        const cell: unknown = row[b];
        if (cell === null || (typeof cell === 'number' && cell >= 0 && cell <= LONGEST)) continue;
        throw badField(`${path}[${a}][${b}]`, `is ${show(cell)}: expected a number from 0 to ${LONGEST}, or null`);
      }
    }
  }
  return size;
}

const zones = new Map<string, Intl.DateTimeFormat | null>();

function isTimeZone(name: string): boolean {
  return clockOf(name) !== null;
}

function clockOf(zone: string): Intl.DateTimeFormat | null {
  let clock = zones.get(zone);
  if (clock === undefined) {
    try {
      clock = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        hourCycle: 'h23',
      });
    } catch {
      clock = null;
    }
    // There are some six hundred names, but each may be written in any mixture of large and small letters.
    if (zones.size >= 700) zones.clear();
    zones.set(zone, clock);
  }
  return clock;
}

/** Second of the local day. */
export function secondOfDay(at: number, zone: string | undefined): number {
  if (zone === undefined || zone === 'UTC') return at % 86_400;
  const [hour, minute, second] = clockOf(zone)!
    .format(at * 1000)
    .split(':');
  return 3600 * Number(hour) + 60 * Number(minute) + Number(second);
}
