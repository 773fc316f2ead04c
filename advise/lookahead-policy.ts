// Look-ahead as a served policy: each decision is tried in as many simulated futures as there is time for. Their number goes on
// record, so that a replay gives the same answer.

import { LookaheadPolicy } from '../policy/index.js';
import type { World } from '../engine/index.js';
import type { Decider } from './decider.js';

/** Name under which look-ahead is asked. */
export const LOOKAHEAD = 'lookahead';

/** Small batches: between two the time is looked at. */
const BATCH = 2;

/** What it has time for. */
export interface SearchTime {
  /** On `performance`'s clock. */
  readonly deadline: number;
  /** Futures of each decision as they were before, in place of the clock. */
  readonly replay: readonly number[] | undefined;
  /** Without new demand, all futures are one. */
  readonly demand: boolean;
}

/** Decides by simulated futures, within a time that `begin` gives it. */
export class LookaheadDecider implements Decider {
  /** Always null, as of a rule. */
  readonly confidence = null;
  readonly #world: World;
  readonly #policy: LookaheadPolicy;
  readonly #open: Int32Array;
  #time: SearchTime = { deadline: Infinity, replay: undefined, demand: true };
  #futures: number[] = [];

  constructor(world: World, policy: LookaheadPolicy) {
    this.#world = world;
    this.#policy = policy;
    this.#open = new Int32Array(world.slots);
  }

  /** Before the first decision on a state. */
  begin(time: SearchTime): void {
    this.#time = time;
    this.#futures = [];
  }

  /** Futures in which each decision since `begin` was tried out; 0 for one that time was over for, or that had no choice. */
  get futures(): readonly number[] {
    return this.#futures;
  }

  /** What the rule that plays on would do, where there was no time for a single batch of futures. */
  decide(e: number): number {
    const { deadline, replay, demand } = this.#time;
    const most = demand ? this.#policy.futures : 1;
    const played = replay?.[this.#futures.length] ?? 0;
    const start = performance.now();
    const share = start + (deadline - start) / this.#left(e);
    const timeIsUp = (futures: number): boolean =>
      // The first futures are needed; more than those only if the decisions to come have as much time.
      replay === undefined ? performance.now() > (futures === 0 ? deadline : share) : futures >= played;
    const chosen = this.#policy.choose(this.#world, e, most, timeIsUp);
    this.#futures.push(chosen.futures);
    return chosen.action;
  }

  /** Decisions that may be left, the one to wait included. */
  #left(e: number): number {
    const { state: st, compiled, drivers } = this.#world;
    const { queue, assignmentsPerDriverPerTick: most } = compiled.scenario;
    let room = 0;
    for (let d = e * drivers; d < (e + 1) * drivers; d++) {
      room += Math.max(0, Math.min(queue - st.planLength[d], most - st.takenThisTick[d]));
    }
    return 1 + Math.min(room, this.#world.openSlots(e, this.#open));
  }
}

/** Makes deciders; they share the worlds that futures are played in, which are many times as large as a pooled world. */
export function lookaheadDeciders(): (world: World) => LookaheadDecider {
  const policy = new LookaheadPolicy({ batch: BATCH });
  return (world) => new LookaheadDecider(world, policy);
}
