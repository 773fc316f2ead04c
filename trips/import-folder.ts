// The folder that `fleetstep import` writes: a scenario, its trips, and what was found in the file.

import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { infinityToWord, writeFileAtomic } from '../files/index.js';
import { COLLECTED_TRIPS } from './load.js';
import { buildOwnTrips, readOwnTrips } from './own-trips.js';
import type { ImportedTrips, OwnTrips, OwnTripsOptions } from './own-trips.js';
import { writeTrips } from './trips-file.js';
import { refuseTaken, writeWholeFolder } from './whole-folder.js';

/** What an import read, and what it made of it. */
export interface ImportResult {
  readonly trips: OwnTrips;
  readonly imported: ImportedTrips;
}

const QUALITY = 'quality.json';
const SCENARIO = 'scenario.json';
const STATISTICS = 'statistics.json';
const ZONES = 'zones.csv';

/**
 * From a CSV file to a folder that trains: `loadScenario({ scenario: 'FOLDER/scenario.json' })`. It gets scenario.json,
 * trips.msgpack, statistics.json, quality.json and, with zones, zones.csv with the index of each. quality.json is written
 * even if no trip can be used.
 * @param out a new folder, or with `replace` one that an import has written; undefined: only check
 * @throws TripsError, EngineError `ERR_SCENARIO`
 */
export function importOwnTrips(
  file: string,
  options: OwnTripsOptions,
  out?: string,
  { replace = false }: { readonly replace?: boolean } = {},
): ImportResult {
  const own = replace ? [SCENARIO, COLLECTED_TRIPS, STATISTICS, QUALITY, ZONES] : [QUALITY];
  if (out !== undefined) refuseTaken(out, own);
  const trips = readOwnTrips(file, options);
  const write = (folder: string, name: string, value: unknown): void =>
    writeFileAtomic(join(folder, name), `${JSON.stringify(value, infinityToWord, 2)}\n`);
  if (out !== undefined) write(out, QUALITY, trips.report);
  const imported = buildOwnTrips(trips, options);
  if (out !== undefined) {
    writeWholeFolder(out, (folder) => {
      write(folder, QUALITY, trips.report);
      write(folder, SCENARIO, imported.scenario);
      write(folder, STATISTICS, imported.statistics);
      writeTrips(join(folder, COLLECTED_TRIPS), imported.dataset);
      if (trips.kind === 'zones') {
        const rows = trips.zoneNames.map((zone, index) => ({ index, zone }));
        writeFileAtomic(join(folder, ZONES), stringify(rows, { header: true }));
      }
    });
  }
  return { trips, imported };
}
