// A company's clock: what day and time it is there at an instant, and which instants a reading of it may mean. Orders and
// durations are made of instants; only the time of day and the service day are read from the clock.

import { TripsError } from './errors.js';

/** What a clock shows at an instant. */
export interface ClockReading {
  /** YYYY-MM-DD */
  readonly day: string;
  /** 1 Monday to 7 Sunday. */
  readonly weekday: number;
  /** Seconds that the clock shows since midnight, 0 to 86,399.999: on two days a year not the seconds that have passed. */
  readonly secondOfDay: number;
}

const DAY = 86_400;
/** Zones change their offset on quarters of an hour. */
const QUARTER = 900;

/** Instants are seconds since 1970-01-01T00:00:00Z; readings are those seconds as the clock shows them. */
export class CompanyClock {
  /** IANA name, as given. */
  readonly timeZone: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #offsets = new Map<number, number>();

  /**
   * @param timeZone IANA name, such as `Europe/Zurich`
   * @throws TripsError `ERR_DATA_FORMAT` for a name that is none
   */
  constructor(timeZone: string) {
    this.timeZone = timeZone;
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (cause) {
      throw new TripsError(
        'ERR_DATA_FORMAT',
        `time zone is ${JSON.stringify(timeZone)}: expected a name of the IANA database, such as "Europe/Zurich" or "UTC"`,
        { cause },
      );
    }
  }

  /** Seconds by which the clock is ahead of UTC. */
  offsetAt(instant: number): number {
    const quarter = Math.floor(instant / QUARTER);
    const known = this.#offsets.get(quarter);
    if (known !== undefined) return known;
    const at = quarter * QUARTER;
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(1000 * at)) part[type] = Number(value);
    const shown = Date.UTC(part['year'], part['month'] - 1, part['day'], part['hour'], part['minute'], part['second']);
    const offset = shown / 1000 - at;
    this.#offsets.set(quarter, offset);
    return offset;
  }

  /** @param instant of the years 1970 to 9999 */
  read(instant: number): ClockReading {
    const shown = instant + this.offsetAt(instant);
    const days = Math.floor(shown / DAY);
    return {
      day: dayLabel(days),
      // 1 January 1970 was a Thursday.
      weekday: ((((days + 3) % 7) + 7) % 7) + 1,
      secondOfDay: shown - days * DAY,
    };
  }

  /** The instants at which the clock shows `shown`, earliest first: none in the hour that spring skips, two in the one that autumn repeats. */
  instantsOf(shown: number): number[] {
    const offsets = new Set([this.offsetAt(shown - DAY), this.offsetAt(shown + DAY)]);
    return [...offsets]
      .map((offset) => shown - offset)
      .filter((instant) => instant + this.offsetAt(instant) === shown)
      .sort((a, b) => a - b);
  }

  /** The instant at which the day that holds `instant`, or one `days` before it, begins. */
  startOfDay(instant: number, days = 0): number {
    const midnight = (Math.floor((instant + this.offsetAt(instant)) / DAY) - days) * DAY;
    // Where midnight itself is skipped, the day begins with the change, which the earlier offset shows as midnight.
    return this.instantsOf(midnight)[0] ?? midnight - this.offsetAt(midnight - DAY);
  }
}

/** YYYY-MM-DD of days since 1970-01-01. */
function dayLabel(days: number): string {
  return new Date(1000 * DAY * days).toISOString().slice(0, 10);
}
