// All training algorithms, by name. To add one: write its file and add its line here.

import type { AlgorithmDefinition } from './algorithm.js';
import { dqn } from './dqn.js';
import { check } from './fields.js';
import { linear } from './linear.js';
import { ppo } from './ppo.js';
import { rollout } from './rollout-iteration.js';

const definitions: readonly AlgorithmDefinition[] = [ppo, dqn, linear, rollout];

/** Names of all algorithms. */
export const algorithmNames: readonly string[] = definitions.map(({ name }) => name);

/** Used where none is named. */
export const defaultAlgorithm: string = ppo.name;

/** @throws TrainError `ERR_TRAIN_OPTION` if there is no such algorithm */
export function algorithm(name: string): AlgorithmDefinition {
  check.oneOf('algorithm', name, algorithmNames);
  return definitions.find((definition) => definition.name === name)!;
}
