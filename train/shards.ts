// One thread's part of learning from minibatches that are cut into shards: gather, forward, derivatives of the loss, backward.
// The number of shards is fixed, whoever computes them; their gradients are summed in their order. All that threads share lies
// in shared memory; sharded-learner.ts hands out the work.

import { PAIR_COLUMNS } from '../engine/index.js';
import { learningKernel, networkLayout } from '../policy/index.js';
import type { KernelMemory, LearningKernel, NetworkShape } from '../policy/index.js';
import type { TransitionViews } from '../workers/index.js';
import type { Outputs } from './learner.js';
import { Arena, InputRows, ParameterBlock, SimdChain } from './simd-chain.js';
import type { ListedOutputs } from './simd-chain.js';

/** Samples that go through the networks together: enough to use each weight often, few enough to stay in cache. */
const BLOCK = 64;
/** Legal actions that go through a `pairs` network together, unless a single sample has more. */
const ENTRIES = 512;

/** A loss as it runs in any thread: the algorithm's part of a shard. */
export interface SampleLoss {
  /** Figures that it adds up, such as the loss's terms, by name: for metrics, and for the error of a run that diverges. */
  readonly terms: readonly string[];
  /**
   * Writes the derivatives of the loss for some samples of a minibatch, and adds their terms to `terms`.
   * @param first    place of the first sample in the order of samples
   * @param rows     samples; sample r has entries `starts[r]` to `starts[r + 1]` (exclusive)
   * @param of       samples of the whole minibatch: the loss is a mean over them
   * @param outputs  of the networks
   * @param dOutputs output: derivatives with respect to them
   * @param terms    input and output, in the order of the names
   * @param at       index of the first term
   */
  derive(
    first: number,
    rows: number,
    of: number,
    starts: Int32Array,
    outputs: Outputs,
    dOutputs: Outputs,
    terms: Float64Array,
    at: number,
  ): void;
}

/** What all threads know of one learner. Plain data and views of shared memory: it can be sent to them. */
export interface ShardSetup {
  /** Number of the learner within the process. */
  readonly id: number;
  /** The networks. */
  readonly shape: NetworkShape;
  /** Parts that a minibatch is cut into. */
  readonly shards: number;
  /** Threads that there is room for. */
  readonly threads: number;
  /** Parameters, optimiser, gradients, and each thread's rows. */
  readonly memory: KernelMemory;
  /** Whether the kernels are those of backend `simd-relaxed`. */
  readonly relaxed: boolean;
  /** Where samples are read. */
  readonly records: TransitionViews;
  /** Environments of the records, n. */
  readonly envs: number;
  /** Steps of the records, T. */
  readonly steps: number;
  /** Numbers of samples, t * n + e, in the order in which minibatches take them. */
  readonly order: Int32Array;
  /** See `Control`. */
  readonly control: Int32Array;
  /** `[shards, terms]` sums of the loss's terms */
  readonly terms: Float64Array;
  /** Name of the loss, and what it is made of: shared memory and plain data. */
  readonly loss: { readonly name: string; readonly setup: unknown };
}

/** One thread's part of a learning phase. */
export interface ShardTask {
  /** What all threads know. */
  readonly setup: ShardSetup;
  /** Number of the thread, 1 first: 0 is the one that hands out the work. */
  readonly thread: number;
  /** Count of updates before the phase. */
  readonly seen: number;
  /** The threads' counts of steps, for the watchdog, and the thread's place among them. */
  readonly beats: Int32Array;
  readonly slot: number;
}

/** Words of `ShardSetup.control`. */
export const Control = {
  /** Counts updates; threads wait on it. */
  update: 0,
  /** The next shard that nobody has taken. */
  next: 1,
  /** Shards done. */
  done: 2,
  /** First place of the minibatch in the order, and its samples. */
  first: 3,
  rows: 4,
  /** 1 when the phase is over. */
  over: 5,
  words: 6,
} as const;

/** Where everything lies in the memory of a learner. */
export class ShardLayout {
  /** Numbers of all parameters, padded. */
  readonly block: ParameterBlock = new ParameterBlock();
  /** Addresses of the parameters, the optimiser's moments, the gradient, and the shards' gradients, one after the other. */
  readonly parameters: number;
  /** Address of Adam's mean of gradients. */
  readonly m: number;
  /** Address of Adam's mean of squared gradients. */
  readonly v: number;
  /** Address of the summed gradient. */
  readonly gradient: number;
  /** Address of the shards' gradients. */
  readonly parts: number;
  /** Bytes in all. */
  readonly bytes: number;
  readonly #shape: NetworkShape;
  readonly #actor: ReturnType<ParameterBlock['add']>;
  readonly #critic: ReturnType<ParameterBlock['add']>;
  readonly #actorTransposed: readonly number[];
  readonly #criticTransposed: readonly number[];
  /** Where thread 0's rows begin, and how much each thread takes. */
  readonly #rows: number;
  readonly #stride: number;

