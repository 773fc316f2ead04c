// A network's logits for the legal actions of some environments, one environment after the other. Both kinds of network are read
// in the same way.

import { PAIR_COLUMNS, PairWriter } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { checkWeights, networkLayout } from './network.js';
import type { NetworkShape } from './network.js';
import { PolicyError } from './policy.js';
import { SimdMlp } from './simd-mlp.js';

/** A network's actor over the environments of one world. Its arrays are reused by every call of `consider`. */
export class Actor {
  /** Environments that `consider` takes at once. */
  readonly block: number;
  /** Environment k of the last block has entries `starts[k]` to `starts[k + 1]` of the arrays below. */
  readonly starts: Int32Array;
  /** `[entries]` legal actions, ascending within an environment */
  readonly actions: Int32Array;
  /** `[entries]` the network's score of each legal action */
  readonly logits: Float32Array;
  /** `[entries, PAIR_COLUMNS]`, of a `pairs` network; else empty. */
  readonly features: Float32Array;
  readonly #shape: NetworkShape;
  readonly #world: World;
  readonly #mlp: SimdMlp;
  readonly #pairs: PairWriter | null;
  readonly #all: Float32Array;

  /** @throws PolicyError `ERR_NETWORK` when the network does not fit the world */
  constructor(shape: NetworkShape, world: World) {
    const flat = shape.kind === 'flat';
    if (flat && (world.observationSize !== shape.inputs || world.actions !== shape.actions)) {
      throw new PolicyError(
        'ERR_NETWORK',
        `the network takes ${shape.inputs} numbers and ${shape.actions} actions, the world has ${world.observationSize} and ${world.actions}`,
      );
    }
    this.#shape = shape;
    this.#world = world;
    this.#mlp = new SimdMlp(networkLayout(shape).actor);
    this.#pairs = flat ? null : new PairWriter(world);
    this.block = Math.max(1, Math.min(32, Math.floor(16384 / world.actions)));
    const most = this.block * world.actions;
    this.starts = new Int32Array(this.block + 1);
    this.actions = new Int32Array(most);
    this.logits = new Float32Array(most);
    this.features = new Float32Array(flat ? 0 : most * PAIR_COLUMNS);
    this.#all = new Float32Array(flat ? most : 0);
  }

  /**
   * Takes over its part of a network's flat weights.
   * @throws PolicyError `ERR_NETWORK` for weights of another network, or that are not finite
   */
  load(weights: Float32Array): void {
    checkWeights(this.#shape, weights);
    this.#mlp.load(weights);
  }

  /**
   * Fills the arrays for environments `from` to `to` (exclusive), at most `block`.
   * @throws PolicyError `ERR_NETWORK` if the network's outputs overflow: actions could not be compared
   */
  consider(from: number, to: number): void {
    const world = this.#world;
    let entries = 0;
    if (this.#pairs !== null) {
      for (let e = from; e < to; e++) {
        this.starts[e - from] = entries;
        entries += this.#pairs.write(e, this.actions, this.features, entries);
      }
      this.#mlp.run(this.features, 0, entries, this.logits, 0);
    } else {
      const { observations, actionMasks } = world.out;
      const width = world.actions;
      this.#mlp.run(observations, from, to - from, this.#all, 0);
      for (let e = from; e < to; e++) {
        this.starts[e - from] = entries;
        for (let a = 0; a < width; a++) {
          if (actionMasks[e * width + a] === 0) continue;
          this.actions[entries] = a;
          this.logits[entries++] = this.#all[(e - from) * width + a]!;
        }
      }
    }
    this.starts[to - from] = entries;
    for (let k = 0; k < entries; k++) {
      if (this.logits[k] - this.logits[k] === 0) continue;
      throw new PolicyError(
        'ERR_NETWORK',
        `the network gives ${this.logits[k]} for action ${this.actions[k]}: its weights, or what it sees, are too large`,
      );
    }
  }
}
