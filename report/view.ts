// What an episode is drawn from, as types alone: the page's code (report/page) runs in a browser and imports nothing else of ours.

/** Metres east and north of the centre. */
export type Point = readonly [x: number, y: number];

/** Stages in which a booking can be at the end of being open. */
export type Fate = 'assigned' | 'expired' | 'refused' | 'open';

/** A driver as it is drawn. */
export interface DriverView {
  readonly type: string;
  readonly skills: readonly string[];
  readonly start: Point;
}

/** A booking as it is drawn. Times are seconds since the start of the episode. */
export interface BookingView {
  readonly knownAt: number;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly pickup: Point;
  readonly dropoff: Point;
  readonly priority: number;
  /** What ended its being open, and when; at the horizon if it is open still. */
  readonly fate: Fate;
  readonly openUntil: number;
}

/** An assignment as it is drawn. Times are seconds since the start of the episode. */
export interface LegView {
  readonly driver: number;
  readonly booking: number;
  readonly decidedAt: number;
  readonly from: Point;
  readonly departAt: number;
  readonly arriveAt: number;
  readonly pickupAt: number;
  readonly leaveAt: number;
  readonly reachAt: number;
  readonly dropoffAt: number;
  readonly lateSeconds: number;
  readonly reward: number;
}

/** An event as it is listed. */
export interface EventView {
  readonly second: number;
  readonly kind: string;
  readonly booking: number;
  readonly driver: number;
}

/** An episode as it is drawn. */
export interface EpisodeView {
  readonly scenario: string;
  readonly id: string;
  readonly policy: string;
  readonly seed: number;
  readonly return: number;
  /** By name (engine/kpis.ts). */
  readonly kpis: Readonly<Record<string, number>>;
  readonly startSecondOfDay: number;
  readonly horizonSeconds: number;
  readonly tickSeconds: number;
  readonly drivers: readonly DriverView[];
  readonly bookings: readonly BookingView[];
  /** In the order of being decided. */
  readonly legs: readonly LegView[];
  readonly events: readonly EventView[];
  /** Return of the episode at the end of each tick. */
  readonly returns: readonly number[];
  /** Centres of zones; empty in a plane. */
  readonly zones: readonly Point[];
}
