// Anybody's trips: a CSV file with times and places, or zones, becomes a scenario and its data set.

import { compileScenario, didYouMean } from '../engine/index.js';
import type { Dataset, Scenario } from '../engine/index.js';
import { describe, describeWith, timesOf } from './booking-record.js';
import type {
  BookingRecord,
  BookingStatistics,
  BookingTimes,
  Instants,
  UsableBooking,
  UsableTimes,
} from './booking-record.js';
import { collectTrips, playedDays } from './collect.js';
import type { Fleet } from './collect.js';
import { CompanyClock } from './company-clock.js';
import { CsvTable } from './csv-table.js';
import type { CsvRow } from './csv-table.js';
import { TripsError } from './errors.js';
import { BookingExaminer, FaultTally, timeFaults } from './quality.js';
import type { QualityReport } from './quality.js';
import { int32 } from './shared-columns.js';
import { instantsFrom } from './time-text.js';
import type { DateOrder, TimeRules } from './time-text.js';
import { zoneTravel } from './zone-travel.js';
import type { ZoneRide, ZoneTravel } from './zone-travel.js';

/** The columns that are read, and what they hold. `pickup_time` or `window_start`, and places or zones, must be there. */
export const tripColumns = {
  pickup_time: 'when the passenger was picked up; also the start of the window, unless window_start says otherwise',
  dropoff_time: 'when the ride was over',
  requested_time: 'when the call came; default: with the start of the window',
  window_start: 'the promised pickup, from',
  window_end: 'to; default: window minutes after the start',
  pickup_longitude: 'degrees, WGS 84',
  pickup_latitude: 'degrees, WGS 84',
  dropoff_longitude: 'degrees, WGS 84',
  dropoff_latitude: 'degrees, WGS 84',
  pickup_zone: 'any name or number, instead of degrees',
  dropoff_zone: 'any name or number, instead of degrees',
  fare: 'money',
  distance_metres: 'of the ride; used between zones',
  distance_km: 'the same in kilometres',
  distance_miles: 'the same in miles',
  priority: '1 to 5; default 3',
  skills: 'what the vehicle must have, several divided by |',
  leg: 'outbound or return; default outbound',
} as const;
/** Name of a column of trips. */
export type TripColumn = keyof typeof tripColumns;

/** How a CSV file of trips is read. */
export interface OwnTripsOptions {
  /** Name of the scenario: lower-case letters, digits and hyphens. */
  readonly name: string;
  /** Which of the file's columns holds a documented one, where it has another name. */
  readonly map?: Readonly<Partial<Record<TripColumn, string>>>;
  /** IANA name of the clock that days and hours are read from, and times that name no zone. Default: UTC, and such times are refused. */
  readonly timeZone?: string | undefined;
  /** Which is the month in 03/04/2026. Default: such dates are refused. */
  readonly dateOrder?: DateOrder | undefined;
  /** CSV file with zone, longitude, latitude. */
  readonly zones?: string | undefined;
  /** CSV file with origin_zone, destination_zone, seconds, and optionally metres and fare. */
  readonly table?: string | undefined;
  /** Size of the fleet. Default: as many as were on the road at once, and a tenth more, at most 200. */
  readonly drivers?: number | undefined;
  /** Length of windows without an end. Default 10. */
  readonly windowMinutes?: number | undefined;
  /** Decimals of a degree that places keep. Default 4, about 10 m. */
  readonly decimals?: number | undefined;
}

/** What a file holds: sound trips, and a report on the others by their lines. */
export interface OwnTrips {
  readonly kind: 'degrees' | 'zones';
  readonly report: QualityReport;
  /** Names of zones, in the order of their indices; none with degrees. */
  readonly zoneNames: readonly string[];
  readonly bookings: readonly UsableBooking[];
  readonly rides: readonly ZoneTrip[];
  /** Money, by the line of the trip. */
  readonly fares: ReadonlyMap<number, number>;
}

/** A trip from zone to zone. */
export interface ZoneTrip extends Omit<BookingTimes, keyof UsableTimes>, UsableTimes {
  readonly from: number;
  readonly to: number;
  readonly metres: number | null;
}

/** A scenario and its data set, made from a file of trips. */
export interface ImportedTrips {
  readonly scenario: Scenario;
  readonly dataset: Dataset;
  readonly statistics: BookingStatistics;
  readonly skillsLeftOut: readonly string[];
  /** Where times between zones come from; null with degrees. */
  readonly pairs: ZoneTravel['pairs'] | null;
}

