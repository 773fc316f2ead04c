// How fast is a step on one core: the environment alone, beside its twins in C and in NumPy, and with a policy? Observation and mask are
// written each step.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VectorDispatchEnv } from '../engine/index.js';
import { Purpose, RandomStream } from '../engine/index.js';
import type { ObservationKind } from '../engine/index.js';
import { NetworkPolicy, heuristic, initialiseNetwork, networkLayout } from '../policy/index.js';
import type { NetworkShape, Policy } from '../policy/index.js';
import type { Benchmark, Row, Variant } from './report.js';
import { interleave } from './report.js';
import { checksumOf, compileTwin, genevaOf, numpyTwin, writeTask } from './twins.js';
import type { Played, StartTwin, Twin } from './twins.js';

const ENVS = 64;
const TICKS = 96;

/** Drivers and slots of geneva, and larger fleets with demand in proportion. */
const sizes = [
  [10, 20],
  [30, 60],
  [100, 200],
] as const;

/** Pairs of a driver and a slot in all environments beyond which NumPy is left out: it looks at each, seconds a step. */
const NUMPY_PAIRS = 2_000_000;

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

/** Rows of environments beside twins that play the same tapes: one of ours for each twin. */
async function besideTwins(quick: boolean, note: (text: string) => void): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-twins-'));
  try {
    const found = [
      ['C twin', await compileTwin(folder)],
      ['NumPy twin', await numpyTwin()],
    ] as const;
    const twins: (readonly [string, StartTwin])[] = [];
    for (const [name, start] of found) {
      if (typeof start === 'string') note(`left out: the engine's ${name}, as ${start}`);
      else twins.push([name, start]);
    }
    const rows: Row[] = [];
    for (const [drivers, slots] of twins.length === 0 ? [] : sizes) {
      for (const envs of quick ? [1, 64] : [1, 64, 1024, 8192]) {
        rows.push(...(await oneSize({ drivers, slots, envs, quick, folder, twins, note })));
      }
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Comparison {
  readonly drivers: number;
  readonly slots: number;
  readonly envs: number;
  readonly quick: boolean;
  /** For tasks. */
  readonly folder: string;
  readonly twins: readonly (readonly [name: string, start: StartTwin])[];
  readonly note: (text: string) => void;
}

async function oneSize({ drivers, slots, envs, quick, folder, twins, note }: Comparison): Promise<Row[]> {
  const compiled = genevaOf(drivers, slots);
  const observation = 'classic';
  const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: envs, observation });
  const { out } = env.world;
  const policy = heuristic('edf');
  const seed = 1;
  // Whole days, so that each number of environments sees the same hours.
  const days = Math.max(1, Math.round((quick ? 100_000 : 2_000_000) / (TICKS * envs * drivers)));
  const tape: Int32Array[] = [];
  /** After the first day, and after the last. */
  const checksums: number[] = [];
  env.reset({ seed });
  for (let t = 1; t <= days * TICKS; t++) {
    const actions = new Int32Array(envs);
    policy.act(env.world, 0, envs, actions);
    env.step(actions);
    tape.push(actions);
    if (t === TICKS || t === days * TICKS) checksums.push(checksumOf(out));
  }
  const ours = (): { work: number; seconds: number } => {
    env.reset({ seed });
    const started = performance.now();
    for (const actions of tape) env.step(actions);
    return { work: tape.length * envs, seconds: (performance.now() - started) / 1000 };
  };

  const title = `geneva ${drivers} x ${slots}, classic, ${envs === 1 ? '1 environment' : `${envs} environments`}`;
  const started: Twin[] = [];
  const variants: Variant[] = [];
  try {
    for (const [label, start] of twins) {
      const slow = label !== 'C twin';
      if (slow && envs * drivers * slots > NUMPY_PAIRS) {
        note(`left out: ${title}: ${label}, for time`);
        continue;
      }
      // A day is enough for one that is tens of times slower.
      const played = slow ? tape.slice(0, TICKS) : tape;
      const expected = checksums[slow ? 0 : checksums.length - 1];
      const file = join(folder, `${label}.task`);
      writeTask(file, { compiled, observation, seed, envs, tape: played });
      const twin = start(file);
      started.push(twin);
      const anchor = `${title}: ${label}`;
      variants.push({
        name: anchor,
        unit: 'steps/s',
        run: async () => {
          const { seconds, checksum } = await twin.ask<Played>('');
          if (checksum !== expected) throw new Error(`${anchor} plays other episodes than the engine`);
          return { work: played.length * envs, seconds };
        },
      });
      const name = `${title}: environment, beside the ${label}`;
      variants.push({ name, unit: 'steps/s', anchor, anchorLabel: label, run: ours });
    }
    return await interleave(variants, quick ? 3 : 5);
  } finally {
    for (const twin of started) twin.close();
  }
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

export const envBenchmark: Benchmark = {
  name: 'env',
  question: 'steps a second on one core: environment alone, beside its twins in C and NumPy, and with a policy',
  run: async (quick, note) => {
    const days = quick ? 2 : 20;
    const steps = TICKS * days;
    const rows = await interleave(
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
    return [...rows, ...(await besideTwins(quick, note))];
  },
};
