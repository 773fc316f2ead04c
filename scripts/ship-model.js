// Writes a trained policy and its model card into models/, from which the package serves it by name:
//
//   fleetstep train --scenario geneva --steps 1500000 --seed 3 --out runs/geneva-ppo
//   fleetstep distill runs/geneva-ppo --out runs/geneva-distilled
//   node scripts/ship-model.js runs/geneva-distilled geneva-distilled --test-episodes 1000
//
// The card is judged here: against the strongest simple rule on 200 validation episodes, and on test episodes, which it is shown
// for the first time. Choose the run on validation; run this once.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { URL, fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compileScenario } from 'fleetstep/engine';
import {
  algorithm as algorithmOf,
  comparePolicies,
  distillDefaults,
  policyOf,
  readCheckpoint,
  weightsSha256,
  writeCheckpoint,
} from 'fleetstep/train';
import { evaluatePolicies } from 'fleetstep/workers';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'test-episodes': { type: 'string', default: '1000' } },
});
const [run, name] = positionals;
if (name === undefined) throw new Error('give a run and a name: node scripts/ship-model.js runs/one geneva-distilled');

const found = readCheckpoint(run);
if (found.scenario.travel.kind !== 'plane')
  throw new Error(`${run} plays zones: a policy that ships is made for a plane`);
// What plays, and nothing that a training would need; no path of this machine.
const { algorithm, config, identity, settings, scenario, shape, backend, steps, seconds, distilled } = found;
const checkpoint = {
  ...{ algorithm, config, identity, settings, scenario, shape, backend, steps, seconds, distilled: distilled ?? 0 },
  ...(found.origin === undefined ? {} : { origin: { ...found.origin, run: basename(found.origin.run) } }),
  state: { iteration: found.state.iteration, weights: found.state.weights },
};
const folder = join(fileURLToPath(new URL('../models/', import.meta.url)), name);
mkdirSync(folder, { recursive: true });
writeCheckpoint(folder, checkpoint);

const compiled = compileScenario(scenario);
const policy = policyOf(checkpoint, name);
const shared = { compiled, seed: 1, workers: availableParallelism() };
const gates = [];
for (const [split, episodes] of [
  ['validation', 200],
  ['test', Number(values['test-episodes'])],
]) {
  const result = await comparePolicies({
    ...shared,
    contenders: [{ policy: name, members: [policy] }],
    split,
    episodes,
  });
  const { verdict, baseline, entries, differences, guardrails } = result;
  gates.push({ split, episodes, verdict, baseline, entries, differences, guardrails });
  const [{ mean, low, high }] = entries;
  console.log(`${split}: ${mean.toFixed(0)} (${low.toFixed(0)} to ${high.toFixed(0)}), ${verdict} against ${baseline}`);
}
const [{ meanReturn }] = await evaluatePolicies({ ...shared, policies: [policy], split: 'validation', episodes: 10 });

/** Options that give these settings, where they are not the defaults. */
function optionsOf(settings, defaults) {
  return Object.entries(settings)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]) && value !== null)
    .map(([name, value]) => ` --${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${value}`)
    .join('');
}

const source = `runs/${scenario.name}-${algorithm}`;
const { totalSteps, ...others } = config;
const trained = optionsOf(others, { ...algorithmOf(algorithm).defaults, seed: undefined });
const distillation = distilled === undefined ? null : JSON.parse(readFileSync(join(run, 'distill.json'), 'utf8'));
const card = {
  name,
  scenario: scenario.name,
  data: `Drawn demand of the scenario "${scenario.name}", and no recorded trips: nobody's data is in it.`,
  commands: [
    `fleetstep train --scenario ${scenario.name} --algorithm ${algorithm} --steps ${totalSteps}${trained} --out ${source}`,
    ...(distillation === null
      ? []
      : [
          `fleetstep distill ${source}${optionsOf({ ...distillation.settings, rounds: distillation.rounds.length }, distillDefaults)} --out runs/${name}`,
        ]),
    `node scripts/ship-model.js runs/${name} ${name}`,
  ],
  algorithm,
  seed: config.seed,
  steps,
  distilled: distilled ?? 0,
  weightsSha256: weightsSha256(found.state.weights),
  limits: [
    `It maximises the reward of "${scenario.name}": where a booking costs more than it brings, it lets it expire.`,
    'A request that is unlike its training, or whose urgent shipments it would leave out, is decided by the planner instead; the answer says so.',
  ],
  gates,
  replay: { episodes: 10, meanReturn },
};
writeFileSync(join(folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
console.log(`${folder} written`);
