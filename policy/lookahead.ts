// Look-ahead: tries each candidate action in copies of the world, all in the same sampled futures, and lets a base policy decide
// from there on. It explains single recommendations; lookahead-policy.ts makes a policy of it.

import { Sum, SUMS, VectorDispatchEnv, shown } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { heuristic } from './heuristics.js';
import type { HeuristicName } from './heuristics.js';
import { halfWidth } from './interval.js';
import { PolicyError } from './policy.js';
import type { Policy } from './policy.js';

/** A mean with its 95% interval over the futures. */
export interface Estimate {
  /** Mean over the futures. */
  readonly mean: number;
  /** Lower end of the interval; -Infinity for a single future. */
  readonly low: number;
  /** Upper end of the interval; Infinity for a single future. */
  readonly high: number;
}

/** What follows from one action, up to the look-ahead's end. */
export interface Forecast {
  /** Number of the action. */
  readonly action: number;
  /** Sum of the rewards, undiscounted. */
  readonly return: Estimate;
  /** Difference of the return from the first action's, paired by future. */
  readonly advantage: Estimate;
  /** Share of the bookings accepted from now on that are picked up after their window. */
  readonly lateShare: Estimate;
  /** Minutes late in all, over those bookings. */
  readonly minutesLate: Estimate;
  /** Bookings that expire or are refused for want of a free slot. */
  readonly lost: Estimate;
}

/** How to look ahead. */
export interface LookaheadOptions {
  /** Sampled futures in which each action is tried, at least 1; default 16. */
  readonly futures?: number;
  /** Length of the look-ahead in simulated seconds, at least 1; default 7200. */
  readonly seconds?: number;
  /** Who decides after the first action: a rule by its name, or a policy; default `hungarian`. */
  readonly base?: HeuristicName | Policy;
  /** Futures played together, at least 1; the time is checked between batches. Default 8. */
  readonly batch?: number;
}

/** What follows from each of several actions. */
export interface Forecasts {
  /** In the order in which the actions were given. */
  readonly forecasts: readonly Forecast[];
  /** Futures that were played: fewer than asked for if the time was up. With none there are no forecasts. */
  readonly futures: number;
}

const BATCH = 8;
/** Copies that the base policy decides for at once; in between the time is looked at. */
const BLOCK = 32;

/** Plays copies of an environment on; its memory is reused from one question to the next. */
export class Lookahead {
  /** Futures that each action is tried in, unless a call says otherwise. */
  readonly futures: number;
  /** How far it looks, in simulated seconds. */
  readonly seconds: number;
  /** The policy that decides after the first action. */
  readonly base: Policy;
  /** Futures played together. */
  readonly batch: number;
  #env: VectorDispatchEnv | null = null;
  #like: World | null = null;
  #actions = new Int32Array(0);

  /** @throws PolicyError `ERR_OPTION` for a number that is not whole and at least 1, `ERR_POLICY` for an unknown base */
  constructor(options: LookaheadOptions = {}) {
    this.futures = atLeastOne('futures', options.futures ?? 16);
    this.seconds = atLeastOne('seconds', options.seconds ?? 7200);
    const base = options.base ?? 'hungarian';
    this.base = typeof base === 'string' ? heuristic(base) : base;
    this.batch = atLeastOne('batch', options.batch ?? BATCH);
  }

  /**
   * Tries `actions` in environment e of `world`, which is not changed. The same seed gives the same answer.
   * @param timeIsUp called again and again with the number of futures played; a batch that it interrupts does not count
   * @param most     largest number of futures, default that of the options
   */
  evaluate(
    world: World,
    e: number,
    actions: readonly number[],
    seed: number,
    timeIsUp: (played: number) => boolean = () => false,
    most: number = this.futures,
  ): Forecasts {
    const count = actions.length;
    const from = figuresOf(world, e);
    const samples = Array.from({ length: count }, () => ({
      returns: [] as number[],
      lateShares: [] as number[],
      minutes: [] as number[],
      lost: [] as number[],
    }));
    let played = 0;
    do {
      const futures = Math.min(this.batch, most - played);
      const n = futures * count;
      const copies = this.#branch(world, e, actions, seed, played, futures, () => timeIsUp(played));
      if (copies === null) break;
      for (let k = 0; k < n; k++) {
        const to = figuresOf(copies, k);
        const accepted = to.accepted - from.accepted;
        const late = accepted - (to.onTime - from.onTime);
        const sample = samples[k % count];
        sample.returns.push(to.return - from.return);
        sample.lateShares.push(accepted === 0 ? 0 : late / accepted);
        sample.minutes.push((to.latenessSeconds - from.latenessSeconds) / 60);
        sample.lost.push(to.lost - from.lost);
      }
      played += futures;
    } while (played < most && !timeIsUp(played));
    if (played === 0) return { forecasts: [], futures: 0 };
    const forecasts = actions.map((action, c): Forecast => {
      const { returns, lateShares, minutes, lost } = samples[c];
      return {
        action,
        return: estimate(returns),
        advantage: estimate(returns.map((value, f) => value - samples[0].returns[f])),
        lateShare: estimate(lateShares),
        minutesLate: estimate(minutes),
        lost: estimate(lost),
      };
    });
    return { forecasts, futures: played };
  }

