// Travel between zones, from rides between them: what is not recorded is estimated, and how much of it is said.

import { toPlane } from '../engine/index.js';
import type { MatrixTravel } from '../engine/index.js';
import { TripsError } from './errors.js';
import { serviceArea } from './service-area.js';
import type { Place } from './service-area.js';
import { float32, int32 } from './shared-columns.js';

/** A ride, or a row of a table of travel; null where it does not say. */
export interface ZoneRide {
  readonly from: number;
  readonly to: number;
  readonly seconds: number | null;
  readonly metres: number | null;
  /** Money. */
  readonly fare: number | null;
}

/** Tables of travel between zones, and where their times come from. */
export interface ZoneTravel {
  readonly travel: MatrixTravel;
  /** Pairs of zones whose time is: of the table, the median of rides (of either direction), by way of others or along the straight line, or the slowest known. */
  readonly pairs: Readonly<Record<'table' | 'rides' | 'estimated' | 'guessed', number>>;
}

/** Where neither rides nor tables say how fast it goes. */
const DEFAULT_METRES_PER_SECOND = 30 / 3.6;
/** Ways through others cost zones to the third power. */
const MOST_WITHOUT_CENTRES = 1000;

/**
 * @param table rows that hold whatever rides say
 * @param centres of all zones, or null
 * @throws TripsError `ERR_DATA_FORMAT` if nothing says how long anything takes
 */
