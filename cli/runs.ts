// fleetstep runs: what runs there are, and how two or more of them differ.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { readRun, settingDifferences } from '../train/index.js';
import type { RunRecord, SettingDifferences } from '../train/index.js';
import { jsonOption } from './options.js';
import { duration, printJson, short, table } from './print.js';

interface RunsOptions {
  readonly sort: 'newest' | 'return';
  readonly json: boolean;
}

/** The `runs` command. */
export function runsCommand(): Command {
  return new Command('runs')
    .description('List training runs, or compare some of them: settings that differ, and what they have come to.')
    .addArgument(new Argument('[path...]', 'folders of runs, or folders that hold runs (default: runs)'))
    .addOption(new Option('--sort <order>', 'order of the list').choices(['newest', 'return']).default('newest'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
States: finished; running (a process works on it now); interrupted ("fleetstep train --resume RUN" goes on with it).
Two or more runs, named one by one, are compared: settings that are not the same stand in a table.

Examples:
  fleetstep runs
  fleetstep runs runs studies/one/trials --sort return
  fleetstep runs runs/one runs/two --json`,
    )
    .action((paths: string[], { sort, json }: RunsOptions, command: Command) => {
      const asked = paths.length === 0 ? ['runs'] : paths;
      for (const path of asked) {
        if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) continue;
        if (paths.length === 0) {
          command.error('error: there is no folder "runs" here: name one, or make a run with "fleetstep train"');
        }
        command.error(`error: ${path} is no folder: give a run, or a folder that holds runs`);
      }
      const named = asked.filter(isRun);
      const found = asked.flatMap((path) => (isRun(path) ? [path] : runsIn(path))).map(readRun);
      const order: Record<RunsOptions['sort'], (a: RunRecord, b: RunRecord) => number> = {
        newest: (a, b) => b.changedAt.localeCompare(a.changedAt) || (a.path < b.path ? -1 : 1),
        return: (a, b) => (b.meanReturn ?? -Infinity) - (a.meanReturn ?? -Infinity) || (a.path < b.path ? -1 : 1),
      };
      const runs = found.sort(order[sort]);
      const differences = named.length >= 2 ? settingDifferences(runs) : null;
      if (json) {
        const summaries = runs.map(({ metrics: _, evaluations: __, starts: ___, ...summary }) => summary);
        printJson(differences === null ? { runs: summaries } : { runs: summaries, differences });
        return;
      }
      if (runs.length === 0) {
        process.stdout.write(`no runs in ${asked.join(', ')}\n`);
        return;
      }
      process.stdout.write(`${listOf(runs)}\n`);
      if (differences !== null) process.stdout.write(`${differenceTable(runs, differences)}\n`);
    });
}

const isRun = (path: string): boolean => existsSync(join(path, 'config.json'));

/** Runs in a folder, and in the folders below it. */
function runsIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = join(folder, name);
      return isRun(path) ? [path] : runsIn(path);
    });
}

function listOf(runs: readonly RunRecord[]): string {
  return table(
    ['run', 'scenario', 'algorithm', 'seed', 'steps', 'time', 'return', 'state'],
    runs.map((run) => [
      run.path,
      run.scenario ?? '-',
      run.algorithm ?? '-',
      String(run.seed ?? '-'),
      run.totalSteps === null || run.steps >= run.totalSteps
        ? short(run.steps)
        : `${short(run.steps)} of ${short(run.totalSteps)}`,
      duration(run.seconds),
      run.meanReturn?.toFixed(2) ?? '-',
      run.state,
    ]),
  );
}

function differenceTable(runs: readonly RunRecord[], differences: SettingDifferences): string {
  const rows = Object.entries(differences).map(([name, values]) => [name, ...values.map(shownValue)]);
  if (rows.length === 0) return 'all settings are the same';
  return table(['setting', ...runs.map(({ path }) => basename(path))], rows);
}

function shownValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 24 ? `${text.slice(0, 21)}...` : text;
}
