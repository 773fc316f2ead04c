// A live state from outside: what a dispatcher knows at one moment. `World.restore` puts it into an environment; it is checked in
// check-snapshot.ts.

import type { Window } from './windows.js';

/** Second later than anything that happens: no limit. */
export const NEVER = 0x7fffffff;

/** A booking that a driver has accepted and not yet dropped off. */
export interface PlannedBooking {
  /** Seconds since the start of the episode. */
  readonly pickupAt: number;
  readonly dropoffAt: number;
}

/** A driver at one moment. Times are whole seconds since the start of the episode. Places are metres in the plane; under matrix travel the zone decides, and x and y are its centre. */
export interface SnapshotDriver {
  /** Where the plan ends: the driver's own place if there is no plan. */
  readonly x: number;
  readonly y: number;
  readonly zone: number;
  /** When it ends. In the past for an idle driver. */
  readonly freeAt: number;
  /** In the order of driving; at most the scenario's `queue`. */
  readonly plan: readonly PlannedBooking[];
  /** The first booking of the plan has been picked up. */
  readonly onBoard: boolean;
  /** Bookings taken so far today. */
  readonly load: number;
  /** Takes no bookings for now. */
  readonly offDuty: boolean;
  /** Bookings to be driven after `plan`, in this order, however late: with it at most the scenario's `queue`. */
  readonly promised?: readonly SnapshotBooking[];
  /** Takes no booking that it would not be done with by then; default: any. */
  readonly shiftEnd?: number;
}

/** An open or promised booking. Times are whole seconds since the start of the episode; places as of `SnapshotDriver`. */
export interface SnapshotBooking {
  readonly pickupX: number;
  readonly pickupY: number;
  readonly pickupZone: number;
  readonly dropoffX: number;
  readonly dropoffY: number;
  readonly dropoffZone: number;
  /** At most `now`. */
  readonly knownAt: number;
  /** First and last second of the pickup. */
  readonly windowStart: number;
  readonly windowEnd: number;
  /** 1..5 */
  readonly priority: number;
  /** Bit k: needs skill k. */
  readonly skills: number;
  /** 1 for a return leg. */
  readonly leg: number;
  /** In 1/10000 of the money unit. */
  readonly fare: number;
  /** Seconds spent at the pickup and at the drop-off. */
  readonly pickupService: number;
  readonly dropoffService: number;
  /** The drop-off waits until then, and is done, service included, by then; default: any time. */
  readonly earliestDropoff?: number;
  readonly latestDropoff?: number;
  /**
   * Where there are several: ascending, apart from each other, from `windowStart` to `windowEnd`. The pickup is in time in
   * each; `World.pickupSecond` says which one it is.
   */
  readonly windows?: readonly Window[];
  /** Likewise, from `earliestDropoff` to `latestDropoff` less the service there. */
  readonly dropoffWindows?: readonly Window[];
}

/** A live state. `World.restore` refuses one with missing, unknown, out-of-range or contradictory fields (`ERR_OPTION`). */
export interface Snapshot {
  /** Seconds since the start of the episode. */
  readonly now: number;
  /** At most as many as the world has; the rest of the world's drivers is off duty. */
  readonly drivers: readonly SnapshotDriver[];
  /** At most as many as the world has slots: booking k is put into slot k. */
  readonly bookings: readonly SnapshotBooking[];
  /** Seconds from now: of several windows, one that begins later is not planned yet, but for promises. Default: all are. */
  readonly patience?: number;
}