export function zoneTravel(
  zones: number,
  rides: Iterable<ZoneRide>,
  table: Iterable<ZoneRide>,
  centres: readonly Place[] | null,
): ZoneTravel {
  const size = zones * zones;
  const fromRides = new PairMedians(zones, rides);
  const fromTable = new PairMedians(zones, table);
  if (centres === null && fromRides.seconds.size === 0 && fromTable.seconds.size === 0) {
    throw new TripsError(
      'ERR_DATA_FORMAT',
      'nothing says how long it takes from zone to zone: give a column dropoff_time, a table of travel times, or the longitude and latitude of zones',
    );
  }
  if (centres === null && zones > MOST_WITHOUT_CENTRES) {
    throw new TripsError(
      'ERR_DATA_FORMAT',
      `${zones} zones: more than ${MOST_WITHOUT_CENTRES} need a file with their longitude and latitude`,
    );
  }
  const area = centres === null ? null : serviceArea(centres);
  const plane =
    area === null || centres === null
      ? null
      : centres.map(({ longitude, latitude }) =>
          toPlane(longitude, latitude, area.centre.longitude, area.centre.latitude),
        );
  const straight = (pair: number): number => {
    const a = plane![Math.floor(pair / zones)];
    const b = plane![pair % zones];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  const mirror = (pair: number): number => (pair % zones) * zones + Math.floor(pair / zones);

  const pairs = { table: 0, rides: 0, estimated: 0, guessed: 0 };
  const seconds = new Float64Array(size).fill(Infinity);
  for (let pair = 0; pair < size; pair++) {
    const tabled = fromTable.seconds.get(pair);
    const driven =
      tabled ??
      fromRides.seconds.get(pair) ??
      fromTable.seconds.get(mirror(pair)) ??
      fromRides.seconds.get(mirror(pair));
    if (driven === undefined) continue;
    seconds[pair] = driven;
    pairs[tabled === undefined ? 'rides' : 'table']++;
  }
  let slowest = seconds.reduce((most, s) => (s < Infinity ? Math.max(most, s) : most), 0);
  const known = [...seconds.keys()].filter((pair) => seconds[pair] < Infinity);
  if (plane !== null) {
    const paces = known.flatMap((pair) => (straight(pair) > 100 ? [straight(pair) / seconds[pair]] : []));
    const pace = paces.length === 0 ? DEFAULT_METRES_PER_SECOND : medianOf(paces);
    for (let pair = 0; pair < size; pair++) {
      if (seconds[pair] < Infinity || pair % zones === Math.floor(pair / zones)) continue;
      seconds[pair] = straight(pair) / pace;
      pairs.estimated++;
      slowest = Math.max(slowest, seconds[pair]);
    }
  } else {
    const ways = shortestWays(zones, seconds);
    for (let pair = 0; pair < size; pair++) {
      if (seconds[pair] < Infinity || pair % zones === Math.floor(pair / zones)) continue;
      pairs[ways[pair] < Infinity ? 'estimated' : 'guessed']++;
      seconds[pair] = ways[pair] < Infinity ? ways[pair] : slowest;
    }
  }
  for (let zone = 0; zone < zones; zone++) {
    const own = zone * zones + zone;
    if (seconds[own] < Infinity) continue;
    // Within a zone it is half as far as to the nearest other one.
    const row = seconds.subarray(zone * zones, (zone + 1) * zones);
    const least = row.reduce((min, s, k) => (k === zone ? min : Math.min(min, s)), Infinity);
    seconds[own] = least < Infinity ? least / 2 : 60;
    pairs.estimated++;
  }

  const metresPerSecond =
    ratio(fromRides.metres, seconds) ?? ratio(fromTable.metres, seconds) ?? DEFAULT_METRES_PER_SECOND;
  const farePerSecond = ratio(fromRides.fares, seconds) ?? ratio(fromTable.fares, seconds) ?? 0;
  const column = (f: (pair: number) => number, least: number): Int32Array =>
    int32(Float64Array.from({ length: size }, (_, pair) => Math.max(least, Math.round(f(pair)))));
  return {
    travel: {
      zones,
      seconds: column((pair) => seconds[pair], 1),
      metres: column(
        (pair) =>
          fromTable.metres.get(pair) ??
          fromRides.metres.get(pair) ??
          (plane !== null && straight(pair) > 0 ? straight(pair) : metresPerSecond * seconds[pair]),
        1,
      ),
      fares: column(
        (pair) => 1e4 * (fromTable.fares.get(pair) ?? fromRides.fares.get(pair) ?? farePerSecond * seconds[pair]),
        0,
      ),
      x: float32(plane?.map(({ x }) => x) ?? zones),
      y: float32(plane?.map(({ y }) => y) ?? zones),
    },
    pairs,
  };
}

/** Medians of what rides say, by pair: `from * zones + to`. */
class PairMedians {
  readonly seconds: Map<number, number>;
  readonly metres: Map<number, number>;
  readonly fares: Map<number, number>;

  constructor(zones: number, rides: Iterable<ZoneRide>) {
    const seconds = new Map<number, number[]>();
    const metres = new Map<number, number[]>();
    const fares = new Map<number, number[]>();
    const add = (lists: Map<number, number[]>, pair: number, value: number | null): void => {
      if (value === null) return;
      const list = lists.get(pair);
      if (list === undefined) lists.set(pair, [value]);
      else list.push(value);
    };
    for (const ride of rides) {
      const pair = ride.from * zones + ride.to;
      add(seconds, pair, ride.seconds);
      add(metres, pair, ride.metres);
      add(fares, pair, ride.fare);
    }
    const medians = (lists: Map<number, number[]>): Map<number, number> =>
      new Map([...lists].map(([pair, list]) => [pair, medianOf(list)]));
    [this.seconds, this.metres, this.fares] = [medians(seconds), medians(metres), medians(fares)];
  }
}

/** Floyd and Warshall: the quickest way from zone to zone over any others. */
function shortestWays(zones: number, seconds: Float64Array): Float64Array {
  const way = Float64Array.from(seconds);
  for (let via = 0; via < zones; via++) {
    for (let from = 0; from < zones; from++) {
      const first = way[from * zones + via];
      if (first === Infinity) continue;
      for (let to = 0; to < zones; to++) {
        const all = first + way[via * zones + to];
        if (all < way[from * zones + to]) way[from * zones + to] = all;
      }
    }
  }
  return way;
}

/** How much of something there is for a second of the way, in the median; null if none is known. */
function ratio(values: ReadonlyMap<number, number>, seconds: Float64Array): number | null {
  const ratios = [...values].map(([pair, value]) => value / seconds[pair]);
  return ratios.length === 0 ? null : medianOf(ratios);
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
