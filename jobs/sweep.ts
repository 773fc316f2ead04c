// Runs a study: asks the schedule what can be done, has it done by as many processes as there are, and keeps each result before it
// counts. Resuming is the same from the beginning, with the results that are there.

import { JobsError } from './errors.js';
import { rungResult } from './figures.js';
import { importances } from './importance.js';
import { Schedule } from './schedule.js';
import type { Task } from './schedule.js';
import type { Slice, SliceProgress, SliceResult, StudyIdentity } from './slice.js';
import type { SavedStudy, StudyFolder, StudyTable, TrialRow } from './study-folder.js';
import { configOf } from './study.js';
import type { Study } from './study.js';

/** Does slices: in processes of this machine, or through a queue. */
export interface SliceRunner {
  /** Slices at the same time, at most. */
  readonly parallel: number;
  /** The slice's result; null if the signal has stopped it. */
  run(slice: Slice, signal: AbortSignal, onProgress: (progress: SliceProgress) => void): Promise<SliceResult | null>;
}

/** How a study goes. */
export interface SweepProgress {
  /** Trials that have begun, and those that begin at most. */
  readonly trials: number;
  readonly limit: number;
  /** Training steps of all finished slices, and of those under way. */
  readonly steps: number;
  /** Steps that the study takes in all, about: how many trials are promoted is not known before. */
  readonly expectedSteps: number;
  /** Best value so far; null before the first. */
  readonly best: number | null;
}

/** What `runStudy` needs. */
export interface SweepOptions {
  readonly study: Study;
  readonly identity: StudyIdentity;
  readonly folder: StudyFolder;
  /** Trials that begin at most: the study's own, or fewer where its minutes were over. */
  readonly limit: number;
  readonly runner: SliceRunner;
  /** Stops the study; it can be resumed. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SweepProgress) => void;
}

/** Runs a study to its end; null if the signal has stopped it. */
export async function runStudy(
  options: SweepOptions,
): Promise<(StudyTable & { readonly resultsSha256: string }) | null> {
  const { study, identity, folder, runner, signal, onProgress } = options;
  folder.reopen();
  const schedule = new Schedule(study);
  schedule.limitTo(options.limit);
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  const underWay = new Map<string, Promise<void>>();
  const progressOf = new Map<string, number>();
  let stepsDone = 0;
  const faults: Error[] = [];
  let wake: () => void = () => undefined;
  const report = (): void => {
    let steps = stepsDone;
    for (const own of progressOf.values()) steps += own;
    const value = schedule.ranking[0]?.results.at(-1)?.value ?? null;
    const expectedSteps = Math.max(steps, expectedStepsOf(study, schedule.limit));
    onProgress({ trials: schedule.trials.length, limit: schedule.limit, steps, expectedSteps, best: value });
  };

  const clock =
    study.budgetMinutes === null
      ? undefined
      : setTimeout(() => {
          schedule.stopNew();
          // On record at once: a resumed study begins no other trials.
          folder.save({ study, identity, limit: schedule.limit });
        }, study.budgetMinutes * 60_000);

  /** Completes what has all its results; true if that was something. */
  const settle = (): boolean => {
    const tasks = settled(study, schedule, folder);
    for (const { rung } of tasks) stepsDone += stepsOf(study, rung) * study.seeds.length;
    return tasks.length > 0;
  };

  const start = (slice: Slice): void => {
    const key = `${slice.trial}/${slice.seed}/${slice.rung}`;
    const before = slice.toSteps - stepsOf(study, slice.rung);
    const run = async (): Promise<void> => {
      try {
        const result = await runner.run(slice, all, ({ steps }) => {
          progressOf.set(key, Math.max(0, steps - before));
          report();
        });
        if (result !== null) folder.keep(slice, result);
      } catch (error) {
        faults.push(error as Error);
        stop.abort();
      } finally {
        progressOf.delete(key);
        underWay.delete(key);
        wake();
      }
    };
    underWay.set(key, run());
  };

  try {
    while (!all.aborted) {
      while (settle());
      report();
      if (schedule.finished) break;
      for (const task of schedule.tasks) {
        for (const slice of slicesOf(study, task)) {
          if (underWay.size >= runner.parallel) break;
          if (!underWay.has(`${slice.trial}/${slice.seed}/${slice.rung}`) && folder.result(slice) === undefined)
            start(slice);
        }
      }
      if (underWay.size === 0) throw new JobsError('ERR_STUDY', 'the study has nothing to do and is not finished');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    clearTimeout(clock);
    await Promise.all(underWay.values());
  }
  if (faults.length > 0) throw faults[0];
  if (!schedule.finished) return null;
  const table = tableOf(study, schedule, folder);
  return { ...table, resultsSha256: folder.finish(table) };
}

/** Of `trials`, one in `eta` goes on to each next rung, and one at least. */
function expectedStepsOf(study: Study, trials: number): number {
  const { rungs, eta, seeds } = study;
  return rungs.reduce((sum, _, rung) => {
    const there = Math.max(1, Math.floor(trials / eta ** rung));
    return sum + there * seeds.length * stepsOf(study, rung);
  }, 0);
}

/** Steps of one seed on the way to a rung. */
function stepsOf({ rungs }: Study, rung: number): number {
  return rungs[rung] - (rung === 0 ? 0 : rungs[rung - 1]);
}

/** A task's slices, one for each seed. */
export function slicesOf(study: Study, { trial, rung, point }: Task): Slice[] {
  return study.seeds.map((seed) => ({
    trial,
    seed,
    rung,
    scenario: study.scenario,
    ...(study.data === undefined ? {} : { data: study.data }),
    config: configOf(study, point),
    toSteps: study.rungs[rung],
    episodes: study.objective.episodes,
  }));
}

/**
 * A study's table as far as its results go: a finished study's own, else what can be told of one under way or interrupted.
 * @throws JobsError `ERR_STUDY_FOLDER` naming a damaged file
 */
export function tableSoFar({ study, limit }: SavedStudy, folder: StudyFolder): StudyTable {
  const finished = folder.table();
  if (finished !== null) return finished;
  const schedule = new Schedule(study);
  schedule.limitTo(limit);
  while (settled(study, schedule, folder).length > 0);
  return tableOf(study, schedule, folder);
}

/** Completes the tasks that have all their results; returns these. */
function settled(study: Study, schedule: Schedule, folder: StudyFolder): Task[] {
  return schedule.tasks.filter((task) => {
    const results = slicesOf(study, task).map((slice) => folder.result(slice));
    if (results.some((result) => result === undefined)) return false;
    schedule.complete(task, rungResult(study, results as SliceResult[]));
    return true;
  });
}

function tableOf(study: Study, schedule: Schedule, folder: StudyFolder): StudyTable {
  const trials = schedule.trials.map(({ number, point, results }): TrialRow => ({
    trial: number,
    config: point,
    rungs: results.map(({ value, violation }, rung) => ({
      steps: study.rungs[rung],
      value,
      violation,
      seeds: slicesOf(study, { trial: number, rung, point }).map((slice) => folder.result(slice)!),
    })),
  }));
  const { ranking } = schedule;
  const [first] = ranking;
  const last = first?.results.at(-1);
  return {
    trials,
    best: last !== undefined && last.value !== null && last.violation === 0 ? first.number : null,
    importances: importances(
      study.space,
      ranking.map(({ point }) => point),
    ),
  };
}
