// fleetstep report

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { writeFileAtomic } from '../files/index.js';
import { EngineError } from '../engine/index.js';
import { boundsOf, episodeOf, readStudyReport, runsPage, shownRun, studyPage } from '../report/index.js';
import type { EpisodeView } from '../report/index.js';
import { TrainError, readRun } from '../train/index.js';
import type { RunRecord } from '../train/index.js';
import { TripsError } from '../trips/index.js';
import { HINDSIGHT_CACHE } from './hindsight.js';
import { dataOption, jsonOption, path, whole, workersOption } from './options.js';
import { counted, printJson, progress } from './print.js';

interface ReportOptions {
  readonly out: string;
  /** False: none. */
  readonly episode: number | false;
  readonly hindsight: boolean;
  readonly data?: string;
  readonly workers: number;
  readonly json: boolean;
}

/** Runs on one page, at most: what a reader and a file can bear. */
const MOST_RUNS = 100;

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
    .addOption(
      new Option(
        '--episode <n>',
        'validation episode that the best of the runs plays, for the map; left out where it takes more than 2 MB',
      )
        .argParser(whole(0, 1e6))
        .default(0),
    )
    .addOption(new Option('--no-episode', 'no episode'))
    .addOption(
      new Option(
        '--hindsight',
        'compute the bounds of perfect foresight that are not known yet (seconds a day); those that are known stand in the table anyway',
      ).default(false),
    )
    .addOption(dataOption())
    .addOption(workersOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Of runs: verdict against the strongest rule, evaluations beside the rules and perfect foresight with 95% intervals, learning curves,
losses, where time went, settings that differ, starts, and an episode on an animated map. Playing it takes less than a second.
Runs of one training with several seeds (NAME-s1, NAME-s2) are drawn as one curve, with a band from the lowest to the highest.
Of a study, finished or not: its trials from the best on, values, importances, parallel coordinates, broken constraints, Pareto
fronts (the objective against each bounded figure, or the share served), and an episode of the best trial.

Examples:
  fleetstep report runs/geneva-ppo
  fleetstep report runs/geneva-ppo-s* runs/geneva-dqn --out comparison.html
  fleetstep report runs/geneva-ppo --episode 3
  fleetstep report runs/nyc-small --hindsight
  fleetstep report studies/geneva-ppo --out study.html --json`,
    )
    .action(async (paths: string[], options: ReportOptions, command: Command) => {
      const { out, json } = options;
      if (statSync(out, { throwIfNoEntry: false })?.isDirectory() === true) {
        command.error(`error: --out ${out} is a folder: give a file, such as ${join(out, 'report.html')}`);
      }
      const { html, told, words } = isStudy(paths, command)
        ? ofStudy(paths[0], options, command)
        : await ofRuns(paths, options, command);
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

async function ofRuns(paths: readonly string[], options: ReportOptions, command: Command): Promise<Page> {
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
  const { data, workers, hindsight, json } = options;
  const bar = progress('hindsight', json);
  const bounds = await boundsOf(runs, {
    ...{ cache: HINDSIGHT_CACHE, compute: hindsight, workers, data },
    progress: (done, total) => bar.update(done, total, `${done}/${total} days`),
  }).finally(() => bar.stop());
  return {
    html: runsPage(runs, { bounds, ...episodeFor(runs, options, command) }),
    told: { runs: paths },
    words: counted(runs.length, 'run'),
  };
}

/** The episode of the page, or why it has none, which is an error only where an episode was asked for. */
function episodeFor(
  runs: readonly RunRecord[],
  { episode, data }: ReportOptions,
  command: Command,
): { readonly episode?: EpisodeView; readonly withoutEpisode?: string } {
  if (episode === false || runs.length === 0) return {};
  let reason: string;
  try {
    const view = episodeOf(shownRun(runs), episode, data);
    if (typeof view !== 'string') return { episode: view };
    reason = view;
  } catch (error) {
    const isExpected = error instanceof TrainError || error instanceof TripsError || error instanceof EngineError;
    if (!isExpected || command.getOptionValueSource('episode') === 'cli') throw error;
    reason = error.message;
  }
  return { withoutEpisode: `There is no episode on this page: ${reason}.` };
}

function ofStudy(path: string, options: ReportOptions, command: Command): Page {
  const report = readStudyReport(path);
  if (report === null) {
    command.error(
      `error: the study at ${path} has no result yet: go on with "fleetstep sweep --resume ${path}", and report it later`,
    );
  }
  const { saved, ranked, runs } = report;
  const { episode } = episodeFor(runs.slice(0, 1), options, command);
  return {
    html: studyPage({ ...report, episode }),
    told: { study: saved.study.name },
    words: `study ${saved.study.name}, ${counted(ranked.length, 'trial')}`,
  };
}
