// The file that threads load to label assignments: a policy plays training episodes; at some of their ticks an assignment is made
// by force in one copy of the world and left out in another, both are played on in the same future, and the
// difference of their returns is what the assignment was worth.

import { Purpose, RandomStream, VectorDispatchEnv } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { Matching } from '../policy/index.js';
import type { Beats } from '../workers/index.js';
import type { NetworkShape } from '../policy/index.js';

/** A scorer, and its flat weights. */
export interface Scorer {
  /** Its network. */
  readonly shape: NetworkShape;
  /** Flat, as `networkLayout(shape)`. */
  readonly weights: Float32Array;
}

/** Episodes to label. */
export interface ForceTask {
  readonly compiled: CompiledScenario;
  /** The scorer; null for what assignments earn at once. */
  readonly scorer: Scorer | null;
  /** Numbers of the training episodes, `from` to `to` (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Base seed of the training episodes. */
  readonly seed: number;
  /** Ticks of each episode at which assignments are tried. */
  readonly ticks: number;
  /** Assignments tried at such a tick. */
  readonly tries: number;
  /** Ticks that the copies are played on after it; 0: to the end of the episode. */
  readonly horizonTicks: number;
  readonly beats: Beats;
  readonly slot: number;
}

/** What assignments were worth. */
export interface ForcedLabels {
  /** `[rows, columns]` as `FleetRows` writes them */
  readonly features: Float32Array;
  /** `[rows]` worth of the assignment, less what it earns at once */
  readonly worths: Float64Array;
  /** `[rows]` number of the episode that it is of */
  readonly episodes: Int32Array;
  /** Undiscounted returns of the episodes, `[to - from]`. */
  readonly returns: Float64Array;
  /** Decisions of all copies. */
  readonly steps: number;
}

/** Labels some episodes. */
export function force(task: ForceTask): ForcedLabels {
  const { compiled, scorer, from, to, seed, tries, horizonTicks, beats, slot } = task;
  const options = {
    scenario: compiled,
    observation: 'classic',
    source: { mode: 'sampled', days: Int32Array.from(compiled.dataset?.splits.training ?? []) },
  } as const;
  const { world } = new VectorDispatchEnv({ ...options, numEnvs: 1 });
  const { world: copies } = new VectorDispatchEnv({ ...options, numEnvs: 2 * tries });
  const shape = scorer?.shape ?? null;
  const weights = scorer?.weights ?? null;
  const matching = new Matching(world, shape, weights);
  const after = new Matching(copies, shape, weights);
  const { columns } = matching.rows;
  const room = (to - from) * task.ticks * tries;
  const features = new Float32Array(room * columns);
  const worths = new Float64Array(room);
  const episodes = new Int32Array(room);
  const returns = new Float64Array(to - from);
  const slotOf = new Int32Array(world.drivers);
  const order = new Int32Array(world.drivers * world.slots);
  const single = compiled.scenario.decisionsPerTick === 1;
  let rows = 0;
  let steps = 0;
  for (let episode = from; episode < to; episode++) {
    const stream = new RandomStream(seed, Purpose.action, episode, 0);
    world.reset(0, seed, episode);
    let picks = Math.min(task.ticks, compiled.ticks);
    for (let tick = 0; tick < compiled.ticks; tick++) {
      Atomics.add(beats, slot, 1);
      const count = matching.consider(0);
      if (stream.float() * (compiled.ticks - tick) < picks) {
        picks--;
        const tried = Math.min(tries, count);
        for (let k = 0; k < count; k++) order[k] = k;
        for (let k = 0; k < tried; k++) {
          const other = stream.integer(k, count - 1);
          [order[k], order[other]] = [order[other], order[k]];
          const row = order[k];
          const i = matching.rows.drivers[row];
          const j = matching.rows.slots[row];
          // Both copies agree in everything else; where a tick takes a single assignment, the other one waits.
          if (single) slotOf.fill(-1);
          else matching.solve(slotOf, 0, i, j);
          copies.copy(2 * k, world, 0);
          copies.stepJoint(2 * k, slotOf);
          slotOf[i] = j;
          copies.copy(2 * k + 1, world, 0);
          copies.stepJoint(2 * k + 1, slotOf);
        }
        const end = horizonTicks === 0 ? compiled.ticks : Math.min(compiled.ticks, tick + 1 + horizonTicks);
        for (let t = tick + 1; t < end; t++) {
          for (let b = 0; b < 2 * tried; b++) {
            after.consider(b);
            after.solve(slotOf);
            copies.stepJoint(b, slotOf);
          }
        }
        steps += 2 * tried * (end - tick);
        for (let k = 0; k < tried; k++) {
          const row = order[k];
          features.set(matching.features.subarray(row * columns, (row + 1) * columns), rows * columns);
          episodes[rows] = episode;
          worths[rows++] =
            copies.state.episodeReturn[2 * k + 1] - copies.state.episodeReturn[2 * k] - matching.rows.rewards[row];
        }
      }
      matching.solve(slotOf);
      world.stepJoint(0, slotOf);
      steps++;
    }
    returns[episode - from] = world.state.episodeReturn[0];
  }
  return {
    features: features.slice(0, rows * columns),
    worths: worths.slice(0, rows),
    episodes: episodes.slice(0, rows),
    returns,
    steps,
  };
}
