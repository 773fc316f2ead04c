// Writes policy/linear-weights.ts from fits of the linear rule, one for each built-in scenario that it has weights for:
//
//   fleetstep fit --policy linear --scenario geneva --out runs/linear-geneva
//   fleetstep fit --policy linear --scenario geneva-live --out runs/linear-live
//   fleetstep fit --policy linear --scenario nyc-small --data ../HybridMADRL-AMoD --out runs/linear-nyc
//   node scripts/ship-linear.js runs/linear-geneva runs/linear-live runs/linear-nyc && npm run format && npm run build

import { writeFileSync } from 'node:fs';
import { URL, fileURLToPath } from 'node:url';
import { PairColumn } from 'fleetstep/engine';
import { readCheckpoint } from 'fleetstep/train';

const runs = process.argv.slice(2).map((run) => {
  const checkpoint = readCheckpoint(run);
  if (checkpoint.algorithm !== 'linear')
    throw new Error(`${run} is a run of ${checkpoint.algorithm}: give fits of linear`);
  return checkpoint;
});
if (runs.length === 0) throw new Error('give the folders of fits: node scripts/ship-linear.js runs/linear-geneva ...');

// Nine digits tell any two 32-bit numbers apart.
const digits = (weight) => Number(weight.toPrecision(9));
const entry = ({ scenario, config, steps, state }) => {
  const lines = Object.entries(PairColumn)
    .filter(([, column]) => state.weights[column] !== 0)
    .map(([name, column]) => `    ${name}: ${digits(state.weights[column])},`);
  return `  // Seed ${config.seed}, ${steps} steps.\n  '${scenario.name}': {\n${lines.join('\n')}\n  },`;
};

const names = runs.map(({ scenario }) => `'${scenario.name}'`).join(' | ');
writeFileSync(
  fileURLToPath(new URL('../policy/linear-weights.ts', import.meta.url)),
  `// Weights of the linear rule by pair column, as "fleetstep fit --policy linear" found them on the training episodes of each built-in
// scenario. Written by scripts/ship-linear.js, which says how; do not edit.

/** Built-in scenarios that the rule has weights for. */
export type LinearPreset = ${names};

/** By the columns' names; a column that is not named weighs 0. */
export const linearWeights: Readonly<Record<LinearPreset, Readonly<Record<string, number>>>> = {
${runs.map(entry).join('\n')}
};
`,
);
