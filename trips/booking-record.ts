// Bookings as a company's own system keeps them, and what they say. A booking's window stands on the company's clock; all
// its other times are seconds that passed from there, so that no change of the clock makes a ride longer or shorter.

import { quantileSorted } from 'simple-statistics';
import { METRES_PER_DEGREE } from '../engine/index.js';
import type { CompanyClock } from './company-clock.js';

/** Ids beyond 2^53 are text. */
export type BookingId = number | string;

/** What a booking says beside its places. Times: see `recordOf`; null where unknown. */
export interface BookingTimes {
  readonly id: BookingId;
  readonly driverId: BookingId | null;
  readonly status: string;
  readonly priority: number;
  readonly leg: 'outbound' | 'return';
  readonly skills: readonly string[];
  /** Service day, YYYY-MM-DD, and its weekday, 1 Monday to 7 Sunday; null without a window. */
  readonly day: string | null;
  readonly weekday: number | null;
  /** The window's start as an instant: tells the hour that autumn repeats apart. May be absent where that does not matter. */
  readonly windowStartAt?: number | null;
  /** Second of the day that the clock shows when the window starts. */
  readonly windowStartSecond: number | null;
  /** `windowStartSecond` and the seconds that pass from there; before it, less. */
  readonly windowEndSecond: number | null;
  readonly knownSecond: number | null;
  readonly pickupSecond: number | null;
  readonly dropoffSecond: number | null;
}

/** A booking with places in degrees, WGS 84. */
export interface BookingRecord extends BookingTimes {
  readonly pickupLongitude: number | null;
  readonly pickupLatitude: number | null;
  readonly dropoffLongitude: number | null;
  readonly dropoffLatitude: number | null;
}

/** The times that a trace needs. */
export interface UsableTimes {
  readonly day: string;
  readonly weekday: number;
  readonly knownSecond: number;
  readonly windowStartSecond: number;
  readonly windowEndSecond: number;
}

/** A booking that has all that a trace needs. */
export interface UsableBooking extends Omit<BookingRecord, keyof UsableTimes>, UsableTimes {
  readonly pickupLongitude: number;
  readonly pickupLatitude: number;
  readonly dropoffLongitude: number;
  readonly dropoffLatitude: number;
}

/** A booking as it lies in a database: its times are instants, seconds since 1970-01-01T00:00:00Z, and may be absurd. */
export interface BookingInstants extends Omit<BookingRecord, keyof UsableTimes | 'pickupSecond' | 'dropoffSecond'> {
  readonly knownAt: number | null;
  readonly windowStart: number | null;
  readonly windowEnd: number | null;
  readonly pickedUpAt: number | null;
  readonly droppedOffAt: number | null;
}

/** The times of a booking, from instants. */
export type Instants = Pick<BookingInstants, 'knownAt' | 'windowStart' | 'windowEnd' | 'pickedUpAt' | 'droppedOffAt'>;

/**
 * Puts instants onto the company's clock: the window's start by what the clock shows then, all else by the seconds between.
 * @param span the instants between which windows may start: outside, the start becomes an infinity, which is a fault
 */
export function timesOf(
  instants: Instants,
  clock: CompanyClock,
  span: { readonly from: number; readonly to: number },
): Omit<BookingTimes, 'id' | 'driverId' | 'status' | 'priority' | 'leg' | 'skills'> {
  const { windowStart, windowEnd, knownAt, pickedUpAt, droppedOffAt } = instants;
  const sound = windowStart !== null && windowStart >= span.from && windowStart < span.to;
  const reading = sound ? clock.read(windowStart) : null;
  // Without a window to stand on, orders are still seen from any time that is there.
  const anchor = sound ? windowStart : ([windowEnd, knownAt, pickedUpAt, droppedOffAt].find(Number.isFinite) ?? 0);
  const base = Math.floor(reading?.secondOfDay ?? 0);
  const from = (instant: number | null): number | null =>
    instant === null ? null : base + Math.round(instant - anchor);
  return {
    day: reading?.day ?? null,
    weekday: reading?.weekday ?? null,
    windowStartAt: windowStart,
    windowStartSecond: sound ? base : windowStart === null ? null : windowStart < span.from ? -Infinity : Infinity,
    windowEndSecond: from(windowEnd),
    knownSecond: from(knownAt),
    pickupSecond: from(pickedUpAt),
    dropoffSecond: from(droppedOffAt),
  };
}

