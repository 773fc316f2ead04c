// `fleetstep doctor`: what is installed, which backends work, and ten seconds of real work on this machine.

import { createHash } from 'node:crypto';
import { PAIR_COLUMNS, Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '../engine/index.js';
import { SimdMlp, heuristic, initialiseNetwork, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { backendNames, defaultBackend, loadBackend } from './backend.js';
import { weightsSha256 } from './checkpoint.js';
import { Ppo, ppoDefaults } from './ppo.js';

/** The result of one check. */
export interface Check {
  /** What was checked. */
  readonly name: string;
  /** `absent`: an optional part that is not there. */
  readonly status: 'ok' | 'absent' | 'failed';
  /** What was found, or why it failed. */
  readonly detail: string;
}

/** Runs all checks, one after the other; calls `report` as each ends. */
export async function selfCheck(report: (check: Check) => void): Promise<Check[]> {
  const checks: Check[] = [];
  const run = async (name: string, optional: boolean, check: () => string | Promise<string>): Promise<void> => {
    let result: Check;
    try {
      result = { name, status: 'ok', detail: await check() };
    } catch (error) {
      result = { name, status: optional ? 'absent' : 'failed', detail: (error as Error).message };
    }
    checks.push(result);
    report(result);
  };
  for (const name of backendNames) {
    await run(
      `backend ${name}`,
      // Not on every Node, or not installed: neither is needed.
      name === 'tensorflow' || name === 'simd-relaxed',
      async () => `${(await loadBackend(name)).version}, ${await parity(name)}`,
    );
  }
  await run('environment', false, environment);
  await run('learning', false, learning);
  return checks;
}

/** The backend's forward pass agrees with the SIMD kernel's. */
async function parity(name: (typeof backendNames)[number]): Promise<string> {
  const backend = await loadBackend(name);
  const shape: NetworkShape = { kind: 'pairs', inputs: 8, hidden: [32, 32], criticHidden: [8], actions: 5 };
  const { actor, size } = networkLayout(shape);
  const weights = new Float32Array(size);
  const stream = new RandomStream(1, Purpose.weights);
  initialiseNetwork(shape, stream, weights);
  const rows = 50;
  const x = Float32Array.from({ length: rows * PAIR_COLUMNS }, () => stream.normal());
  const simd = new SimdMlp(actor);
  simd.load(weights);
  const ours = new Float32Array(rows);
  simd.run(x, 0, rows, ours, 0);
  const mlp = backend.mlp(actor);
  mlp.load(weights);
  const theirs = mlp.forward(x, rows);
  mlp.dispose();
  const most = ours.reduce((worst, y, k) => Math.max(worst, Math.abs(y - theirs[k])), 0);
  if (!(most < 1e-5)) throw new Error(`differs from the SIMD kernel by ${most}`);
  return `agrees with the SIMD kernel within ${most.toExponential(0)}`;
}

/** Two seconds of episodes: conservation at every step, and the same bytes again for the same seed. */
function environment(): string {
  const numEnvs = 32;
  const compiled = compileScenario(preset('geneva'));
  const play = (seconds: number, steps: number): { steps: number; sha256: string } => {
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs });
    const policy = heuristic('random');
    const actions = new Int32Array(numEnvs);
    const hash = createHash('sha256');
    const started = performance.now();
    env.reset({ seed: 1 });
    let done = 0;
    for (; done < steps && performance.now() - started < 1000 * seconds; done++) {
      policy.act(env.world, 0, numEnvs, actions);
      const { observations, rewards } = env.step(actions);
      hash.update(new Uint8Array(observations.buffer, observations.byteOffset, observations.byteLength));
      hash.update(new Uint8Array(rewards.buffer, rewards.byteOffset, rewards.byteLength));
      const st = env.world.state;
      for (let e = 0; e < numEnvs; e++) {
        const sum = st.open[e] + st.assigned[e] + st.pickedUp[e] + st.completed[e] + st.expired[e] + st.refused[e];
        if (sum !== st.created[e]) throw new Error(`environment ${e} counts ${sum} bookings of ${st.created[e]}`);
      }
    }
    return { steps: done, sha256: hash.digest('hex') };
  };
  const first = play(2, Infinity);
  if (play(Infinity, first.steps).sha256 !== first.sha256) throw new Error('the same seed gave other bytes');
  return `${first.steps * numEnvs} steps conserve bookings and repeat to the byte`;
}

/** A few iterations: finite losses, and the same weights from one worker and from two. */
async function learning(): Promise<string> {
  const backend = await loadBackend(defaultBackend);
  const compiled = compileScenario(preset('geneva'));
  const config = {
    ...ppoDefaults,
    seed: 1,
    numEnvs: 16,
    rolloutSteps: 32,
    minibatchSize: 256,
    totalSteps: 16 * 32 * 2,
  };
  const hashes: string[] = [];
  for (const workers of [1, 2]) {
    const ppo = new Ppo(compiled, backend, config, workers);
    try {
      while (ppo.iteration < ppo.iterations) await ppo.step();
      hashes.push(weightsSha256(ppo.weights));
    } finally {
      await ppo.close();
    }
  }
  if (hashes[0] !== hashes[1]) throw new Error('one worker and two gave different weights');
  return `PPO on ${backend.name}: one worker and two give the same weights`;
}