const places = ['pickup_longitude', 'pickup_latitude', 'dropoff_longitude', 'dropoff_latitude'] as const;
const zoneColumns = ['pickup_zone', 'dropoff_zone'] as const;
const timeColumns = ['pickup_time', 'dropoff_time', 'window_start', 'window_end', 'requested_time'] as const;
const metresIn = { distance_metres: 1, distance_km: 1000, distance_miles: 1609.344 } as const;
const MOST_DRIVERS = 200;
const MOST_ZONES = 3000;
const TICK = 60;
/** Windows may start in these years: all that can be written. */
const SPAN = { from: 0, to: Date.UTC(2200, 0, 1) / 1000 };

/**
 * Reads a CSV file of trips. A cell that cannot be read ends it with file, line and column; a trip that cannot be is
 * counted as a fault of its line, and left out.
 * @throws TripsError
 */
export function readOwnTrips(file: string, options: OwnTripsOptions): OwnTrips {
  const { map = {}, windowMinutes = 10, timeZone } = options;
  const table = new CsvTable(file);
  const nameOf = (column: TripColumn): string => map[column] ?? column;
  const has = (column: TripColumn): boolean => table.placeOf(nameOf(column)) >= 0;
  for (const [column, name] of Object.entries(map)) {
    if (!Object.hasOwn(tripColumns, column)) {
      throw new TripsError(
        'ERR_DATA_FORMAT',
        `"${column}" cannot be mapped${didYouMean(column, Object.keys(tripColumns))}: known are ${Object.keys(tripColumns).join(', ')}`,
      );
    }
    if (table.placeOf(name) < 0) throw table.missing(name, `; "${column}" is mapped to it`);
  }
  const mapHint = '; map another name to it with pickup_time=NAME';
  if (!has('pickup_time') && !has('window_start')) throw table.missing(nameOf('pickup_time'), mapHint);
  const kind = places.every(has) ? 'degrees' : zoneColumns.every(has) ? 'zones' : null;
  if (kind === null) {
    const wanted: readonly TripColumn[] = zoneColumns.some(has) ? zoneColumns : places;
    throw table.missing(
      nameOf(wanted.find((column) => !has(column))!),
      `; trips need ${places.join(', ')}, or ${zoneColumns.join(', ')}, under these names or mapped`,
    );
  }
  const clock = new CompanyClock(timeZone ?? 'UTC');
  const rules: TimeRules = { clock: timeZone === undefined ? null : clock, dateOrder: options.dateOrder };

  const timesIn = (row: CsvRow): BookingTimes => {
    const at = (column: TripColumn): readonly (number | null)[] => {
      const name = nameOf(column);
      const text = row.text(name);
      return text === '' ? [null] : instantsFrom(text, rules, (expected) => row.fault(name, expected));
    };
    const [pickups, dropoffs, starts, ends, calls] = timeColumns.map(at);
    const readings = pickups.flatMap((pickedUpAt) =>
      dropoffs.flatMap((droppedOffAt) =>
        starts.flatMap((start) =>
          ends.flatMap((end) =>
            calls.map((call): Instants => {
              const windowStart = start ?? (has('window_start') ? null : pickedUpAt);
              const windowEnd = end ?? (windowStart === null ? null : windowStart + 60 * windowMinutes);
              return { windowStart, windowEnd, knownAt: call ?? windowStart, pickedUpAt, droppedOffAt };
            }),
          ),
        ),
      ),
    );
    const instants = readings.length === 1 ? readings[0] : likeliest(readings, clock);
    const pickedUpAt = pickups[0];
    const leg = has('leg') ? row.text(nameOf('leg')).toLowerCase() : '';
    if (!['', 'outbound', 'return'].includes(leg)) throw row.fault(nameOf('leg'), 'expected outbound or return');
    return {
      id: row.line,
      driverId: null,
      status: pickedUpAt === null ? 'open' : 'completed',
      priority: row.text(nameOf('priority')) === '' ? 3 : row.integer(nameOf('priority'), 1, 5),
      leg: leg === 'return' ? 'return' : 'outbound',
      skills: row
        .text(nameOf('skills'))
        .split('|')
        .map((skill) => skill.trim())
        .filter((skill) => skill !== ''),
      ...timesOf(instants, clock, SPAN),
    };
  };
  const numberIn = (row: CsvRow, column: TripColumn, min: number, max: number): number | null =>
    row.text(nameOf(column)) === '' ? null : row.number(nameOf(column), min, max);

  const fares = new Map<number, number>();
  for (const row of has('fare') ? table.rows : []) {
    const fare = numberIn(row, 'fare', -1e5, 1e5);
    // Money that was given back is no fare.
    if (fare !== null && fare >= 0) fares.set(row.line, fare);
  }
  if (kind === 'degrees') {
    const examiner = new BookingExaminer();
    for (const row of table.rows) {
      const [pickupLongitude, pickupLatitude, dropoffLongitude, dropoffLatitude] = places.map((column) =>
        numberIn(row, column, -1e9, 1e9),
      );
      const record: BookingRecord = {
        ...timesIn(row),
        pickupLongitude,
        pickupLatitude,
        dropoffLongitude,
        dropoffLatitude,
      };
      examiner.add(record);
    }
    const { usable, report } = examiner.finish();
    return { kind, report, zoneNames: [], bookings: usable, rides: [], fares };
  }

  const tally = new FaultTally();
  const seen = new Set<string>();
  const found = new Map<string, number>();
  const indexOf = (name: string): number => {
    if (!found.has(name)) found.set(name, found.size);
    return found.get(name)!;
  };
  const unit = (Object.keys(metresIn) as (keyof typeof metresIn)[]).find(has);
  const sound: ZoneTrip[] = [];
  for (const row of table.rows) {
    const trip = timesIn(row);
    const [from, to] = zoneColumns.map((column) => row.text(nameOf(column)));
    const faults = timeFaults(trip);
    if (from === '' || to === '') faults.unshift('missingPlace');
    const usable = trip as BookingTimes & UsableTimes;
    if (!tally.passes(row.line, faults) || !tally.isNew(usable, [from, to], seen)) continue;
    const metres = unit === undefined ? null : numberIn(row, unit, 0, 1e7);
    sound.push({
      ...usable,
      from: indexOf(from),
      to: indexOf(to),
      metres: metres === null || metres === 0 ? null : metres * metresIn[unit!],
    });
  }
  if (found.size > MOST_ZONES) {
    throw new TripsError('ERR_DATA_FORMAT', `${file}: ${found.size} zones, at most ${MOST_ZONES} are possible`);
  }
  // By number and name, so that the order of the file's lines does not matter.
  const zoneNames = [...found.keys()].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const placeOf = new Int32Array(zoneNames.length);
  zoneNames.forEach((name, k) => (placeOf[found.get(name)!] = k));
  const rides = sound.map((ride) => ({ ...ride, from: placeOf[ride.from], to: placeOf[ride.to] }));
  return { kind, report: tally.report(rides.length), zoneNames, bookings: [], rides, fares };
}

