// fleetstep collect

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { readBookings, readFleet } from '../audit/index.js';
import { compileScenario } from '../engine/index.js';
import { heuristicNames } from '../policy/index.js';
import { infinityToWord, writeFileAtomic } from '../files/index.js';
import {
  BookingExaminer,
  COLLECTED_TRIPS,
  CompanyClock,
  collectTrips,
  describe,
  recordOf,
  refuseTaken,
  writeTrips,
  writeWholeFolder,
} from '../trips/index.js';
import { evaluatePolicies } from '../workers/index.js';
import { companyOption, withConnection } from './database.js';
import { jsonOption, seedOption, whole, workersOption } from './options.js';
import { evaluationTable, faultTable, printJson, progress, table } from './print.js';

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

/** Written first, and whatever comes of the rest. */
const QUALITY = 'quality.json';

/** The `collect` command. */
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
Writes ${QUALITY}, scenario.json, ${COLLECTED_TRIPS}, statistics.json and baseline.json. ${QUALITY} counts what is wrong, by kind and
by the id of the booking, and is written even if nothing can be used; the other files hold no ids, names or addresses.
Faulty bookings are left out, all sound ones are collected. Days and hours are those of the company's time zone; what lies
between two times is counted in seconds that passed, also in the nights in which clocks change.

Examples:
  fleetstep collect --days 90 --out collected
  fleetstep train --scenario collected/scenario.json`,
    )
    .action(async (options: CollectOptions) => {
      const { days, out, json, workers, seed } = options;
      refuseTaken(out, [QUALITY]);
      const { companyId, drivers, examined } = await withConnection(async (connection) => {
        const fleet = await readFleet(connection, options.company);
        const clock = new CompanyClock(fleet.timeZone);
        const now = Date.now() / 1000;
        const span = { from: clock.startOfDay(now, days), to: clock.startOfDay(now) };
        const examiner = new BookingExaminer();
        for await (const rows of readBookings(connection, fleet.companyId, span)) {
          for (const row of rows) examiner.add(recordOf(row, clock, span));
        }
        return { ...fleet, examined: examiner.finish() };
      });
      const { usable, report } = examined;
      const write = (folder: string, name: string, value: unknown): void =>
        writeFileAtomic(join(folder, name), `${JSON.stringify(value, infinityToWord, 2)}\n`);
      write(out, QUALITY, report);
      const { scenario, dataset, skillsLeftOut } = collectTrips(
        usable,
        { drivers },
        {
          name: `company-${companyId}`,
          decimals: options.decimals,
          lookaheadSeconds: 60 * options.lookaheadMinutes,
          report: join(out, QUALITY),
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

      writeWholeFolder(out, (folder) => {
        write(folder, QUALITY, report);
        write(folder, 'scenario.json', scenario);
        writeTrips(join(folder, COLLECTED_TRIPS), dataset);
        write(folder, 'statistics.json', statistics);
        write(
          folder,
          'baseline.json',
          baseline.map(({ episodes, ...summary }) => ({ ...summary, days: episodes.length })),
        );
      });

      if (json) {
        const returns = Object.fromEntries(baseline.map(({ policy, meanReturn }) => [policy, meanReturn]));
        const { unusable: _, ...quality } = report;
        printJson({
          out,
          companyId,
          days: dataset.trace.days.length,
          quality,
          skillsLeftOut,
          statistics,
          baseline: returns,
        });
        return;
      }
      const faults = faultTable(report.faults);
      const line = (name: string, p: { p50: number; p90: number; p99: number }): string[] => [
        name,
        p.p50.toFixed(1),
        p.p90.toFixed(1),
        p.p99.toFixed(1),
      ];
      process.stdout.write(
        `${report.usable} of ${report.bookings} bookings can be used; ${dataset.trace.days.length} days, ${drivers.length} drivers\n` +
          (faults === '' ? '' : `${faults}\nall of them by id: ${join(out, QUALITY)}\n`) +
          (skillsLeftOut.length === 0
            ? ''
            : `note: a scenario holds 8 skills; no longer asked for: ${skillsLeftOut.join(', ')}\n`) +
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
