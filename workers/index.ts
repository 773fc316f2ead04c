// The workers room's public names.

export { OptionCheck } from '../engine/index.js';
export { WorkerError } from './errors.js';
export type { WorkerErrorCode } from './errors.js';
export { MAX_SEED, episodeId, evaluateEpisodes, heldOutSeed, makePolicy, observationOf } from './evaluate.js';
export type {
  EvaluationPart,
  EvaluationTask,
  LookaheadSpec,
  NetworkSpec,
  PolicyFault,
  PolicySpec,
} from './evaluate.js';
export { episodeCount, evaluatePolicies } from './evaluation.js';
export type { EpisodeResult, Evaluation, EvaluationRequest } from './evaluation.js';
export { guardMeaning, guardNames } from './guardrails.js';
export type { GuardName, Guards } from './guardrails.js';
export { recorderNames } from './recorder.js';
export type { ActorCriticViews, RecordedViews, RecorderName, ReplayViews, TransitionViews } from './recorder.js';
export { RolloutPool } from './rollout-pool.js';
export type { RolloutPoolOptions, RolloutSeconds, Rollouts } from './rollout-pool.js';
export { makeSampler } from './sampler.js';
export type { Sampler, SamplerSpec } from './sampler.js';
export { simulate, simulateInThread } from './simulate.js';
export type { Simulation, SimulationRequest } from './simulate.js';
export { MAX_WORKERS, closeThreads, defaultWorkers, openThreads, ranges, runAll } from './threads.js';
export type { RunOptions } from './threads.js';
export { DEFAULT_HANG_SECONDS, Watchdog, beatsOf } from './watchdog.js';
export type { Beats } from './watchdog.js';
