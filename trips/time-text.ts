// Times as files write them, to instants. What may be read in two ways is refused, never guessed.

import type { CompanyClock } from './company-clock.js';

/** Order of day and month in dates with slashes. */
export type DateOrder = 'mdy' | 'dmy';

/** How times that may be read in two ways are read. */
export interface TimeRules {
  /** The clock that times without a zone were read from; null: such times are refused. */
  readonly clock: CompanyClock | null;
  /** Dates such as 03/04/2026 are refused unless this says which is the month. */
  readonly dateOrder?: DateOrder | undefined;
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))? ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i;
const DOTS = /^(\d{1,2})\.(\d{1,2})\.(\d{4}),? +(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const SLASHES = /^(\d{1,2})\/(\d{1,2})\/(\d{4}),? +(\d{1,2}):(\d{2})(?::(\d{2}))? *([AP]M)?$/i;
const UNIX = /^(\d{9,10}|\d{12,13})(\.\d+)?$/;

/**
 * The instants that a text may mean, in seconds since 1970-01-01T00:00:00Z, earliest first: two in the hour that a clock
 * shows twice in autumn, one otherwise. Accepted: `2026-03-01T08:15:00+01:00` (or Z; a space for the T; seconds may be left
 * out), the same without a zone, `01.03.2026 08:15`, `03/01/2026 08:15 PM` with a date order, and Unix seconds or
 * milliseconds.
 * @param fault makes the error of what was expected
 */
export function instantsFrom(
  text: string,
  { clock, dateOrder }: TimeRules,
  fault: (expected: string) => Error,
): readonly number[] {
  const unix = UNIX.exec(text);
  if (unix !== null) return [unix[1].length > 10 ? Number(text) / 1000 : Number(text)];
  const iso = ISO.exec(text);
  if (iso !== null) {
    const [, year, month, day, hour, minute, second, zone] = iso;
    const shown = shownBy([year, month, day, hour, minute, second?.replace(',', '.')], fault);
    return zone === undefined ? onClock(shown, clock, fault) : [shown - offsetOf(zone, fault)];
  }
  const dots = DOTS.exec(text);
  if (dots !== null) {
    const [, day, month, year, hour, minute, second] = dots;
    return onClock(shownBy([year, month, day, hour, minute, second], fault), clock, fault);
  }
  const slashes = SLASHES.exec(text);
  if (slashes !== null) {
    const [, first, other, year, hour, minute, second, half] = slashes;
    if (dateOrder === undefined) {
      throw fault(
        'which may be of two days: say which is the month with a date order (mdy or dmy), or write YYYY-MM-DD',
      );
    }
    const [month, day] = dateOrder === 'mdy' ? [first, other] : [other, first];
    return onClock(shownBy([year, month, day, to24(hour, half, fault), minute, second], fault), clock, fault);
  }
  throw fault(
    'expected a time such as 2026-03-01 08:15:00, 2026-03-01T08:15:00+01:00, 01.03.2026 08:15, or Unix seconds',
  );
}

/** What a clock shows, as seconds of UTC; `Date` would take 30 February for 2 March. */
function shownBy(parts: readonly (string | undefined)[], fault: (expected: string) => Error): number {
  const [year, month, day, hour, minute, second] = parts.map((part) => Number(part ?? 0));
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (year < 1970 || year > 2199 || midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) {
    throw fault('expected a date that exists, of the years 1970 to 2199');
  }
  if (hour > 23 || minute > 59 || second >= 60) throw fault('expected a time of day from 00:00:00 to 23:59:59');
  return midnight.getTime() / 1000 + 3600 * hour + 60 * minute + second;
}

function onClock(shown: number, clock: CompanyClock | null, fault: (expected: string) => Error): readonly number[] {
  if (clock === null) {
    throw fault(
      'which has no zone: say which clock it was read from with a time zone such as "Europe/Zurich", or write +01:00 behind it',
    );
  }
  const whole = Math.floor(shown);
  const instants = clock.instantsOf(whole);
  if (instants.length === 0) throw fault(`which the clocks of ${clock.timeZone} skipped that night`);
  return instants.map((instant) => instant + (shown - whole));
}

function offsetOf(zone: string, fault: (expected: string) => Error): number {
  const parts = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (parts === null) return 0;
  const [, sign, hours, minutes = '00'] = parts;
  if (Number(hours) > 14 || Number(minutes) > 59) throw fault('expected an offset from UTC of at most 14:00');
  return (sign === '-' ? -1 : 1) * (3600 * Number(hours) + 60 * Number(minutes));
}

function to24(hour: string, half: string | undefined, fault: (expected: string) => Error): string {
  if (half === undefined) return hour;
  const h = Number(hour);
  if (h < 1 || h > 12) throw fault('expected an hour from 1 to 12 before AM or PM');
  return String((h % 12) + (half.toUpperCase() === 'PM' ? 12 : 0));
}
