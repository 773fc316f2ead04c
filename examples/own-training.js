// A training loop of one's own: it drives PPO one iteration at a time, keeps the weights of the best iteration, and lets that
// network play held-out days beside two rules. Run it after a build: node examples/own-training.js

import { compileScenario, preset } from 'fleetstep/engine';
import { algorithm, loadFastestBackend } from 'fleetstep/train';
import { defaultWorkers, evaluatePolicies } from 'fleetstep/workers';

const compiled = compileScenario(preset('geneva'));
const workers = defaultWorkers;
const ppo = algorithm('ppo');
// Small and short, so that it ends soon: a good policy takes 1.5 million steps.
const config = { ...ppo.defaults, seed: 1, totalSteps: 65_536, numEnvs: 64, rolloutSteps: 128 };
const training = ppo.create({ compiled, backend: await loadFastestBackend(), workers }, config);

let best = { mean: -Infinity, iteration: 0, weights: training.weights };
try {
  while (training.iteration < training.iterations) {
    // The weights that this iteration plays with; it changes them at its end.
    const weights = training.weights.slice();
    const metrics = await training.step();
    const mean = metrics['charts/episodic_return'];
    console.log(`iteration ${metrics.iteration}: mean return ${mean === null ? 'of no episode' : mean.toFixed(0)}`);
    if (mean !== null && mean > best.mean) best = { mean, iteration: metrics.iteration, weights };
  }
  const evaluations = await evaluatePolicies({
    compiled,
    policies: [
      {
        kind: 'network',
        name: `iteration ${best.iteration}`,
        shape: training.shape,
        observation: config.observation,
        weights: best.weights,
      },
      { kind: 'heuristic', name: 'random' },
      { kind: 'heuristic', name: 'hungarian' },
    ],
    split: 'validation',
    episodes: 100,
    seed: 1,
    workers,
  });
  for (const { policy, meanReturn, halfWidth } of evaluations) {
    console.log(`${policy}: ${meanReturn.toFixed(0)} ± ${halfWidth.toFixed(0)}`);
  }
} finally {
  await training.close();
}