  /**
   * Returns of each action in futures `first` to `first + futures` (exclusive): at `f * actions.length + c` what action c earns
   * in the f-th of them.
   * @returns null if it was interrupted
   */
  returns(
    world: World,
    e: number,
    actions: readonly number[],
    seed: number,
    first: number,
    futures: number,
    interrupted: () => boolean,
  ): Float64Array | null {
    const before = world.state.episodeReturn[e];
    const copies = this.#branch(world, e, actions, seed, first, futures, interrupted);
    if (copies === null) return null;
    return Float64Array.from({ length: futures * actions.length }, (_, k) => copies.state.episodeReturn[k] - before);
  }

  /** Copies of environment e, one for each future and action, that have been played to the look-ahead's end. */
  #branch(
    world: World,
    e: number,
    actions: readonly number[],
    seed: number,
    first: number,
    futures: number,
    interrupted: () => boolean,
  ): World | null {
    const count = actions.length;
    const copies = this.#copiesOf(world, count * Math.max(futures, this.batch));
    for (let f = 0; f < futures; f++) {
      for (let c = 0; c < count; c++) {
        const k = f * count + c;
        copies.copy(k, world, e);
        copies.resampleDemand(k, seed, first + f, 0);
      }
    }
    return this.#play(copies, futures * count, actions, interrupted) ? copies : null;
  }

  /** The first actions, then the base policy until the look-ahead's or the episode's end; false if it was interrupted. */
  #play(world: World, n: number, first: readonly number[], interrupted: () => boolean): boolean {
    const { now, tick } = world.state;
    const until = now[0] + this.seconds;
    const running = (k: number): boolean => now[k] < until && tick[k] < world.compiled.ticks;
    for (let k = 0; k < n; k++) world.step(k, first[k % first.length]);
    for (;;) {
      let some = false;
      for (let k = 0; k < n;) {
        if (!running(k)) {
          k++;
          continue;
        }
        if (interrupted()) return false;
        some = true;
        let end = k + 1;
        while (end < n && end - k < BLOCK && running(end)) end++;
        this.base.act(world, k, end, this.#actions);
        for (; k < end; k++) world.step(k, this.#actions[k]);
      }
      if (!some) return true;
    }
  }

  /** A world of at least `n` environments like those of `world`. */
  #copiesOf(world: World, n: number): World {
    if (this.#env === null || this.#like !== world || this.#env.numEnvs < n) {
      this.#env = new VectorDispatchEnv({
        scenario: world.compiled,
        numEnvs: n,
        observation: world.observation,
        source: { mode: 'sampled', days: Int32Array.from(world.compiled.dataset?.splits.training ?? []) },
      });
      this.#like = world;
      this.#actions = new Int32Array(n);
    }
    return this.#env.world;
  }
}

/** @throws PolicyError `ERR_OPTION` for a number that is not whole and at least 1 */
export function atLeastOne(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new PolicyError(
    'ERR_OPTION',
    `look-ahead: ${name} is ${shown(value)}: it must be a whole number of at least 1`,
  );
}

interface Figures {
  readonly return: number;
  readonly accepted: number;
  readonly onTime: number;
  readonly latenessSeconds: number;
  readonly lost: number;
}

function figuresOf({ state: st }: World, e: number): Figures {
  return {
    return: st.episodeReturn[e],
    accepted: st.assigned[e] + st.pickedUp[e] + st.completed[e],
    onTime: st.onTime[e],
    latenessSeconds: st.sums[e * SUMS + Sum.latenessSeconds],
    lost: st.expired[e] + st.refused[e],
  };
}

/** A single future gives no bounds. */
function estimate(values: readonly number[]): Estimate {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const half = halfWidth(values) ?? Infinity;
  return { mean, low: mean - half, high: mean + half };
}

/** At most `most` promising actions: `chosen`, waiting, and the others with the highest immediate rewards. */
export function promising(world: World, e: number, chosen: number, most: number): number[] {
  const masks = world.out.actionMasks;
  const paid: { action: number; reward: number }[] = [];
  for (let a = 1; a < world.actions; a++) {
    if (a === chosen || masks[e * world.actions + a] === 0) continue;
    const i = Math.floor((a - 1) / world.slots);
    paid.push({ action: a, reward: world.assignmentReward(e, i, a - 1 - i * world.slots) });
  }
  paid.sort((a, b) => b.reward - a.reward || a.action - b.action);
  const others = [...(chosen === 0 ? [] : [0]), ...paid.map(({ action }) => action)];
  return [chosen, ...others.slice(0, most - 1)];
}
