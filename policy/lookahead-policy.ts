// Look-ahead as a policy: tries the promising actions of each decision in sampled futures, and takes the one that earns most. Which
// actions are tried depends on the base: those that pay most at once for a rule, the probable ones for a network, whose probabilities
// then count as prior knowledge (Silver et al. 2017 use a network likewise; here without a tree).

import { NEVER, Purpose } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { Lookahead, atLeastOne, promising } from './lookahead.js';
import type { LookaheadOptions } from './lookahead.js';
import { PolicyError } from './policy.js';
import type { Policy, Proposal, ProposingPolicy } from './policy.js';

/** How to look ahead, and what to try. */
export interface LookaheadPolicyOptions extends LookaheadOptions {
  /** Actions tried at each decision, at least 1; default 5, of a network 12. */
  readonly candidates?: number;
  /** Of a network: actions of less probability are not tried, 0 to 1; default 0.0001. */
  readonly leastProbability?: number;
  /**
   * Of a network: return that a factor of e in probability is worth, at least 0; default 10 where rewards are weighted sums, 0.1
   * where they are fares. The higher, the less often the network is overruled.
   */
  readonly kappa?: number;
}

/** An action, and the futures that it rests on. */
export interface Chosen {
  /** Number of the action. */
  readonly action: number;
  /** Most futures that any action was tried in; 0 where there was no choice or no time. */
  readonly futures: number;
}

/** Futures of a rule's decision and of a network's, unless told otherwise: a network's candidates drop out early. */
const FUTURES = 8;
const NETWORK_FUTURES = 128;

/** Futures before any candidate drops out: fewer say too little of their spread. */
const LEAST_FUTURES = 6;

/** Standard errors below the best at which a candidate drops out. */
const DROPS_OUT = 2;

/** Takes the candidate with the highest mean return over the sampled futures; the base policy's own action on ties. */
export class LookaheadPolicy implements Policy {
  /** For tables. */
  readonly name: string;
  readonly #lookahead: Lookahead;
  readonly #candidates: number;
  readonly #least: number;
  readonly #kappa: number | undefined;
  #actions = new Int32Array(0);

  /** @throws PolicyError `ERR_OPTION` naming what is out of range, `ERR_POLICY` for an unknown base */
  constructor(options: LookaheadPolicyOptions & { readonly name?: string } = {}) {
    const proposes = typeof options.base === 'object' && isProposing(options.base);
    this.name = options.name ?? 'lookahead';
    this.#lookahead = new Lookahead({ futures: proposes ? NETWORK_FUTURES : FUTURES, ...options });
    this.#candidates = atLeastOne('candidates', options.candidates ?? (proposes ? 12 : 5));
    this.#least = within('leastProbability', options.leastProbability ?? 0.0001, 0, 1);
    this.#kappa = options.kappa === undefined ? undefined : within('kappa', options.kappa, 0, 1e9);
  }

  act(world: World, from: number, to: number, actions: Int32Array): void {
    for (let e = from; e < to; e++) actions[e] = this.choose(world, e).action;
  }

  /** Sampled futures in which each action is tried. */
  get futures(): number {
    return this.#lookahead.futures;
  }

