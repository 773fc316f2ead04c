// A trained network as a policy: the most probable legal action.

import type { World } from '../engine/index.js';
import { Actor } from './actor.js';
import { argmax } from './categorical.js';
import { checkWeights } from './network.js';
import type { NetworkShape } from './network.js';
import type { Policy } from './policy.js';

/** Takes the action with the highest logit; the lowest action on ties. */
export class NetworkPolicy implements Policy {
  /** As it was given, for tables. */
  readonly name: string;
  readonly #shape: NetworkShape;
  readonly #weights: Float32Array;
  #world: World | null = null;
  #actor: Actor | null = null;

  /** @throws PolicyError `ERR_NETWORK` for weights that are not such a network's */
  constructor(name: string, shape: NetworkShape, weights: Float32Array) {
    checkWeights(shape, weights, `policy ${name}`);
    this.name = name;
    this.#shape = shape;
    this.#weights = weights;
  }

  act(world: World, from: number, to: number, actions: Int32Array): void {
    let actor = this.#actor;
    if (actor === null || this.#world !== world) {
      actor = this.#actor = new Actor(this.#shape, world);
      this.#world = world;
      actor.load(this.#weights);
    }
    for (let first = from; first < to; first += actor.block) {
      const end = Math.min(first + actor.block, to);
      actor.consider(first, end);
      for (let e = first; e < end; e++) {
        const k = e - first;
        actions[e] = actor.actions[argmax(actor.logits, actor.starts[k], actor.starts[k + 1])];
      }
    }
  }
}
