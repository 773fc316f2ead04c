// Requests in VROOM's own form (its API, version 1.15), and answers in that form, each as a schema. Seconds, metres, [longitude,
// latitude]; windows with both ends inclusive.

import {
  MAX_SHIPMENTS,
  MAX_VEHICLES,
  MOST_WINDOWS,
  amounts,
  place,
  placeIndex,
  skills,
  span,
  table,
  within,
} from './request.js';
import { anything, id, list, number, object, oneOf, optional, text, whole } from './rules.js';
import type { ObjectOf, TypeOf } from './rules.js';

const description = optional(text, 'Given back, and never stored');
const seconds = within(0, 1_000_000);
const windows = optional({ ...list(span), min: 1, max: MOST_WINDOWS });
const byType = optional({ type: 'record', key: { type: 'string', min: 1, max: 64 }, value: seconds } as const);

const stopProps = {
  id: optional(id),
  description,
  location: optional(place),
  location_index: optional(placeIndex),
  setup: optional(seconds, 'Seconds to get started; not where the stop before is at the same place'),
  service: optional(seconds),
  setup_per_type: byType,
  service_per_type: byType,
  time_windows: windows,
};
const step = object(stopProps);

const priority = optional(within(0, 100), 'Default 0');
const job = object({
  ...stopProps,
  id,
  delivery: optional(amounts, 'Loaded at the start of the route'),
  pickup: optional(amounts, 'Unloaded at its end'),
  amount: optional(amounts, 'Old name of `delivery`'),
  skills: optional(skills),
  priority,
});
const shipment = object({
  id: optional(id, 'For a pickup and a delivery without an id of their own'),
  pickup: step,
  delivery: step,
  amount: optional(amounts),
  skills: optional(skills),
  priority,
  max_ride_time: optional(seconds, 'Ours: most seconds from the end of the pickup to the beginning of the delivery'),
});

const pause = object({
  id,
  description,
  service: optional(seconds),
  time_windows: windows,
  max_load: optional(amounts),
});
const stepTypes = ['start', 'job', 'pickup', 'delivery', 'break', 'end'] as const;
const vehicle = object({
  id,
  profile: optional({ type: 'string', min: 1, max: 64, pattern: /^[\w./:-]+$/ }, 'Which of `matrices`; default "car"'),
  description,
  start: optional(place),
  start_index: optional(placeIndex),
  end: optional(place),
  end_index: optional(placeIndex),
  capacity: optional(amounts),
  costs: optional(
    object({
      fixed: optional(within(0, 1_000_000_000)),
      per_hour: optional(within(0, 1_000_000_000), 'Default 3600'),
      per_task_hour: optional(within(0, 1_000_000_000)),
      per_km: optional(within(0, 1_000_000_000)),
    }),
  ),
  skills: optional(skills),
  type: optional(text, 'Which of `setup_per_type` and `service_per_type`'),
  time_window: optional(span),
  breaks: optional({ ...list(pause), max: 8 }),
  speed_factor: optional({ type: 'number', min: 0.01, max: 5 }),
  max_tasks: optional(within(0, 1_000_000)),
  max_travel_time: optional(within(0, 1_000_000_000)),
  max_distance: optional(within(0, 1_000_000_000)),
  steps: optional(
    {
      ...list(
        object({
          type: oneOf(stepTypes),
          id: optional(id),
          service_at: optional(anything()),
          service_after: optional(anything()),
          service_before: optional(anything()),
        }),
      ),
      max: 2000,
    },
    'A route to begin the search with; only its jobs, pickups and deliveries count',
  ),
});

const matrix = object({
  durations: table,
  distances: optional(table),
  costs: optional(table, 'What is saved, instead of time'),
});

/** Schema of a request in VROOM's form. */
export const vroomProps = {
  vehicles: { ...list(vehicle), min: 1, max: MAX_VEHICLES },
  jobs: optional({ ...list(job), max: MAX_SHIPMENTS }),
  shipments: optional({ ...list(shipment), max: MAX_SHIPMENTS }),
  matrices: optional({ type: 'record', key: { type: 'string', min: 1, max: 64 }, value: matrix } as const),
  options: optional(
    object({
      format: optional(oneOf(['vroom'])),
      g: optional({ type: 'boolean' } as const, 'Ignored: there are no geometries of roads here'),
      speed_kmh: optional(
        { type: 'number', min: 1, max: 300 } as const,
        'Ours: speed on the straight line, where there are no matrices; default 30',
      ),
    }),
  ),
  deadline_ms: optional(within(1, 60_000), 'Ours: milliseconds of search; default 500, 1000 at most'),
  turns: optional(within(0, 1_000_000), 'Ours: most turns of the search, for the same plan again'),
  seed: optional(within(0, 2_147_483_647), 'Ours: default 1'),
};
/** A request in VROOM's form. */
export type VroomRequest = ObjectOf<typeof vroomProps>;
/** One of its vehicles. */
export type VroomVehicle = TypeOf<typeof vehicle>;
/** One of its jobs. */
export type VroomJob = TypeOf<typeof job>;
/** One of its shipments. */
export type VroomShipment = TypeOf<typeof shipment>;
/** What a job, a pickup and a delivery have in common. */
export type VroomStop = TypeOf<typeof step>;

const violations = list(anything(), 'Always empty: a plan breaks nothing');
const sums = {
  cost: number(),
  setup: whole,
  service: whole,
  duration: { ...whole, description: 'Seconds of driving' },
  waiting_time: whole,
  priority: whole,
  distance: optional(whole, 'Metres, where they are known'),
  delivery: optional(list(number()), 'Where there are amounts'),
  pickup: optional(list(number())),
  violations,
} as const;

const givenPlace = {
  location: optional(place),
  location_index: optional(whole),
  description: optional(text),
};
const stepAnswer = object({
  type: oneOf(stepTypes),
  id: optional(id),
  job: optional(id, 'The same id, at a job'),
  ...givenPlace,
  setup: whole,
  service: whole,
  waiting_time: whole,
  load: optional(list(number())),
  arrival: whole,
  duration: whole,
  distance: optional(whole),
  violations,
});
/** One step of a route. */
export type VroomStep = TypeOf<typeof stepAnswer>;
const unassigned = object({ id, type: oneOf(['job', 'pickup', 'delivery']), ...givenPlace });
/** One task that nobody serves. */
export type VroomUnassigned = TypeOf<typeof unassigned>;
const route = object({ vehicle: id, description: optional(text), ...sums, steps: list(stepAnswer) });
/** The route of one vehicle. */
export type VroomRoute = TypeOf<typeof route>;

/** Schema of an answer in VROOM's form. */
export const vroomAnswerProps = {
  code: { ...whole, description: '0; errors are answered as on every other address' },
  summary: object({ ...sums, routes: whole, unassigned: whole }),
  unassigned: list(unassigned),
  routes: list(route, 'Of vehicles in use'),
  search: object({ turns: whole, seed: whole }, 'Ours: with these `turns` and `seed` the same plan comes out'),
  notices: list(text, 'Ours: what of the request had no effect'),
};
/** An answer in VROOM's form. */
export type VroomAnswer = ObjectOf<typeof vroomAnswerProps>;
