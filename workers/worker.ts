// The file that Piscina loads in each thread. A thread that belongs to a training run finds the run's shared memory in
// its workerData.

import { workerData } from 'piscina';
import { evaluateEpisodes } from './evaluate.js';
import type { EvaluationPart, EvaluationTask } from './evaluate.js';
import { RolloutWorker } from './rollout.js';
import type { RolloutSetup, RolloutTask, RolloutTiming } from './rollout.js';
import type { ThreadData } from './threads.js';

let rolloutWorker: RolloutWorker | undefined;

/** One thread's part of a rollout of the training run that the thread belongs to. */
export function rollout(task: RolloutTask): RolloutTiming {
  rolloutWorker ??= new RolloutWorker((workerData as ThreadData).data as RolloutSetup);
  return rolloutWorker.run(task);
}

/** Some episodes of one policy. */
export function evaluate(task: EvaluationTask): EvaluationPart {
  return evaluateEpisodes(task);
}

Atomics.add((workerData as ThreadData).loaded, 0, 1);
