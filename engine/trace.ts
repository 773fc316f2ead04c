// Recorded demand: the bookings of many days, column by column, and the data set that brings them with their tables.

import type { MatrixTravel } from './travel.js';

/** Bookings of all days, day after day, each day in the order in which they become known. May be shared between threads. */
export interface Trace {
  /** Label of each day, for people. */
  readonly days: readonly string[];
  /** First booking of day d; entry `days.length` is the number of bookings. `[days + 1]` */
  readonly dayStart: Int32Array;
  /** Seconds since the start of the episode. */
  readonly knownAt: Int32Array;
  readonly windowStart: Int32Array;
  readonly windowEnd: Int32Array;
  /** Zones under matrix travel; zeros in a plane. */
  readonly pickupZone: Int32Array;
  readonly dropoffZone: Int32Array;
  /** Places in a plane; absent under matrix travel. */
  readonly places?: TracePlaces;
  /** Metres from pickup to drop-off. */
  readonly metres: Int32Array;
  /** In 1/10000 of the money unit. */
  readonly fare: Int32Array;
  /** 1..5 */
  readonly priority: Uint8Array;
  /** Bit k: needs skill k. */
  readonly skills: Uint8Array;
  /** 1 for a return leg. */
  readonly leg: Uint8Array;
}

/** Metres east and north of the plane's centre. */
export interface TracePlaces {
  readonly pickupX: Float32Array;
  readonly pickupY: Float32Array;
  readonly dropoffX: Float32Array;
  readonly dropoffY: Float32Array;
}

/** Parts of a data set's days. */
export type Split = 'training' | 'validation' | 'test';
/** All splits. */
export const splits: readonly Split[] = ['training', 'validation', 'test'];

/** Everything that a scenario on recorded trips needs from outside. */
export interface Dataset {
  /** Scenario that the data is for. */
  readonly scenario: string;
  /** Null in a plane. */
  readonly travel: MatrixTravel | null;
  readonly trace: Trace;
  /** How long a day's record is, from the start of the episode, where that is known: there is no demand after it. */
  readonly recordedSeconds?: number;
  /** Indices into `trace.days`. */
  readonly splits: Readonly<Record<Split, readonly number[]>>;
}
