// Reading trips: good folders, and every way in which one can be bad.

import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from '#files/index.js';
import { loadScenario, readNycAmod, readTrips, writeTrips } from '#trips/index.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-trips-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A well-formed instance with eleven zones and three days of two trips. */
function writeInstance(folder: string): void {
  mkdirSync(join(folder, 'trip_data'), { recursive: true });
  const zones = Array.from({ length: 11 }, (_, k) => k);
  writeFileSync(
    join(folder, 'zones.csv'),
    ['index,longitude,latitude', ...zones.map((k) => `${k},${-74 + k / 100},40.7`)].join('\n'),
  );
  const pairs = zones.flatMap((a) =>
    zones
      .filter((b) => b !== a)
      .map((b) => `${a},${b},${500 * Math.abs(a - b)},${Math.abs(a - b)},"[${a}, ${b}]",${2.5 * Math.abs(a - b)}`),
  );
  writeFileSync(
    join(folder, 'graph(dt_60s).csv'),
    ['origin_ID,destination_ID,distance,travel_time,route,fare', ...pairs].join('\n'),
  );
  for (const [split, day] of [
    ['training', '2015-01-02'],
    ['validation', '2015-01-05'],
    ['test', '2015-01-06'],
  ]) {
    writeFileSync(join(folder, `${split}_dates.csv`), `${split}_dates\n${day}\n`);
    writeFileSync(
      join(folder, 'trip_data', `trips_${day}.csv`),
      ',pickup_time,pickup_ID,dropoff_ID,distance\n7,59,0,1,500\n9,60,3,1,1000\n',
    );
  }
}

