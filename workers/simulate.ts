// One episode in full: every event with its second, the return and the figures.

import { EngineError, EventLog, kpisOf, splits } from '../engine/index.js';
import type { CompiledScenario, DispatchEvent, EpisodeRecord, Kpis, Split } from '../engine/index.js';
import { PolicyError } from '../policy/index.js';
import { check } from './check-options.js';
import { MAX_SEED, episodeId, evaluateEpisodes, heldOutSeed } from './evaluate.js';
import type { PolicyFault, PolicySpec } from './evaluate.js';
import { namingModules } from './evaluation.js';
import { closeThreads, openThreads, runAll } from './threads.js';
import { DEFAULT_HANG_SECONDS, beatsOf } from './watchdog.js';
import type { Beats } from './watchdog.js';

/** Which policy plays which episode. */
export interface SimulationRequest {
  /** The scenario, with its data. */
  readonly compiled: CompiledScenario;
  /** Who plays. */
  readonly policy: PolicySpec;
  /** Which held-out episodes. */
  readonly split: Split;
  /** Number of the episode within the split, from 0; `eval` plays the same one under this number. */
  readonly episode: number;
  /** Base seed, 0 to `MAX_SEED`. */
  readonly seed: number;
}

/** A simulation that a thread plays; it counts its beginning. */
export interface WatchedSimulation {
  readonly request: SimulationRequest;
  readonly beats: Beats;
}

/** What happened in one episode. */
export interface Simulation {
  /** The policy's name. */
  readonly policy: string;
  /** The scenario's name. */
  readonly scenario: string;
  /** The day on recorded trips, else split and number. */
  readonly id: string;
  /** Undiscounted. */
  readonly return: number;
  /** The episode's figures. */
  readonly kpis: Kpis;
  /** In order of time. */
  readonly events: readonly DispatchEvent[];
  /** What the events mean: places, legs, rewards. */
  readonly record: EpisodeRecord;
}

const known = ['compiled', 'policy', 'split', 'episode', 'seed'];

/**
 * Plays one held-out episode and records its events.
 * @throws WorkerError `ERR_WORKERS_OPTION`, EngineError `ERR_OPTION` for an episode that the split does not have, PolicyError
 */
export function simulate(request: SimulationRequest): Simulation {
  checkRequest(request);
  const { compiled, split, episode } = request;
  const days = compiled.dataset?.splits[split];
  const log = new EventLog();
  const { returns, kpis } = evaluateEpisodes(
    {
      compiled,
      policy: request.policy,
      from: episode,
      to: episode + 1,
      days: Int32Array.from(days === undefined ? [] : [days[episode]]),
      seed: heldOutSeed(request.seed, split),
    },
    log,
  );
  return {
    policy: request.policy.name,
    scenario: compiled.scenario.name,
    id: episodeId(compiled, split, episode),
    return: returns[0],
    kpis: kpisOf(kpis, 0),
    events: log.drain(),
    record: log.episode(),
  };
}

function checkRequest(request: SimulationRequest): void {
  check.members('the simulation', request, known, ['policy']);
  const { compiled, split, episode } = request;
  check.compiled('compiled', compiled);
  check.oneOf('split', split, splits);
  check.whole('episode', episode, 0, 1e6);
  check.whole('seed', request.seed, 0, MAX_SEED);
  const days = compiled.dataset?.splits[split];
  if (days !== undefined && episode >= days.length) {
    throw new EngineError('ERR_OPTION', `episode is ${episode}: the ${split} split has days 0 to ${days.length - 1}`);
  }
}

/**
 * As `simulate`, in a thread of its own: for modules, which may never come to an end.
 * @param hangSeconds seconds after which it counts as hanging, default 300
 * @throws as `simulate`; WorkerError `ERR_WORKER_HANGS`; PolicyError for a module that does not load, throws, or writes an illegal action
 */
export async function simulateInThread(
  request: SimulationRequest,
  hangSeconds: number = DEFAULT_HANG_SECONDS,
): Promise<Simulation> {
  check.whole('hangSeconds', hangSeconds, 1);
  checkRequest(request);
  const pool = openThreads(1, null);
  try {
    const beats = beatsOf(1);
    const [reply] = await runAll<WatchedSimulation, Simulation | PolicyFault>(pool, 'simulate', [{ request, beats }], {
      beats,
      hangSeconds: () => hangSeconds,
    });
    if ('policyFault' in reply) throw new PolicyError('ERR_POLICY', reply.policyFault);
    return reply;
  } catch (error) {
    throw namingModules(error, [request.policy]);
  } finally {
    await closeThreads(pool);
  }
}
