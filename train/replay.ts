// Replay memory: states in a ring, each with its legal actions and, once it is known, what followed the decision taken there. A
// state is kept once, whether it is where a transition starts, where another one ends, or both. It knows no networks.

import { PAIR_COLUMNS } from '../engine/index.js';
import type { NetworkShape } from '../policy/index.js';
import { TrainError } from './errors.js';
import type { Batch } from './learner.js';
import type { TransitionSink } from './n-step.js';
import type { SavedViews } from './records.js';
import { SumTree } from './sum-tree.js';

/** How large a replay memory is. */
export interface ReplaySizes {
  /** States, at least 1. */
  readonly capacity: number;
  /** Legal actions of all states together, at least those of one state. */
  readonly entries: number;
  /** Numbers of an observation that are kept; 0 if the networks do not look at it. */
  readonly inputs: number;
  /** Numbers that are kept of each legal action: `PAIR_COLUMNS` for a `pairs` network, 0 for a `flat` one. */
  readonly columns: number;
}

/** Bytes of a state with `legal` legal actions. */
export function bytesPerState({ inputs, columns }: ReplaySizes, legal: number): number {
  // Start, count, action, successor, return: 4 bytes each; number of steps and end: 1 byte each; priority and its sums: 16.
  return 4 * inputs + legal * (4 + 4 * columns) + 5 * 4 + 2 + 16;
}

/** Counters of a replay memory; with its arrays, all that it is. */
export interface ReplayCounters {
  /** Number of the oldest state that is held. */
  readonly first: number;
  /** Number that the next state gets. */
  readonly next: number;
  /** Where the next state's legal actions start. */
  readonly head: number;
  /** Transitions that can be drawn. */
  readonly transitions: number;
}

/**
 * The last `capacity` states, or fewer if their legal actions need more room than there is. States have numbers that count up;
 * number s lies at place s modulo capacity. The oldest state is dropped first, so what follows a state outlives it.
 *
 * Room: one observation, and 4 bytes and `columns` floats for each legal action. On `geneva` with the default networks (325
 * numbers observed, 32 columns, about 11 legal actions) a state takes 2.8 KB. It is allocated once, and the system gives memory
 * only to what has been written.
 */
export class Replay implements TransitionSink {
  /** As given. */
  readonly sizes: ReplaySizes;
  /** `[capacity]` priority of the transition that starts at a place; 0 where none does */
  readonly tree: SumTree;
  /** `[capacity, inputs]` */
  readonly observations: Float32Array;
  /** `[capacity]` where the state's legal actions start */
  readonly starts: Int32Array;
  /** `[capacity]` how many there are */
  readonly counts: Int32Array;
  /** `[entries]` */
  readonly legalActions: Int32Array;
  /** `[entries, columns]` */
  readonly features: Float32Array;
  /** `[capacity]` which of the state's legal actions was taken, 0 first */
  readonly taken: Int32Array;
  /** `[capacity]` discounted sum of the rewards that followed */
  readonly returns: Float32Array;
  /** `[capacity]` how many rewards that is; 0: no transition starts here, or it is not complete */
  readonly steps: Uint8Array;
  /** `[capacity]` 0/1: nothing follows */
  readonly terminated: Uint8Array;
  /** `[capacity]` place of the state that follows; -1 if nothing does */
  readonly successors: Int32Array;
  /** Priority of the next transition that becomes complete. */
  newPriority = 1;
  #first = 0;
  #next = 0;
  #head = 0;
  /** Legal actions that have been written in the first round, or all of them. */
  #written = 0;
  #transitions = 0;

