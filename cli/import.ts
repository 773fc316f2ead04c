// fleetstep import

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { EngineError, compileScenario, preset, splits } from '../engine/index.js';
import type { Dataset } from '../engine/index.js';
import { importOwnTrips, loadDataset, nycScenarios, scenarioNameOf, tripColumns, writeTrips } from '../trips/index.js';
import type { DateOrder, OwnTripsOptions } from '../trips/index.js';
import { jsonOption, whole } from './options.js';
import { faultTable, printJson, table } from './print.js';

interface ImportOptions {
  readonly scenario: string;
  readonly data?: string;
  readonly out?: string;
  readonly force: boolean;
  readonly json: boolean;
  readonly name?: string;
  readonly map?: Readonly<Record<string, string>>;
  readonly timeZone?: string;
  readonly dateOrder?: DateOrder;
  readonly zones?: string;
  readonly table?: string;
  readonly drivers?: number;
  readonly windowMinutes?: number;
}

/** Options that only go with a CSV file. */
const ofFile = ['name', 'map', 'timeZone', 'dateOrder', 'zones', 'table', 'drivers', 'windowMinutes'] as const;

/** The `import` command. */
export function importCommand(): Command {
  return new Command('import')
    .description(
      'Check recorded trips, say what is in them, and write them down to train on: your own from a CSV file, or the New York benchmark with --data.',
    )
    .addArgument(new Argument('[file.csv]', 'your own trips'))
    .addOption(new Option('--out <path>', 'what to write: a folder, of the benchmark a file (default: only check)'))
    .addOption(new Option('--force', 'replace what is there').default(false))
    .addOption(
      new Option(
        '--map <column=name,...>',
        "which of the file's columns holds a documented one; may be repeated",
      ).argParser(pairs),
    )
    .addOption(new Option('--time-zone <name>', 'clock of the company, such as Europe/Zurich'))
    .addOption(new Option('--date-order <order>', 'which is the month in 03/04/2026').choices(['mdy', 'dmy']))
    .addOption(new Option('--zones <file>', 'CSV file with zone, longitude, latitude'))
    .addOption(new Option('--table <file>', 'CSV file with origin_zone, destination_zone, seconds, metres, fare'))
    .addOption(
      new Option('--drivers <n>', 'size of the fleet (default: what the busiest moment needed)').argParser(
        whole(1, 2000),
      ),
    )
    .addOption(
      new Option('--window-minutes <n>', 'length of windows without an end (default: 10)').argParser(whole(1, 1440)),
    )
    .addOption(new Option('--name <name>', "the scenario's (default: the file's)"))
    .addOption(
      new Option('--scenario <name>', 'which instance of the benchmark').choices(nycScenarios).default('nyc-small'),
    )
    .addOption(new Option('--data <path>', 'folder of the benchmark').conflicts([...ofFile]))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Columns of a CSV file (comma, semicolon or tab; UTF-8 or UTF-16):
${Object.entries(tripColumns)
  .map(([name, meaning]) => `  ${name.padEnd(18)} ${meaning}`)
  .join('\n')}
pickup_time or window_start, and places or zones, must be there. Times: 2026-03-01 08:15:00, 2026-03-01T08:15:00+01:00,
01.03.2026 08:15, 03/01/2026 08:15 PM with --date-order, Unix seconds or milliseconds. Without a zone they are read from
the clock of --time-zone. A cell that cannot be read is an error with its line and column; a trip that cannot be is
counted in quality.json and left out.

Examples:
  fleetstep import trips.csv --out trips --time-zone Europe/Zurich
  fleetstep import taxi.csv --out taxi --time-zone America/New_York --map pickup_time=tpep_pickup_datetime,dropoff_time=tpep_dropoff_datetime,pickup_zone=PULocationID,dropoff_zone=DOLocationID
  fleetstep train --scenario trips/scenario.json
  fleetstep import --data ../HybridMADRL-AMoD
  fleetstep import --scenario nyc-large --data ../HybridMADRL-AMoD --out data/nyc-large.trips`,
    )
    .action((file: string | undefined, options: ImportOptions, command: Command) => {
      if (file === undefined) {
        importBenchmark(options);
        return;
      }
      if (command.getOptionValueSource('scenario') !== 'default') {
        throw new EngineError(
          'ERR_OPTION',
          '--scenario names an instance of the benchmark: call your own trips with --name',
        );
      }
      importFile(file, options);
    });
}

/** `a=b,c=d` */
function pairs(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries([
    ...Object.entries(previous),
    ...text.split(',').map((pair): [string, string] => {
      const at = pair.indexOf('=');
      if (at < 1 || at === pair.length - 1) {
        throw new InvalidArgumentError('It must be column=name pairs, such as pickup_time=started_at.');
      }
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    }),
  ]);
}

function importFile(file: string, { out, force, json, scenario: _, data, name, ...rest }: ImportOptions): void {
  if (data !== undefined) {
    throw new EngineError('ERR_OPTION', `${file} is your own trips, --data the benchmark's: give one of them`);
  }
  const options: OwnTripsOptions = { ...rest, name: name ?? scenarioNameOf(file) };
  const { trips, imported } = importOwnTrips(file, options, out, { replace: force });
  const { scenario, dataset, statistics, pairs: ways, skillsLeftOut } = imported;
  const { unusable: __, ...quality } = trips.report;
  const days = dataset.trace.days.length;
  if (json) {
    printJson({
      scenario: scenario.name,
      kind: trips.kind,
      days,
      drivers: scenario.drivers,
      slots: scenario.slots,
      zones: trips.zoneNames.length,
      pairs: ways,
      quality,
      skillsLeftOut,
      statistics,
      splits: splitRows(dataset).map(({ split, days: n, trips: count }) => ({ split, days: n, trips: count })),
      out: out ?? null,
    });
    return;
  }
  const faults = faultTable(quality.faults);
  process.stdout.write(
    `${scenario.name}: ${quality.usable} of ${quality.bookings} trips can be used; ${days} days, ${scenario.drivers} drivers, ${scenario.slots} slots\n` +
      (faults === '' ? '' : `${faults}\n`) +
      `${table(
        ['split', 'days', 'trips'],
        splitRows(dataset).map((row) => [row.split, String(row.days), String(row.trips)]),
      )}\n` +
      (ways === null
        ? ''
        : `${trips.zoneNames.length} zones; times between them: ${ways.table} from the table, ${ways.rides} from rides, ${ways.estimated} estimated, ${ways.guessed} guessed\n`) +
      (days < 3 ? 'note: with fewer than three days, all of them train, validate and test\n' : '') +
      (rest.timeZone === undefined ? 'note: days and hours are those of UTC; --time-zone reads another clock\n' : '') +
      (skillsLeftOut.length === 0
        ? ''
        : `note: a scenario holds 8 skills; no longer asked for: ${skillsLeftOut.join(', ')}\n`) +
      (out === undefined
        ? 'nothing written: give --out\n'
        : `written to ${out}; train on it: fleetstep train --scenario ${join(out, 'scenario.json')}\n`),
  );
}

