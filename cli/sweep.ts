// fleetstep sweep

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import {
  LocalRunner,
  QueueRunner,
  StudyFolder,
  checkIdentity,
  portableWorld,
  rankedRows,
  readStudy,
  runQueueWorker,
  runStudy,
  studyIdentity,
  studyKey,
  worldFor,
} from '../jobs/index.js';
import type { SavedStudy, SliceRunner, Study, StudyTable, SweepProgress, TrialRow } from '../jobs/index.js';
import { interrupts } from './interrupt.js';
import { openQueue, queueOption, workerName } from './queue.js';
import { leaseOption } from './worker.js';
import { jsonOption, path, uiOption, whole } from './options.js';
import { counted, percent, printJson, progress, short, table } from './print.js';

interface SweepOptions {
  readonly out?: string;
  readonly resume?: string;
  readonly parallel: number;
  readonly workers: number;
  readonly silentSeconds: number;
  readonly queue?: string | true;
  readonly leaseSeconds: number;
  readonly ui?: number | true;
  readonly json: boolean;
}

/** The `sweep` command. */
export function sweepCommand(): Command {
  return new Command('sweep')
    .description('Search for good training settings: many runs, of which the weak ones end early.')
    .addArgument(new Argument('[study.json]', 'what is searched; see the example below'))
    .addOption(
      new Option('--out <folder>', 'folder of the study (default: studies/ and its name)')
        .argParser(path)
        .conflicts('resume'),
    )
    .addOption(new Option('--resume <folder>', 'go on with an interrupted study').argParser(path))
    .addOption(
      new Option(
        '--parallel <n>',
        'trainings at the same time; the result does not depend on it; with --queue those of this process, 0 for none',
      )
        .argParser(whole(0, 256))
        .default(availableParallelism(), 'one per core'),
    )
    .addOption(new Option('--workers <n>', 'worker threads of each training').argParser(whole(1, 256)).default(1))
    .addOption(
      new Option(
        '--silent-seconds <n>',
        'restart a training from its checkpoint if its process is silent for this long',
      )
        .argParser(whole(5))
        .default(120),
    )
    .addOption(
      queueOption(
        'have it done by this process and by every "fleetstep worker" of the same queue: a PostgreSQL, or nothing for the embedded one',
      ),
    )
    .addOption(leaseOption())
    .addOption(uiOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A study file:
  {
    "scenario": "geneva",
    "config": { "algorithm": "ppo", "steps": 300000 },
    "space": {
      "learningRate": { "float": [1e-4, 1e-2], "log": true },
      "hidden": { "choice": [[32, 32], [64, 64]] },
      "rolloutSteps": { "int": [32, 256], "log": true }
    },
    "seeds": [1, 2],
    "trials": 24,
    "pruner": { "minSteps": 33334, "eta": 3 },
    "objective": { "metric": "return", "constraints": [{ "metric": "serviceRate", "min": 0.9 }] }
  }
Every field of a config file can be searched ("fleetstep train --print-config"); "when": { "algorithm": ["dqn"] } makes a parameter
count only there. Fields of their own: "sampler" (tpe, random), "slots" (trials at the same time in the study's own time, 4),
"samplerSeed", "budget" ({ "steps" } or { "minutes" }, after which no new trial begins).
After an interrupt the trainings save a checkpoint, and --resume goes on. Exit code 130 after an interrupt.

Examples:
  fleetstep sweep study.json
  fleetstep sweep study.json --out studies/one --parallel 2 --json
  fleetstep sweep --resume studies/one --ui
  fleetstep sweep study.json --queue postgres://me:secret@db.example:5432/fleetstep --parallel 0`,
    )
    .action(async (file: string | undefined, options: SweepOptions, command: Command) => {
      if ((file === undefined) === (options.resume === undefined)) {
        command.error(
          file === undefined
            ? 'error: give a study file, or --resume with the folder of a study'
            : 'error: --resume goes on with the study of its folder: leave the study file out',
        );
      }
      if (options.parallel === 0 && options.queue === undefined) {
        command.error('error: --parallel is 0: without --queue nobody would do the work; give at least 1');
      }
      await sweep(file, options);
    });
}

async function sweep(file: string | undefined, options: SweepOptions): Promise<void> {
  const study = file === undefined ? null : readStudy(file);
  const at = options.resume ?? options.out ?? join('studies', study!.name);
  const page = options.ui === undefined ? null : await (await import('./live.js')).liveStudy(options.ui, at);
  try {
    await search(study === null ? StudyFolder.open(at) : begin(study, at), study !== null, options);
  } finally {
    await page?.close();
  }
}

/** Runs a study. */
async function search(
  { folder, saved }: { readonly folder: StudyFolder; readonly saved: SavedStudy },
  isNew: boolean,
  options: SweepOptions,
): Promise<void> {
  const { study, identity, limit } = saved;
  if (!isNew) checkIdentity(identity, studyIdentity(worldFor(study)));
  const say = (text: string): void => {
    if (!options.json) process.stderr.write(`${text}\n`);
  };
  say(
    `study ${study.name}: ${counted(study.trials, 'trial')} x ${counted(study.seeds.length, 'seed')} on ${study.scenario}, evaluated at ${study.rungs.map(short).join(', ')} steps; results in ${folder.path}`,
  );
  const interrupted = interrupts(() =>
    say(
      `stopping: trainings save a checkpoint; "fleetstep sweep --resume ${folder.path}" goes on; interrupt again to stop at once`,
    ),
  );
  const bar = progress('sweep', options.json);
  const { runner, leave } = await runnerFor({ study, identity, limit }, folder, options, (text) => {
    bar.stop();
    say(text);
  });
  try {
    const result = await runStudy({
      study,
      identity,
      folder,
      limit,
      runner,
      signal: interrupted.signal,
      onProgress: (state) =>
        bar.update(Math.min(state.steps, state.expectedSteps - 1), state.expectedSteps, progressText(study, state)),
    });
    bar.stop();
    if (result === null) {
      process.exitCode = interrupted.exitCode;
      if (options.json) printJson({ study: study.name, folder: folder.path, finished: false });
      return;
    }
    report(study, folder.path, result, options.json);
  } finally {
    bar.stop();
    await leave();
    interrupted.close();
  }
}

/** Slices of a study in a queue at the same time: enough for many workers, few enough to be looked at. */
const IN_QUEUE = 2048;

/** Who does the slices: processes of this one, or a queue and whoever works for it. */
async function runnerFor(
  { study, identity }: SavedStudy,
  folder: StudyFolder,
  { queue: way, parallel, workers, silentSeconds, leaseSeconds }: SweepOptions,
  say: (text: string) => void,
): Promise<{ readonly runner: SliceRunner; readonly leave: () => Promise<void> }> {
  if (way === undefined) {
    const runner = new LocalRunner({ folder, identity, parallel, workers, silentSeconds });
    return { runner, leave: () => Promise.resolve() };
  }
  const queue = await openQueue(way, say);
  const { store, deliveries } = queue;
  const key = studyKey(study.name, study, identity);
  const stop = new AbortController();
  const own =
    parallel === 0
      ? Promise.resolve()
      : runQueueWorker({
          ...{ store, deliveries, parallel, workers, leaseSeconds, name: workerName() },
          ...{ folder: folder.trials, signal: stop.signal, report: say },
        });
  return {
    runner: new QueueRunner({
      ...{ store, deliveries, study: key, identity, world: portableWorld(study) },
      ...{ parallel: IN_QUEUE, report: say },
    }),
    leave: async () => {
      stop.abort();
      await own;
      await queue.close();
    },
  };
}

function begin(study: Study, out: string): { folder: StudyFolder; saved: SavedStudy } {
  const saved: SavedStudy = { study, identity: studyIdentity(worldFor(study)), limit: study.trials };
  return { folder: StudyFolder.create(out, saved), saved };
}

function progressText(study: Study, { trials, limit, steps, best }: SweepProgress): string {
  return `trial ${trials}/${limit} | ${short(steps)} steps | best ${study.objective.metric} ${best?.toFixed(3) ?? '-'}`;
}

/** The last rung's figures of a trial. */
function lastRung(row: TrialRow): TrialRow['rungs'][number] | undefined {
  return row.rungs.at(-1);
}

function report(
  study: Study,
  folder: string,
  result: StudyTable & { readonly resultsSha256: string },
  json: boolean,
): void {
  const best = result.best === null ? null : result.trials[result.best];
  const value = best === null ? null : lastRung(best)!.value;
  if (json) {
    printJson({
      study: study.name,
      folder,
      finished: true,
      trials: result.trials.length,
      best: best === null ? null : { trial: best.trial, value, config: { ...study.config, ...best.config } },
      importances: result.importances,
      resultsSha256: result.resultsSha256,
    });
    return;
  }
  const rows = rankedRows(study, result.trials)
    .slice(0, 10)
    .map((row) => {
      const last = lastRung(row);
      return [
        String(row.trial),
        last?.value?.toFixed(3) ?? 'failed',
        last === undefined ? '-' : short(last.steps),
        Object.entries(row.config)
          .map(
            ([name, setting]) =>
              `${name} ${typeof setting === 'number' ? Number(setting.toPrecision(4)) : JSON.stringify(setting)}`,
          )
          .join(', '),
      ];
    });
  process.stdout.write(`${table(['trial', study.objective.metric, 'steps', 'settings'], rows)}\n`);
  if (result.importances !== null) {
    const sorted = Object.entries(result.importances).sort(([, a], [, b]) => b - a);
    process.stdout.write(
      `${table(
        ['parameter', 'importance'],
        sorted.map(([name, share]) => [name, percent(share)]),
      )}\n`,
    );
  }
  process.stdout.write(
    best === null
      ? 'no trial has a result that keeps the constraints\n'
      : `best: trial ${best.trial}, ${study.objective.metric} ${value!.toFixed(3)}; its runs are ${folder}/trials/t${String(best.trial).padStart(4, '0')}-s*\n`,
  );
  process.stdout.write(`results of all trials: SHA-256 ${result.resultsSha256}\n`);
}
