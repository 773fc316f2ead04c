// What would follow: a decision is tried out in copies of the world, each candidate in the same futures, and a rule plays on from
// there. Explains single recommendations, and is a policy itself.

import { NEVER, Purpose, Sum, SUMS, VectorDispatchEnv } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { heuristic } from './heuristics.js';
import type { HeuristicName } from './heuristics.js';
import { halfWidth } from './interval.js';
import type { Policy } from './policy.js';

/** A mean with its 95% interval over the futures. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** What follows from one action, up to the look-ahead's end. */
export interface Outlook {
  readonly action: number;
  readonly return: Estimate;
  /** Return less that of the first action, future by future. */
  readonly advantage: Estimate;
  /** Share of the bookings accepted from now on that are picked up after their window. */
  readonly lateShare: Estimate;
  readonly minutesLate: Estimate;
  /** Bookings that expire, or find no room. */
  readonly lost: Estimate;
}

export interface LookaheadOptions {
  /** Futures that each action is tried in, default 16. */
  readonly futures?: number;
  /** How far to look, default 7200 s. */
  readonly seconds?: number;
  /** Who plays on, default hungarian. */
  readonly base?: HeuristicName;
  /** Futures played at once, default 8: between two batches the time is looked at. */
  readonly batch?: number;
}

export interface Outlooks {
  readonly outlooks: readonly Outlook[];
  /** Futures that were played; fewer than asked for if the time was up, and without any there are no outlooks. */
  readonly futures: number;
}

const BATCH = 8;

export class Lookahead {
  readonly futures: number;
  readonly seconds: number;
  /** Who plays on. */
  readonly base: Policy;
  readonly #batch: number;
  #env: VectorDispatchEnv | null = null;
  #like: World | null = null;
  #actions = new Int32Array(0);

  constructor(options: LookaheadOptions = {}) {
    this.futures = options.futures ?? 16;
    this.seconds = options.seconds ?? 7200;
    this.base = heuristic(options.base ?? 'hungarian');
    this.#batch = options.batch ?? BATCH;
  }

  /**
   * Tries `actions` in environment e of `world`, which stays as it is. The same seed, the same answer.
   * @param timeIsUp asked again and again, with the number of futures that have been played; what it interrupts does not count
   * @param most     futures, default those of the options
   */
  evaluate(
    world: World,
    e: number,
    actions: readonly number[],
    seed: number,
    timeIsUp: (played: number) => boolean = () => false,
    most: number = this.futures,
  ): Outlooks {
    const count = actions.length;
    const copies = this.#copiesOf(world, count * this.#batch);
    const from = figuresOf(world, e);
    const samples = Array.from({ length: count }, () => ({
      returns: [] as number[],
      lateShares: [] as number[],
      minutes: [] as number[],
      lost: [] as number[],
    }));
    let played = 0;
    do {
      const futures = Math.min(this.#batch, most - played);
      for (let f = 0; f < futures; f++) {
        for (let c = 0; c < count; c++) {
          const k = f * count + c;
          copies.copy(k, world, e);
          copies.resampleDemand(k, seed, played + f, 0);
        }
      }
      const n = futures * count;
      if (!this.#play(copies, n, actions, () => timeIsUp(played))) break;
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
    if (played === 0) return { outlooks: [], futures: 0 };
    const outlooks = actions.map((action, c): Outlook => {
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
    return { outlooks, futures: played };
  }

  /** The first actions, then the base policy until the look-ahead's or the episode's end; false if it was interrupted. */
  #play(world: World, n: number, first: readonly number[], interrupted: () => boolean): boolean {
    const { now, tick } = world.state;
    const until = now[0] + this.seconds;
    const running = (k: number): boolean => now[k] < until && tick[k] < world.compiled.ticks;
    for (let k = 0; k < n; k++) world.step(k, first[k % first.length]);
    for (;;) {
      let some = false;
      for (let k = 0; k < n; k++) {
        if (!running(k)) continue;
        if (interrupted()) return false;
        some = true;
        this.base.act(world, k, k + 1, this.#actions);
        world.step(k, this.#actions[k]);
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

/** One future alone bounds nothing. */
function estimate(values: readonly number[]): Estimate {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const half = halfWidth(values) ?? Infinity;
  return { mean, low: mean - half, high: mean + half };
}

/** The most promising actions: `chosen`, waiting, and the best paid others. */
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

/** Takes the candidate with the highest mean return over sampled futures; the base policy's own on ties. */
export class LookaheadPolicy implements Policy {
  readonly name = 'lookahead';
  readonly #lookahead: Lookahead;
  readonly #candidates: number;
  #actions = new Int32Array(0);

  /** @param options.candidates actions tried at each decision, default 5 */
  constructor(options: LookaheadOptions & { readonly candidates?: number } = {}) {
    this.#lookahead = new Lookahead({ futures: BATCH, ...options });
    this.#candidates = options.candidates ?? 5;
  }

  act(world: World, from: number, to: number, actions: Int32Array): void {
    for (let e = from; e < to; e++) actions[e] = this.choose(world, e).action;
  }

  /** Futures that each action is tried in. */
  get futures(): number {
    return this.#lookahead.futures;
  }

  /**
   * The action of environment e, and in how many futures it was found: 0 where there is no choice, or no time, and then it is
   * the base policy's own.
   * @param most     futures, default those of the options
   * @param timeIsUp as of `Lookahead.evaluate`
   */
  choose(
    world: World,
    e: number,
    most: number = this.futures,
    timeIsUp: (played: number) => boolean = () => false,
  ): { readonly action: number; readonly futures: number } {
    if (this.#actions.length <= e) this.#actions = new Int32Array(e + 1);
    this.#lookahead.base.act(world, e, e + 1, this.#actions);
    const own = this.#actions[e];
    const candidates = promising(world, e, own, this.#candidates);
    if (candidates.length === 1) return { action: own, futures: 0 };
    // The futures are a function of the environment and its step, not of who asks.
    const seed = Math.floor(world.floatNow(e, Purpose.action) * NEVER);
    const { outlooks, futures } = this.#lookahead.evaluate(world, e, candidates, seed, timeIsUp, most);
    if (futures === 0) return { action: own, futures };
    const best = outlooks.reduce((a, b) => (b.return.mean > a.return.mean ? b : a));
    return { action: best.action, futures };
  }
}
