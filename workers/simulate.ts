// One episode in full: what happened, second by second, and what came of it.

import { EngineError, EventLog, kpisOf } from '../engine/index.js';
import type { CompiledScenario, DispatchEvent, Kpis, Split } from '../engine/index.js';
import { episodeId, evaluateEpisodes, heldOutSeed } from './evaluate.js';
import type { PolicySpec } from './evaluate.js';

export interface SimulationRequest {
  readonly compiled: CompiledScenario;
  readonly policy: PolicySpec;
  readonly split: Split;
  /** Which episode of the split, 0 first: the same as `eval` plays under this number. */
  readonly episode: number;
  readonly seed: number;
}

export interface Simulation {
  readonly policy: string;
  readonly scenario: string;
  readonly id: string;
  readonly return: number;
  readonly kpis: Kpis;
  readonly events: readonly DispatchEvent[];
}

/** @throws EngineError `ERR_OPTION` for an episode that the split does not have */
export function simulate(request: SimulationRequest): Simulation {
  const { compiled, split, episode } = request;
  const days = compiled.dataset?.splits[split];
  if (days !== undefined && episode >= days.length) {
    throw new EngineError('ERR_OPTION', `episode is ${episode}: the ${split} split has days 0 to ${days.length - 1}`);
  }
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
  };
}
