// fleetstep collect

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { readBookings, readFleet } from '../audit/index.js';
import { compileScenario } from '../engine/index.js';
import { heuristicNames } from '../policy/index.js';
import {
  COLLECTED_TRIPS,
  TripsError,
  collectTrips,
  describe,
  examine,
  infinityToWord,
  makeFolder,
  writeFileAtomic,
  writeTrips,
} from '../trips/index.js';
import { evaluatePolicies } from '../workers/index.js';
import { companyOption, withConnection } from './database.js';
import { jsonOption, seedOption, whole, workersOption } from './options.js';
import { evaluationTable, printJson, progress, table } from './print.js';

interface CollectOptions {
  readonly days: number;
  readonly company?: number;
  readonly out: string;
  readonly decimals: number;
  readonly lookaheadMinutes: number;
  readonly seed: number;
  readonly workers: number;
  readonly json: boolean;
}

export function collectCommand(): Command {
  return new Command('collect')
    .description(
      "From a company's bookings to a scenario that policies train on, with statistics, a report on data quality, and what the heuristics would have done.",
    )
    .addOption(new Option('--days <n>', 'service days up to yesterday').argParser(whole(1, 3660)).default(90))
    .addOption(companyOption())
    .addOption(new Option('--out <folder>', 'a new folder').makeOptionMandatory())
    .addOption(
      new Option('--decimals <n>', 'decimals of a degree that places keep; 3 are about 100 m')
        .argParser(whole(1, 6))
        .default(3),
    )
    .addOption(
      new Option('--lookahead-minutes <n>', 'how long before its window a booking enters the simulation')
        .argParser(whole(10, 1440))
        .default(120),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Writes scenario.json, ${COLLECTED_TRIPS}, statistics.json, quality.json and baseline.json. No ids, names or addresses are written.

Examples:
  fleetstep collect --days 90 --out collected
  fleetstep train --scenario collected/scenario.json`,
    )
    .action(async (options: CollectOptions) => {
      const { days, out, json, workers, seed } = options;
      refuseTaken(out);
      const { companyId, bookings, drivers } = await withConnection(async (connection) => {
        const fleet = await readFleet(connection, options.company);
        return { ...fleet, bookings: await readBookings(connection, fleet, days) };
      });
      const { usable, report } = examine(bookings);
      const { scenario, dataset } = collectTrips(
        usable,
        { drivers },
        {
          name: `company-${companyId}`,
          decimals: options.decimals,
          lookaheadSeconds: 60 * options.lookaheadMinutes,
        },
      );
      const statistics = describe(usable);
      // The baseline is of all days: no day was learned from.
      const everyDay = { training: [], validation: dataset.trace.days.map((_, d) => d), test: [] };
      const bar = progress('replaying', json);
      const total = dataset.trace.days.length * heuristicNames.length;
      const baseline = await evaluatePolicies({
        compiled: compileScenario(scenario, { ...dataset, splits: everyDay }),
        policies: heuristicNames.map((name) => ({ kind: 'heuristic', name })),
        split: 'validation',
        seed,
        workers,
        progress: (done) => bar.update(done, total, `${done}/${total} days`),
      }).finally(() => bar.stop());

      writeWhole(out, (folder) => {
        const write = (name: string, value: unknown): void =>
          writeFileAtomic(join(folder, name), `${JSON.stringify(value, infinityToWord, 2)}\n`);
        write('scenario.json', scenario);
        writeTrips(join(folder, COLLECTED_TRIPS), dataset);
        write('statistics.json', statistics);
        write('quality.json', report);
        write(
          'baseline.json',
          baseline.map(({ episodes, ...summary }) => ({ ...summary, days: episodes.length })),
        );
      });

      if (json) {
        const returns = Object.fromEntries(baseline.map(({ policy, meanReturn }) => [policy, meanReturn]));
        printJson({ out, companyId, days: dataset.trace.days.length, quality: report, statistics, baseline: returns });
        return;
      }
      const faults = Object.entries(report.faults).filter(([, { count }]) => count > 0);
      const line = (name: string, p: { p50: number; p90: number; p99: number }): string[] => [
        name,
        p.p50.toFixed(1),
        p.p90.toFixed(1),
        p.p99.toFixed(1),
      ];
      process.stdout.write(
        `${report.usable} of ${report.bookings} bookings can be used; ${dataset.trace.days.length} days, ${drivers.length} drivers\n` +
          (faults.length === 0
            ? ''
            : `${table(
                ['fault', 'bookings', 'such as'],
                faults.map(([name, { count, examples }]) => [name, String(count), examples.join(', ')]),
              )}\n`) +
          `${table(
            ['measured', 'p50', 'p90', 'p99'],
            [
              line('distance, km', statistics.distanceKm),
              line('wait, min', statistics.waitMinutes),
              line('lateness, min', statistics.latenessMinutes),
            ],
          )}\nthe same days, had a heuristic dispatched:\n${evaluationTable(baseline)}\n` +
          `written to ${out}; train on it: fleetstep train --scenario ${join(out, 'scenario.json')}\n`,
      );
    });
}

function refuseTaken(out: string): void {
  if (existsSync(out) && readdirSync(out).length > 0) {
    throw new TripsError('ERR_DATA_EXISTS', `${out} is not empty: give another --out`);
  }
}

/** Fills a folder beside `out` and moves it there, so that a fault leaves no half of it. */
function writeWhole(out: string, fill: (folder: string) => void): void {
  const partial = `${resolve(out)}.${process.pid}.partial`;
  try {
    makeFolder(partial);
    fill(partial);
    rmSync(out, { recursive: true, force: true });
    renameSync(partial, out);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (error instanceof Error && 'syscall' in error) {
      throw new TripsError('ERR_DATA_MISSING', `cannot write ${out}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