  constructor(shape: NetworkShape, shards: number, threads: number) {
    const layout = networkLayout(shape);
    const arena = new Arena();
    this.#shape = shape;
    // Of a flat network's outputs only the legal actions' count.
    this.#actor = this.block.add(layout.actor, shape.kind === 'flat');
    this.#critic = this.block.add(layout.critic);
    const { size } = this.block;
    this.parameters = arena.reserve(size);
    this.m = arena.reserve(size);
    this.v = arena.reserve(size);
    this.gradient = arena.reserve(size);
    this.parts = arena.reserve(size * shards);
    this.#actorTransposed = SimdChain.reserveTransposed(arena, this.#actor);
    this.#criticTransposed = SimdChain.reserveTransposed(arena, this.#critic);
    this.#rows = arena.top;
    this.#chains(null as never, arena);
    this.#stride = arena.top - this.#rows;
    this.bytes = this.#rows + threads * this.#stride;
  }

  /** Most entries of a block. */
  get entries(): number {
    const { kind, actions } = this.#shape;
    return kind === 'pairs' ? Math.max(ENTRIES, actions) : BLOCK * actions;
  }

  /** The networks of one thread. */
  chains(kernel: LearningKernel, thread: number): Chains {
    const arena = new Arena();
    arena.top = this.#rows + thread * this.#stride;
    return this.#chains(kernel, arena);
  }

