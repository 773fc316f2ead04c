// Plays episodes to their end with one policy, and returns each one's return and figures. An episode's demand is a function of
// the seed and the episode's index, whatever the policy and the number of threads.

import { VectorDispatchEnv, observationKinds } from '../engine/index.js';
import type { CompiledScenario, EventLog, ObservationKind, Scenario, Split } from '../engine/index.js';
import {
  LookaheadPolicy,
  MatchingPolicy,
  NetworkPolicy,
  OwnPolicy,
  heuristic,
  heuristicNames,
  isJoint,
} from '../policy/index.js';
import type { HeuristicName, LookaheadPolicyOptions, NetworkShape, OwnPolicySpec, Policy } from '../policy/index.js';
import { check } from './check-options.js';
import { GuardCounter } from './guardrails.js';
import type { Beats } from './watchdog.js';

/** A policy as plain data that threads can be sent. */
export type PolicySpec =
  | { readonly kind: 'heuristic'; readonly name: HeuristicName }
  | LookaheadSpec
  /** A module of your own that exports one: what `ownPolicy` gives. */
  | OwnPolicySpec
  | NetworkSpec;

/** A trained network. */
export interface NetworkSpec {
  readonly kind: 'network';
  readonly name: string;
  readonly shape: NetworkShape;
  readonly observation: ObservationKind;
  readonly weights: Float32Array;
}

/** Tries actions in sampled futures; see policy/lookahead-policy.ts. */
export interface LookaheadSpec extends Omit<LookaheadPolicyOptions, 'base'> {
  readonly kind: 'lookahead';
  readonly name: string;
  /** Who decides after the first action, and of a network which actions are tried; default `hungarian`. */
  readonly base?: { readonly kind: 'heuristic'; readonly name: HeuristicName } | NetworkSpec;
}

/** Some episodes of one policy, for one thread. */
export interface EvaluationTask {
  /** The scenario, with its data. */
  readonly compiled: CompiledScenario;
  /** Who plays. */
  readonly policy: PolicySpec;
  /** Episodes `from` to `to` (exclusive). */
  /** First episode. */
  readonly from: number;
  /** End of the range, exclusive. */
  readonly to: number;
  /** Day of each of these episodes, empty for synthetic demand. */
  readonly days: Int32Array;
  /** Base seed of the held-out episodes, as `heldOutSeed` gives it. */
  readonly seed: number;
  /** Whether the figures of guardrails are counted, too. */
  readonly guards?: boolean;
  /** Counts the steps of task `slot`, for the watchdog. */
  readonly beats?: Beats;
  /** Index in `beats` at which the task counts; default 0. */
  readonly slot?: number;
}

/** Results of the episodes of one task. */
export interface EvaluationPart {
  /** First episode. */
  readonly from: number;
  /** `[episodes]` undiscounted */
  readonly returns: Float64Array;
  /** `[episodes, kpiNames.length]` */
  readonly kpis: Float64Array;
  /** `[episodes, guardNames.length]`; null if they were not asked for. */
  readonly guards: Float64Array | null;
  /** Environment steps of all episodes. */
  readonly steps: number;
  /** Milliseconds in the environment alone. */
  readonly envMs: number;
}

/** In place of a result: what is wrong with a policy of somebody's own. */
export interface PolicyFault {
  readonly policyFault: string;
}

/** Base seed of a split's episodes: apart from training's, which are below 2^40. */
export function heldOutSeed(seed: number, split: Split): number {
  return seed + 2 ** 40 * (split === 'validation' ? 1 : split === 'test' ? 2 : 3);
}

/** Largest seed that a user may give. */
export const MAX_SEED: number = 2 ** 40 - 1;

const lookaheadMembers = ['base', 'futures', 'seconds', 'batch', 'candidates', 'leastProbability', 'kappa'];

/** Which observation a policy reads; rules read none. */
export function observationOf(spec: PolicySpec): ObservationKind {
  if (spec.kind === 'lookahead') return spec.base === undefined ? 'classic' : observationOf(spec.base);
  return spec.kind === 'heuristic' ? 'classic' : spec.observation;
}

