// What do the parts of a decision cost: pair features, the network's forward pass, the assignment problem?

import { Bench } from 'tinybench';
import { PAIR_COLUMNS, PairWriter, Purpose, RandomStream, VectorDispatchEnv } from '../engine/index.js';
import { Actor, AssignmentSolver, SimdMlp, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import type { Benchmark } from './report.js';

/** Keeps results alive, so that no work is optimised away. */
let sink = 0;

export const kernelsBenchmark: Benchmark = {
  name: 'kernels',
  question: 'the parts of one decision, on one core',
  run: async (quick) => {
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 64 });
    env.reset({ seed: 1 });
    const { world } = env;
    const shape: NetworkShape = {
      kind: 'pairs',
      inputs: world.observationSize,
      hidden: [32, 32],
      criticHidden: [64, 64],
      actions: world.actions,
    };
    const layout = networkLayout(shape);
    const stream = new RandomStream(1, Purpose.weights);
    const weights = Float32Array.from({ length: layout.size }, () => 0.1 * stream.normal());
    const pairs = new PairWriter(world);
    const actions = new Int32Array(world.actions);
    const features = new Float32Array(world.actions * PAIR_COLUMNS);
    const actor = new Actor(shape, world);
    actor.load(weights);
    const critic = new SimdMlp(layout.critic);
    critic.load(weights);
    const values = new Float32Array(64);
    const solver = new AssignmentSolver();
    const costs = Float64Array.from({ length: 200 }, () => stream.float());
    const columnOf = new Int32Array(10);

    const bench = new Bench({ time: quick ? 50 : 500, warmupTime: quick ? 10 : 100 });
    bench
      .add('pair features of one state (10 x 20, first tick)', () => {
        sink += pairs.write(0, actions, features, 0);
      })
      .add('actor on 32 states (features and network 32-32)', () => {
        actor.consider(0, 32);
        sink += actor.logits[0];
      })
      .add('critic on 64 states (325-64-64-1)', () => {
        critic.run(world.out.observations, 0, 64, values, 0);
        sink += values[0];
      })
      .add('assignment problem 10 x 20', () => {
        solver.solve(costs, 10, 20, columnOf);
        sink += columnOf[0];
      });
    await bench.run();
    if (!Number.isFinite(sink)) throw new Error('the kernels gave no finite result');
    return bench.tasks.map(({ name, result }) => {
      if (!('latency' in result)) throw new Error(`${name} did not run: ${result.state}`);
      // Milliseconds to microseconds.
      const { latency } = result;
      return { name, value: latency.p50 * 1000, unit: 'us', low: latency.min * 1000, high: latency.p99 * 1000 };
    });
  },
};