  #chains(kernel: LearningKernel, arena: Arena): Chains {
    const pairs = this.#shape.kind === 'pairs';
    const observations = new InputRows(arena, this.#shape.inputs, BLOCK);
    const features = pairs ? new InputRows(arena, PAIR_COLUMNS, this.entries) : observations;
    const { entries } = this;
    const list: ListedOutputs = { starts: arena.reserve(BLOCK + 1), at: arena.reserve(pairs ? 0 : entries), entries };
    const chain = (
      layers: ReturnType<ParameterBlock['add']>,
      input: InputRows,
      transposed: readonly number[],
      rows: number,
    ): SimdChain => new SimdChain(kernel, arena, layers, input, this.parameters, transposed, rows, list);
    return {
      observations,
      features,
      list,
      // A flat network without hidden layers computes all of its outputs.
      perEntry: pairs || this.#actor.length > 1,
      actor: chain(this.#actor, features, this.#actorTransposed, pairs ? this.entries : BLOCK),
      critic: chain(this.#critic, observations, this.#criticTransposed, BLOCK),
    };
  }
}

interface Chains {
  readonly observations: InputRows;
  /** The actor's input; of a `flat` network it is the observations. */
  readonly features: InputRows;
  /** Entries of each sample of the block; of a `flat` network also their actions. */
  readonly list: ListedOutputs;
  /** Whether the actor has one output for each entry; else one for each action of each sample. */
  readonly perEntry: boolean;
  readonly actor: SimdChain;
  readonly critic: SimdChain;
}

/** What one thread needs to compute shards. */
export class ShardThread {
  /** The kernel on the shared memory. */
  readonly kernel: LearningKernel;
  /** The shared memory as floats. */
  readonly floats: Float32Array;
  /** Where everything lies in it. */
  readonly layout: ShardLayout;
  /** Actor's and critic's layers. */
  readonly chains: Chains;
  readonly #setup: ShardSetup;
  readonly #loss: SampleLoss;
  /** Words of the shared memory, and of the records: numbers are copied as words. */
  readonly #words: Int32Array;
  readonly #observations: Int32Array;
  readonly #features: Int32Array;
  readonly #starts: Int32Array;
  readonly #legal: Int32Array;
  readonly #outputs: Outputs;
  readonly #dOutputs: Outputs;

  /** @param thread number of the thread, 0 first */
  constructor(setup: ShardSetup, loss: SampleLoss, thread: number) {
    const { shape, memory } = setup;
    this.#setup = setup;
    this.#loss = loss;
    this.kernel = learningKernel(memory, setup.relaxed);
    this.floats = new Float32Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#observations = wordsOf(setup.records.observations);
    this.#features = wordsOf(setup.records.features);
    this.layout = new ShardLayout(shape, setup.shards, setup.threads);
    this.chains = this.layout.chains(this.kernel, thread);
    const { entries } = this.layout;
    const { actor, list, perEntry } = this.chains;
    this.#starts = new Int32Array(memory.buffer, list.starts, BLOCK + 1);
    this.#legal = new Int32Array(memory.buffer, list.at, shape.kind === 'flat' ? entries : 0);
    const scores = (at: number): Float32Array =>
      perEntry ? this.floats.subarray(at / 4, at / 4 + entries) : new Float32Array(entries);
    this.#outputs = { scores: scores(actor.y), values: new Float32Array(BLOCK) };
    this.#dOutputs = { scores: scores(actor.dy), values: new Float32Array(BLOCK) };
  }

  /** Takes shards of the present update until none is left. */
  work(): void {
    const { control, shards } = this.#setup;
    for (;;) {
      const shard = Atomics.add(control, Control.next, 1);
      if (shard >= shards) return;
      this.#compute(shard);
      if (Atomics.add(control, Control.done, 1) + 1 === shards) Atomics.notify(control, Control.done);
    }
  }

  #compute(shard: number): void {
    const { control, shards, terms } = this.#setup;
    const first = control[Control.first];
    const rows = control[Control.rows];
    const count = this.#loss.terms.length;
    terms.fill(0, shard * count, (shard + 1) * count);
    const { size } = this.layout.block;
    const gradient = this.layout.parts + 4 * shard * size;
    this.floats.fill(0, gradient / 4, gradient / 4 + size);
    const to = first + Math.floor(((shard + 1) * rows) / shards);
    for (let at = first + Math.floor((shard * rows) / shards); at < to;) {
      const taken = this.#gather(at, to);
      this.#forward(taken);
      this.#loss.derive(at, taken, rows, this.#starts, this.#outputs, this.#dOutputs, terms, shard * count);
      this.#backward(taken, gradient);
      at += taken;
    }
  }

  /** Copies samples from place `at` of the order, at most up to `to`; gives how many fit into a block. */
  #gather(at: number, to: number): number {
    const { shape, records, order, envs, steps } = this.#setup;
    const { legalActions, legalStarts, legalCounts } = records;
    const { inputs, kind, actions } = shape;
    const words = this.#words;
    const starts = this.#starts;
    const room = this.layout.entries;
    const x = this.chains.observations.x / 4;
    const f = this.chains.features.x / 4;
    let entries = 0;
    let r = 0;
    for (; r < BLOCK && at + r < to; r++) {
      const p = order[at + r];
      const count = legalCounts[p];
      if (entries + count > room) break;
      const from = (p % envs) * steps * actions + legalStarts[p];
      copyWords(this.#observations, p * inputs, words, x + r * inputs, inputs);
      if (kind === 'pairs') {
        copyWords(this.#features, from * PAIR_COLUMNS, words, f + entries * PAIR_COLUMNS, count * PAIR_COLUMNS);
      } else {
        for (let k = 0; k < count; k++) this.#legal[entries + k] = legalActions[from + k]!;
      }
      starts[r] = entries;
      entries += count;
    }
    starts[r] = entries;
    return r;
  }

  #forward(rows: number): void {
    const { observations, features, actor, critic, perEntry } = this.chains;
    const { floats } = this;
    const starts = this.#starts;
    const entries = starts[rows];
    observations.seal(this.kernel, rows);
    critic.forward(rows);
    for (let r = 0; r < rows; r++) this.#outputs.values[r] = floats[critic.y / 4 + r * critic.width]!;
    if (features !== observations) features.seal(this.kernel, entries);
    actor.forward(features === observations ? rows : entries);
    if (perEntry) return;
    for (let r = 0; r < rows; r++) {
      const row = actor.y / 4 + r * actor.width;
      for (let k = starts[r]; k < starts[r + 1]; k++) this.#outputs.scores[k] = floats[row + this.#legal[k]]!;
    }
  }

  #backward(rows: number, gradient: number): void {
    const { observations, features, actor, critic, perEntry } = this.chains;
    const { floats } = this;
    const starts = this.#starts;
    for (let r = 0; r < rows; r++) floats[critic.dy / 4 + r * critic.width] = this.#dOutputs.values[r]!;
    critic.backward(rows, gradient);
    if (perEntry) {
      actor.backward(features === observations ? rows : starts[rows], gradient);
      return;
    }
    // Illegal actions are no part of the loss.
    floats.fill(0, actor.dy / 4, actor.dy / 4 + rows * actor.width);
    for (let r = 0; r < rows; r++) {
      const row = actor.dy / 4 + r * actor.width;
      for (let k = starts[r]; k < starts[r + 1]; k++) floats[row + this.#legal[k]] = this.#dOutputs.scores[k]!;
    }
    actor.backward(rows, gradient);
  }
}

function wordsOf({ buffer, byteOffset, length }: Float32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

/**
 * Copies words. `set` between shared memories copies byte by byte where source and target lie differently to 8 bytes, as every
 * second observation of odd length does: 380 ns for 325 numbers, the loop 135. Otherwise it takes 90.
 */
function copyWords(source: Int32Array, at: number, target: Int32Array, to: number, count: number): void {
  const end = at + count;
  const offset = to - at;
  if ((offset & 1) === 0) {
    target.set(source.subarray(at, end), to);
    return;
  }
  let k = at;
  for (; k + 8 <= end; k += 8) {
    const t = k + offset;
    target[t] = source[k]!;
    target[t + 1] = source[k + 1]!;
    target[t + 2] = source[k + 2]!;
    target[t + 3] = source[k + 3]!;
    target[t + 4] = source[k + 4]!;
    target[t + 5] = source[k + 5]!;
    target[t + 6] = source[k + 6]!;
    target[t + 7] = source[k + 7]!;
  }
  for (; k < end; k++) target[k + offset] = source[k]!;
}
