// Evaluation over all threads, on paired episodes: policies with the same seed and split play the same days.

import { fileURLToPath } from 'node:url';
import { EngineError, kpisOf, meanKpis, shown, splits } from '../engine/index.js';
import type { CompiledScenario, Kpis, Split } from '../engine/index.js';
import { PolicyError, halfWidth } from '../policy/index.js';
import { check } from './check-options.js';
import { WorkerError } from './errors.js';
import { guardsOf } from './guardrails.js';
import type { Guards } from './guardrails.js';
import { MAX_SEED, checkPolicySpec, episodeId, heldOutSeed, makePolicy } from './evaluate.js';
import type { EvaluationPart, EvaluationTask, PolicyFault, PolicySpec } from './evaluate.js';
import { MAX_WORKERS, closeThreads, openThreads, runAll } from './threads.js';
import { DEFAULT_HANG_SECONDS, beatsOf } from './watchdog.js';

/** Which policies play which episodes. */
export interface EvaluationRequest {
  /** The scenario, with its data. */
  readonly compiled: CompiledScenario;
  /** At least one; all play the same episodes. */
  readonly policies: readonly PolicySpec[];
  /** Which held-out episodes. */
  readonly split: Split;
  /** Episodes per policy. On recorded trips at most, and by default, the days of the split; else default 200. */
  readonly episodes?: number | undefined;
  /** Base seed, 0 to `MAX_SEED`; the same seed and split are the same episodes. */
  readonly seed: number;
  /** Threads, 1 to 256; results do not depend on their number. */
  readonly workers: number;
  /** Whether the figures of guardrails are counted, too; default false. */
  readonly guards?: boolean | undefined;
  /** Ends the evaluation early: the result is then empty. */
  readonly signal?: AbortSignal | undefined;
  /** Seconds without a step after which a worker counts as hanging, default 300. */
  readonly hangSeconds?: number | undefined;
  /** Called as episodes end. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** One episode of one policy. */
export interface EpisodeResult {
  /** The day on recorded trips, else split and number. */
  readonly id: string;
  /** Undiscounted. */
  readonly return: number;
  /** The episode's figures. */
  readonly kpis: Kpis;
  /** Figures of guardrails, if they were asked for. */
  readonly guards?: Guards;
}

/** Results of one policy. */
export interface Evaluation {
  /** The policy's name. */
  readonly policy: string;
  /** The scenario's name. */
  readonly scenario: string;
  /** Which held-out episodes were played. */
  readonly split: Split;
  /** Base seed, as it was given. */
  readonly seed: number;
  /** In order of their numbers. */
  readonly episodes: readonly EpisodeResult[];
  /** Mean of the undiscounted returns. */
  readonly meanReturn: number;
  /** Half width of the 95% confidence interval of the mean return; null of a single episode, which has none. */
  readonly halfWidth: number | null;
  /** Means over the episodes. */
  readonly kpis: Kpis;
}

/** Episodes that a thread plays as one batch; small enough that threads end together. */
const BATCH = 25;

const known = [
  'compiled',
  'policies',
  'split',
  'episodes',
  'seed',
  'workers',
  'guards',
  'signal',
  'hangSeconds',
  'progress',
];

/**
 * How many episodes an evaluation plays.
 * @param asked undefined for the default
 * @throws WorkerError `ERR_WORKERS_OPTION` for a number out of range, EngineError `ERR_OPTION` for more than the split has days
 */
export function episodeCount(compiled: CompiledScenario, split: Split, asked: number | undefined): number {
  check.compiled('compiled', compiled);
  check.oneOf('split', split, splits);
  const days = compiled.dataset?.splits[split];
  const episodes = asked ?? days?.length ?? 200;
  check.whole('episodes', episodes, 1, 1e6);
  if (days !== undefined && episodes > days.length) {
    throw new EngineError(
      'ERR_OPTION',
      `episodes is ${episodes}: the ${split} split of ${compiled.scenario.name} has ${days.length} days`,
    );
  }
  return episodes;
}

/**
 * Plays the same held-out episodes with each policy.
 * @returns one evaluation per policy, in their order; empty if the signal aborted
 * @throws WorkerError, EngineError `ERR_OPTION` for more episodes than the split has days, PolicyError for weights that do not fit,
 *   and for a module whose policy does not load, throws, or writes an illegal action
 */
export async function evaluatePolicies(request: EvaluationRequest): Promise<Evaluation[]> {
  check.members('the evaluation', request, known, ['policies', 'seed']);
  const { compiled, split, policies } = request;
  const episodes = episodeCount(compiled, split, request.episodes);
  const days = compiled.dataset?.splits[split];
  check.whole('seed', request.seed, 0, MAX_SEED);
  check.whole('workers', request.workers, 1, MAX_WORKERS);
  const hangSeconds = request.hangSeconds ?? DEFAULT_HANG_SECONDS;
  check.whole('hangSeconds', hangSeconds, 1);
  if (!(policies instanceof Array) || policies.length === 0) {
    throw new WorkerError('ERR_WORKERS_OPTION', `policies is ${shown(policies)}: it must be a list of at least one`);
  }
  // Checked here, so that the caller gets the error as his; in a thread it would be a worker's failure.
  for (const policy of policies) {
    // A module is imported by the threads only: there a policy that never ends is noticed.
    checkPolicySpec(policy);
    if (policy.kind !== 'module') makePolicy(policy, compiled.scenario);
  }
  const seed = heldOutSeed(request.seed, split);
  const tasks: (EvaluationTask & { readonly index: number })[] = policies.flatMap((policy, index) =>
    Array.from({ length: Math.ceil(episodes / BATCH) }, (_, k) => {
      const from = k * BATCH;
      const to = Math.min(episodes, from + BATCH);
      const played = Int32Array.from(days?.slice(from, to) ?? []);
      return { index, compiled, policy, from, to, days: played, seed, guards: request.guards === true };
    }),
  );
  const beats = beatsOf(tasks.length);
  const { signal } = request;
  const aborted = (): boolean => signal?.aborted === true;
  if (aborted()) return [];
  const pool = openThreads(Math.min(request.workers, tasks.length), null);
  const stop = (): void => void closeThreads(pool);
  signal?.addEventListener('abort', stop);
  try {
    let done = 0;
    const watched = tasks.map((task, slot) => ({ ...task, beats, slot }));
    const replies = await runAll<EvaluationTask, EvaluationPart | PolicyFault>(pool, 'evaluate', watched, {
      done: (reply) => {
        if ('returns' in reply) request.progress?.((done += reply.returns.length), episodes * policies.length);
      },
      beats,
      hangSeconds: () => hangSeconds,
    });
    const parts = replies.map((reply) => {
      if ('policyFault' in reply) throw new PolicyError('ERR_POLICY', reply.policyFault);
      return reply;
    });
    return policies.map((policy, index) => {
      const results = parts.flatMap((part, k) =>
        tasks[k].index !== index
          ? []
          : Array.from(part.returns, (value, row) => ({
              id: episodeId(compiled, split, part.from + row),
              return: value,
              kpis: kpisOf(part.kpis, row),
              ...(part.guards === null ? {} : { guards: guardsOf(part.guards, row) }),
            })),
      );
      return {
        policy: policy.name,
        scenario: compiled.scenario.name,
        split,
        seed: request.seed,
        episodes: results,
        meanReturn: results.reduce((sum, result) => sum + result.return, 0) / results.length,
        halfWidth: halfWidth(results.map((result) => result.return)),
        kpis: meanKpis(results.map((result) => result.kpis)),
      };
    });
  } catch (error) {
    // The threads were stopped on purpose.
    if (aborted()) return [];
    throw namingModules(error, policies);
  } finally {
    signal?.removeEventListener('abort', stop);
    await closeThreads(pool);
  }
}

/** A worker that hangs or dies says nothing of the policy that it played: modules of somebody's own are named, as it is likely one of theirs. */
export function namingModules(error: unknown, policies: readonly PolicySpec[]): unknown {
  const files = policies.flatMap((policy) => (policy.kind === 'module' ? [fileURLToPath(policy.url)] : []));
  if (files.length === 0 || !(error instanceof WorkerError)) return error;
  return new WorkerError(
    error.code,
    `${error.message}; of your own it played policy ${files.join(', ')}: see that act returns (--hang-seconds is how long it may take), and ends no thread`,
    { cause: error },
  );
}
