// One episode in full: what happened, second by second, and what came of it.

import { EngineError, EventLog, VectorDispatchEnv, kpisOf } from '../engine/index.js';
import type { CompiledScenario, DispatchEvent, Kpis, Split } from '../engine/index.js';
import { heldOutSeed, makePolicy } from './evaluate.js';
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
  const env = new VectorDispatchEnv({
    scenario: compiled,
    numEnvs: 1,
    firstEnv: episode,
    observation: request.policy.kind === 'network' ? request.policy.observation : 'classic',
    autoresetMode: 'DISABLED',
    source: { mode: 'listed', days: Int32Array.from(days === undefined ? [] : [days[episode]]) },
  });
  const log = new EventLog();
  env.world.log = log;
  const policy = makePolicy(request.policy);
  const actions = new Int32Array(1);
  env.reset({ seed: heldOutSeed(request.seed, split) });
  for (let ended = false; !ended;) {
    policy.act(env.world, 0, 1, actions);
    const { terminations, truncations } = env.step(actions);
    ended = (terminations[0] | truncations[0]) === 1;
  }
  const { episodeReturns, episodeKpis } = env.world.out;
  return {
    policy: policy.name,
    scenario: compiled.scenario.name,
    id: days === undefined ? `${split}-${episode}` : compiled.dataset!.trace.days[days[episode]],
    return: episodeReturns[0],
    kpis: kpisOf(episodeKpis, 0),
    events: log.drain(),
  };
}
