// What is wrong with bookings: every faulty one is counted, by kind and by id, and only sound ones are ever compared with.

import { metresBetween } from './booking-record.js';
import type { BookingId, BookingRecord, BookingTimes, UsableBooking, UsableTimes } from './booking-record.js';
import { isWithinReach, metresFrom, serviceArea } from './service-area.js';
import type { Place } from './service-area.js';

/** Kinds of faults, and what each means. */
export const faultMeaning = {
  missingPlace: 'a coordinate or a zone is missing',
  missingWindow: "the window's start or end is missing",
  missingKnownTime: 'when the call came is missing',
  impossiblePlace: 'no place on the map, or 0/0 far from the others',
  swappedPlace: 'longitude and latitude are swapped',
  farPlace: 'too far from the other places for one area',
  samePlace: 'pickup and drop-off are the same',
  impossibleTime: 'a time that is not finite, or a window that starts outside the days asked for',
  windowReversed: 'the window ends before it starts',
  windowTooLong: 'the window is longer than a day (25 hours)',
  knownAfterWindow: 'the call came after the window',
  knownTooEarly: 'the call came more than three years before the window',
  pickupBeforeKnown: 'the pickup was before the call',
  pickupFarFromWindow: 'the pickup was more than 25 hours outside the window',
  dropoffBeforePickup: 'the drop-off was before the pickup, or before the call',
  rideTooLong: 'the ride took more than 25 hours',
  impossibleSpeed: 'faster than 200 km/h',
  unreadableSkill: 'a skill is no text, or empty',
  duplicate: 'the same ride as a sound one before it: driver, places, window, needs and actual times',
} as const;
/** Name of a kind of fault. */
export type FaultName = keyof typeof faultMeaning;
/** All kinds of faults, in the order of `faultMeaning`. */
export const faultNames: readonly FaultName[] = Object.keys(faultMeaning) as FaultName[];

/** A booking that cannot be used, and why. */
export interface FaultyBooking {
  readonly id: BookingId;
  readonly faults: readonly FaultName[];
}

/** How many bookings can be used, and what is wrong with the others. */
export interface QualityReport {
  readonly bookings: number;
  readonly usable: number;
  /** Count of each fault, and the ids of the first few. A booking may have several. */
  readonly faults: Readonly<Record<FaultName, { readonly count: number; readonly examples: readonly BookingId[] }>>;
  /** Each booking that cannot be used, in the order given; at most 100,000. */
  readonly unusable: readonly FaultyBooking[];
  /** How many more there are. */
  readonly unlisted: number;
}

/** Faster than this between two places is a mistake of the record, not a drive. */
const IMPOSSIBLE_KMH = 200;
const EXAMPLES = 5;
const LISTED = 100_000;
/** The longest day: the one on which clocks go back. */
const DAY = 25 * 3600;
const EARLIEST_CALL = 1100 * 86_400;
/** A plane's centre lies at most this far from the equator. */
const MAX_LATITUDE = 85;

/** Sorts out what can be used, and reports on the rest. */
export function examine(bookings: Iterable<BookingRecord>): { usable: UsableBooking[]; report: QualityReport } {
  const examiner = new BookingExaminer();
  for (const booking of bookings) examiner.add(booking);
  return examiner.finish();
}

/** The same for bookings that come one by one: of the faulty ones only ids are kept. */
export class BookingExaminer {
  readonly #tally = new FaultTally();
  readonly #candidates: UsableBooking[] = [];

  add(booking: BookingRecord): void {
    if (this.#tally.passes(booking.id, [...placeFaults(booking), ...timeFaults(booking)])) {
      this.#candidates.push(booking as UsableBooking);
    }
  }

  /** What needs all bookings: which places lie apart, and which rides were entered twice. */
  finish(): { usable: UsableBooking[]; report: QualityReport } {
    const places = this.#candidates.flatMap(endsOf);
    const area = serviceArea(places);
    const seen = new Set<string>();
    const usable = this.#candidates.filter((booking) => {
      const faults = [...new Set(endsOf(booking).flatMap((place) => outsideFaults(place, area!)))];
      if (faults.length === 0 && kmhOf(booking) > IMPOSSIBLE_KMH) faults.push('impossibleSpeed');
      if (!this.#tally.passes(booking.id, faults)) return false;
      const { pickupLongitude, pickupLatitude, dropoffLongitude, dropoffLatitude } = booking;
      return this.#tally.isNew(booking, [pickupLongitude, pickupLatitude, dropoffLongitude, dropoffLatitude], seen);
    });
    return { usable, report: this.#tally.report(usable.length) };
  }
}

