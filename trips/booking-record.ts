// Bookings as a company's own system keeps them: with gaps, mistakes and doubles. What is wrong with them, and what they
// say. Times are seconds of the wall clock since midnight of the booking's service day; places are degrees, WGS 84.

import { quantileSorted } from 'simple-statistics';
import { METRES_PER_DEGREE } from '../engine/index.js';

export interface BookingRecord {
  readonly id: number;
  readonly driverId: number | null;
  readonly status: string;
  readonly priority: number;
  readonly leg: 'outbound' | 'return';
  readonly skills: readonly string[];
  readonly pickupLongitude: number | null;
  readonly pickupLatitude: number | null;
  readonly dropoffLongitude: number | null;
  readonly dropoffLatitude: number | null;
  /** Service day, YYYY-MM-DD, and its weekday, 1 Monday to 7 Sunday; null without a window. */
  readonly day: string | null;
  readonly weekday: number | null;
  readonly knownSecond: number | null;
  readonly windowStartSecond: number | null;
  readonly windowEndSecond: number | null;
  readonly pickupSecond: number | null;
  readonly dropoffSecond: number | null;
}

/** A booking that has all that a trace needs. */
export interface UsableBooking extends BookingRecord {
  readonly pickupLongitude: number;
  readonly pickupLatitude: number;
  readonly dropoffLongitude: number;
  readonly dropoffLatitude: number;
  readonly day: string;
  readonly weekday: number;
  readonly knownSecond: number;
  readonly windowStartSecond: number;
  readonly windowEndSecond: number;
}

export const faultNames = [
  'missingPlace',
  'missingWindow',
  'missingKnownTime',
  'impossiblePlace',
  'samePlace',
  'windowReversed',
  'knownAfterWindow',
  'pickupBeforeKnown',
  'dropoffBeforePickup',
  'impossibleSpeed',
  'duplicate',
] as const;
export type FaultName = (typeof faultNames)[number];

export interface QualityReport {
  readonly bookings: number;
  readonly usable: number;
  /** Count of each fault, and the ids of the first few. A booking may have several. */
  readonly faults: Readonly<Record<FaultName, { readonly count: number; readonly examples: readonly number[] }>>;
}

/** Faster than this between two places is a mistake of the record, not a drive. */
const IMPOSSIBLE_KMH = 200;
const EXAMPLES = 5;

/** Great-circle distance by the equirectangular approximation: within a city exact to a few metres. */
export function metresBetween(b: UsableBooking): number {
  const cos = Math.cos((((b.pickupLatitude + b.dropoffLatitude) / 2) * Math.PI) / 180);
  return (
    METRES_PER_DEGREE * Math.hypot((b.dropoffLongitude - b.pickupLongitude) * cos, b.dropoffLatitude - b.pickupLatitude)
  );
}

/** Sorts out what can be used, and reports on the rest. */
export function examine(bookings: readonly BookingRecord[]): { usable: UsableBooking[]; report: QualityReport } {
  const found = Object.fromEntries(
    faultNames.map((name) => [name, { count: 0, examples: [] as number[] }]),
  ) as unknown as Record<FaultName, { count: number; examples: number[] }>;
  const seen = new Set<string>();
  const usable = bookings.filter((booking): booking is UsableBooking => {
    const faults = faultsOf(booking, seen);
    for (const name of faults) {
      found[name].count++;
      if (found[name].examples.length < EXAMPLES) found[name].examples.push(booking.id);
    }
    return faults.length === 0;
  });
  return { usable, report: { bookings: bookings.length, usable: usable.length, faults: found } };
}

function faultsOf(b: BookingRecord, seen: Set<string>): FaultName[] {
  const faults: FaultName[] = [];
  const places = [b.pickupLongitude, b.pickupLatitude, b.dropoffLongitude, b.dropoffLatitude];
  if (places.includes(null)) faults.push('missingPlace');
  else if (places.some((degrees, k) => !(Math.abs(degrees!) <= (k % 2 === 0 ? 180 : 90)) || degrees === 0)) {
    // 0 is what systems write for an address that they could not find.
    faults.push('impossiblePlace');
  } else if (places[0] === places[2] && places[1] === places[3]) faults.push('samePlace');
  if (b.knownSecond === null) faults.push('missingKnownTime');
  if (b.day === null || b.windowStartSecond === null || b.windowEndSecond === null) {
    faults.push('missingWindow');
    return faults;
  }
  if (b.windowEndSecond < b.windowStartSecond) faults.push('windowReversed');
  else if (b.knownSecond !== null && b.knownSecond > b.windowEndSecond) faults.push('knownAfterWindow');
  if (b.pickupSecond !== null) {
    if (b.knownSecond !== null && b.pickupSecond < b.knownSecond) faults.push('pickupBeforeKnown');
    if (b.dropoffSecond !== null) {
      if (b.dropoffSecond < b.pickupSecond) faults.push('dropoffBeforePickup');
      else if (faults.length === 0) {
        const kmh = (3.6 * metresBetween(b as UsableBooking)) / Math.max(1, b.dropoffSecond - b.pickupSecond);
        if (kmh > IMPOSSIBLE_KMH) faults.push('impossibleSpeed');
      }
    }
  }
  const key = [...places, b.day, b.windowStartSecond, b.windowEndSecond].join(' ');
  if (seen.has(key) && faults.length === 0) faults.push('duplicate');
  seen.add(key);
  return faults;
}

export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

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

export function describe(bookings: readonly UsableBooking[]): BookingStatistics {
  const byStatus: Record<string, number> = {};
  const byHour = Array<number>(24).fill(0);
  const byWeekday = Array<number>(7).fill(0);
  const waits: number[] = [];
  const lateness: number[] = [];
  const speeds: number[] = [];
  for (const b of bookings) {
    byStatus[b.status] = (byStatus[b.status] ?? 0) + 1;
    byHour[Math.floor(b.windowStartSecond / 3600) % 24]++;
    byWeekday[b.weekday - 1]++;
    if (b.pickupSecond === null) continue;
    waits.push((b.pickupSecond - Math.max(b.windowStartSecond, b.knownSecond)) / 60);
    lateness.push(Math.max(0, b.pickupSecond - b.windowEndSecond) / 60);
    const seconds = (b.dropoffSecond ?? b.pickupSecond) - b.pickupSecond;
    if (seconds >= 60) speeds.push((3.6 * metresBetween(b)) / seconds);
  }
  return {
    days: new Set(bookings.map(({ day }) => day)).size,
    bookings: bookings.length,
    byStatus,
    distanceKm: percentiles(bookings.map((b) => metresBetween(b) / 1000)),
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
  const sorted = [...values].sort((a, b) => a - b);
  const at = (p: number): number => quantileSorted(sorted, p);
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
