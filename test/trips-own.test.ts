// Anybody's trips: from a CSV file with places or zones to a data set, a scenario and episodes.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { VectorDispatchEnv } from '#engine/index.js';
import { CompanyClock, importOwnTrips, instantsFrom, loadScenario, zoneTravel } from '#trips/index.js';
import type { DateOrder, ImportResult, OwnTripsOptions } from '#trips/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-own-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const repository = fileURLToPath(new URL('..', import.meta.url));
const file = join(root, 'trips.csv');

function importOf(
  lines: string | readonly string[],
  options: Partial<OwnTripsOptions> = {},
  out?: string,
): ImportResult {
  writeFileSync(file, typeof lines === 'string' ? lines : lines.join('\n'));
  return importOwnTrips(file, { name: 'own', timeZone: 'Europe/Zurich', ...options }, out);
}
const degrees = 'pickup_time,dropoff_time,pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude';
const zoned = 'pickup_time,dropoff_time,pickup_zone,dropoff_zone';

describe('times in a file', () => {
  const zurich = new CompanyClock('Europe/Zurich');
  const read = (text: string, clock: CompanyClock | null = zurich, dateOrder?: DateOrder): string =>
    new Date(1000 * instantsFrom(text, { clock, dateOrder }, (expected) => new Error(expected))[0]).toISOString();

  it.each([
    ['2026-03-01T08:15:00+01:00', '2026-03-01T07:15:00.000Z'],
    ['2026-03-01 08:15:30.5-0330', '2026-03-01T11:45:30.500Z'],
    ['2026-03-01T08:15Z', '2026-03-01T08:15:00.000Z'],
    ['2026-03-01 08:15:00 UTC', '2026-03-01T08:15:00.000Z'],
    ['2026-03-01 08:15:00+00', '2026-03-01T08:15:00.000Z'],
    ['2026-03-01 8:15', '2026-03-01T07:15:00.000Z'],
    ['2026-07-01 08:15:00', '2026-07-01T06:15:00.000Z'],
    ['01.03.2026 08:15', '2026-03-01T07:15:00.000Z'],
    ['1772349300', '2026-03-01T07:15:00.000Z'],
    ['1772349300250', '2026-03-01T07:15:00.250Z'],
    // The hour that comes twice: the first one comes first, unless the offset says otherwise.
    ['2026-10-25 02:30:00', '2026-10-25T00:30:00.000Z'],
    ['2026-10-25 02:30:00+01:00', '2026-10-25T01:30:00.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(read(text)).toBe(instant);
  });

  it('with slashes are read once it is said which is the month', () => {
    expect(read('03/01/2026 08:15:00 PM', zurich, 'mdy')).toBe('2026-03-01T19:15:00.000Z');
    expect(read('03/01/2026 12:05 AM', zurich, 'mdy')).toBe('2026-02-28T23:05:00.000Z');
    expect(read('03/01/2026 08:15', zurich, 'dmy')).toBe('2026-01-03T07:15:00.000Z');
    expect(() => read('03/01/2026 08:15')).toThrow(/may be of two days: say which is the month/);
    expect(() => read('13/01/2026 08:15', zurich, 'mdy')).toThrow(/a date that exists/);
    expect(() => read('03/01/2026 13:15 PM', zurich, 'mdy')).toThrow(/an hour from 1 to 12/);
  });

  it.each([
    ['2026-02-30 08:15', /a date that exists/],
    ['2026-13-01 08:15', /a date that exists/],
    ['9999-12-31 08:15', /of the years 1970 to 2199/],
    ['2026-03-01 24:00', /a time of day from 00:00:00/],
    ['2026-03-01 08:15+15:00', /an offset from UTC of at most 14:00/],
    ['2026-03-29 02:30', /the clocks of Europe\/Zurich skipped that night/],
    ['yesterday', /expected a time such as 2026-03-01 08:15:00/],
    ['2026-03-01', /expected a time such as/],
    ['08:15', /expected a time such as/],
    ['12345', /expected a time such as/],
  ])('%s is refused', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('without a zone are refused where no clock is named', () => {
    expect(read('2026-03-01 08:15Z', null)).toBe('2026-03-01T08:15:00.000Z');
    expect(() => read('2026-03-01 08:15', null)).toThrow(/which has no zone: say which clock it was read from/);
  });
});

describe('trips between places', () => {
  const rides = [
    degrees,
    '2026-03-02 09:00,2026-03-02 09:20,7.40,46.95,7.45,46.95',
    '2026-03-02 08:00,2026-03-02 08:10,7.45,46.95,7.43,46.96',
    '2026-03-03 10:30:30,,7.41,46.94,7.44,46.95',
    '2026-03-29 01:50,2026-03-29 03:10,7.40,46.95,7.45,46.95',
  ];

  it('keep their days, their times and their order, on the clock of their town', () => {
    const { trips, imported } = importOf(rides);
    const { scenario, dataset, statistics } = imported;
    expect(trips.report).toMatchObject({ bookings: 4, usable: 4, unusable: [] });
    const { trace, splits } = dataset;
    expect(trace.days).toEqual(['2026-03-02', '2026-03-03', '2026-03-29']);
    expect(splits).toEqual({ training: [0], validation: [1], test: [2] });
    expect(scenario).toMatchObject({ name: 'own', tickSeconds: 60, startSecondOfDay: 0, demand: { kind: 'trace' } });
    // Known with their windows, ten minutes long.
    expect([...trace.knownAt]).toEqual([8 * 3600, 9 * 3600, 37_830, 6600]);
    expect([...trace.windowEnd]).toEqual([8 * 3600 + 600, 9 * 3600 + 600, 38_430, 7200]);
    // Clocks went forward within the last ride: it took twenty minutes.
    expect(statistics.latenessMinutes.lateShare).toBe(0);
    expect(dataset.trace.metres[1]).toBeCloseTo(0.05 * 111_195 * Math.cos((46.95 * Math.PI) / 180), -2);
    expect(trips.bookings.map((b) => b.dropoffSecond! - b.pickupSecond!).filter((s) => s > 0)).toEqual([
      1200, 600, 1200,
    ]);
  });

  it('may say when the call came, when the pickup was promised, what it needs, and what was paid', () => {
    const { imported } = importOf(
      [
        'id;requested_time;window_start;window_end;pickup_time;fare;skills;priority;leg;von_laenge;von_breite;nach_laenge;nach_breite',
        '1;02.03.2026 07:00;02.03.2026 08:00;02.03.2026 08:30;02.03.2026 08:05;12,50;wheelchair | stretcher;5;return;7,40;46,95;7,45;46,95',
        '2;02.03.2026 07:30;02.03.2026 08:10;02.03.2026 08:40;;-3;;;;7,41;46,95;7,45;46,95',
      ],
      {
        map: {
          pickup_longitude: 'von_laenge',
          pickup_latitude: 'von_breite',
          dropoff_longitude: 'nach_laenge',
          dropoff_latitude: 'nach_breite',
        },
        drivers: 3,
      },
    );
    const { scenario, dataset } = imported;
    const { trace } = dataset;
    expect([...trace.knownAt]).toEqual([0, 1800]);
    expect([...trace.windowEnd].map((end, k) => end - trace.windowStart[k])).toEqual([1800, 1800]);
    expect([...trace.fare]).toEqual([125_000, 0]);
    expect([...trace.priority]).toEqual([5, 3]);
    expect([...trace.leg]).toEqual([1, 0]);
    expect([...trace.skills]).toEqual([3, 0]);
    expect(scenario.skills.map(({ name, driverShare }) => [name, driverShare])).toEqual([
      ['stretcher', 1],
      ['wheelchair', 1],
    ]);
    expect(scenario.drivers).toBe(3);
  });

  it('in the hour that comes twice are read so that a sound ride is one, in the shortest time', () => {
    const night = (zone: string, ...times: (readonly [string, string])[]): (number | null)[][] => {
      const lines = times.map(([from, to], k) => `${from},${to},7.40,46.95,7.4${k + 1},46.95`);
      const { trips } = importOf([degrees, ...lines], { timeZone: zone });
      expect(trips.report.unusable).toEqual([]);
      return trips.bookings.map((b) => [b.windowStartAt! % 86_400, b.dropoffSecond! - b.pickupSecond!]);
    };
    const day = '2025-10-26';
    expect(
      night(
        'Europe/Zurich',
        // From the first 02:50 to the second 02:10; within the first; from the second, since it would be an hour longer.
        [`${day} 02:50`, `${day} 02:10`],
        [`${day} 02:10`, `${day} 02:30`],
        [`${day} 02:50`, `${day} 03:05`],
        [`${day} 01:50`, `${day} 02:10`],
        // An offset says which one.
        [`${day} 02:50+02:00`, `${day} 02:55`],
      ),
    ).toEqual([
      [3000, 1200],
      [600, 1200],
      [6600, 900],
      [86_400 - 600, 1200],
      [3000, 300],
    ]);
    // Half an hour comes twice, from 02:00 to 01:30; in Havana the one in which the day begins.
    expect(night('Australia/Lord_Howe', ['2026-04-05 01:50', '2026-04-05 01:35'])).toEqual([[53_400, 900]]);
    expect(night('America/Havana', ['2025-11-02 00:50', '2025-11-02 00:20'])).toEqual([[17_400, 1800]]);
  });

  it('that cannot be are counted by their line and left out; cells that cannot be read end it with line and column', () => {
    const faulty = [
      ...rides,
      '2026-03-02 09:00,2026-03-02 08:50,7.40,46.95,7.45,46.95',
      '2026-03-02 09:00,2062-03-02 09:10,7.40,46.95,7.45,46.95',
      '2026-03-02 09:00,2026-03-02 09:20,46.95,7.40,46.95,7.45',
      '2026-03-02 09:00,2026-03-02 09:20,7.40,46.95,,46.95',
      ',2026-03-02 09:20,7.40,46.95,7.45,46.95',
      '2026-03-02 09:00,2026-03-02 09:20,7.40,46.95,7.45,46.95',
    ];
    const { trips } = importOf(faulty);
    expect(trips.report.unusable.map(({ id, faults }) => [id, faults[0]]).sort()).toEqual([
      [10, 'missingKnownTime'],
      [11, 'duplicate'],
      [6, 'dropoffBeforePickup'],
      [7, 'rideTooLong'],
      [8, 'swappedPlace'],
      [9, 'missingPlace'],
    ]);
    expect(() => importOf([...rides, 'soon,,7.40,46.95,7.45,46.95'])).toThrow(
      /trips\.csv, line 6, column "pickup_time": "soon", expected a time such as/,
    );
    expect(() => importOf([...rides, '2026-03-02 09:00,,7.40,N46,7.45,46.95'])).toThrow(
      /line 6, column "pickup_latitude": "N46", expected a number/,
    );
    expect(() => importOf(rides, { timeZone: undefined })).toThrow(
      /line 2, column "pickup_time": "2026-03-02 09:00", which has no zone/,
    );
    expect(() => importOf(rides, { map: { pickup_time: 'start' } })).toThrow(
      /line 1, column "start": missing; the header has .*; "pickup_time" is mapped to it/,
    );
    expect(() => importOf(rides, { map: { pickup_tme: 'x' } as NonNullable<OwnTripsOptions['map']> })).toThrow(
      /"pickup_tme" cannot be mapped \(did you mean "pickup_time"\?\)/,
    );
    expect(() => importOf('pickup_time,pickup_zone\n1,2')).toThrow(
      /column "dropoff_zone": missing; the header has .*; trips need pickup_longitude/,
    );
    expect(() => importOf('when,a,b\n1,2,3')).toThrow(/column "pickup_time": missing.*map another name to it/);
    expect(() => importOf(degrees)).toThrow(/the file has no trips/);
  });

  it('write what is wrong even if nothing can be used', () => {
    const out = join(root, 'nothing');
    expect(() => importOf([degrees, '2026-03-02 09:00,2026-03-02 08:00,7.4,46.9,7.5,46.9'], {}, out)).toThrow(
      /none of 1 trips can be used: most often dropoffBeforePickup, as in line 2/,
    );
    expect(readdirSync(out)).toEqual(['quality.json']);
    importOf(rides, {}, out);
    expect(readdirSync(out).sort()).toEqual(['quality.json', 'scenario.json', 'statistics.json', 'trips.msgpack']);
    expect(() => importOf(rides, {}, out)).toThrow(/is not empty/);
  });
});

describe('trips between zones', () => {
  it('travel in the median time of rides, by way of others, or as a table says', () => {
    const lines = [
      `${zoned},distance_km,fare`,
      '2026-03-02 08:00,2026-03-02 08:10,airport,north,10,20',
      '2026-03-02 09:00,2026-03-02 09:20,airport,north,12,30',
      '2026-03-02 10:00,2026-03-02 10:12,airport,north,11,25',
      '2026-03-03 08:00,2026-03-03 08:04,north,south,3,8',
      '2026-03-03 09:00,2026-03-03 09:02,south,south,1,5',
      '2026-03-04 09:00,2026-03-04 09:30,far,far,9,40',
    ];
    const { trips, imported } = importOf(lines);
    expect(trips.zoneNames).toEqual(['airport', 'far', 'north', 'south']);
    const { travel, trace } = imported.dataset;
    const at = (column: Int32Array, a: string, b: string): number =>
      column[trips.zoneNames.indexOf(a) * 4 + trips.zoneNames.indexOf(b)];
    const seconds = (a: string, b: string): number => at(travel!.seconds, a, b);
    expect([seconds('airport', 'north'), seconds('north', 'airport'), seconds('north', 'south')]).toEqual([
      720, 720, 240,
    ]);
    expect([seconds('airport', 'south'), seconds('south', 'airport')]).toEqual([960, 960]);
    expect([seconds('south', 'south'), seconds('north', 'north'), seconds('far', 'far')]).toEqual([120, 120, 1800]);
    // Nothing leads there: as long as the longest way known.
    expect(seconds('far', 'north')).toBe(1800);
    expect(imported.pairs).toEqual({ table: 0, rides: 6, estimated: 4, guessed: 6 });
    expect([at(travel!.metres, 'airport', 'north'), at(travel!.fares, 'airport', 'north')]).toEqual([11_000, 250_000]);
    expect([...trace.metres]).toEqual([10_000, 12_000, 11_000, 3000, 1000, 9000]);
    expect([...trace.fare]).toEqual([200_000, 300_000, 250_000, 80_000, 50_000, 400_000]);

    const table = join(root, 'table.csv');
    writeFileSync(
      table,
      'origin_zone,destination_zone,seconds,metres\nairport,north,500,9000\nfar,north,900,\nelse,north,1,1\n',
    );
    const tabled = importOf(lines, { table }).imported;
    expect(tabled.dataset.travel!.seconds[0 * 4 + 2]).toBe(500);
    expect(tabled.dataset.travel!.metres[0 * 4 + 2]).toBe(9000);
    // From far over north to south.
    expect(tabled.dataset.travel!.seconds[1 * 4 + 3]).toBe(900 + 240);
    expect(tabled.pairs).toMatchObject({ table: 2, guessed: 0 });
    writeFileSync(table, 'origin_zone,destination_zone,seconds\na,b,1\na,b,2\n');
    expect(() => importOf(lines, { table })).toThrow(
      /table\.csv, line 3, column "destination_zone": "b", the pair a -> b is listed twice/,
    );
  });

  it('lie where a file of zones says, and ways between them are then straight lines at the speed of rides', () => {
    const zones = join(root, 'zones.csv');
    writeFileSync(zones, 'zone,longitude,latitude\n1,179.99,0\n2,-179.99,0\n10,-179.97,0\n');
    const lines = [zoned, '2026-03-02 08:00,2026-03-02 08:05,1,2', '2026-03-02 09:00,,2,10'];
    const { trips, imported } = importOf(lines, { zones, timeZone: 'Pacific/Auckland' });
    expect(trips.zoneNames).toEqual(['1', '2', '10']);
    const { travel } = imported.dataset;
    // Two hundredths of a degree in five minutes; the others are as far, and twice as far.
    expect([...travel!.seconds]).toEqual([150, 300, 600, 300, 150, 300, 600, 300, 150]);
    expect(travel!.metres[1]).toBeCloseTo(2224, -1);
    expect([...travel!.x].map((x) => Math.round(x - travel!.x[1]))).toEqual([-2224, 0, 2224]);
    writeFileSync(zones, 'zone,longitude,latitude\n1,6,46\n');
    expect(() => importOf(lines, { zones })).toThrow(/zones\.csv: no row for zone "2", which trips have/);
    expect(() => importOf([zoned, '2026-03-02 08:00,,1,2'])).toThrow(
      /nothing says how long it takes from zone to zone: give a column dropoff_time, a table/,
    );
  });

  it('may be of any number, and play', () => {
    const lines = [zoned];
    for (let k = 0; k < 900; k++) {
      const at = 1_772_400_000 + 86_400 * (k % 3) + 30 * k;
      lines.push(`${at},${at + 300 + (k % 7) * 60},zone ${k % 300},zone ${(k * 7 + 1) % 300}`);
    }
    const out = join(root, 'many');
    const { trips } = importOf(lines, { timeZone: undefined }, out);
    expect(trips.zoneNames).toHaveLength(300);
    expect(readFileSync(join(out, 'zones.csv'), 'utf8').split('\n').slice(0, 3)).toEqual([
      'index,zone',
      '0,zone 0',
      '1,zone 1',
    ]);
    const compiled = loadScenario({ scenario: join(out, 'scenario.json') });
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' });
    let { infos } = env.reset({ seed: 1 });
    const actions = new Int32Array(1);
    while (env.world.state.ended[0] === 0) {
      actions[0] = infos.actionMasks.lastIndexOf(1);
      ({ infos } = env.step(actions));
    }
    expect(env.world.state.created[0]).toBe(300);
    expect(env.world.state.completed[0]).toBeGreaterThan(100);
  });

  it('need a place for every zone, and times that are known, before any is estimated', () => {
    expect(() => zoneTravel(1001, [{ from: 0, to: 1, seconds: 60, metres: null, fare: null }], [], null)).toThrow(
      /1001 zones: more than 1000 need a file with their longitude and latitude/,
    );
    expect(() => zoneTravel(2, [], [], null)).toThrow(/nothing says how long it takes/);
  });
});

describe('on the command line', () => {
  const fleetstep = (...args: string[]): Promise<Ended> => runInProcess(args, { cwd: root });

  it('a file with other names becomes a folder that eval and train take', async () => {
    const lines = ['start,end,from,to'];
    for (let k = 0; k < 80; k++) {
      const at = `2026-03-02 ${String(7 + Math.floor(k / 8)).padStart(2, '0')}:${String(7 * (k % 8)).padStart(2, '0')}`;
      lines.push(`${at},${at.slice(0, 11)}18:30,${k % 5},${(k + 1) % 5}`);
    }
    writeFileSync(join(root, 'rides.csv'), lines.join('\r\n'));
    const args = [
      'import',
      'rides.csv',
      '--map',
      'pickup_time=start,dropoff_time=end',
      '--map',
      'pickup_zone=from,dropoff_zone=to',
    ];
    const checked = await fleetstep(...args, '--time-zone', 'Europe/Zurich');
    expect([checked.status, checked.stderr]).toEqual([0, '']);
    expect(checked.stdout).toMatch(
      /^rides: 80 of 80 trips can be used; 1 days[^]*5 zones; times between them[^]*fewer than three days[^]*nothing written: give --out/,
    );
    const { status, stdout } = await fleetstep(
      ...args,
      '--time-zone',
      'Europe/Zurich',
      '--out',
      'rides',
      '--drivers',
      '4',
      '--json',
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      scenario: 'rides',
      kind: 'zones',
      days: 1,
      drivers: 4,
      zones: 5,
      out: 'rides',
    });
    const trained = await fleetstep(
      ...[
        'train',
        '--scenario',
        'rides/scenario.json',
        '--data',
        'rides',
        '--steps',
        '512',
        '--envs',
        '4',
        '--rollout-steps',
        '32',
      ],
      ...['--minibatch', '64', '--backend', 'wasm', '--workers', '1', '--out', 'run', '--json'],
    );
    expect([trained.status, trained.stderr]).toEqual([0, '']);
    expect(JSON.parse(trained.stdout)).toMatchObject({ scenario: 'rides', finished: true });
    expect(existsSync(join(root, 'run', 'evaluation.json'))).toBe(true);
  });

  it.each([
    [['import'], /give a CSV file with your own trips, or the folder of the benchmark with --data/],
    [['import', 'none.csv'], /cannot read none\.csv: ENOENT/],
    [
      ['import', 'none.csv', '--data', 'x'],
      /none\.csv holds your own trips, and --data names the benchmark: give only one/,
    ],
    [['import', 'none.csv', '--map', 'pickup_time'], /It must be column=name pairs/],
    [['import', 'none.csv', '--scenario', 'nyc-large'], /name your own trips with --name/],
    [['import', '--data', 'x', '--time-zone', 'UTC'], /cannot be used with option '--time-zone/],
  ])('%j is refused with one line', async (args, message) => {
    const { status, stdout, stderr } = await fleetstep(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  it('the example runs as its first lines say, on the public names of the package', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['examples/own-trips.js'], {
      cwd: repository,
      encoding: 'utf8',
      timeout: 540_000,
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^840 of 841 trips can be used\n\d+ drivers, \d+ hours in ticks of 60 seconds\nrandom: [\d.]+% served.*\nhungarian: 100\.0% served/,
    );
    expect(readFileSync(join(repository, 'examples', 'own-trips.js'), 'utf8').split('\n').length).toBeLessThan(80);
  });
});
