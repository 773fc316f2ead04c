// A trained network as a policy: the most probable legal action.

import type { World } from '../engine/index.js';
import { Actor } from './actor.js';
import { argmax, logSumExp } from './categorical.js';
import { checkWeights } from './network.js';
import type { NetworkShape } from './network.js';
import type { Proposal, ProposingPolicy } from './policy.js';

/** Takes the action with the highest logit; the lowest action on ties. */
export class NetworkPolicy implements ProposingPolicy {
  /** As it was given, for tables. */
  readonly name: string;
  readonly #shape: NetworkShape;
  readonly #weights: Float32Array;
  /** One for each world that it plays: look-ahead goes back and forth between two. */
  readonly #actors = new WeakMap<World, Actor>();
  #world: World | null = null;
  #actor: Actor | null = null;
  #logProbabilities = new Float64Array(0);

  /** @throws PolicyError `ERR_NETWORK` for weights that are not such a network's */
  constructor(name: string, shape: NetworkShape, weights: Float32Array) {
    checkWeights(shape, weights, `policy ${name}`);
    this.name = name;
    this.#shape = shape;
    this.#weights = weights;
  }

  act(world: World, from: number, to: number, actions: Int32Array): void {
    const actor = this.#actorOf(world);
    for (let first = from; first < to; first += actor.block) {
      const end = Math.min(first + actor.block, to);
      actor.consider(first, end);
      for (let e = first; e < end; e++) {
        const k = e - first;
        actions[e] = actor.actions[argmax(actor.logits, actor.starts[k], actor.starts[k + 1])];
      }
    }
  }

  propose(world: World, e: number): Proposal {
    const actor = this.#actorOf(world);
    actor.consider(e, e + 1);
    const { actions, logits } = actor;
    const count = actor.starts[1];
    if (this.#logProbabilities.length < count) this.#logProbabilities = new Float64Array(count);
    const logProbabilities = this.#logProbabilities;
    const all = logSumExp(logits, 0, count);
    for (let k = 0; k < count; k++) logProbabilities[k] = logits[k] - all;
    return { count, actions, logProbabilities };
  }

  #actorOf(world: World): Actor {
    let actor = this.#actor;
    if (actor !== null && this.#world === world) return actor;
    actor = this.#actors.get(world) ?? null;
    if (actor === null) {
      actor = new Actor(this.#shape, world);
      actor.load(this.#weights);
      this.#actors.set(world, actor);
    }
    this.#actor = actor;
    this.#world = world;
    return actor;
  }
}
