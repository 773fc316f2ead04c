// A rule of some tens of numbers: the legal action with the highest weighted sum of its pair columns. The weights were tuned on the
// training episodes of a built-in scenario (linear-weights.ts); it takes those of the scenario that is most like the one it plays.

import { PAIR_COLUMNS, PairColumn } from '../engine/index.js';
import type { Scenario, World } from '../engine/index.js';
import { linearWeights } from './linear-weights.js';
import type { LinearPreset } from './linear-weights.js';
import { networkLayout } from './network.js';
import type { NetworkShape } from './network.js';
import { NetworkPolicy } from './network-policy.js';
import type { Policy } from './policy.js';

/** The network that computes the sum: no hidden layer. A critic of one input is part of every layout, and not used. */
const shape: NetworkShape = { kind: 'pairs', inputs: 1, hidden: [], criticHidden: [], actions: 1 };

/**
 * Whose weights are used for a scenario: where fares are paid those of `nyc-small`, for one assignment a tick those of `geneva`,
 * else those of `geneva-live`.
 */
export function linearPresetFor({ reward, decisionsPerTick }: Scenario): LinearPreset {
  if (reward.kind === 'fare') return 'nyc-small';
  return decisionsPerTick === 1 ? 'geneva' : 'geneva-live';
}

/** The rule, with the weights that come with the package. */
export class LinearRule implements Policy {
  /** For tables. */
  readonly name = 'linear';
  readonly #rules = new Map<LinearPreset, Policy>();

  act(world: World, from: number, to: number, actions: Int32Array): void {
    const preset = linearPresetFor(world.compiled.scenario);
    let rule = this.#rules.get(preset);
    if (rule === undefined) {
      rule = new NetworkPolicy(this.name, shape, flatWeights(preset));
      this.#rules.set(preset, rule);
    }
    rule.act(world, from, to, actions);
  }
}

/** The flat weights of the network: one for each column, then the bias, then those of the critic, which are 0. */
function flatWeights(preset: LinearPreset): Float32Array {
  const weights = new Float32Array(networkLayout(shape).size);
  const byColumn: Readonly<Partial<Record<string, number>>> = linearWeights[preset];
  for (const [name, column] of Object.entries(PairColumn)) {
    if (column < PAIR_COLUMNS) weights[column] = byColumn[name] ?? 0;
  }
  return weights;
}
