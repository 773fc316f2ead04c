// The file that Piscina loads in each thread. A thread that belongs to a training run finds the run's shared memory in
// its workerData.

import { workerData } from 'piscina';
import { PolicyError, loadOwnPolicy } from '../policy/index.js';
import type { OwnPolicySpec } from '../policy/index.js';
import { evaluateEpisodes } from './evaluate.js';
import type { EvaluationPart, EvaluationTask, PolicyFault } from './evaluate.js';
import { RolloutWorker } from './rollout.js';
import type { RolloutSetup, RolloutTask, RolloutTiming } from './rollout.js';
import { simulate as simulateEpisode } from './simulate.js';
import type { Simulation, WatchedSimulation } from './simulate.js';
import type { ThreadData } from './threads.js';

let rolloutWorker: RolloutWorker | undefined;

/** One thread's part of a rollout of the training run that the thread belongs to. */
export function rollout(task: RolloutTask): RolloutTiming {
  rolloutWorker ??= new RolloutWorker((workerData as ThreadData).data as RolloutSetup);
  return rolloutWorker.run(task);
}

/** Some episodes of one policy; of a policy of somebody's own also what is wrong with it, as errors lose their class on the way. */
export async function evaluate(task: EvaluationTask): Promise<EvaluationPart | PolicyFault> {
  const { policy } = task;
  if (policy.kind !== 'module') return evaluateEpisodes(task);
  return guarded(policy, () => evaluateEpisodes(task));
}

/** One episode in full. */
export async function simulate({ request, beats }: WatchedSimulation): Promise<Simulation | PolicyFault> {
  const { policy } = request;
  Atomics.add(beats, 0, 1);
  if (policy.kind !== 'module') return simulateEpisode(request);
  return guarded(policy, () => simulateEpisode(request));
}

async function guarded<R>(policy: OwnPolicySpec, run: () => R): Promise<R | PolicyFault> {
  try {
    await loadOwnPolicy(policy);
    return run();
  } catch (error) {
    if (error instanceof PolicyError) return { policyFault: error.message };
    throw error;
  }
}

Atomics.add((workerData as ThreadData).loaded, 0, 1);
