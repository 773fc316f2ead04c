// What a policy is: it reads a world and writes one action for each of its environments.

import type { World } from '../engine/index.js';

/** Decides for the environments of a world. */
export interface Policy {
  /** For tables. */
  readonly name: string;
  /**
   * Writes the actions of environments `from` to `to` (exclusive). Keeps no state between calls, so that a decision
   * depends on the environment alone.
   */
  act(world: World, from: number, to: number, actions: Int32Array): void;
}

/** A policy that decides a whole tick at once, where a tick takes any number of decisions. */
export interface JointPolicy extends Policy {
  /**
   * Writes the slot that each driver of environment e gets in this tick, -1 for none.
   * @param slotOf output, `[>= at + N]`
   */
  decide(world: World, e: number, slotOf: Int32Array, at?: number): void;
}

/** What a policy thinks of the legal actions of one environment; the arrays may be longer, and are valid until its next call. */
export interface Proposal {
  /** Legal actions, at least 1. */
  readonly count: number;
  /** `[count]` ascending */
  readonly actions: Int32Array;
  /** `[count]` */
  readonly logProbabilities: Float64Array;
}

/** A policy that takes its most probable action, and says how probable each one is. */
export interface ProposingPolicy extends Policy {
  /** What it thinks of the legal actions of environment e. */
  propose(world: World, e: number): Proposal;
}

/** What went wrong: an unknown policy, an option, a network or its weights, or the costs of an assignment problem. */
export type PolicyErrorCode = 'ERR_POLICY' | 'ERR_OPTION' | 'ERR_NETWORK' | 'ERR_ASSIGNMENT';

/** The error of this room. Its `code` is stable; its message names the value and the remedy. */
export class PolicyError extends Error {
  /** Stable, for programs. */
  readonly code: PolicyErrorCode;

  constructor(code: PolicyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyError';
    this.code = code;
  }
}

/** Whether a policy can decide a whole tick at once. */
export function isJoint(policy: Policy): policy is JointPolicy {
  return 'decide' in policy;
}
