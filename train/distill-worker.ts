// The file that threads load to label states: a network plays training episodes, and look-ahead weighs its actions at each state.

import { PAIR_COLUMNS, PairWriter, VectorDispatchEnv } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { LookaheadPolicy, NetworkPolicy } from '../policy/index.js';
import { observationOf } from '../workers/index.js';
import type { Beats, NetworkSpec } from '../workers/index.js';

/** Episodes to label. */
export interface LabelTask {
  readonly compiled: CompiledScenario;
  readonly policy: NetworkSpec;
  /** Episodes `from` to `to` (exclusive) of training. */
  readonly from: number;
  readonly to: number;
  /** Base seed of the training episodes. */
  readonly seed: number;
  readonly futures: number;
  readonly beats: Beats;
  readonly slot: number;
}

/** States with a choice, one after the other. */
export interface Labels {
  readonly from: number;
  readonly to: number;
  /** `[states]` legal actions of each */
  readonly counts: Int32Array;
  /** `[rows, PAIR_COLUMNS]` */
  readonly features: Float32Array;
  /** `[rows]` the network's own */
  readonly logProbabilities: Float32Array;
  /** `[rows]` mean return of an action that was tried, less that of the best one; else 0 */
  readonly gains: Float32Array;
  /** `[rows]` futures in which it was tried */
  readonly futures: Int32Array;
}

/** Actions of less probability are not tried: they would be many, and are seldom better. */
const LEAST = 0.001;

/** Labels some episodes. */
export function label(task: LabelTask): Labels {
  const { compiled, policy, from, to, seed, futures, beats, slot } = task;
  const count = to - from;
  const env = new VectorDispatchEnv({
    scenario: compiled,
    numEnvs: count,
    firstEnv: from,
    observation: observationOf(policy),
    autoresetMode: 'DISABLED',
    source: { mode: 'sampled', days: Int32Array.from(compiled.dataset?.splits.training ?? []) },
  });
  const { world } = env;
  const network = new NetworkPolicy(policy.name, policy.shape, policy.weights);
  const lookahead = new LookaheadPolicy({ base: network, futures, leastProbability: LEAST });
  const writer = new PairWriter(world);
  const legal = new Int32Array(world.actions);
  const rows = new Float32Array(world.actions * PAIR_COLUMNS);
  const actions = new Int32Array(count);
  const states: Omit<Labels, 'from' | 'to' | 'counts'>[] = [];
  env.reset({ seed });
  while (world.state.ended.includes(0)) {
    for (let e = 0; e < count; e++) {
      Atomics.add(beats, slot, 1);
      if (world.state.ended[e] === 1) continue;
      const weighed = lookahead.weigh(world, e);
      if (weighed.length > 1) {
        const n = writer.write(e, legal, rows, 0);
        const state = {
          features: rows.slice(0, n * PAIR_COLUMNS),
          logProbabilities: Float32Array.from(network.propose(world, e).logProbabilities.subarray(0, n)),
          gains: new Float32Array(n),
          futures: new Int32Array(n),
        };
        // Against the one that never dropped out, in the futures that both were tried in.
        const best = weighed.reduce((a, b) => (b.returns.length > a.returns.length ? b : a));
        for (const { action, returns } of weighed) {
          const row = legal.subarray(0, n).indexOf(action);
          state.gains[row] = returns.reduce((sum, value, f) => sum + value - best.returns[f], 0) / returns.length;
          state.futures[row] = returns.length;
        }
        states.push(state);
      }
    }
    network.act(world, 0, count, actions);
    env.step(actions);
  }
  const rowsOf = (name: 'logProbabilities' | 'gains'): Float32Array => joinedRows(states.map((state) => state[name]));
  return {
    ...{ from, to },
    counts: Int32Array.from(states, ({ gains }) => gains.length),
    features: joinedRows(states.map((state) => state.features)),
    logProbabilities: rowsOf('logProbabilities'),
    gains: rowsOf('gains'),
    futures: Int32Array.from(states.flatMap((state) => [...state.futures])),
  };
}

/** Arrays one after the other. */
export function joinedRows(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
