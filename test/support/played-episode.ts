// Episodes with their logs, for tests of what is written about them.

import { EventLog, Purpose, RandomStream, VectorDispatchEnv, kpisOf } from '#engine/index.js';
import type { CompiledScenario } from '#engine/index.js';
import { episodeLines } from '#report/index.js';
import type { PlayedEpisode } from '#report/index.js';
import { simulate } from '#workers/index.js';
import type { HeuristicName } from '#policy/index.js';
import { someAction } from './play.js';

/** A held-out episode that a rule plays. */
export function playedBy(
  compiled: CompiledScenario,
  name: HeuristicName,
  episode: number,
  seed: number,
): PlayedEpisode {
  const request = {
    compiled,
    policy: { kind: 'heuristic', name },
    split: 'validation',
    episode,
    seed,
  } as const;
  return { request, simulation: simulate(request) };
}

/** An episode of any actions, some of them illegal; `joint` takes whole ticks at once, where they may be. */
export function playedAnyhow(compiled: CompiledScenario, seed: number, joint: boolean): PlayedEpisode {
  const days = Int32Array.from(compiled.dataset?.splits.validation ?? []);
  const env = new VectorDispatchEnv({
    scenario: compiled,
    numEnvs: 1,
    autoresetMode: 'DISABLED',
    source: { mode: 'listed', days },
  });
  const { world } = env;
  const log = new EventLog();
  const stream = new RandomStream(seed, Purpose.action);
  world.log = log;
  env.reset({ seed });
  while (world.state.ended[0] === 0) {
    if (joint) {
      // Any slot for some of the drivers: many of these are not legal.
      const slots = Int32Array.from({ length: world.drivers }, () =>
        stream.float() < 0.5 ? -1 : stream.integer(0, world.slots - 1),
      );
      env.stepJoint(slots);
    } else env.step(Int32Array.of(someAction(world, 0, stream, true)));
  }
  const events = log.drain();
  return {
    request: {
      compiled,
      policy: { kind: 'heuristic', name: 'greedy' },
      split: 'validation',
      episode: 0,
      seed,
    },
    simulation: {
      policy: 'anything',
      scenario: compiled.scenario.name,
      id: 'validation-0',
      return: world.out.episodeReturns[0],
      kpis: kpisOf(world.out.episodeKpis, 0),
      events,
      record: log.episode(),
    },
  };
}

/** The log of an episode. */
export function logOf(played: PlayedEpisode): string {
  return episodeLines(played, 'fleetstep test');
}