/** @throws WorkerError `ERR_WORKERS_OPTION` naming what is missing, unknown or none of the choices */
export function checkPolicySpec(spec: PolicySpec): void {
  const members = ['kind', 'name', 'shape', 'observation', 'weights', 'url', 'sha256'];
  check.members('the policy', spec, [...members, ...lookaheadMembers], ['kind', 'name']);
  check.oneOf('the policy’s kind', spec.kind, ['heuristic', 'lookahead', 'network', 'module']);
  if (spec.kind === 'heuristic') check.oneOf('the policy’s name', spec.name, heuristicNames);
  if (spec.kind === 'lookahead' && spec.base !== undefined) checkPolicySpec(spec.base);
  if (spec.kind === 'network' || spec.kind === 'module') {
    check.oneOf('the policy’s observation', spec.observation, observationKinds);
  }
}

/**
 * The policy that `spec` describes. A module must have been loaded in this thread, with `loadOwnPolicy`.
 * @param scenario that it is to play
 * @throws WorkerError `ERR_WORKERS_OPTION` if there is no such policy, PolicyError if the weights do not fit the network, or if
 *   a module is not loaded or its function fails
 */
export function makePolicy(spec: PolicySpec, scenario: Scenario): Policy {
  checkPolicySpec(spec);
  switch (spec.kind) {
    case 'heuristic':
      return heuristic(spec.name);
    case 'lookahead':
      return lookaheadOf(spec, scenario);
    case 'module':
      return new OwnPolicy(spec, scenario);
    case 'network':
      return spec.shape.kind === 'matching'
        ? new MatchingPolicy(spec.name, spec.shape, spec.weights)
        : new NetworkPolicy(spec.name, spec.shape, spec.weights);
  }
}

function lookaheadOf({ kind: _, base, ...options }: LookaheadSpec, scenario: Scenario): Policy {
  return new LookaheadPolicy(base === undefined ? options : { ...options, base: makePolicy(base, scenario) });
}

/** Name of an episode: its day on recorded trips, else split and number. */
export function episodeId(compiled: CompiledScenario, split: Split, index: number): string {
  const { dataset } = compiled;
  return dataset === null ? `${split}-${index}` : dataset.trace.days[dataset.splits[split][index]];
}

/**
 * Plays the task's episodes side by side.
 * @param log records the events; only for a task of one episode, as events do not name their environment
 */
export function evaluateEpisodes(task: EvaluationTask, log: EventLog | null = null): EvaluationPart {
  const count = task.to - task.from;
  const env = new VectorDispatchEnv({
    scenario: task.compiled,
    numEnvs: count,
    firstEnv: task.from,
    observation: observationOf(task.policy),
    autoresetMode: 'DISABLED',
    source: { mode: 'listed', days: task.days },
  });
  const { world } = env;
  world.log = log;
  const policy = makePolicy(task.policy, task.compiled.scenario);
  const joint = isJoint(policy) && task.compiled.scenario.decisionsPerTick > 1 ? policy : null;
  const actions = new Int32Array(joint === null ? count : count * world.drivers);
  env.reset({ seed: task.seed });
  const guards = task.guards === true ? new GuardCounter(world, count) : null;
  const { beats, slot = 0 } = task;
  // One step of look-ahead takes seconds for all episodes together: count each episode.
  const stride = task.policy.kind === 'lookahead' ? 1 : count;
  let steps = 0;
  let envMs = 0;
  while (world.state.ended.includes(0)) {
    for (let e = 0; e < count; e += stride) {
      if (beats !== undefined) Atomics.add(beats, slot, 1);
      const end = Math.min(count, e + stride);
      if (joint === null) policy.act(world, e, end, actions);
      else for (let k = e; k < end; k++) joint.decide(world, k, actions, k * world.drivers);
    }
    if (joint === null) guards?.count(actions);
    else guards?.countJoint(actions);
    const before = performance.now();
    if (joint === null) env.step(actions);
    else env.stepJoint(actions);
    envMs += performance.now() - before;
  }
  for (let e = 0; e < count; e++) steps += world.state.steps[e];
  return {
    from: task.from,
    returns: Float64Array.from(world.out.episodeReturns),
    kpis: Float64Array.from(world.out.episodeKpis),
    guards: guards?.rows() ?? null,
    steps,
    envMs,
  };
}
