// Actor and critic: two multilayer perceptrons with ReLU, their weights in one flat Float32Array. This file says what is
// where in that array and fills it at the start; simd-mlp.ts computes.
//
// Three kinds of actor. `pairs` scores each legal (driver, booking) from its own features, with the same weights for all: it
// learns from few samples and plays problems of any size. `flat` maps the whole observation to one logit per action, as
// in the original contract; it is tied to its N and M. `matching` scores assignments against leaving driver and booking free, for
// one matching per tick; it has no critic that is used.

import { PAIR_COLUMNS } from '../engine/index.js';
import type { RandomStream } from '../engine/index.js';
import { PolicyError } from './policy.js';

/** How an actor reads the world: see the top of this file. */
export type NetworkKind = 'pairs' | 'flat' | 'matching';
/** All kinds of network. */
export const networkKinds: readonly NetworkKind[] = ['pairs', 'flat', 'matching'];
/** Kinds whose outputs are one for each action. */
export const actorKinds = ['pairs', 'flat'] as const satisfies readonly NetworkKind[];

/** Sizes of actor and critic: they fix the layout of the flat weights. */
export interface NetworkShape {
  /** Kind of the actor. */
  readonly kind: NetworkKind;
  /** Numbers in an observation: input of the critic, and of a flat actor. */
  readonly inputs: number;
  /** Widths of the actor's hidden layers, each a multiple of 8. */
  readonly hidden: readonly number[];
  /** Widths of the critic's hidden layers, each a multiple of 8. */
  readonly criticHidden: readonly number[];
  /** Actions of the world, waiting included: outputs of a flat actor. */
  readonly actions: number;
}

/** One dense layer: `[inputs, outputs]` weights at `weights`, `[outputs]` biases at `biases`, row-major. */
export interface Layer {
  /** Numbers in. */
  readonly inputs: number;
  /** Numbers out. */
  readonly outputs: number;
  /** Offset of the weights in the flat array. */
  readonly weights: number;
  /** Offset of the biases in the flat array. */
  readonly biases: number;
}

/** Where the layers of actor and critic lie in the flat array. */
export interface NetworkLayout {
  /** Layers of the actor, first to last; they come first in the array. */
  readonly actor: readonly Layer[];
  /** Layers of the critic, first to last; its one output is the value. */
  readonly critic: readonly Layer[];
  /** Numbers in the flat array. */
  readonly size: number;
}

/** @throws PolicyError `ERR_NETWORK` for an unknown kind or impossible widths */
export function networkLayout(shape: NetworkShape): NetworkLayout {
  if (!networkKinds.includes(shape.kind)) {
    throw new PolicyError(
      'ERR_NETWORK',
      `the network's kind is "${shape.kind}": choose one of ${networkKinds.join(', ')}`,
    );
  }
  for (const name of ['inputs', 'actions'] as const) {
    if (!Number.isSafeInteger(shape[name]) || shape[name] < 1) {
      throw new PolicyError(
        'ERR_NETWORK',
        `the network's ${name} is ${shape[name]}: it must be a whole number of at least 1`,
      );
    }
  }
  let offset = 0;
  const chain = (inputs: number, hidden: readonly number[], outputs: number): Layer[] => {
    for (const width of hidden) {
      if (!Number.isInteger(width) || width < 8 || width > 4096 || width % 8 !== 0) {
        throw new PolicyError(
          'ERR_NETWORK',
          `a hidden layer is ${width} wide: it must be a multiple of 8 from 8 to 4096`,
        );
      }
    }
    const widths = [inputs, ...hidden, outputs];
    return widths.slice(1).map((width, k) => {
      const weights = offset;
      const biases = weights + widths[k] * width;
      offset = biases + width;
      return { inputs: widths[k], outputs: width, weights, biases };
    });
  };
  const inputs = shape.kind === 'pairs' ? PAIR_COLUMNS : shape.inputs;
  const actor = chain(inputs, shape.hidden, shape.kind === 'flat' ? shape.actions : 1);
  const critic = chain(shape.inputs, shape.criticHidden, 1);
  return { actor, critic, size: offset };
}

/**
 * Checks that `weights` fit the network and are finite: with NaN it would never assign, because no comparison with NaN is true.
 * @param name of the policy or run, for the message
 * @throws PolicyError `ERR_NETWORK` with the number of weights, or the first that is not finite and its position
 */
export function checkWeights(shape: NetworkShape, weights: Float32Array, name = 'the network'): void {
  const { actor, critic, size } = networkLayout(shape);
  if (Object.prototype.toString.call(weights) !== '[object Float32Array]') {
    throw new PolicyError('ERR_NETWORK', `weights of ${name} are not a Float32Array`);
  }
  if (weights.length !== size) {
    const widths = [...shape.hidden, 'critic', ...shape.criticHidden].join('-');
    throw new PolicyError(
      'ERR_NETWORK',
      `${name} has ${weights.length} weights: a ${shape.kind} network of ${shape.inputs} inputs, ${widths}, ${shape.actions} actions has ${size}`,
    );
  }
  for (let p = 0; p < size; p++) {
    if (weights[p] - weights[p] === 0) continue;
    const part = p < critic[0].weights ? 'actor' : 'critic';
    const layers = part === 'actor' ? actor : critic;
    const layer = layers.findLastIndex((each) => each.weights <= p);
    const kind = p < layers[layer].biases ? 'weight' : 'bias';
    throw new PolicyError(
      'ERR_NETWORK',
      `${name} is damaged: weights[${p}] (a ${kind} of layer ${layer + 1} of the ${part}) is ${weights[p]}, expected a finite number`,
    );
  }
}

/**
 * Fills `weights`: normal with the variance of He et al. 2015 for ReLU layers, biases 0; the actor's last layer a hundred
 * times smaller, so that the first policy is close to uniform.
 */
export function initialiseNetwork(shape: NetworkShape, stream: RandomStream, weights: Float32Array): void {
  const layout = networkLayout(shape);
  weights.fill(0);
  for (const layers of [layout.actor, layout.critic]) {
    layers.forEach((layer, k) => {
      const last = k === layers.length - 1;
      const scale = last
        ? (layers === layout.actor ? 0.01 : 1) * Math.sqrt(1 / layer.inputs)
        : Math.sqrt(2 / layer.inputs);
      for (let p = layer.weights; p < layer.biases; p++) weights[p] = scale * stream.normal();
    });
  }
}
