// The file that Piscina loads in each thread. A thread that belongs to a training run finds the run's shared memory in
// its workerData.

import { workerData } from 'piscina';
import { evaluateEpisodes } from './evaluate.js';
import type { EvaluationPart, EvaluationTask } from './evaluate.js';
import { RolloutWorker } from './rollout.js';
import type { RolloutSetup, RolloutTask, RolloutTiming } from './rollout.js';
import type { ThreadData } from './threads.js';

let rolloutWorker: RolloutWorker | undefined;

export function rollout(task: RolloutTask): RolloutTiming {
  rolloutWorker ??= new RolloutWorker((workerData as ThreadData).data as RolloutSetup);
  return rolloutWorker.run(task);
}

export function evaluate(task: EvaluationTask): EvaluationPart {
  return evaluateEpisodes(task);
}

Atomics.add((workerData as ThreadData).loaded, 0, 1);
