// What a rollout of T steps in n environments records for its algorithm. A recorder is named by a string, because it must reach
// the worker threads; a new one is a layout, a class and a line in `recorders`.

import { PAIR_COLUMNS, allocate, viewsOf } from '../engine/index.js';
import type { FinalPairs, LayoutOf, LayoutSpec, OutputViews } from '../engine/index.js';
import { SimdMlp, networkLayout } from '../policy/index.js';
import type { Actor, NetworkShape } from '../policy/index.js';

/** What every algorithm needs: observations, legal actions, what was done and what it earned. */
export interface TransitionViews {
  /** `[T, n, inputs]` observation before the decision */
  readonly observations: Float32Array;
  /**
   * `[n, T * actions]` legal actions of each sample, packed sample after sample in one stretch per environment. Sized for the
   * worst case; the system gives no memory to what is never written.
   */
  readonly legalActions: Int32Array;
  /** `[n, T * actions, PAIR_COLUMNS]` features of each legal action, packed in the same way; empty for a `flat` network */
  readonly features: Float32Array;
  /** `[T, n]` where a sample's legal actions start within its environment's stretch */
  readonly legalStarts: Int32Array;
  /** `[T, n]` number of legal actions of the sample */
  readonly legalCounts: Int32Array;
  /** `[T, n]` which of the sample's legal actions was taken, 0 first */
  readonly taken: Int32Array;
  /** `[T, n]` as the environment paid them, neither scaled nor discounted */
  readonly rewards: Float32Array;
  /** `[T, n]` 0/1: the episode ended here and has no future */
  readonly terminated: Uint8Array;
  /** `[T, n]` 0/1: the episode was cut here */
  readonly truncated: Uint8Array;
  /** `[T, n]` undiscounted return of the episode that ended at this step; else what an earlier rollout left */
  readonly episodeReturns: Float64Array;
  /** `[T, n]` decisions of the episode that ended at this step; else what an earlier rollout left */
  readonly episodeLengths: Int32Array;
}

/** Transitions with the critic's values and the probabilities of the actions, for actor-critic algorithms such as PPO. */
export interface ActorCriticViews extends TransitionViews {
  /** `[T, n]` log-probability of the action when it was taken */
  readonly logProbs: Float32Array;
  /** `[T + 1, n]` value of each observation; the last row is that of the observation after the last step */
  readonly values: Float32Array;
  /** `[T, n]` value of the final observation where truncated, else 0 */
  readonly finalValues: Float32Array;
}

/**
 * Transitions with the final state of each episode that ended, for Q-learning with replay. A final state's legal actions, and
 * their features, lie behind those of its last decision, so that the stretches are twice as long: `[n, 2 * T * actions]`.
 */
export interface ReplayViews extends TransitionViews {
  /** `[T, n, inputs]` final observation of the episode that ended at this step; else what an earlier rollout left */
  readonly finalObservations: Float32Array;
  /** `[T, n]` where the final state's legal actions start within its environment's stretch; likewise */
  readonly finalStarts: Int32Array;
  /** `[T, n]` how many there are; 0 if no episode ended at this step */
  readonly finalCounts: Int32Array;
}

/** What each recorder writes, by the recorder's name. */
export interface RecordedViews {
  /** Without a critic, for imitation. */
  readonly transitions: TransitionViews;
  /** With final states, for Q-learning. */
  readonly replay: ReplayViews;
  /** With a critic, for policy gradients. */
  readonly 'actor-critic': ActorCriticViews;
}

/** Name of a recorder. */
export type RecorderName = keyof RecordedViews;

/** Sizes that a recorder's memory depends on. */
export interface RecordSizes {
  /** Steps of each environment per rollout, T. */
  readonly steps: number;
  /** Environments of all threads together, n. */
  readonly envs: number;
  /** The network that plays. */
  readonly shape: NetworkShape;
}

/** Called by one thread for its environments `from` to `to` (exclusive), in this order: `begin`, T times the three of a step, `end`. */
export interface Recorder {
  /** Before the first step. `weights` are the network's, flat; they stay as they are during the rollout. */
  begin(weights: Float32Array): void;
  /** Before the decisions of step `t`. */
  observe(t: number, from: number, to: number, out: OutputViews): void;
  /**
   * The decision of environment `e` at step `t`.
   * @param actor its entries `start` to `stop` (exclusive) are the environment's legal actions
   * @param k     index of the entry that was taken
   * @param logProb log-probability of drawing it
   */
  decide(t: number, e: number, actor: Actor, start: number, stop: number, k: number, logProb: number): void;
  /**
   * After step `t`.
   * @param finals rows of the final states of episodes that ended; null if the recorder's `finalPairs` is false
   */
  outcome(t: number, from: number, to: number, out: OutputViews, finals: FinalPairs | null): void;
  /** After the last step. */
  end(from: number, to: number, out: OutputViews): void;
}