/**
 * The scenario and the data set of sound trips. Trips between places in degrees lie in a plane with straight-line travel
 * at their median speed; trips between zones on a table whose times are the table's, the medians of rides, or estimates.
 * @throws TripsError `ERR_DATA_FORMAT` if there is no sound trip, or nothing says how long trips take
 */
export function buildOwnTrips(trips: OwnTrips, options: OwnTripsOptions): ImportedTrips {
  const { name, decimals = 4 } = options;
  const { report, rides, bookings, fares } = trips;
  if (report.usable === 0) {
    const worst = Object.entries(report.faults).sort(([, a], [, b]) => b.count - a.count)[0];
    throw new TripsError(
      'ERR_DATA_FORMAT',
      report.bookings === 0
        ? 'the file has no trips'
        : `none of ${report.bookings} trips can be used: most often ${worst[0]}, as in line ${worst[1].examples[0]}`,
    );
  }
  const sound: readonly (BookingTimes & UsableTimes)[] = trips.kind === 'degrees' ? bookings : rides;
  const skills = [...new Set(sound.flatMap((trip) => trip.skills))];
  const fleet = (count: number): Fleet => ({
    drivers: Array.from({ length: options.drivers ?? count }, () => ({ kind: 'REGULAR' as const, skills })),
  });
  const lookahead = { lookaheadSeconds: 7200 };
  const fareOf = (k: number): number => Math.round(1e4 * (fares.get(sound[k].id as number) ?? 0));
  if (trips.kind === 'degrees') {
    const statistics = describe(bookings);
    const collected = collectTrips(bookings, fleet(busiest(bookings, () => 900)), { name, decimals, ...lookahead });
    const dataset: Dataset = {
      ...collected.dataset,
      trace: { ...collected.dataset.trace, fare: int32(Array.from(collected.order, fareOf)) },
    };
    const scenario: Scenario = { ...collected.scenario, tickSeconds: TICK };
    compileScenario(scenario, dataset);
    return { scenario, dataset, statistics, skillsLeftOut: collected.skillsLeftOut, pairs: null };
  }

  const zones = trips.zoneNames.length;
  const indices = new Map(trips.zoneNames.map((zone, k) => [zone, k]));
  const driven = rides.map((ride): ZoneRide => {
    const { from, to, metres, pickupSecond, dropoffSecond } = ride;
    const seconds = pickupSecond === null || dropoffSecond === null ? 0 : dropoffSecond - pickupSecond;
    return { from, to, metres, seconds: seconds > 0 ? seconds : null, fare: fares.get(ride.id as number) ?? null };
  });
  const { travel, pairs } = zoneTravel(
    zones,
    driven,
    options.table === undefined ? [] : readTravelTable(options.table, indices),
    options.zones === undefined ? null : readCentres(options.zones, trips.zoneNames),
  );
  const pairOf = (ride: ZoneTrip): number => ride.from * zones + ride.to;
  const count = busiest(rides, (ride) => travel.seconds[pairOf(ride)]);
  const played = playedDays(rides, fleet(count), lookahead);
  const { column } = played;
  const metres = int32(column((k) => Math.round(rides[k].metres ?? travel.metres[pairOf(rides[k])])));
  const scenario: Scenario = { ...played.scenario, name, tickSeconds: TICK, travel: { kind: 'matrix' } };
  const dataset: Dataset = {
    scenario: name,
    travel,
    trace: {
      ...played.trace,
      pickupZone: int32(column((k) => rides[k].from)),
      dropoffZone: int32(column((k) => rides[k].to)),
      metres,
      fare: int32(column((k) => (fares.has(rides[k].id as number) ? fareOf(k) : travel.fares[pairOf(rides[k])]))),
    },
    recordedSeconds: scenario.horizonSeconds,
    splits: played.splits,
  };
  compileScenario(scenario, dataset);
  const statistics = describeWith(rides, (ride) => ride.metres ?? travel.metres[pairOf(ride)]);
  return { scenario, dataset, statistics, skillsLeftOut: played.skillsLeftOut, pairs };
}

