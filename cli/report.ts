// fleetstep report

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { writeFileAtomic } from '../files/index.js';
import { StudyFolder, rankedRows, tableSoFar } from '../jobs/index.js';
import { runsPage, studyPage } from '../report/index.js';
import { readRun } from '../train/index.js';
import { jsonOption, path } from './options.js';
import { counted, printJson } from './print.js';

interface ReportOptions {
  readonly out: string;
  readonly json: boolean;
}

/** Runs on one page, at most: what a reader and a file can bear. */
const MOST_RUNS = 100;
/** Best trials of a study whose learning curves are drawn. */
const DRAWN_TRIALS = 6;

/** The `report` command. */
export function reportCommand(): Command {
  return new Command('report')
    .description('Write training runs, or a study, as a page: one file that needs no network.')
    .addArgument(new Argument('<path...>', 'folders of runs, or the folder of one study'))
    .addOption(
      new Option('--out <file.html>', 'where the page goes; a file that is there is replaced')
        .argParser(path)
        .default('report.html'),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Of runs: learning curves, losses, evaluations beside the rules with 95% intervals, where time went, settings that differ, starts.
Runs of one training with several seeds (NAME-s1, NAME-s2) are drawn as one curve, with a band from the lowest to the highest.
Of a study, finished or not: its trials from the best on, values, importances, parallel coordinates, broken constraints.

Examples:
  fleetstep report runs/geneva-ppo
  fleetstep report runs/geneva-ppo-s* runs/geneva-dqn --out comparison.html
  fleetstep report studies/geneva-ppo --out study.html --json`,
    )
    .action((paths: string[], { out, json }: ReportOptions, command: Command) => {
      if (statSync(out, { throwIfNoEntry: false })?.isDirectory() === true) {
        command.error(`error: --out ${out} is a folder: give a file, such as ${join(out, 'report.html')}`);
      }
      const { html, told, words } = isStudy(paths, command) ? ofStudy(paths[0], command) : ofRuns(paths, command);
      writeFileAtomic(out, html);
      const bytes = Buffer.byteLength(html);
      if (json) printJson({ out, ...told, bytes });
      else process.stdout.write(`${out}: ${words}, ${Math.ceil(bytes / 1000)} KB; open it in a browser\n`);
    });
}

interface Page {
  readonly html: string;
  /** For `--json`. */
  readonly told: { readonly runs: readonly string[] } | { readonly study: string };
  readonly words: string;
}

const isRun = (folder: string): boolean => existsSync(join(folder, 'config.json'));
const holdsStudy = (folder: string): boolean => !isRun(folder) && existsSync(join(folder, 'study.json'));

/** Whether the one path is a study; all are looked at. */
function isStudy(paths: readonly string[], command: Command): boolean {
  for (const folder of paths) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      command.error(`error: ${folder} is no folder: give folders of runs, or the folder of a study`);
    }
    if (isRun(folder)) continue;
    if (holdsStudy(folder)) {
      if (paths.length > 1) command.error(`error: ${folder} is a study: report it alone, without other paths`);
      return true;
    }
    const within = readdirSync(folder).find((name) => isRun(join(folder, name)));
    command.error(
      `error: ${folder} is neither a run (it has no config.json) nor a study (it has no study.json)${within === undefined ? '' : `: name the runs in it, such as ${join(folder, within)}`}`,
    );
  }
  return false;
}

function ofRuns(paths: readonly string[], command: Command): Page {
  const twice = paths.find((one, k) => paths.findIndex((other) => resolve(other) === resolve(one)) < k);
  if (twice !== undefined) command.error(`error: ${twice} is given twice`);
  if (paths.length > MOST_RUNS) {
    command.error(`error: these are ${paths.length} runs: a report takes ${MOST_RUNS} at most; name fewer`);
  }
  const runs = paths.map((one) => {
    const run = readRun(one);
    if (run.metrics.length === 0) {
      command.error(
        `error: ${one} has no metrics yet (${join(one, 'metrics.jsonl')} is missing or empty): train it with "fleetstep train --resume ${one}", or leave it out`,
      );
    }
    return run;
  });
  return { html: runsPage(runs), told: { runs: paths }, words: counted(runs.length, 'run') };
}

function ofStudy(path: string, command: Command): Page {
  const { folder, saved } = StudyFolder.open(path);
  const { study } = saved;
  const table = tableSoFar(saved, folder);
  const ranked = rankedRows(study, table.trials);
  if (ranked.length === 0) {
    command.error(
      `error: the study at ${path} has no result yet: go on with "fleetstep sweep --resume ${path}", and report it later`,
    );
  }
  // Of a study that ran on other machines the runs may not be here.
  const runs = ranked
    .slice(0, DRAWN_TRIALS)
    .flatMap(({ trial }) => study.seeds.map((seed) => folder.runFolder({ trial, seed })))
    .filter(isRun)
    .map(readRun)
    .filter(({ metrics }) => metrics.length > 0);
  return {
    html: studyPage({ saved, table, ranked, isFinished: folder.table() !== null, runs }),
    told: { study: study.name },
    words: `study ${study.name}, ${counted(ranked.length, 'trial')}`,
  };
}