function splitRows(
  dataset: Dataset,
): { split: string; days: number; trips: number; perTick: (seconds: number) => number[] }[] {
  const { trace } = dataset;
  return splits.map((split) => {
    const days = dataset.splits[split];
    const trips = days.reduce((sum, day) => sum + trace.dayStart[day + 1] - trace.dayStart[day], 0);
    /** How many trips become known in each tick, tick by tick of each day. */
    const perTick = (seconds: number): number[] =>
      days.flatMap((day) => {
        const counts = new Map<number, number>();
        for (let k = trace.dayStart[day]; k < trace.dayStart[day + 1]; k++) {
          const tick = Math.floor(trace.knownAt[k] / seconds);
          counts.set(tick, (counts.get(tick) ?? 0) + 1);
        }
        return [...counts.values()];
      });
    return { split, days: days.length, trips, perTick };
  });
}

function importBenchmark(options: ImportOptions): void {
  if (options.data === undefined) {
    throw new EngineError(
      'ERR_OPTION',
      'give a CSV file with your own trips, or the folder of the benchmark with --data',
    );
  }
  if (options.out !== undefined && existsSync(options.out) && !options.force) {
    throw new EngineError('ERR_OPTION', `${options.out} exists: give another --out, or --force to replace it`);
  }
  const dataset = loadDataset(options.scenario, options.data);
  const { scenario } = compileScenario(preset(options.scenario), dataset);
  const rows = splitRows(dataset).map(({ perTick, ...row }) => ({
    ...row,
    dropped: perTick(scenario.tickSeconds).reduce((sum, count) => sum + Math.max(0, count - scenario.slots), 0),
  }));
  const zones = dataset.travel?.zones ?? 0;
  const sha256 = options.out === undefined ? null : writeTrips(options.out, dataset);
  if (options.json) {
    printJson({
      scenario: scenario.name,
      zones,
      splits: rows,
      file: options.out ?? null,
      sha256,
    });
    return;
  }
  process.stdout.write(
    `${scenario.name}: ${zones} zones, all rows well-formed\n` +
      `${table(
        ['split', 'days', 'trips', `beyond ${scenario.slots} a tick`],
        rows.map((row) => [row.split, String(row.days), String(row.trips), String(row.dropped)]),
      )}\n` +
      (sha256 === null ? '' : `wrote ${options.out!} (sha256 ${sha256.slice(0, 16)}...)\n`),
  );
}
