// Who steps the environments of an algorithm: a pool of threads for a scenario, or what the caller brings.

import type { CompiledScenario } from '../engine/index.js';
import { MAX_WORKERS, RolloutPool } from '../workers/index.js';
import type { RecorderName, Rollouts } from '../workers/index.js';
import type { TrainingConfig } from './algorithm.js';
import { TrainError } from './errors.js';
import { check } from './fields.js';

/** A config whose networks have hidden layers. */
export interface NetworkConfig extends TrainingConfig {
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
}

/**
 * A pool of threads for a scenario; anything else is given back.
 * @throws TrainError `ERR_TRAIN_OPTION`, WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError
 */
export function rolloutsOf<Name extends RecorderName>(
  world: CompiledScenario | Rollouts<Name>,
  recorder: Name,
  config: NetworkConfig,
  workers: number,
  hangSeconds: (() => number) | undefined,
): Rollouts<Name> {
  if (typeof world === 'object' && 'collect' in world) return world;
  check.compiled('compiled', world);
  check.whole('workers', workers, 1, MAX_WORKERS);
  return new RolloutPool({
    compiled: world,
    observation: config.observation,
    numEnvs: config.numEnvs,
    steps: config.rolloutSteps,
    recorder,
    network: config.network,
    hidden: config.hidden,
    criticHidden: config.criticHidden,
    workers,
    seed: config.seed,
    hangSeconds,
  });
}

/** @throws TrainError `ERR_CHECKPOINT` for saved weights that are not of this network's number */
export function checkLength(name: string, saved: Float32Array, needed: number): void {
  if (saved.length === needed) return;
  throw new TrainError('ERR_CHECKPOINT', `the checkpoint has ${saved.length} ${name}, this run needs ${needed}`);
}
