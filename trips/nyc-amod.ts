// Reads the New York instances of Enders, Harrison, Pavone, Schiffer: "Hybrid Multi-agent Deep Reinforcement Learning
// for Autonomous Mobility on Demand Systems", L4DC 2023 (public repository tumBAIS/HybridMADRL-AMoD, MIT licence).

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkTrace, preset, splits, toPlane } from '../engine/index.js';
import type { Dataset, MatrixTravel, Split, Trace } from '../engine/index.js';
import { readCsv } from './csv-table.js';
import { TripsError } from './errors.js';
import { float32, int32, uint8 } from './shared-columns.js';

/** An instance of the New York benchmark: 11 or 38 zones. */
export type NycScenario = 'nyc-small' | 'nyc-large';
/** All instances of the New York benchmark. */
export const nycScenarios: readonly NycScenario[] = ['nyc-small', 'nyc-large'];

/** Where each instance lies within the data folder, here and in the upstream repository. */
const instances: Readonly<Record<NycScenario, { readonly zones: number; readonly folders: readonly string[] }>> = {
  'nyc-small': { zones: 11, folders: ['small', 'data_11_small_zones', join('data', 'data_11_small_zones')] },
  'nyc-large': { zones: 38, folders: ['large', 'data_38_large_zones', join('data', 'data_38_large_zones')] },
};

const GRAPH = 'graph(dt_60s).csv';
const TICK = 60;
/** The fare is paid if the pickup happens within this time of the request. */
const WINDOW = 300;

const whereToGetIt = (scenario: NycScenario): string =>
  `clone https://github.com/tumBAIS/HybridMADRL-AMoD and pass its folder with --data (it needs ${instances[scenario].folders.slice(0, 2).join(' or ')} in it)`;

/** The folder of an instance: `data` itself, or a known folder within it. */
export function findInstance(scenario: NycScenario, data: string): string {
  const root = resolve(data);
  if (!existsSync(root)) {
    throw new TripsError('ERR_DATA_MISSING', `data folder ${data} does not exist: ${whereToGetIt(scenario)}`);
  }
  for (const folder of ['', ...instances[scenario].folders]) {
    if (existsSync(join(root, folder, GRAPH))) return join(root, folder);
  }
  throw new TripsError(
    'ERR_DATA_MISSING',
    `data folder ${data} holds no ${scenario} instance: ${whereToGetIt(scenario)}`,
  );
}

/**
 * Reads an instance by the benchmark's rules. A trip of second s belongs to tick floor(s / 60), in file order; the tick
 * decides on it at its start, and its window are the 300 seconds from there.
 * @throws TripsError with file, line and column
 */
export function readNycAmod(scenario: NycScenario, data: string): Dataset {
  const folder = findInstance(scenario, data);
  const travel = readTravel(folder, instances[scenario].zones);
  const labels: string[] = [];
  const byLabel = new Map<string, number>();
  const bySplit = {} as Record<Split, number[]>;
  for (const split of splits) {
    const column = `${split}_dates`;
    const file = join(folder, `${column}.csv`);
    bySplit[split] = readCsv(file, [column]).map((row) => {
      const label = row.text(column);
      if (!/^\d{4}-\d{2}-\d{2}$/.test(label)) throw row.fault(column, 'expected a date as YYYY-MM-DD');
      if (byLabel.has(label)) throw row.fault(column, 'this day is listed twice, so splits would overlap');
      byLabel.set(label, labels.length);
      return labels.push(label) - 1;
    });
    if (bySplit[split].length === 0) throw new TripsError('ERR_DATA_FORMAT', `${file}: lists no day`);
  }
  const trace = readTrace(folder, labels, travel, preset(scenario).horizonSeconds);
  checkTrace(trace, travel);
  return { scenario, travel, trace, splits: bySplit };
}

function readTravel(folder: string, zones: number): MatrixTravel {
  const zonesFile = join(folder, 'zones.csv');
  const rows = readCsv(zonesFile, ['longitude', 'latitude']);
  if (rows.length !== zones) {
    throw new TripsError('ERR_DATA_FORMAT', `${zonesFile}: ${rows.length} zones, expected ${zones}`);
  }
  const longitudes = rows.map((row) => row.number('longitude', -180, 180));
  const latitudes = rows.map((row) => row.number('latitude', -85, 85));
  const mean = (values: number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const centreLongitude = mean(longitudes);
  const centreLatitude = mean(latitudes);
  const places = longitudes.map((longitude, k) => toPlane(longitude, latitudes[k], centreLongitude, centreLatitude));

  const size = zones * zones;
  const travel: MatrixTravel = {
    zones,
    seconds: int32(size),
    metres: int32(size),
    fares: int32(size),
    x: float32(places.map((place) => place.x)),
    y: float32(places.map((place) => place.y)),
  };
  const seen = new Uint8Array(size);
  const graphFile = join(folder, GRAPH);
  for (const row of readCsv(graphFile, ['origin_ID', 'destination_ID', 'distance', 'travel_time', 'fare'])) {
    const from = row.integer('origin_ID', 0, zones - 1);
    const to = row.integer('destination_ID', 0, zones - 1);
    const pair = from * zones + to;
    if (seen[pair] === 1) throw row.fault('destination_ID', `the pair ${from} -> ${to} is listed twice`);
    seen[pair] = 1;
    travel.metres[pair] = row.integer('distance', 1, 1e6);
    travel.seconds[pair] = TICK * row.integer('travel_time', 1, 1440);
    travel.fares[pair] = Math.round(1e4 * row.number('fare', 0, 1e4));
  }
  for (let pair = 0; pair < size; pair++) {
    const from = Math.floor(pair / zones);
    const to = pair % zones;
    if (seen[pair] === 0 && from !== to) {
      throw new TripsError('ERR_DATA_FORMAT', `${graphFile}: no row for ${from} -> ${to}`);
    }
  }
  return travel;
}

function readTrace(folder: string, days: readonly string[], travel: MatrixTravel, horizonSeconds: number): Trace {
  const second: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const metres: number[] = [];
  const dayStart: number[] = [0];
  for (const day of days) {
    const file = join(folder, 'trip_data', `trips_${day}.csv`);
    let last = 0;
    for (const row of readCsv(file, ['pickup_time', 'pickup_ID', 'dropoff_ID', 'distance'])) {
      const at = row.integer('pickup_time', 0, horizonSeconds - 1);
      if (at < last) throw row.fault('pickup_time', `trips must be in order of time, the line before has ${last}`);
      last = at;
      second.push(at);
      from.push(row.integer('pickup_ID', 0, travel.zones - 1));
      to.push(row.integer('dropoff_ID', 0, travel.zones - 1));
      metres.push(row.integer('distance', 0, 1e6));
    }
    dayStart.push(second.length);
  }
  const known = second.map((at) => Math.floor(at / TICK) * TICK);
  return {
    days,
    dayStart: int32(dayStart),
    knownAt: int32(known),
    windowStart: int32(known),
    windowEnd: int32(known.map((at) => at + WINDOW)),
    pickupZone: int32(from),
    dropoffZone: int32(to),
    metres: int32(metres),
    fare: int32(from.map((zone, k) => travel.fares[zone * travel.zones + to[k]])),
    priority: uint8(known.map(() => 1)),
    skills: uint8(known.length),
    leg: uint8(known.length),
  };
}
