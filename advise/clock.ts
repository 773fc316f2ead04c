// Which time of day it is where a request comes from: traffic and tables go by the local clock.

const DAY = 86_400;
/** 366 days: nobody asks about 1970. */
const FIRST_OF_EPOCH = 366 * DAY;

/** Whether a request's clock counts from a midnight where it comes from, rather than from that of 1970 in UTC. */
export function isSinceMidnight(asOf: number): boolean {
  return asOf < FIRST_OF_EPOCH;
}

const zones = new Map<string, Intl.DateTimeFormat | null>();

/** Whether this is the name of a time zone, as IANA has them. */
export function isTimeZone(name: string): boolean {
  return clockOf(name) !== null;
}

function clockOf(zone: string): Intl.DateTimeFormat | null {
  let clock = zones.get(zone);
  if (clock === undefined) {
    try {
      clock = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        hourCycle: 'h23',
      });
    } catch {
      clock = null;
    }
    // There are some six hundred names, but each may be written in any mixture of large and small letters.
    if (zones.size >= 700) zones.clear();
    zones.set(zone, clock);
  }
  return clock;
}

/** Second of the local day. */
export function secondOfDay(at: number, zone: string | undefined): number {
  if (zone === undefined || zone === 'UTC' || isSinceMidnight(at)) return at % DAY;
  const [hour, minute, second] = clockOf(zone)!
    .format(at * 1000)
    .split(':');
  return 3600 * Number(hour) + 60 * Number(minute) + Number(second);
}

/**
 * Where clocks are changed within a day from `at`, as for summer time: the minute of the day that they show then, by the
 * minute that they would have shown, `[1440]`. Null where they are not.
 */
export function changedMinutes(at: number, zone: string | undefined): Uint16Array | null {
  // Which day it is, is not known then.
  if (isSinceMidnight(at)) return null;
  const start = at - (at % 60);
  const first = Math.floor(secondOfDay(start, zone) / 60);
  /** Minutes that clocks are ahead, `k` minutes from the start. */
  const ahead = (k: number): number => {
    const shown = Math.round(secondOfDay(start + 60 * k, zone) / 60);
    return ((shown - first - k + 720 + 2 * 1440) % 1440) - 720;
  };
  const change = ahead(1439);
  if (change === 0) return null;
  let [before, after] = [0, 1439];
  while (after - before > 1) {
    const middle = (before + after) >> 1;
    if (ahead(middle) === 0) before = middle;
    else after = middle;
  }
  const minutes = new Uint16Array(1440);
  for (let k = 0; k < 1440; k++) {
    const unchanged = (first + k) % 1440;
    minutes[unchanged] = (unchanged + (k < after ? 0 : change) + 1440) % 1440;
  }
  return minutes;
}
