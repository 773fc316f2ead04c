// What a policy is: something that looks at a world and writes one action for each of its environments.

import type { World } from '../engine/index.js';

export interface Policy {
  readonly name: string;
  /**
   * Writes the actions of environments `from` to `to` (exclusive). Keeps no state between calls, so that a decision
   * depends on the environment alone.
   */
  act(world: World, from: number, to: number, actions: Int32Array): void;
}

export type PolicyErrorCode = 'ERR_POLICY' | 'ERR_NETWORK' | 'ERR_ASSIGNMENT';

export class PolicyError extends Error {
  readonly code: PolicyErrorCode;

  constructor(code: PolicyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyError';
    this.code = code;
  }
}
