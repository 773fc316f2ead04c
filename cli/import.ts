// fleetstep import

import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { EngineError, compileScenario, preset, splits } from '../engine/index.js';
import { loadDataset, nycScenarios, writeTrips } from '../trips/index.js';
import { jsonOption } from './options.js';
import { printJson, table } from './print.js';

interface ImportOptions {
  readonly scenario: string;
  readonly data: string;
  readonly out?: string;
  readonly force: boolean;
  readonly json: boolean;
}

export function importCommand(): Command {
  return new Command('import')
    .description('Check recorded trips, say what is in them, and write them into one file that --data takes.')
    .addOption(new Option('--scenario <name>', 'which instance').choices(nycScenarios).default('nyc-small'))
    .addOption(new Option('--data <path>', 'folder of the benchmark').makeOptionMandatory())
    .addOption(new Option('--out <file>', 'file to write (default: only check)'))
    .addOption(new Option('--force', 'replace an existing file').default(false))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep import --data ../HybridMADRL-AMoD
  fleetstep import --scenario nyc-large --data ../HybridMADRL-AMoD --out data/nyc-large.trips`,
    )
    .action((options: ImportOptions) => {
      if (options.out !== undefined && existsSync(options.out) && !options.force) {
        throw new EngineError('ERR_OPTION', `${options.out} exists: give another --out, or --force to replace it`);
      }
      const dataset = loadDataset(options.scenario, options.data);
      const { scenario } = compileScenario(preset(options.scenario), dataset);
      const { trace } = dataset;
      const rows = splits.map((split) => {
        let trips = 0;
        let dropped = 0;
        for (const day of dataset.splits[split]) {
          const perTick = new Map<number, number>();
          for (let k = trace.dayStart[day]; k < trace.dayStart[day + 1]; k++) {
            trips++;
            const tick = trace.knownAt[k] / scenario.tickSeconds;
            const count = (perTick.get(tick) ?? 0) + 1;
            perTick.set(tick, count);
            if (count > scenario.slots) dropped++;
          }
        }
        return { split, days: dataset.splits[split].length, trips, dropped };
      });
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
    });
}
