// The request: vehicles, shipments and travel times in the conventions of VROOM ([lon, lat], seconds, metres, inclusive
// windows), and their live state. Each shape is written once, as a schema; its type and the OpenAPI document follow
// from it. A fault of a vehicle refuses the whole request, a fault of a shipment only that shipment.

import { anything, flag, id, list, object, oneOf, optional, text } from './rules.js';
import type { ObjectOf, Rule, TypeOf, Unchecked } from './rules.js';

/** `shadow` and `recommend` act on nothing; `auto` lets the service act on the assignments. */
export const requestModes = ['shadow', 'recommend', 'auto'] as const;
/** One of `requestModes`. */
export type RequestMode = (typeof requestModes)[number];

/** Vehicles in one request. */
export const MAX_VEHICLES = 200;
/** Shipments in one request. */
export const MAX_SHIPMENTS = 500;
/** Windows of one stop. */
export const MOST_WINDOWS = 16;
/** Places in a table. */
export const MAX_PLACES = 1200;
/** The notice of answers to requests with `options.g`. */
export const NO_GEOMETRY = 'options.g is ignored: there are no geometries of roads here';
/** About the year 2100. */
const LATEST = 4_102_444_800;

const requestId = { ...id, description: 'A number, or letters, digits and . : _ -; no names of people' };
const time = (description: string) => ({ ...within(0, LATEST), description });
/** Of requests in either form. */
export const span = {
  type: 'tuple',
  items: [time('First second'), time('Last second')],
  description: 'first and last second, both inclusive',
} as const satisfies Rule;
/** Of requests in either form. */
export const place = {
  type: 'tuple',
  items: [
    { type: 'number', min: -180, max: 180 },
    { type: 'number', min: -85, max: 85 },
  ],
  description: '[longitude, latitude] in degrees',
} as const satisfies Rule;
/** Of requests in either form. */
export const placeIndex = within(0, MAX_PLACES - 1);
/** Of requests in either form. */
export const amounts = { ...list(within(0, 1_000_000)), max: 8 };
/** Of requests in either form. */
export const skills = { ...list(requestId), max: 31 };
const name = { type: 'string', min: 1, max: 64, pattern: /^[\w./:-]+$/ } as const satisfies Rule;

const description = optional(text, 'Accepted and dropped: never stored');

const vehicle = object({
  id: requestId,
  description,
  profile: optional(name, 'Which of `matrices`; all vehicles have the same. Default "car"'),
  start: optional(place, 'Where it is: [longitude, latitude] in degrees'),
  start_index: optional(placeIndex, 'Where it is: its row in the table, from 0'),
  skills: optional(skills),
  capacity: optional(amounts, 'One shipment is carried at a time: each amount must fit'),
  time_window: optional(span, 'Its shift: first and last second'),
  kind: optional(oneOf(['REGULAR', 'EMERGENCY']), 'Default REGULAR'),
  status: optional(oneOf(['available', 'busy', 'offline']), 'Default available'),
  free_at: optional(time('When the ride under way ends; required if busy')),
  free_location: optional(place, 'Where the ride under way ends; default `start`'),
  free_location_index: optional(placeIndex, 'The same as a row of the table; default `start_index`'),
  locked: optional(
    { ...list(requestId), max: 16 },
    'Shipments promised to this vehicle, in the order of driving; they are never assigned to another',
  ),
  load: optional(within(0, 10_000), 'Shipments driven so far today'),
});
/** A vehicle as VROOM has it, and what it does now. Seconds on the request’s clock, places as [longitude, latitude]. */
export type VehicleInput = TypeOf<typeof vehicle>;

const stop = object({
  id: optional(requestId),
  description,
  location: optional(place),
  location_index: optional(placeIndex),
  service: optional(within(0, 86_400), 'Seconds spent there'),
  time_windows: optional(
    { ...list(span), min: 1, max: MOST_WINDOWS },
    'When service may begin, in any order; of several, the first that can be kept',
  ),
});
/** Where a shipment is picked up or delivered; `service` in seconds, windows inclusive. */
export type StopInput = TypeOf<typeof stop>;

/** The schema of one shipment. */
export const shipmentProps = {
  id: optional(requestId, 'Default: the id of its pickup'),
  description,
  pickup: stop,
  delivery: stop,
  skills: optional(skills),
  amount: optional(amounts),
  priority: optional(within(0, 100), 'Higher is more urgent; default 50'),
  known_at: optional(time('When it was booked; default `as_of`')),
  leg: optional(oneOf(['outbound', 'return'])),
};
/** A shipment as VROOM has it, with when it was booked. */
export type ShipmentInput = ObjectOf<typeof shipmentProps>;

