// Actor and critic: two multilayer perceptrons with ReLU, their weights in one flat Float32Array. This file says what is
// where in that array and fills it at the start; simd-mlp.ts computes.
//
// Two kinds of actor. `pairs` scores each legal (driver, booking) from its own features, with the same weights for all: it
// learns from few samples and plays problems of any size. `flat` maps the whole observation to one logit per action, as
// in the original contract; it is tied to its N and M.

import { PAIR_COLUMNS } from '../engine/index.js';
import type { RandomStream } from '../engine/index.js';
import { PolicyError } from './policy.js';

export type NetworkKind = 'pairs' | 'flat';
export const networkKinds: readonly NetworkKind[] = ['pairs', 'flat'];

export interface NetworkShape {
  readonly kind: NetworkKind;
  /** Numbers in an observation: input of the critic, and of a flat actor. */
  readonly inputs: number;
  /** Widths of the actor's hidden layers, each a multiple of 8. */
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
  readonly actions: number;
}

/** One dense layer: `[inputs, outputs]` weights at `weights`, `[outputs]` biases at `biases`, row-major. */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: number;
  readonly biases: number;
}

export interface NetworkLayout {
  readonly actor: readonly Layer[];
  readonly critic: readonly Layer[];
  /** Numbers in the flat array. */
  readonly size: number;
}

/** @throws PolicyError `ERR_NETWORK` for impossible widths */
export function networkLayout(shape: NetworkShape): NetworkLayout {
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
  const actor =
    shape.kind === 'pairs' ? chain(PAIR_COLUMNS, shape.hidden, 1) : chain(shape.inputs, shape.hidden, shape.actions);
  const critic = chain(shape.inputs, shape.criticHidden, 1);
  return { actor, critic, size: offset };
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
