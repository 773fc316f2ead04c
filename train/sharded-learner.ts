// The learner of the simd backend for algorithms whose minibatches come from a rollout's records: each update is cut into shards,
// which this thread and the pool's threads compute together. The same weights come out for any number of threads.

import { fileURLToPath } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import type { NetworkShape } from '../policy/index.js';
import { kernelMemory } from '../policy/index.js';
import type { RolloutPool, TransitionViews } from '../workers/index.js';
import { BETA1, BETA2, EPSILON } from './adam.js';
import type { AdamState } from './adam.js';
import { badInputOfRecords, checkParameters, diverged } from './divergence.js';
import { wholePower } from '../engine/index.js';
import { Control, ShardLayout, ShardThread } from './shards.js';
import type { SampleLoss, ShardSetup, ShardTask } from './shards.js';

/** What a sharded learner is made for. */
export interface ShardedLearnerOptions {
  /** Whose threads compute, beside this one. */
  readonly pool: Pick<RolloutPool, 'shape' | 'weights' | 'workers' | 'runPhase'>;
  /** Where samples are read; shared memory. */
  readonly records: TransitionViews;
  /** Environments and steps of the records. */
  readonly envs: number;
  readonly steps: number;
  /** Numbers of samples in the order in which minibatches take them; shared memory, written between updates only. */
  readonly order: Int32Array;
  /** Parts that a minibatch is cut into. */
  readonly shards: number;
  /** Whether to use the kernels of backend `simd-relaxed`. */
  readonly relaxed: boolean;
  /** The loss; `setup` is what the threads make it of. */
  readonly loss: { readonly name: string; readonly setup: unknown; readonly here: SampleLoss };
}

let learners = 0;
const worker = fileURLToPath(new URL('./shard-worker.js', import.meta.url));

/** Milliseconds of busy waiting for the last shards, and of waiting with this thread's events held up. */
const SPIN_MS = 0.02;
const HOLD_MS = 250;

/** Actor, critic and Adam in memory that threads share. */
export class ShardedLearner {
  /** Means of the loss's terms over the last update's minibatch, in the order of their names. */
  readonly terms: Float64Array;
  readonly #pool: ShardedLearnerOptions['pool'];
  readonly #shape: NetworkShape;
  readonly #setup: ShardSetup;
  readonly #loss: SampleLoss;
  readonly #thread: ShardThread;
  #step = 0;

  /** @throws PolicyError `ERR_NETWORK` if the network needs more memory than there is */
  constructor({ pool, records, envs, steps, order, shards, relaxed, loss }: ShardedLearnerOptions) {
    checkParameters(pool.shape, pool.weights);
    this.#pool = pool;
    this.#shape = pool.shape;
    this.#loss = loss.here;
    const terms = loss.here.terms.length;
    this.terms = new Float64Array(terms);
    this.#setup = {
      id: ++learners,
      shape: pool.shape,
      shards,
      threads: pool.workers,
      memory: kernelMemory(new ShardLayout(pool.shape, shards, pool.workers).bytes),
      relaxed,
      records,
      envs,
      steps,
      order,
      control: new Int32Array(new SharedArrayBuffer(4 * Control.words)),
      terms: new Float64Array(new SharedArrayBuffer(8 * shards * terms)),
      loss: { name: loss.name, setup: loss.setup },
    };
    Atomics.store(this.#setup.control, Control.next, shards);
    this.#thread = new ShardThread(this.#setup, loss.here, 0);
    this.#load();
  }

