// What a rollout of T steps in n environments leaves behind for its learner.

import { PAIR_COLUMNS } from '../engine/index.js';
import type { LayoutOf } from '../engine/index.js';
import type { NetworkShape } from '../policy/index.js';

export interface RolloutViews {
  /** `[T, n, inputs]` */
  readonly observations: Float32Array;
  /**
   * Legal actions of each sample, and a row of features for each (`pairs` networks only), packed sample after sample in
   * one stretch per environment: `[n, T * actions]` and `[n, T * actions, PAIR_COLUMNS]`. Sized for the worst case; the
   * system gives no memory to what is never written.
   */
  readonly legalActions: Int32Array;
  readonly features: Float32Array;
  /** `[T, n]` where a sample's legal actions start within its environment's stretch, and how many there are */
  readonly legalStarts: Int32Array;
  readonly legalCounts: Int32Array;
  /** `[T, n]` which of the sample's legal actions was taken */
  readonly taken: Int32Array;
  /** `[T, n]` log-probability of the action when it was taken */
  readonly logProbs: Float32Array;
  /** `[T + 1, n]`; the last row is the value of the observation after the last step */
  readonly values: Float32Array;
  /** `[T, n]` as the environment paid them */
  readonly rewards: Float32Array;
  /** `[T, n]` 0/1 */
  readonly terminated: Uint8Array;
  /** `[T, n]` 0/1 */
  readonly truncated: Uint8Array;
  /** `[T, n]` value of the final observation where truncated */
  readonly finalValues: Float32Array;
  /** `[T, n]` return and decisions of the episode where it ended */
  readonly episodeReturns: Float64Array;
  readonly episodeLengths: Int32Array;
}

export function rolloutSpec(steps: number, envs: number, shape: NetworkShape): LayoutOf<RolloutViews> {
  const samples = steps * envs;
  return {
    observations: ['f32', samples * shape.inputs],
    legalActions: ['i32', samples * shape.actions],
    features: ['f32', shape.kind === 'pairs' ? samples * shape.actions * PAIR_COLUMNS : 0],
    legalStarts: ['i32', samples],
    legalCounts: ['i32', samples],
    taken: ['i32', samples],
    logProbs: ['f32', samples],
    values: ['f32', samples + envs],
    rewards: ['f32', samples],
    terminated: ['u8', samples],
    truncated: ['u8', samples],
    finalValues: ['f32', samples],
    episodeReturns: ['f64', samples],
    episodeLengths: ['i32', samples],
  };
}
