// Columns of observations by name: shapes, labels and offsets. `observe.ts` writes them.

import type { Scenario } from './scenario.js';

/** `classic` is the original's observation; `full` adds what makes the state Markov. */
export type ObservationKind = 'classic' | 'full';

/** All kinds of observation. */
export const observationKinds: readonly ObservationKind[] = ['classic', 'full'];

/**
 * Offsets within a driver's columns. `classic` ends before `plan`; from `skills` on there is one column per skill, and where the
 * scenario has a `fleet`, one for the rest of the shift after them.
 */
export const DriverColumn = {
  x: 0,
  y: 1,
  available: 2,
  load: 3,
  plan: 4,
  untilFree: 5,
  untilDropoff: 6,
  emergency: 7,
  skills: 8,
} as const;

/** Offsets within a booking's columns. `classic` ends before `present`; from `skills` on there is one column per skill. */
export const BookingColumn = {
  pickupX: 0,
  pickupY: 1,
  priority: 2,
  timeLeft: 3,
  present: 4,
  dropoffX: 5,
  dropoffY: 6,
  untilWindow: 7,
  ride: 8,
  leg: 9,
  age: 10,
  fare: 11,
  skills: 12,
} as const;

/** Offsets within the context's columns. `classic` ends before `elapsed`. */
export const ContextColumn = { timeOfDay: 0, traffic: 1, elapsed: 2, open: 3, created: 4 } as const;

const driverLabels: Readonly<Record<Exclude<keyof typeof DriverColumn, 'skills'>, string>> = {
  x: 'x',
  y: 'y',
  available: 'available',
  load: 'load / 10',
  plan: 'plan / queue',
  untilFree: 'minutes until free / 60',
  untilDropoff: 'minutes until next drop-off / 60',
  emergency: 'emergency',
};

const bookingLabels: Readonly<Record<Exclude<keyof typeof BookingColumn, 'skills'>, string>> = {
  pickupX: 'pickup x',
  pickupY: 'pickup y',
  priority: 'priority / 5',
  timeLeft: 'minutes left / 60',
  present: 'present',
  dropoffX: 'drop-off x',
  dropoffY: 'drop-off y',
  untilWindow: 'minutes until window / 60',
  ride: 'ride minutes / 60',
  leg: 'return leg',
  age: 'minutes known / 60',
  fare: 'fare / 10',
};

const contextLabels: Readonly<Record<keyof typeof ContextColumn, string>> = {
  timeOfDay: 'time of day',
  traffic: 'traffic',
  elapsed: 'elapsed',
  open: 'open / slots',
  created: 'created / 100',
};

/** Labels of the columns of one observation: `[driver columns] * N, [booking columns] * M, context columns`. */
export interface ObservationShape {
  /** Of each driver. */
  readonly driverColumns: readonly string[];
  /** Of the booking in each slot. */
  readonly bookingColumns: readonly string[];
  /** Of the environment, once. */
  readonly contextColumns: readonly string[];
}

/**
 * The columns of an observation. Places are scaled by half the area's extent; a driver's place and time are those at
 * which its plan ends, since that is where its next leg starts. An empty slot is all zeros.
 */
export function observationShape(scenario: Scenario, kind: ObservationKind): ObservationShape {
  const drivers = inOrder(driverLabels, DriverColumn);
  const bookings = inOrder(bookingLabels, BookingColumn);
  const context = inOrder(contextLabels, ContextColumn);
  if (kind === 'classic') {
    return {
      driverColumns: drivers.slice(0, DriverColumn.plan),
      bookingColumns: bookings.slice(0, BookingColumn.present),
      contextColumns: context.slice(0, ContextColumn.elapsed),
    };
  }
  const skills = scenario.skills.map((skill) => `skill ${skill.name}`);
  return {
    driverColumns: [...drivers, ...skills, ...(scenario.fleet === undefined ? [] : ['hours left of the shift'])],
    bookingColumns: [...bookings, ...skills],
    contextColumns: context,
  };
}

/** Numbers in one observation. */
export function observationSize(scenario: Scenario, kind: ObservationKind): number {
  const shape = observationShape(scenario, kind);
  return (
    shape.driverColumns.length * scenario.drivers +
    shape.bookingColumns.length * scenario.slots +
    shape.contextColumns.length
  );
}

/** Each label at its column's offset. */
function inOrder<Name extends string>(
  labels: Readonly<Record<Name, string>>,
  offsets: Readonly<Record<Name, number>>,
): readonly string[] {
  const list: string[] = [];
  for (const name of Object.keys(labels) as Name[]) list[offsets[name]] = labels[name];
  return list;
}