describe('the NYC importer', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(root, 'instance-'));
    writeInstance(folder);
  });
  const spoil = (file: string, line: number, text: string): void => {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n');
    lines[line - 1] = text;
    writeFileSync(join(folder, file), lines.join('\n'));
  };
  const day = join('trip_data', 'trips_2015-01-02.csv');

  it('puts a trip of second s into tick floor(s / 60), with 300 s from there, in exact integers', () => {
    const { trace, splits, travel } = readNycAmod('nyc-small', folder);
    expect([...trace.knownAt]).toEqual([0, 60, 0, 60, 0, 60]);
    expect([...trace.windowEnd.subarray(0, 2)]).toEqual([300, 360]);
    expect([...trace.fare.subarray(0, 2)]).toEqual([25_000, 50_000]);
    expect(splits).toEqual({ training: [0], validation: [1], test: [2] });
    expect(travel?.seconds[0 * 11 + 3]).toBe(180);
    expect(travel?.seconds[5 * 11 + 5]).toBe(0);
  });

  it.each([
    [
      'a word for a number',
      day,
      3,
      '9,soon,3,1,1000',
      /trips_2015-01-02.csv, line 3, column "pickup_time": "soon", expected a number/,
    ],
    ['an empty cell', day, 3, '9,,3,1,1000', /line 3, column "pickup_time": "", expected/],
    ['an unknown zone', day, 2, '7,59,0,11,500', /line 2, column "dropoff_ID": "11", expected a number from 0 to 10/],
    ['a fraction of a zone', day, 2, '7,59,0.5,1,500', /column "pickup_ID": "0.5", expected a whole number/],
    ['a time beyond the hour', day, 3, '9,3600,3,1,1000', /column "pickup_time": "3600"/],
    [
      'trips out of order',
      day,
      3,
      '9,58,3,1,1000',
      /line 3, column "pickup_time": "58", trips must be in order of time/,
    ],
    ['a short line', day, 3, '9,60', /trips_2015-01-02.csv, line 3, column/],
    ['a missing column', day, 1, ',time,pickup_ID,dropoff_ID,distance', /line 1, column "pickup_time": missing/],
    ['an open quote', day, 3, '9,"60,3,1,1000', /trips_2015-01-02.csv, line/],
    [
      'a day in two splits',
      'test_dates.csv',
      2,
      '2015-01-02',
      /test_dates.csv, line 2, column "test_dates": "2015-01-02", this day is listed twice/,
    ],
    ['a day without trips', 'test_dates.csv', 2, '2015-01-09', /cannot read .*trips_2015-01-09.csv/],
    [
      'a pair listed twice',
      'graph(dt_60s).csv',
      3,
      '0,1,500,1,"",2.5',
      /graph\(dt_60s\).csv, line 3, column "destination_ID".*0 -> 1 is listed twice/,
    ],
    ['a negative fare', 'graph(dt_60s).csv', 2, '0,1,500,1,"",-2.5', /column "fare": "-2.5"/],
  ])('names file, line and column of %s', (_, file, line, text, message) => {
    spoil(file, line, text);
    expect(() => readNycAmod('nyc-small', folder)).toThrow(message);
  });

  it('says where to get the data when the folder is missing or another one', () => {
    expect(() => readNycAmod('nyc-small', join(root, 'nowhere'))).toThrow(
      /does not exist: clone https:\/\/github.com\/tumBAIS/,
    );
    expect(() => readNycAmod('nyc-small', tmpdir())).toThrow(/holds no nyc-small instance: clone/);
    expect(() => loadScenario({ scenario: 'nyc-small' })).toThrow(/pass its folder with --data/);
    expect(() => loadScenario({ scenario: 'geneva', data: folder })).toThrow(/leave --data out/);
  });

  it('a scenario file on it may have another fleet, and nothing that the record does not know', () => {
    const load = (changes: object) => {
      writeFileSync(join(folder, 'my-fleet.json'), JSON.stringify({ extends: 'nyc-small', ...changes }));
      return loadScenario({ scenario: join(folder, 'my-fleet.json'), data: folder });
    };
    expect(load({ drivers: 5 }).scenario).toMatchObject({ name: 'my-fleet', drivers: 5 });
    expect(() => load({ skills: [{ name: 'wheelchair', driverShare: 0.5, bookingShare: 0.3 }] })).toThrow(
      /"skills\[0\]\.name" is "wheelchair": it must be one that recorded bookings need, and none in this data needs any/,
    );
    expect(() => load({ horizonSeconds: 7200 })).toThrow(/"horizonSeconds" is 7200: it must be at most 3600/);
  });

  it('one file holds the same data, and a damaged one is refused', () => {
    const file = join(folder, 'all.trips');
    const dataset = readNycAmod('nyc-small', folder);
    writeTrips(file, dataset);
    expect(readTrips(file)).toEqual(dataset);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(file, bytes);
    expect(() => readTrips(file)).toThrow(/damaged/);
    truncateSync(file, 100);
    expect(() => readTrips(file)).toThrow(/damaged or no trips file/);
  });

  it('a write that fails leaves the old file and nothing else', () => {
    const target = join(folder, 'kept');
    writeFileAtomic(target, 'old');
    // A folder in the file's place makes the rename fail after the data is written.
    mkdirSync(join(folder, 'taken', 'inside'), { recursive: true });
    const before = readdirSync(folder).sort();
    expect(() => writeFileAtomic(join(folder, 'taken'), 'new')).toThrow();
    expect(readdirSync(folder).sort()).toEqual(before);
    expect(readFileSync(target, 'utf8')).toBe('old');
  });

  it('scenario files change a built-in one, and their mistakes are named', () => {
    const file = join(folder, 'mine.json');
    writeFileSync(file, '{"extends": "geneva", "name": "mine", "drivers": 4, "lateToleranceSeconds": "Infinity"}');
    expect(loadScenario({ scenario: file }).scenario).toMatchObject({
      name: 'mine',
      drivers: 4,
      lateToleranceSeconds: Infinity,
      slots: 20,
    });
    writeFileSync(file, '{"extends": "geneva", "drivers": 0}');
    expect(() => loadScenario({ scenario: file })).toThrow('"drivers" is 0');
    writeFileSync(file, '{"extends": "geneva"');
    expect(() => loadScenario({ scenario: file })).toThrow('cannot read scenario file');
    writeFileSync(file, '{"extends": "mars"}');
    expect(() => loadScenario({ scenario: file })).toThrow('"extends" is "mars"');
  });
});

describeWithTrips('the shared trips', () => {
  it('are read whole: 245 days in the official split, no trip beyond the cap', () => {
    for (const [scenario, trips] of [
      ['nyc-small', 88_642],
      ['nyc-large', 203_738],
    ] as const) {
      const { dataset } = loadScenario({ scenario, data: nycAmod });
      expect(dataset!.trace.days).toHaveLength(245);
      expect(dataset!.trace.knownAt).toHaveLength(trips);
      expect([dataset!.splits.training.length, dataset!.splits.validation.length, dataset!.splits.test.length]).toEqual(
        [200, 25, 20],
      );
    }
  });
});
