// The question: vehicles, shipments and travel times in the conventions of VROOM ([lon, lat], seconds, metres, inclusive
// windows), and what is live about them. A vehicle that is wrong voids the request, a shipment only itself.

import { isTimeZone } from './clock.js';
import { compile, refuse, show } from './schema.js';
import { checkTables } from './tables.js';
import type { Fault, Id, Props, Rule } from './schema.js';
import { badField } from './errors.js';
import { MOST_WINDOWS } from './windows.js';

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
export const MAX_PLACES = 1200;
/** About the year 2100. */
const LATEST = 4_102_444_800;

const id: Rule = {
  type: 'id',
  description: 'A number, or letters, digits and . : _ -; no names of people',
};
const time = (description: string): Rule => ({ type: 'number', integer: true, min: 0, max: LATEST, description });
/** Times further than that from now are on another clock. */
const YEAR = 366 * 86_400;
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
      { type: 'array', min: 1, max: MOST_WINDOWS, items: span },
      'When service may begin, in any order; of several, the first that can be kept',
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
/** What an answer of OSRM's table service brings along; it is dropped. Whatever else is in a table is refused. */
const ofOsrm = ['code', 'message', 'sources', 'destinations', 'fallback_speed_cells', 'data_version'];
const matrix = {
  type: 'object',
  strict: true,
  props: {
    durations: { ...table },
    distances: optional(table, 'Metres; where it, or a cell of it, is missing: the duration at 30 km/h'),
    ...Object.fromEntries(
      ofOsrm.map((name) => [name, optional({ type: 'any', nullable: true }, 'Of an OSRM answer; not looked at')]),
    ),
  },
} as const satisfies Rule;
const minute = (description: string): Rule => ({ type: 'number', integer: true, min: 0, max: 86_400, description });

export const requestProps: Props = {
  as_of: time(
    'Now, on the clock of all times here: seconds of the epoch; or, up to 31622399 (366 days), since a midnight of the local clock',
  ),
  time_zone: optional(
    { type: 'string', max: 64, pattern: /^[\w/+-]+$/ },
    'IANA name: which time of day `as_of` is, if it is of the epoch. Default UTC',
  ),
  mode: optional({ type: 'enum', values: requestModes }, 'Default recommend'),
  policy: optional(name, 'Name of a policy; default: the first of /v1/policies'),
  deadline_ms: optional(
    { type: 'number', integer: true, min: 1, max: 60_000 },
    'Default 250, with `explain` or the policy `lookahead` 1000; the service takes 1000 at most',
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
          strict: true,
          props: {
            from: minute('Second of the local day, inclusive; a whole minute'),
            to: minute('Exclusive'),
            ...matrix.props,
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
export function checkShipment(value: unknown, asOf: number): Fault | null {
  const fault = checkShipmentProps(value);
  if (fault !== null) return fault;
  const shipment = value as ShipmentInput;
  if (shipment.id === undefined && shipment.pickup.id === undefined) {
    return { path: 'id', message: 'is missing: give it, or pickup.id' };
  }
  for (const end of ['pickup', 'delivery'] as const) {
    for (const [k, window] of (shipment[end].time_windows ?? []).entries()) {
      const found = windowFault(`${end}.time_windows[${k}]`, window, asOf);
      if (found !== null) return found;
    }
  }
  return null;
}

function windowFault(path: string, window: readonly [number, number] | undefined, asOf: number): Fault | null {
  if (window === undefined) return null;
  const [from, to] = window;
  if (from > to) return { path, message: `is ${show(window)}: it ends before it begins` };
  return from > asOf + YEAR || to < asOf - YEAR ? otherClock(path, window, asOf) : null;
}

function otherClock(path: string, value: unknown, asOf: number): Fault {
  const message = `is ${show(value)}, over a year from as_of, ${asOf}: expected all times in seconds of one clock`;
  return { path, message };
}

/** What OSRM said instead of a table, if that is what has been passed on. */
function tableFault(body: unknown, path: string): Fault | null {
  const [, profile] = /^matrices\.(.+)\.durations$/.exec(path) ?? [];
  if (profile === undefined) return null;
  const { matrices } = body as { matrices: Readonly<Record<string, { code?: unknown; message?: unknown }>> };
  if (!Object.hasOwn(matrices, profile)) return null;
  const { code, message } = matrices[profile];
  if (typeof code !== 'string') return null;
  const said = `${code}${typeof message === 'string' ? `, ${message}` : ''}`.slice(0, 100);
  const remedy = code === 'Ok' ? 'ask OSRM for annotations=duration,distance' : 'expected an answer with durations';
  return { path, message: `is missing: OSRM answered ${said}; ${remedy}` };
}

/**
 * Checks the whole but for the shipments, and gives back what is meant, without what an OSRM answer brings along.
 * @throws ServeError `ERR_REQUEST` naming path, value and remedy
 */
export function checkRequest(body: unknown): RecommendRequest {
  const fault = checkProps(body);
  if (fault !== null) refuse(tableFault(body, fault.path) ?? fault);
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
    refuse(windowFault(`${at}.time_window`, vehicle.time_window, request.as_of));
    if ((vehicle.free_at ?? 0) > request.as_of + YEAR)
      refuse(otherClock(`${at}.free_at`, vehicle.free_at, request.as_of));
    for (const [n, shipment] of (vehicle.locked ?? []).entries()) {
      if (locked.has(shipment)) throw badField(`${at}.locked[${n}]`, `is ${show(shipment)}: it is locked twice`);
      locked.add(shipment);
    }
  }
  if (!tables) return request;
  const { places, ...sound } = checkTables(request, profile);
  for (const [k, { start_index: start = 0, free_location_index: free = start }] of vehicles.entries()) {
    if (Math.max(start, free) >= places) {
      const field = start >= places ? 'start_index' : 'free_location_index';
      throw badField(`vehicles[${k}].${field}`, `is ${Math.max(start, free)}: the table has ${places} places, from 0`);
    }
  }
  return { ...request, ...sound };
}