class TransitionRecorder implements Recorder {
  readonly #envs: number;
  readonly #inputs: number;
  /** Entries of an environment's stretch of legal actions. */
  readonly #stretch: number;
  readonly #withFeatures: boolean;
  readonly #views: TransitionViews;
  /** Entries used so far of each environment's stretch. */
  readonly #used: Int32Array;

  /** @param stretch entries of each environment's stretch */
  constructor(views: TransitionViews, { steps, envs, shape }: RecordSizes, stretch: number = steps * shape.actions) {
    this.#envs = envs;
    this.#inputs = shape.inputs;
    this.#stretch = stretch;
    this.#withFeatures = shape.kind === 'pairs';
    this.#views = views;
    this.#used = new Int32Array(envs);
  }

  begin(): void {
    this.#used.fill(0);
  }

  observe(t: number, from: number, to: number, out: OutputViews): void {
    const inputs = this.#inputs;
    const target = (t * this.#envs + from) * inputs;
    this.#views.observations.set(out.observations.subarray(from * inputs, to * inputs), target);
  }

  decide(t: number, e: number, actor: Actor, start: number, stop: number, k: number): void {
    const { legalActions, features, legalStarts, legalCounts, taken } = this.#views;
    const p = t * this.#envs + e;
    const used = this.#used[e];
    const place = e * this.#stretch + used;
    legalActions.set(actor.actions.subarray(start, stop), place);
    if (this.#withFeatures) {
      features.set(actor.features.subarray(start * PAIR_COLUMNS, stop * PAIR_COLUMNS), place * PAIR_COLUMNS);
    }
    legalStarts[p] = used;
    legalCounts[p] = stop - start;
    this.#used[e] = used + stop - start;
    taken[p] = k - start;
  }

  /** Reserves `count` entries in the stretch of environment e; gives the first one's place in it. */
  reserve(e: number, count: number): number {
    const used = this.#used[e];
    this.#used[e] = used + count;
    return used;
  }

  outcome(t: number, from: number, to: number, out: OutputViews): void {
    const { rewards, terminated, truncated, episodeReturns, episodeLengths } = this.#views;
    for (let e = from; e < to; e++) {
      const p = t * this.#envs + e;
      rewards[p] = out.rewards[e]!;
      terminated[p] = out.terminations[e]!;
      truncated[p] = out.truncations[e]!;
      if ((out.truncations[e] | out.terminations[e]) === 1) {
        episodeReturns[p] = out.episodeReturns[e]!;
        episodeLengths[p] = out.episodeLengths[e]!;
      }
    }
  }

  end(): void {
    // Transitions need nothing of the observation after the last step.
  }
}

class ReplayRecorder implements Recorder {
  readonly #transitions: TransitionRecorder;
  readonly #shape: NetworkShape;
  readonly #envs: number;
  readonly #stretch: number;
  readonly #views: ReplayViews;

  constructor(views: ReplayViews, sizes: RecordSizes) {
    this.#stretch = 2 * sizes.steps * sizes.shape.actions;
    this.#transitions = new TransitionRecorder(views, sizes, this.#stretch);
    this.#shape = sizes.shape;
    this.#envs = sizes.envs;
    this.#views = views;
  }

  begin(): void {
    this.#transitions.begin();
  }

  observe(t: number, from: number, to: number, out: OutputViews): void {
    this.#transitions.observe(t, from, to, out);
  }

  decide(t: number, e: number, actor: Actor, start: number, stop: number, k: number): void {
    this.#transitions.decide(t, e, actor, start, stop, k);
  }

  outcome(t: number, from: number, to: number, out: OutputViews, finals: FinalPairs | null): void {
    this.#transitions.outcome(t, from, to, out);
    const { finalObservations, finalStarts, finalCounts, legalActions, features } = this.#views;
    const { inputs, actions } = this.#shape;
    for (let e = from; e < to; e++) {
      const p = t * this.#envs + e;
      finalCounts[p] = 0;
      if ((out.truncations[e] | out.terminations[e]) === 0) continue;
      finalObservations.set(out.finalObservations.subarray(e * inputs, (e + 1) * inputs), p * inputs);
      const first = e * actions;
      if (finals !== null) {
        const count = finals.counts[e];
        const start = this.#transitions.reserve(e, count);
        const place = e * this.#stretch + start;
        legalActions.set(finals.actions.subarray(first, first + count), place);
        features.set(
          finals.features.subarray(first * PAIR_COLUMNS, (first + count) * PAIR_COLUMNS),
          place * PAIR_COLUMNS,
        );
        finalStarts[p] = start;
        finalCounts[p] = count;
      } else {
        let count = 0;
        for (let a = 0; a < actions; a++) count += out.finalActionMasks[first + a];
        const start = this.#transitions.reserve(e, count);
        let place = e * this.#stretch + start;
        for (let a = 0; a < actions; a++) if (out.finalActionMasks[first + a] === 1) legalActions[place++] = a;
        finalStarts[p] = start;
        finalCounts[p] = count;
      }
    }
  }

