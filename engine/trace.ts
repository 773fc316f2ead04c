// Recorded demand: the bookings of many days, column by column, and the data set that brings them with their tables.

import { EngineError } from './errors.js';
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

export type Split = 'training' | 'validation' | 'test';
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

/** @throws EngineError `ERR_TRACE` when columns disagree in length, or a day's bookings are out of order */
export function checkTrace(trace: Trace, travel: MatrixTravel | null): void {
  const n = trace.dayStart[trace.days.length];
  // In a plane every booking is in the only zone.
  const zones = travel?.zones ?? 1;
  if ((travel === null) !== (trace.places !== undefined)) {
    throw new EngineError(
      'ERR_TRACE',
      `a trace has places in a plane, and zones under matrix travel: this one has not`,
    );
  }
  for (const [name, column] of Object.entries(trace.places ?? {}) as [string, Float32Array][]) {
    if (column.length !== n) {
      throw new EngineError('ERR_TRACE', `trace column "${name}" has ${column.length} entries, expected ${n}`);
    }
    const at = column.findIndex((metres) => !Number.isFinite(metres));
    if (at >= 0)
      throw new EngineError('ERR_TRACE', `trace column "${name}" is ${column[at]} at booking ${at}: expected metres`);
  }
  for (const name of [
    'knownAt',
    'windowStart',
    'windowEnd',
    'pickupZone',
    'dropoffZone',
    'metres',
    'fare',
    'priority',
    'skills',
    'leg',
  ] as const) {
    if (trace[name].length !== n) {
      throw new EngineError('ERR_TRACE', `trace column "${name}" has ${trace[name].length} entries, expected ${n}`);
    }
  }
  for (let day = 0; day < trace.days.length; day++) {
    for (let i = trace.dayStart[day]; i < trace.dayStart[day + 1]; i++) {
      const where = `day ${trace.days[day]}, booking ${i - trace.dayStart[day]}`;
      if (i > trace.dayStart[day] && trace.knownAt[i] < trace.knownAt[i - 1]) {
        throw new EngineError(
          'ERR_TRACE',
          `${where}: knownAt ${trace.knownAt[i]} is before its predecessor's ${trace.knownAt[i - 1]}`,
        );
      }
      if (trace.windowEnd[i] < trace.windowStart[i]) {
        throw new EngineError(
          'ERR_TRACE',
          `${where}: window ${trace.windowStart[i]}..${trace.windowEnd[i]} ends before it starts`,
        );
      }
      if (
        trace.pickupZone[i] < 0 ||
        trace.pickupZone[i] >= zones ||
        trace.dropoffZone[i] < 0 ||
        trace.dropoffZone[i] >= zones
      ) {
        throw new EngineError(
          'ERR_TRACE',
          `${where}: zones ${trace.pickupZone[i]} -> ${trace.dropoffZone[i]}, expected 0..${zones - 1}`,
        );
      }
    }
  }
}