  /**
   * The action for environment e, and the number of futures it rests on: 0 where there is no choice or no time, and the action
   * is then the base policy's own.
   * @param most     largest number of futures, default that of the options
   * @param timeIsUp as of `Lookahead.evaluate`
   */
  choose(
    world: World,
    e: number,
    most: number = this.futures,
    timeIsUp: (played: number) => boolean = () => false,
  ): Chosen {
    const { base } = this.#lookahead;
    if (isProposing(base)) return this.#search(base.propose(world, e), world, e, most, timeIsUp);
    if (this.#actions.length <= e) this.#actions = new Int32Array(e + 1);
    base.act(world, e, e + 1, this.#actions);
    const own = this.#actions[e];
    const candidates = promising(world, e, own, this.#candidates);
    if (candidates.length === 1) return { action: own, futures: 0 };
    const { forecasts, futures } = this.#lookahead.evaluate(world, e, candidates, seedOf(world, e), timeIsUp, most);
    if (futures === 0) return { action: own, futures };
    const best = forecasts.reduce((a, b) => (b.return.mean > a.return.mean ? b : a));
    return { action: best.action, futures };
  }

  /**
   * What each probable action of environment e earns, in the order of their probability; the base must be a network.
   * @returns a single one without futures where there is no choice
   * @throws PolicyError `ERR_POLICY` if the base is a rule
   */
  weigh(world: World, e: number): readonly Weighed[] {
    const { base } = this.#lookahead;
    if (!isProposing(base)) {
      throw new PolicyError('ERR_POLICY', `look-ahead: the base is ${base.name}, a rule: it has no probabilities`);
    }
    return this.#weigh(base.propose(world, e), world, e, this.futures, () => false).all;
  }

  #search(proposal: Proposal, world: World, e: number, most: number, timeIsUp: (played: number) => boolean): Chosen {
    const { best, futures } = this.#weigh(proposal, world, e, most, timeIsUp);
    return { action: best.action, futures };
  }

  /** Plays batches of futures; after each, candidates that are surely worse than the best drop out. */
  #weigh(
    proposal: Proposal,
    world: World,
    e: number,
    most: number,
    timeIsUp: (played: number) => boolean,
  ): { readonly best: Weighed; readonly all: readonly Weighed[]; readonly futures: number } {
    const lookahead = this.#lookahead;
    const kappa = this.#kappa ?? (world.compiled.scenario.reward.kind === 'weighted' ? 10 : 0.1);
    const all = likely(proposal, this.#least, this.#candidates).map(({ action, logProbability }) => ({
      action,
      logProbability,
      prior: kappa * logProbability,
      returns: [] as number[],
    }));
    const seed = seedOf(world, e);
    let left = all;
    let best = all[0];
    let played = 0;
    while (left.length > 1 && played < most) {
      const futures = Math.min(lookahead.batch, most - played);
      const actions = left.map(({ action }) => action);
      const returns = lookahead.returns(world, e, actions, seed, played, futures, () => timeIsUp(played));
      if (returns === null) break;
      played += futures;
      left.forEach((candidate, c) => {
        for (let f = 0; f < futures; f++) candidate.returns.push(returns[f * left.length + c]);
      });
      const worth = left.map(({ prior, returns: own }) => prior + own.reduce((sum, value) => sum + value, 0) / played);
      best = left[worth.reduce((top, value, c) => (value > worth[top] ? c : top), 0)];
      left = left.filter((candidate) => candidate === best || !isSurelyWorse(candidate, best));
      if (timeIsUp(played)) break;
    }
    return { best, all, futures: played };
  }
}

/** An action, and what it earned. */
export interface Weighed {
  /** Number of the action. */
  readonly action: number;
  /** Of the base policy. */
  readonly logProbability: number;
  /** `[futures]`: in the first so many futures, the same for all actions; fewer for one that has dropped out. */
  readonly returns: readonly number[];
}

interface Tried {
  readonly prior: number;
  readonly returns: readonly number[];
}

/** By the paired differences of their returns. */
function isSurelyWorse(candidate: Tried, best: Tried): boolean {
  const n = best.returns.length;
  if (n < LEAST_FUTURES) return false;
  let sum = 0;
  let squares = 0;
  for (let f = 0; f < n; f++) {
    const difference = best.returns[f] - candidate.returns[f];
    sum += difference;
    squares += difference * difference;
  }
  const mean = sum / n;
  const error = Math.sqrt(Math.max(0, squares / n - mean * mean) / (n - 1));
  return mean + best.prior - candidate.prior > DROPS_OUT * error;
}

/** The futures are a function of the environment and its step, not of who asks. */
function seedOf(world: World, e: number): number {
  return Math.floor(world.floatNow(e, Purpose.action) * NEVER);
}

/**
 * Actions of at least a probability, the most probable first, at most `most`; the lower action on ties. The first is always there.
 * @param least 0 to 1
 */
export function likely(
  { count, actions, logProbabilities }: Proposal,
  least: number,
  most: number,
): { readonly action: number; readonly logProbability: number }[] {
  const floor = Math.log(least);
  const all = Array.from({ length: count }, (_, k) => ({
    action: actions[k],
    logProbability: logProbabilities[k],
  })).sort((a, b) => b.logProbability - a.logProbability || a.action - b.action);
  return all.filter(({ logProbability }, k) => k === 0 || (k < most && logProbability >= floor));
}

/** Whether a policy says how probable actions are. */
function isProposing(policy: Policy): policy is ProposingPolicy {
  return 'propose' in policy;
}

function within(name: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new PolicyError('ERR_OPTION', `look-ahead: ${name} is ${value}: it must be a number from ${least} to ${most}`);
}
