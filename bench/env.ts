// How fast is a step on one core: the environment alone, and with a policy? Observation and mask are written each step.

import { VectorDispatchEnv } from '../engine/index.js';
import { Purpose, RandomStream } from '../engine/index.js';
import type { ObservationKind } from '../engine/index.js';
import { NetworkPolicy, heuristic, initialiseNetwork, networkLayout } from '../policy/index.js';
import type { NetworkShape, Policy } from '../policy/index.js';
import type { Benchmark, Variant } from './report.js';
import { interleave } from './report.js';

const ENVS = 64;

/**
 * The environment alone under actions that were recorded beforehand: those of the earliest-deadline rule, so that it steps
 * through days as a competent policy makes them, and no choosing is timed.
 */
function environment(observation: ObservationKind, steps: number): Variant {
  const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: ENVS, observation });
  const policy = heuristic('edf');
  env.reset({ seed: 1 });
  const tape = Array.from({ length: steps }, () => {
    const actions = new Int32Array(ENVS);
    policy.act(env.world, 0, ENVS, actions);
    env.step(actions);
    return actions;
  });
  const expected = sum(env.world.out.episodeReturns);
  return {
    name: `geneva 10 x 20, ${observation}: environment`,
    unit: 'steps/s',
    run: () => {
      env.reset({ seed: 1 });
      const started = performance.now();
      for (const actions of tape) env.step(actions);
      const seconds = (performance.now() - started) / 1000;
      // The same episodes came out, or this was another workload.
      if (sum(env.world.out.episodeReturns) !== expected)
        throw new Error('the replayed episodes differ from the recorded ones');
      return { work: steps * ENVS, seconds };
    },
  };
}

function withPolicy(name: string, steps: number, make: (shape: NetworkShape) => Policy): Variant {
  const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: ENVS });
  const policy = make({
    kind: 'pairs',
    inputs: env.world.observationSize,
    hidden: [32, 32],
    criticHidden: [64, 64],
    actions: env.world.actions,
  });
  const actions = new Int32Array(ENVS);
  return {
    name: `geneva 10 x 20, full: environment + ${name}`,
    unit: 'steps/s',
    run: () => {
      env.reset({ seed: 1 });
      const started = performance.now();
      for (let t = 0; t < steps; t++) {
        policy.act(env.world, 0, ENVS, actions);
        env.step(actions);
      }
      return { work: steps * ENVS, seconds: (performance.now() - started) / 1000 };
    },
  };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

export const envBenchmark: Benchmark = {
  name: 'env',
  question: 'steps a second on one core: environment alone, and with a policy',
  run: (quick) => {
    const days = quick ? 2 : 20;
    const steps = 96 * days;
    return interleave(
      [
        environment('classic', steps),
        environment('full', steps),
        withPolicy('nearest', steps / 2, () => heuristic('nearest')),
        withPolicy('hungarian', steps / 2, () => heuristic('hungarian')),
        withPolicy('pairs network 32-32', steps / 2, (shape) => {
          const weights = new Float32Array(networkLayout(shape).size);
          initialiseNetwork(shape, new RandomStream(1, Purpose.weights), weights);
          return new NetworkPolicy('pairs', shape, weights);
        }),
      ],
      quick ? 3 : 9,
    );
  },
};
