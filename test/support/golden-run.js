// Prints the SHA-256 of the weights after a short PPO run on backend simd, one for each kind of network. They are the same on every
// processor and every version of Node: node test/support/golden-run.js

import { compileScenario, preset } from '#engine/index.js';
import { Ppo, loadBackend, ppoDefaults, weightsSha256 } from '#train/index.js';

const hashes = {};
for (const network of ['pairs', 'flat']) {
  const config = { ...ppoDefaults, network, seed: 7, numEnvs: 16, rolloutSteps: 96, totalSteps: 16 * 96 * 3 };
  const ppo = new Ppo(
    compileScenario(preset('geneva')),
    await loadBackend('simd'),
    { ...config, minibatchSize: 256 },
    network === 'pairs' ? 2 : 1,
  );
  while (ppo.iteration < ppo.iterations) await ppo.step();
  hashes[network] = weightsSha256(ppo.weights);
  await ppo.close();
}
process.stdout.write(`${JSON.stringify(hashes)}\n`);