/** Counts faults by kind and by booking. */
export class FaultTally {
  readonly #found = new Map<FaultName, { count: number; examples: BookingId[] }>(
    faultNames.map((name) => [name, { count: 0, examples: [] }]),
  );
  readonly #unusable: FaultyBooking[] = [];
  #faulty = 0;

  /** Whether there are no faults; those that there are, are counted. */
  passes(id: BookingId, faults: readonly FaultName[]): boolean {
    if (faults.length === 0) return true;
    this.#faulty++;
    if (this.#unusable.length < LISTED) this.#unusable.push({ id, faults });
    for (const name of faults) {
      const found = this.#found.get(name)!;
      found.count++;
      if (found.examples.length < EXAMPLES) found.examples.push(id);
    }
    return false;
  }

  /**
   * Whether a sound booking is not a second entry of one in `seen`. A ride is who drives it, from where to where, what it
   * needs, when it was wanted, and when it took place: one that differs in any of these is another ride.
   */
  isNew(booking: BookingTimes & UsableTimes, places: readonly unknown[], seen: Set<string>): boolean {
    const { driverId, leg, skills, windowStartAt, day, windowStartSecond: start } = booking;
    const { windowEndSecond, pickupSecond, dropoffSecond } = booking;
    const key = JSON.stringify([
      ...places,
      windowStartAt ?? `${day} ${start}`,
      windowEndSecond - start,
      driverId,
      leg,
      [...skills].sort(),
      pickupSecond === null ? null : pickupSecond - start,
      dropoffSecond === null ? null : dropoffSecond - start,
    ]);
    if (seen.has(key)) return this.passes(booking.id, ['duplicate']);
    seen.add(key);
    return true;
  }

  report(usable: number): QualityReport {
    return {
      bookings: usable + this.#faulty,
      usable,
      faults: Object.fromEntries(this.#found) as unknown as QualityReport['faults'],
      unusable: this.#unusable,
      unlisted: this.#faulty - this.#unusable.length,
    };
  }
}

function placeFaults(b: BookingRecord): FaultName[] {
  const { pickupLongitude, pickupLatitude, dropoffLongitude, dropoffLatitude } = b;
  if (pickupLongitude === null || pickupLatitude === null || dropoffLongitude === null || dropoffLatitude === null) {
    return ['missingPlace'];
  }
  if (!endsOf(b as UsableBooking).every(isPlace)) return ['impossiblePlace'];
  // 180 degrees east and west are the same meridian.
  const east = Math.abs(pickupLongitude - dropoffLongitude) % 360;
  return east === 0 && pickupLatitude === dropoffLatitude ? ['samePlace'] : [];
}

/** What is wrong with the times of a booking. */
export function timeFaults(b: BookingTimes): FaultName[] {
  const faults: FaultName[] = [];
  const { knownSecond: known, windowStartSecond: start, windowEndSecond: end, pickupSecond, dropoffSecond } = b;
  if (b.skills.some((skill: unknown) => typeof skill !== 'string' || skill.trim() === ''))
    faults.push('unreadableSkill');
  if ([known, start, end, pickupSecond, dropoffSecond].some((time) => time !== null && !Number.isFinite(time))) {
    return [...faults, 'impossibleTime'];
  }
  if (known === null) faults.push('missingKnownTime');
  if (start === null || end === null || b.day === null) faults.push('missingWindow');
  else {
    if (end < start) faults.push('windowReversed');
    else if (end - start > DAY) faults.push('windowTooLong');
    else if (known !== null && known > end) faults.push('knownAfterWindow');
    if (known !== null && start - known > EARLIEST_CALL) faults.push('knownTooEarly');
    if (pickupSecond !== null && (pickupSecond < start - DAY || pickupSecond > end + DAY)) {
      faults.push('pickupFarFromWindow');
    }
  }
  if (pickupSecond !== null && known !== null && pickupSecond < known) faults.push('pickupBeforeKnown');
  if (dropoffSecond !== null) {
    const earliest = pickupSecond ?? known;
    const latest = pickupSecond ?? (end === null ? null : end + DAY);
    if (earliest !== null && dropoffSecond < earliest) faults.push('dropoffBeforePickup');
    else if (latest !== null && dropoffSecond - latest > DAY) faults.push('rideTooLong');
  }
  return faults;
}

function outsideFaults(place: Place, { centre, near }: { centre: Place; near: number }): FaultName[] {
  const away = metresFrom(centre, place);
  if (away <= near) return [];
  // What systems write for an address that they could not find.
  if (place.longitude === 0 && place.latitude === 0) return ['impossiblePlace'];
  const other = swapped(place);
  // Much nearer: where longitudes are like latitudes, a sound place may gain a little, too.
  if (isPlace(other) && metresFrom(centre, other) <= Math.min(near, away / 3)) return ['swappedPlace'];
  return isWithinReach(centre, place) ? [] : ['farPlace'];
}

function endsOf(b: UsableBooking): [Place, Place] {
  return [
    { longitude: b.pickupLongitude, latitude: b.pickupLatitude },
    { longitude: b.dropoffLongitude, latitude: b.dropoffLatitude },
  ];
}

function isPlace({ longitude, latitude }: Place): boolean {
  return Math.abs(longitude) <= 180 && Math.abs(latitude) <= MAX_LATITUDE;
}

function swapped({ longitude, latitude }: Place): Place {
  return { longitude: latitude, latitude: longitude };
}

/** Straight-line speed of the ride; 0 where it is not recorded. */
function kmhOf(b: UsableBooking): number {
  if (b.pickupSecond === null || b.dropoffSecond === null) return 0;
  return (3.6 * metresBetween(b)) / Math.max(1, b.dropoffSecond - b.pickupSecond);
}