  constructor(sizes: ReplaySizes) {
    const { capacity, entries, inputs, columns } = sizes;
    this.sizes = sizes;
    this.tree = new SumTree(capacity);
    this.observations = new Float32Array(capacity * inputs);
    this.starts = new Int32Array(capacity);
    this.counts = new Int32Array(capacity);
    this.legalActions = new Int32Array(entries);
    this.features = new Float32Array(entries * columns);
    this.taken = new Int32Array(capacity);
    this.returns = new Float32Array(capacity);
    this.steps = new Uint8Array(capacity);
    this.terminated = new Uint8Array(capacity);
    this.successors = new Int32Array(capacity);
  }

  /** States held. */
  get length(): number {
    return this.#next - this.#first;
  }

  /** Transitions that can be drawn. */
  get transitions(): number {
    return this.#transitions;
  }

  /**
   * Adds a state; the oldest ones are dropped to make room.
   * @param observations `[>= row + 1, inputs]`
   * @param legalActions its legal actions are at `from` to `from + count` (exclusive)
   * @param features     their rows, `[.., columns]`, at the same indices
   * @param taken        which of them was taken, 0 first; -1 for a final state
   * @returns its number
   * @throws TrainError `ERR_TRAIN_OPTION` if it has more legal actions than there is room for in all
   */
  append(
    observations: Float32Array,
    row: number,
    legalActions: Int32Array,
    features: Float32Array,
    from: number,
    count: number,
    taken: number,
  ): number {
    const { capacity, inputs, columns } = this.sizes;
    const at = this.#reserve(count);
    if (this.length === capacity) this.#drop();
    const place = this.#next % capacity;
    if (inputs > 0) this.observations.set(observations.subarray(row * inputs, (row + 1) * inputs), place * inputs);
    this.legalActions.set(legalActions.subarray(from, from + count), at);
    if (columns > 0) {
      this.features.set(features.subarray(from * columns, (from + count) * columns), at * columns);
    }
    this.starts[place] = at;
    this.counts[place] = count;
    this.taken[place] = taken;
    this.returns[place] = 0;
    this.steps[place] = 0;
    this.terminated[place] = 0;
    this.successors[place] = -1;
    this.#head = at + count;
    this.#written = Math.max(this.#written, this.#head);
    return this.#next++;
  }