  end(): void {
    // The state after the last step is the first of the next rollout.
  }
}

class ActorCriticRecorder implements Recorder {
  readonly #transitions: TransitionRecorder;
  readonly #envs: number;
  readonly #steps: number;
  readonly #views: ActorCriticViews;
  readonly #critic: SimdMlp;

  constructor(views: ActorCriticViews, sizes: RecordSizes) {
    this.#transitions = new TransitionRecorder(views, sizes);
    this.#envs = sizes.envs;
    this.#steps = sizes.steps;
    this.#views = views;
    this.#critic = new SimdMlp(networkLayout(sizes.shape).critic);
  }

  begin(weights: Float32Array): void {
    this.#transitions.begin();
    this.#critic.load(weights);
  }

  observe(t: number, from: number, to: number, out: OutputViews): void {
    this.#transitions.observe(t, from, to, out);
    this.#critic.run(out.observations, from, to - from, this.#views.values, t * this.#envs + from);
  }

  decide(t: number, e: number, actor: Actor, start: number, stop: number, k: number, logProb: number): void {
    this.#transitions.decide(t, e, actor, start, stop, k);
    this.#views.logProbs[t * this.#envs + e] = logProb;
  }

  outcome(t: number, from: number, to: number, out: OutputViews): void {
    this.#transitions.outcome(t, from, to, out);
    const { finalValues } = this.#views;
    for (let e = from; e < to; e++) {
      const p = t * this.#envs + e;
      finalValues[p] = 0;
      if (out.truncations[e] === 1) this.#critic.run(out.finalObservations, e, 1, finalValues, p);
    }
  }

  end(from: number, to: number, out: OutputViews): void {
    this.#critic.run(out.observations, from, to - from, this.#views.values, this.#steps * this.#envs + from);
  }
}

/** @param entries legal actions that there is room for */
function transitionSpec(
  { steps, envs, shape }: RecordSizes,
  entries: number = steps * envs * shape.actions,
): LayoutOf<TransitionViews> {
  const samples = steps * envs;
  return {
    observations: ['f32', samples * shape.inputs],
    legalActions: ['i32', entries],
    features: ['f32', shape.kind === 'pairs' ? entries * PAIR_COLUMNS : 0],
    legalStarts: ['i32', samples],
    legalCounts: ['i32', samples],
    taken: ['i32', samples],
    rewards: ['f32', samples],
    terminated: ['u8', samples],
    truncated: ['u8', samples],
    episodeReturns: ['f64', samples],
    episodeLengths: ['i32', samples],
  };
}

/** A recorder's memory, and the recorder itself. */
interface RecorderDefinition<Views> {
  /** New shared memory for one rollout. @throws EngineError `ERR_BUFFER` if the system cannot reserve that much */
  readonly allocate: (sizes: RecordSizes) => SharedArrayBuffer;
  /** The views into that memory, the same in every thread. */
  readonly views: (sizes: RecordSizes, buffer: SharedArrayBuffer) => Views;
  /** The recorder of one thread, which writes into that memory. */
  readonly open: (sizes: RecordSizes, buffer: SharedArrayBuffer) => Recorder;
  /** Whether it wants the rows of final states of a `pairs` network. */
  readonly finalPairs: boolean;
}

function define<Views>(
  spec: (sizes: RecordSizes) => LayoutOf<Views> & LayoutSpec,
  open: (views: Views, sizes: RecordSizes) => Recorder,
  finalPairs = false,
): RecorderDefinition<Views> {
  const views = (sizes: RecordSizes, buffer: SharedArrayBuffer): Views => viewsOf<Views>(spec(sizes), buffer);
  return {
    allocate: (sizes) => allocate(spec(sizes)),
    views,
    open: (sizes, buffer) => open(views(sizes, buffer), sizes),
    finalPairs,
  };
}

/** All recorders, by name. */
export const recorders: { readonly [Name in RecorderName]: RecorderDefinition<RecordedViews[Name]> } = {
  transitions: define<TransitionViews>(
    (sizes) => transitionSpec(sizes),
    (views, sizes) => new TransitionRecorder(views, sizes),
  ),
  replay: define<ReplayViews>(
    (sizes) => {
      const samples = sizes.steps * sizes.envs;
      return {
        ...transitionSpec(sizes, 2 * samples * sizes.shape.actions),
        finalObservations: ['f32', samples * sizes.shape.inputs],
        finalStarts: ['i32', samples],
        finalCounts: ['i32', samples],
      };
    },
    (views, sizes) => new ReplayRecorder(views, sizes),
    true,
  ),
  'actor-critic': define<ActorCriticViews>(
    (sizes) => ({
      ...transitionSpec(sizes),
      logProbs: ['f32', sizes.steps * sizes.envs],
      values: ['f32', (sizes.steps + 1) * sizes.envs],
      finalValues: ['f32', sizes.steps * sizes.envs],
    }),
    (views, sizes) => new ActorCriticRecorder(views, sizes),
  ),
};

/** Names of all recorders. */
export const recorderNames: readonly RecorderName[] = ['transitions', 'replay', 'actor-critic'];