  /**
   * Runs `updates` with the pool's threads at hand; the pool's weights are written at the end.
   * @throws WorkerError `ERR_WORKER` if a thread fails, `ERR_WORKER_HANGS`; what `updates` throws
   */
  async phase<T>(updates: (update: ShardedUpdate) => Promise<T>): Promise<T> {
    const { control } = this.#setup;
    Atomics.store(control, Control.over, 0);
    Atomics.store(control, Control.next, this.#setup.shards);
    const seen = Atomics.load(control, Control.update);
    const end = (): void => {
      Atomics.store(control, Control.over, 1);
      Atomics.add(control, Control.update, 1);
      Atomics.notify(control, Control.update);
    };
    // This thread computes, too: one fewer is needed.
    const others = this.#pool.workers - 1;
    const helping = this.#pool.runPhase<ShardTask>(worker, 'learn', others, {
      task: (beats, slot) => ({ setup: this.#setup, thread: slot + 1, seen, beats, slot }),
      // The others must not wait for updates that no longer come.
      failed: end,
    });
    // It is awaited below; a rejection before that is no stray one.
    helping.catch(() => undefined);
    let result: T;
    try {
      result = await updates(async (first, rows, learningRate, maxNorm) => {
        this.#begin(first, rows);
        this.#thread.work();
        if (!this.#waitHere()) await this.#waitAway(helping);
        return this.#descend(first, rows, learningRate, maxNorm);
      });
    } finally {
      end();
      await helping.catch(() => undefined);
    }
    await helping;
    this.#thread.layout.block.store(this.#thread.floats, this.#thread.layout.parameters / 4, this.#pool.weights);
    return result;
  }

  /** A copy of the optimiser's state; the weights belong to the pool. */
  snapshot(): AdamState {
    const { block, m, v } = this.#thread.layout;
    const flat = (at: number): Float32Array => {
      const copy = new Float32Array(this.#pool.weights.length);
      block.store(this.#thread.floats, at / 4, copy);
      return copy;
    };
    return { m: flat(m), v: flat(v), step: this.#step };
  }

  /** Takes over the optimiser's state, and the pool's weights as they are now. */
  restore(state: AdamState): void {
    const { block, m, v } = this.#thread.layout;
    block.load(state.m, this.#thread.floats, m / 4);
    block.load(state.v, this.#thread.floats, v / 4);
    this.#step = state.step;
    this.#load();
  }

  #load(): void {
    const { layout, floats } = this.#thread;
    layout.block.load(this.#pool.weights, floats, layout.parameters / 4);
    this.#refresh();
  }

  #refresh(): void {
    this.#thread.chains.actor.refresh();
    this.#thread.chains.critic.refresh();
  }

  /** Hands out the shards. A thread that still asks for shards of the last update gets some of this one: all has been written. */
  #begin(first: number, rows: number): void {
    const { control } = this.#setup;
    control[Control.first] = first;
    control[Control.rows] = rows;
    Atomics.store(control, Control.done, 0);
    Atomics.store(control, Control.next, 0);
    Atomics.add(control, Control.update, 1);
    if (this.#pool.workers > 1) Atomics.notify(control, Control.update);
  }

  /** Waits for the other threads' shards without letting go of this thread; false if they take too long for that. */
  #waitHere(): boolean {
    const { control, shards } = this.#setup;
    const started = performance.now();
    for (;;) {
      for (let k = 0; k < 100; k++) if (Atomics.load(control, Control.done) === shards) return true;
      const waited = performance.now() - started;
      if (waited > HOLD_MS) return false;
      if (waited < SPIN_MS) continue;
      const done = Atomics.load(control, Control.done);
      if (done !== shards) Atomics.wait(control, Control.done, done, 10);
    }
  }

  /** Waits while this thread's events go on: a thread that has died, or hangs, is found out by them. */
  async #waitAway(helping: Promise<void>): Promise<void> {
    const { control, shards } = this.#setup;
    while (Atomics.load(control, Control.done) !== shards) await Promise.race([helping, setTimeout(10)]);
  }

  /** Sums the shards' gradients, and takes one step of Adam; gives the gradient's norm. */
  #descend(first: number, rows: number, learningRate: number, maxNorm: number): number {
    const { layout, kernel, floats } = this.#thread;
    const { shards, terms } = this.#setup;
    const { size } = layout.block;
    this.terms.fill(0);
    const count = this.terms.length;
    for (let s = 0; s < shards; s++) for (let k = 0; k < count; k++) this.terms[k] += terms[s * count + k];
    const norm = Math.sqrt(kernel.sumParts(layout.parts, layout.gradient, shards, size));
    if (!Number.isFinite(norm) || !this.terms.every((term) => Number.isFinite(term))) {
      const gradient = new Float32Array(this.#pool.weights.length);
      const weights = gradient.slice();
      layout.block.store(floats, layout.gradient / 4, gradient);
      layout.block.store(floats, layout.parameters / 4, weights);
      throw diverged({
        shape: this.#shape,
        update: this.#step + 1,
        learningRate,
        norm,
        weights,
        gradient,
        terms: this.#loss.terms.map((name, k) => [name, this.terms[k]]),
        badInput: () => badInputOfRecords(this.#shape, { ...this.#setup, first, rows }),
      });
    }
    this.#step++;
    kernel.adam(
      layout.parameters,
      layout.gradient,
      layout.m,
      layout.v,
      size,
      norm > maxNorm ? maxNorm / norm : 1,
      learningRate / (1 - wholePower(BETA1, this.#step)),
      1 / Math.sqrt(1 - wholePower(BETA2, this.#step)),
      BETA1,
      BETA2,
      1 - BETA1,
      1 - BETA2,
      EPSILON,
    );
    this.#refresh();
    return norm;
  }
}

/**
 * One update, with the samples at places `first` to `first + rows` (exclusive) of the order.
 * @param maxNorm a longer gradient is shortened to this norm
 * @returns the norm of the whole gradient before it is shortened
 * @throws TrainError `ERR_DIVERGED` naming what is no longer finite; the weights stay as they were
 */
export type ShardedUpdate = (first: number, rows: number, learningRate: number, maxNorm: number) => Promise<number>;