/** The same for a whole booking. */
export function recordOf(
  booking: BookingInstants,
  clock: CompanyClock,
  span: { readonly from: number; readonly to: number },
): BookingRecord {
  const { knownAt, windowStart, windowEnd, pickedUpAt, droppedOffAt, ...rest } = booking;
  return { ...rest, ...timesOf({ knownAt, windowStart, windowEnd, pickedUpAt, droppedOffAt }, clock, span) };
}

/** Degrees from one longitude east to another, the short way: -180 to 180. */
export function longitudeBetween(from: number, to: number): number {
  const d = to - from;
  return d > 180 ? d - 360 : d < -180 ? d + 360 : d;
}

/** Straight-line metres from pickup to drop-off by the equirectangular approximation: within a city exact to a few metres. */
export function metresBetween(b: UsableBooking): number {
  const cos = Math.cos((((b.pickupLatitude + b.dropoffLatitude) / 2) * Math.PI) / 180);
  return (
    METRES_PER_DEGREE *
    Math.hypot(longitudeBetween(b.pickupLongitude, b.dropoffLongitude) * cos, b.dropoffLatitude - b.pickupLatitude)
  );
}

/** Percentiles of a list of numbers; all 0 for an empty list. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** What a list of usable bookings looks like. */
export interface BookingStatistics {
  readonly days: number;
  readonly bookings: number;
  readonly byStatus: Readonly<Record<string, number>>;
  /** Straight-line kilometres from pickup to drop-off. */
  readonly distanceKm: Percentiles;
  /** From when the passenger could go (the window's start, or the call if that came later) to the pickup. */
  readonly waitMinutes: Percentiles;
  /** After the window's end; on time counts as 0. */
  readonly latenessMinutes: Percentiles & { readonly lateShare: number };
  /** Bookings by the hour in which their window starts, 0 to 23. */
  readonly byHour: readonly number[];
  /** Bookings by weekday, Monday first. */
  readonly byWeekday: readonly number[];
  /** Straight-line km/h of rides, measured; null with fewer than 30 rides. */
  readonly medianRideKmh: number | null;
}

/** Statistics of bookings between places; a ride is as long as the straight line. */
export function describe(bookings: readonly UsableBooking[]): BookingStatistics {
  return describeWith(bookings, metresBetween);
}

/** The same where something else says how long a ride is. */
export function describeWith<B extends BookingTimes & UsableTimes>(
  bookings: readonly B[],
  metresOf: (booking: B) => number,
): BookingStatistics {
  const byStatus = new Map<string, number>();
  const byHour = Array<number>(24).fill(0);
  const byWeekday = Array<number>(7).fill(0);
  const waits: number[] = [];
  const lateness: number[] = [];
  const speeds: number[] = [];
  for (const b of bookings) {
    byStatus.set(b.status, (byStatus.get(b.status) ?? 0) + 1);
    byHour[Math.floor(b.windowStartSecond / 3600) % 24]++;
    byWeekday[b.weekday - 1]++;
    if (b.pickupSecond === null) continue;
    waits.push((b.pickupSecond - Math.max(b.windowStartSecond, b.knownSecond)) / 60);
    lateness.push(Math.max(0, b.pickupSecond - b.windowEndSecond) / 60);
    const seconds = (b.dropoffSecond ?? b.pickupSecond) - b.pickupSecond;
    if (seconds >= 60) speeds.push((3.6 * metresOf(b)) / seconds);
  }
  return {
    days: new Set(bookings.map(({ day }) => day)).size,
    bookings: bookings.length,
    byStatus: Object.fromEntries(byStatus),
    distanceKm: percentiles(bookings.map((b) => metresOf(b) / 1000)),
    waitMinutes: percentiles(waits),
    latenessMinutes: {
      ...percentiles(lateness),
      lateShare: lateness.length === 0 ? 0 : lateness.filter((minutes) => minutes > 0).length / lateness.length,
    },
    byHour,
    byWeekday,
    medianRideKmh: speeds.length < 30 ? null : percentiles(speeds).p50,
  };
}

function percentiles(values: readonly number[]): Percentiles {
  if (values.length === 0) return { count: 0, p50: 0, p90: 0, p99: 0 };
  const sorted = Float64Array.from(values).sort();
  const at = (p: number): number => quantileSorted(sorted as unknown as number[], p);
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
