// Plays episodes to their end with one policy, and gives return and figures of each. An episode is a function of
// (seed, its index), whoever plays it.

import { VectorDispatchEnv, observationKinds } from '../engine/index.js';
import type { CompiledScenario, EventLog, ObservationKind, Split } from '../engine/index.js';
import { LookaheadPolicy, NetworkPolicy, heuristic, heuristicNames } from '../policy/index.js';
import type { HeuristicName, NetworkShape, Policy } from '../policy/index.js';
import { check } from './check-options.js';
import type { Beats } from './watchdog.js';

export type PolicySpec =
  | { readonly kind: 'heuristic'; readonly name: HeuristicName }
  /** Tries actions out in sampled futures; see policy/lookahead.ts. */
  | { readonly kind: 'lookahead'; readonly name: 'lookahead' }
  | {
      readonly kind: 'network';
      readonly name: string;
      readonly shape: NetworkShape;
      readonly observation: ObservationKind;
      readonly weights: Float32Array;
    };

export interface EvaluationTask {
  readonly compiled: CompiledScenario;
  readonly policy: PolicySpec;
  /** Episodes `from` to `to` (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Day of each of these episodes, empty for synthetic demand. */
  readonly days: Int32Array;
  readonly seed: number;
  /** Counts the steps of task `slot`, for the watchdog. */
  readonly beats?: Beats;
  readonly slot?: number;
}

export interface EvaluationPart {
  readonly from: number;
  readonly returns: Float64Array;
  /** `[episodes, kpiNames.length]` */
  readonly kpis: Float64Array;
}

/** Base seed of held-out episodes: its streams never meet training's, whose seeds are below 2^40. */
export function heldOutSeed(seed: number, split: Split): number {
  return seed + 2 ** 40 * (split === 'validation' ? 1 : split === 'test' ? 2 : 3);
}

/** Seeds that a user may give. */
export const MAX_SEED: number = 2 ** 40 - 1;

/** @throws WorkerError `ERR_WORKERS_OPTION` for no such policy, PolicyError for weights that are not its network's */
export function makePolicy(spec: PolicySpec): Policy {
  check.members('the policy', spec, ['kind', 'name', 'shape', 'observation', 'weights'], ['kind', 'name']);
  check.oneOf('the policy’s kind', spec.kind, ['heuristic', 'lookahead', 'network']);
  if (spec.kind === 'heuristic') check.oneOf('the policy’s name', spec.name, heuristicNames);
  if (spec.kind === 'network') check.oneOf('the policy’s observation', spec.observation, observationKinds);
  switch (spec.kind) {
    case 'heuristic':
      return heuristic(spec.name);
    case 'lookahead':
      return new LookaheadPolicy();
    case 'network':
      return new NetworkPolicy(spec.name, spec.shape, spec.weights);
  }
}

/** Name of an episode: its day on recorded trips, else split and number. */
export function episodeId(compiled: CompiledScenario, split: Split, index: number): string {
  const { dataset } = compiled;
  return dataset === null ? `${split}-${index}` : dataset.trace.days[dataset.splits[split][index]];
}

/** @param log records what happens; for a task of one episode, as events do not say whose they are */
export function evaluateEpisodes(task: EvaluationTask, log: EventLog | null = null): EvaluationPart {
  const count = task.to - task.from;
  const env = new VectorDispatchEnv({
    scenario: task.compiled,
    numEnvs: count,
    firstEnv: task.from,
    observation: task.policy.kind === 'network' ? task.policy.observation : 'classic',
    autoresetMode: 'DISABLED',
    source: { mode: 'listed', days: task.days },
  });
  const { world } = env;
  world.log = log;
  const policy = makePolicy(task.policy);
  const actions = new Int32Array(count);
  env.reset({ seed: task.seed });
  const { beats, slot = 0 } = task;
  // Looking ahead takes seconds for all episodes together.
  const stride = task.policy.kind === 'lookahead' ? 1 : count;
  while (world.state.ended.includes(0)) {
    for (let e = 0; e < count; e += stride) {
      if (beats !== undefined) Atomics.add(beats, slot, 1);
      policy.act(world, e, Math.min(count, e + stride), actions);
    }
    env.step(actions);
  }
  return {
    from: task.from,
    returns: Float64Array.from(world.out.episodeReturns),
    kpis: Float64Array.from(world.out.episodeKpis),
  };
}