// Rows are checked by `checkTables`, cell by cell.
const row: Unchecked<readonly (number | null)[]> & { readonly optional: true; readonly nullable: boolean } = {
  type: 'any',
  optional: true,
  nullable: true,
};
/** Of requests in either form. */
export const table = { ...list(row, 'Square; null where there is no way'), min: 1, max: MAX_PLACES };
/** A square table; `null` where there is no way. */
export type Table = TypeOf<typeof table>;

const ofOsrm = optional(anything(), 'Of an OSRM answer; not looked at');
const matrix = object({
  durations: table,
  distances: optional(table, 'Metres; where it, or a cell of it, is missing: the duration at 30 km/h'),
  // What an answer of OSRM's table service brings along; it is dropped. Whatever else is in a table is refused.
  code: ofOsrm,
  message: ofOsrm,
  sources: ofOsrm,
  destinations: ofOsrm,
  fallback_speed_cells: ofOsrm,
  data_version: ofOsrm,
});
/** Travel times of one profile in seconds, distances in metres. */
export type MatrixInput = TypeOf<typeof matrix>;

const minuteOfDay = within(0, 86_400);
const period = object({
  from: { ...minuteOfDay, description: 'Second of the local day, inclusive; a whole minute' },
  to: { ...minuteOfDay, description: 'Exclusive' },
  ...matrix.props,
});
/** Travel times for departures within a part of the local day. */
export type MatrixPeriodInput = TypeOf<typeof period>;

const options = object({
  format: optional(
    oneOf(['vroom']),
    'The request is one of POST /v1/vroom, and so is the answer; nothing is recorded. Only in POST /v1/recommend',
  ),
  g: optional(flag, 'Ignored, with a notice: there are no geometries of roads here'),
  late_tolerance: optional(within(0, 86_400), 'Seconds after a window at which a pickup is still allowed'),
  queue: optional(within(1, 16), 'Most shipments in the plan of a vehicle'),
  assignments_per_vehicle: optional(within(1, 16), 'Most new shipments for a vehicle in one answer'),
  speed_kmh: optional({ type: 'number', min: 1, max: 300 }, 'Speed on the straight line, where there is no table'),
  horizon: optional(within(0, 86_400), 'Seconds from now: shipments whose window begins later wait; default 7200'),
  revisit_after: optional(within(1, 86_400), 'Seconds after which to ask again at the latest; default 300'),
  alternatives: optional(within(0, 10), 'Most alternatives of an assignment; default 3'),
});
/** What the policy’s own world says otherwise: seconds, but for `speed_kmh` and counts. */
export type RequestOptions = TypeOf<typeof options>;

/** Schema of a request, in which shipments may be anything: `checkShipment` checks them one by one. */
export const requestProps = {
  as_of: optional(
    time(
      'Now; default 0. All times of the request are on the same clock. Seconds since 1970 (UTC), or, up to 31622399 (366 days), since a midnight of the local clock',
    ),
  ),
  time_zone: optional(
    { type: 'string', max: 64, pattern: /^[\w/+-]+$/ },
    'IANA name: gives the local time of day where `as_of` counts from the epoch. Default UTC',
  ),
  mode: optional(oneOf(requestModes), 'Default recommend'),
  policy: optional(name, 'Name of a policy; default: the first of /v1/policies'),
  deadline_ms: optional(
    within(1, 60_000),
    'Default 250, with `explain` or the policy `lookahead` 1000; the service takes 1000 at most',
  ),
  explain: optional(flag, 'Compare each assignment with its alternatives and with waiting, in simulated futures'),
  seed: optional(within(0, 2_147_483_647), 'Seed of those futures; default 1'),
  options: optional(options),
  vehicles: { ...list(vehicle), max: MAX_VEHICLES },
  shipments: { ...list(optional(anything())), max: MAX_SHIPMENTS },
  matrices: optional(
    { type: 'record', key: name, value: matrix },
    'By profile: tables of durations; an answer of OSRM’s table service fits',
  ),
  matrices_by_time: optional(
    { type: 'record', key: name, value: { ...list(period), min: 1, max: 24 } },
    'By profile: tables that hold for departures within a part of the day; `matrices` holds for the rest',
  ),
};
/** A live state. `checkRequest` makes one from what was sent. */
export type RecommendRequest = ObjectOf<typeof requestProps> & { readonly as_of: number };

/** The request's schema with that of a shipment in its place, for the document. */
export const documentedRequest = {
  ...requestProps,
  shipments: { ...list(object(shipmentProps)), max: MAX_SHIPMENTS },
};

/** A whole number from `min` to `max`. */
export function within(
  min: number,
  max: number,
): { readonly type: 'number'; readonly integer: true; readonly min: number; readonly max: number } {
  return { type: 'number', integer: true, min, max };
}
