// Writes the checkpoint of a run, with its replay memory, again and again until it is killed; each is of one step more.

import { readCheckpoint, stateOf, writeCheckpoint } from '#train/checkpoint.js';

const [run] = process.argv.slice(2);
const checkpoint = readCheckpoint(run);
const state = stateOf(run, checkpoint);
for (let steps = checkpoint.steps + 1; ; steps++) {
  writeCheckpoint(run, { ...checkpoint, steps, state: { ...state, iteration: steps } });
  process.stdout.write('.');
}