  complete(state: number, total: number, steps: number, terminated: number, successor: number): void {
    // It may have been dropped while it waited, if the memory is small.
    if (state < this.#first) return;
    const { capacity } = this.sizes;
    const place = state % capacity;
    this.returns[place] = total;
    this.steps[place] = steps;
    this.terminated[place] = terminated;
    this.successors[place] = successor < 0 ? -1 : successor % capacity;
    this.tree.set(place, this.newPriority);
    this.#transitions++;
  }

  /** Where `count` legal actions go, in one piece; what lay there is dropped. */
  #reserve(count: number): number {
    const { capacity, entries } = this.sizes;
    if (count > entries) {
      throw new TrainError(
        'ERR_TRAIN_OPTION',
        `a state has ${count} legal actions, replayEntries has room for ${entries} in all: raise it`,
      );
    }
    let at = this.#head;
    if (at + count > entries) {
      // The rest of the ring stays unused in this round.
      while (this.length > 0 && this.starts[this.#first % capacity] >= at) this.#drop();
      at = 0;
    }
    while (this.length > 0) {
      const oldest = this.#first % capacity;
      if (this.starts[oldest] >= at + count || this.starts[oldest] + this.counts[oldest] <= at) break;
      this.#drop();
    }
    return at;
  }

  /** Drops the oldest state. */
  #drop(): void {
    const place = this.#first++ % this.sizes.capacity;
    if (this.steps[place] === 0) return;
    this.steps[place] = 0;
    this.tree.set(place, 0);
    this.#transitions--;
  }

  /** Its counters. */
  counters(): ReplayCounters {
    return { first: this.#first, next: this.#next, head: this.#head, transitions: this.#transitions };
  }

  /** Its arrays as far as they have been written: its own memory, not copies. */
  views(): SavedViews {
    const { capacity, inputs, columns } = this.sizes;
    const states = Math.min(this.#next, capacity);
    const written = this.#written;
    return {
      priorities: this.tree.view(states),
      observations: this.observations.subarray(0, states * inputs),
      starts: this.starts.subarray(0, states),
      counts: this.counts.subarray(0, states),
      legalActions: this.legalActions.subarray(0, written),
      features: this.features.subarray(0, written * columns),
      taken: this.taken.subarray(0, states),
      returns: this.returns.subarray(0, states),
      steps: this.steps.subarray(0, states),
      terminated: this.terminated.subarray(0, states),
      successors: this.successors.subarray(0, states),
    };
  }

  /** Takes over what `counters` and `views` gave. @throws TrainError `ERR_CHECKPOINT` if it does not fit */
  restore(counters: ReplayCounters, saved: SavedViews): void {
    const { priorities, ...arrays } = saved;
    const mine = this as unknown as Record<string, Float32Array | undefined>;
    for (const [name, from] of [...Object.entries(arrays), ['priorities', priorities] as const]) {
      const room = name === 'priorities' ? this.sizes.capacity : mine[name]?.length;
      if (ArrayBuffer.isView(from) && room !== undefined && from.length <= room) continue;
      throw new TrainError(
        'ERR_CHECKPOINT',
        `the replay memory's "${name}" has ${(from as Float32Array | undefined)?.length ?? 0} numbers, this run has room for ${room ?? 0}`,
      );
    }
    for (const [name, from] of Object.entries(arrays)) mine[name]!.set(from);
    this.tree.restore(priorities as Float64Array);
    this.#first = counters.first;
    this.#next = counters.next;
    this.#head = counters.head;
    this.#written = saved['legalActions'].length;
    this.#transitions = counters.transitions;
  }
}

/** A batch of states from a replay memory. Memory is reused from one gathering to the next. */
export class ReplayBatch implements Batch {
  /** States of the last gathering; at most `room`. */
  rows = 0;
  /** `[room, inputs]` zeros if the replay memory keeps no observations */
  readonly observations: Float32Array;
  /** `[room + 1]` */
  readonly starts: Int32Array;
  /** `[entries]` or longer */
  legalActions: Int32Array = new Int32Array(0);
  /** `[entries, PAIR_COLUMNS]` or longer; empty for a `flat` network */
  features: Float32Array = new Float32Array(0);
  readonly #pairs: boolean;

  /** @param room states at most */
  constructor(shape: NetworkShape, room: number) {
    this.observations = new Float32Array(room * shape.inputs);
    this.starts = new Int32Array(room + 1);
    this.#pairs = shape.kind === 'pairs';
  }

  /** Copies the states at `places[0]` to `places[rows - 1]` into the batch, in this order. */
  gather(replay: Replay, places: Int32Array, rows: number): void {
    const { inputs } = replay.sizes;
    const { observations, starts } = this;
    let entries = 0;
    for (let r = 0; r < rows; r++) entries += replay.counts[places[r]];
    if (this.legalActions.length < entries) {
      const room = Math.ceil(entries * 1.25);
      this.legalActions = new Int32Array(room);
      this.features = new Float32Array(this.#pairs ? room * PAIR_COLUMNS : 0);
    }
    const { legalActions, features } = this;
    let at = 0;
    for (let r = 0; r < rows; r++) {
      const place = places[r];
      const from = replay.starts[place];
      const count = replay.counts[place];
      if (inputs > 0) {
        observations.set(replay.observations.subarray(place * inputs, (place + 1) * inputs), r * inputs);
      }
      legalActions.set(replay.legalActions.subarray(from, from + count), at);
      if (this.#pairs) {
        features.set(replay.features.subarray(from * PAIR_COLUMNS, (from + count) * PAIR_COLUMNS), at * PAIR_COLUMNS);
      }
      starts[r] = at;
      at += count;
    }
    starts[rows] = at;
    this.rows = rows;
  }
}
