// onnxruntime on several threads: each has its share of the rows, their gradients are summed, and one Adam takes the step.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Adam, repeat } from './onnx.js';
import type { Net } from './torch.js';

/** What a thread gets. */
export interface OnnxShare {
  /** With its own share of the rows. */
  readonly nets: readonly Net[];
  /** Of each network; shared. */
  readonly weights: readonly Float32Array[];
  /** Its own, of each network; shared. */
  readonly gradients: readonly Float32Array[];
}

/** Networks that learn together on several threads. */
export class OnnxPool {
  readonly #threads: readonly Worker[];
  readonly #shares: readonly OnnxShare[];
  readonly #adams: readonly Adam[];

  private constructor(threads: readonly Worker[], shares: readonly OnnxShare[], adams: readonly Adam[]) {
    this.#threads = threads;
    this.#shares = shares;
    this.#adams = adams;
  }

  /** @param nets whose rows divide by the number of threads */
  static async create(nets: readonly Net[], threads: number): Promise<OnnxPool> {
    const counts = nets.map(({ widths }) =>
      widths.slice(1).reduce((sum, width, k) => sum + (widths[k] + 1) * width, 0),
    );
    const shared = (): Float32Array[] => counts.map((count) => new Float32Array(new SharedArrayBuffer(4 * count)));
    const weights = shared();
    const shares = Array.from({ length: threads }, () => ({
      nets: nets.map(({ widths, rows }) => ({ widths, rows: rows / threads })),
      weights,
      gradients: shared(),
    }));
    const workers = shares.map(
      (workerData) => new Worker(new URL('./onnx-worker.js', import.meta.url), { workerData }),
    );
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const adams = counts.map((count) => new Adam(count));
    for (const [k, adam] of adams.entries()) adam.weights.set(weights[k]);
    return new OnnxPool(workers, shares, adams);
  }

  /** Updates for so many seconds. */
  updates(seconds: number): Promise<{ work: number; seconds: number }> {
    return repeat(() => this.update(), seconds);
  }

  /** One update towards the targets. */
  async update(): Promise<void> {
    const done = this.#threads.map((thread) => once(thread, 'message'));
    for (const thread of this.#threads) thread.postMessage('share');
    await Promise.all(done);
    const [first, ...others] = this.#shares;
    for (const [k, { weights, gradient, step }] of this.#adams.entries()) {
      gradient.set(first.gradients[k]);
      for (const { gradients } of others) {
        for (let p = 0; p < gradient.length; p++) gradient[p] += gradients[k][p];
      }
      step();
      first.weights[k].set(weights);
    }
  }

  /** Weights and biases of each network, in the order of the layers. */
  get weights(): readonly Float32Array[] {
    return this.#shares[0].weights;
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    for (const thread of this.#threads) await thread.terminate();
  }
}