/**
 * Which of several readings of a trip's times is meant, in the night in which an hour comes twice: the one with the fewest
 * faults, of these the one whose times lie closest together, of these the earliest.
 */
function likeliest(readings: readonly Instants[], clock: CompanyClock): Instants {
  const ranked = readings.map((instants) => {
    const times = Object.values(instants).filter((time): time is number => time !== null);
    const first = Math.min(...times);
    const untimed = { id: 0, driverId: null, status: '', priority: 3, leg: 'outbound', skills: [] } as const;
    const faults = timeFaults({ ...untimed, ...timesOf(instants, clock, SPAN) }).length;
    return { instants, faults, span: Math.max(...times) - first, first };
  });
  ranked.sort((a, b) => a.faults - b.faults || a.span - b.span || a.first - b.first);
  return ranked[0].instants;
}

/** Most rides that were under way at once, and a tenth more. */
function busiest<B extends BookingTimes & UsableTimes>(rides: readonly B[], secondsOf: (ride: B) => number): number {
  const days = new Map<string, [second: number, by: number][]>();
  for (const ride of rides) {
    const from = ride.pickupSecond ?? ride.windowStartSecond;
    const changes = days.get(ride.day) ?? [];
    days.set(ride.day, changes);
    changes.push([from, 1], [Math.max(from + 1, ride.dropoffSecond ?? from + secondsOf(ride)), -1]);
  }
  let most = 1;
  for (const changes of days.values()) {
    changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let now = 0;
    for (const [, by] of changes) most = Math.max(most, (now += by));
  }
  return Math.min(MOST_DRIVERS, Math.ceil(1.1 * most));
}

function readCentres(file: string, zoneNames: readonly string[]): { longitude: number; latitude: number }[] {
  const table = new CsvTable(file);
  table.require(['zone', 'longitude', 'latitude']);
  const found = new Map<string, { longitude: number; latitude: number }>();
  for (const row of table.rows) {
    const zone = row.text('zone');
    if (found.has(zone)) throw row.fault('zone', 'this zone is listed twice');
    found.set(zone, { longitude: row.number('longitude', -180, 180), latitude: row.number('latitude', -85, 85) });
  }
  return zoneNames.map((zone) => {
    const centre = found.get(zone);
    if (centre === undefined) {
      throw new TripsError('ERR_DATA_FORMAT', `${file}: no row for zone ${JSON.stringify(zone)}, which trips have`);
    }
    return centre;
  });
}

/** Rows of zones that trips have; the others do not matter here. */
function readTravelTable(file: string, indices: ReadonlyMap<string, number>): ZoneRide[] {
  const table = new CsvTable(file);
  table.require(['origin_zone', 'destination_zone', 'seconds']);
  const seen = new Set<string>();
  return table.rows.flatMap((row): ZoneRide[] => {
    const [origin, destination] = [row.text('origin_zone'), row.text('destination_zone')];
    const pair = JSON.stringify([origin, destination]);
    if (seen.has(pair)) throw row.fault('destination_zone', `the pair ${origin} -> ${destination} is listed twice`);
    seen.add(pair);
    const optional = (column: string, max: number): number | null =>
      row.text(column) === '' ? null : row.number(column, 0, max);
    const ride = {
      seconds: Math.max(1, row.number('seconds', 0, 86_400)),
      metres: optional('metres', 1e7),
      fare: optional('fare', 1e5),
    };
    const [from, to] = [indices.get(origin), indices.get(destination)];
    return from === undefined || to === undefined ? [] : [{ from, to, ...ride }];
  });
}
