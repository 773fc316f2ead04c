// All training algorithms, by name. To add one: write its file and add its line here.

import { OptionCheck } from '../workers/index.js';
import type { AlgorithmDefinition } from './algorithm.js';
import { TrainError } from './errors.js';
import { ppo } from './ppo.js';

const definitions: readonly AlgorithmDefinition[] = [ppo];

/** Names of all algorithms. */
export const algorithmNames: readonly string[] = definitions.map(({ name }) => name);

/** Used where none is named. */
export const defaultAlgorithm: string = ppo.name;

const check: OptionCheck = new OptionCheck((message) => new TrainError('ERR_TRAIN_OPTION', message));

/** @throws TrainError `ERR_TRAIN_OPTION` if there is no such algorithm */
export function algorithm(name: string): AlgorithmDefinition {
  check.oneOf('algorithm', name, algorithmNames);
  return definitions.find((definition) => definition.name === name)!;
}
