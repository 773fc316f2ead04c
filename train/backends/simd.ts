// Our own backend: WebAssembly SIMD kernels, without TensorFlow.js. It gives the same bytes on every processor, and needs no
// download. Whole batches go through it block by block, on the calling thread; sharded-learner.ts spreads minibatches over threads.

import { kernelMemory, learningKernel } from '../../policy/index.js';
import type { Layer, LearningKernel } from '../../policy/index.js';
import { version } from '../identity.js';
import { Arena, InputRows, ParameterBlock, SimdChain } from '../simd-chain.js';
import type { TrainableMlp } from '../trainable-mlp.js';

/** Rows that go through all layers together: enough to use each weight often, few enough to stay in cache. */
const BLOCK = 64;

/** Names of the two builds of our kernels: the exact one, and the one that may fuse multiplications with additions. */
export type SimdName = 'simd' | 'simd-relaxed';

/** What `loadBackend` makes its backend of. */
export interface SimdBuild {
  readonly name: SimdName;
  /** Version of this package, whose kernels they are. */
  readonly version: string;
  /** A new trainable network; dispose of it after use. */
  mlp(layers: readonly Layer[]): TrainableMlp;
}

/** The kernels' backend. @throws Error with the reason if this Node cannot run them */
export function loadSimd(name: SimdName): SimdBuild {
  const relaxed = name === 'simd-relaxed';
  // Compiles the kernels: an engine without SIMD or shared memory fails here.
  learningKernel(kernelMemory(1), relaxed);
  return { name, version: `fleetstep ${version}`, mlp: (layers) => new SimdTrainable(layers, relaxed) };
}

class SimdTrainable implements TrainableMlp {
  readonly #layers: readonly Layer[];
  readonly #kernel: LearningKernel;
  readonly #floats: Float32Array;
  readonly #block = new ParameterBlock();
  readonly #parameters: number;
  readonly #gradient: number;
  readonly #input: InputRows;
  readonly #chain: SimdChain;
  /** Inputs of the last forward pass: blocks go forward again on their way back, so that one block's room is enough. */
  #x = new Float32Array(0);
  #y = new Float32Array(0);
  #rows = 0;

  constructor(layers: readonly Layer[], relaxed: boolean) {
    this.#layers = layers;
    const arena = new Arena();
    const padded = this.#block.add(layers);
    this.#parameters = arena.reserve(this.#block.size);
    this.#gradient = arena.reserve(this.#block.size);
    const transposed = SimdChain.reserveTransposed(arena, padded);
    // Places first, then the memory that they need.
    const chainOn = (kernel: LearningKernel, room: Arena): { input: InputRows; chain: SimdChain } => {
      const input = new InputRows(room, layers[0].inputs, BLOCK);
      return { input, chain: new SimdChain(kernel, room, padded, input, this.#parameters, transposed, BLOCK) };
    };
    const start = arena.top;
    chainOn(null as never, arena);
    const memory = kernelMemory(arena.top);
    arena.top = start;
    this.#kernel = learningKernel(memory, relaxed);
    ({ input: this.#input, chain: this.#chain } = chainOn(this.#kernel, arena));
    this.#floats = new Float32Array(memory.buffer);
  }

  load(weights: Float32Array): void {
    this.#block.load(weights, this.#floats, this.#parameters / 4);
    this.#chain.refresh();
  }

  forward(x: Float32Array, rows: number): Float32Array {
    const { inputs } = this.#layers[0];
    const { outputs } = this.#layers.at(-1)!;
    if (this.#x.length < rows * inputs) this.#x = new Float32Array(rows * inputs);
    if (this.#y.length < rows * outputs) this.#y = new Float32Array(rows * outputs);
    this.#x.set(x.subarray(0, rows * inputs));
    this.#rows = rows;
    const from = this.#chain.y / 4;
    const { width } = this.#chain;
    for (let first = 0; first < rows; first += BLOCK) {
      const count = this.#forwardBlock(first);
      for (let r = 0; r < count; r++) {
        for (let o = 0; o < outputs; o++) this.#y[(first + r) * outputs + o] = this.#floats[from + r * width + o]!;
      }
    }
    return this.#y.subarray(0, rows * outputs);
  }

  backward(dOutputs: Float32Array, gradient: Float32Array): void {
    const { outputs } = this.#layers.at(-1)!;
    const to = this.#chain.dy / 4;
    const { width } = this.#chain;
    const at = this.#gradient / 4;
    this.#floats.fill(0, at, at + this.#block.size);
    for (let first = 0; first < this.#rows; first += BLOCK) {
      const count = this.#forwardBlock(first);
      for (let r = 0; r < count; r++) {
        for (let o = 0; o < outputs; o++) this.#floats[to + r * width + o] = dOutputs[(first + r) * outputs + o]!;
      }
      this.#chain.backward(count, this.#gradient);
    }
    this.#block.store(this.#floats, at, gradient);
  }

  dispose(): void {
    // Its memory goes with the object.
  }

  #forwardBlock(first: number): number {
    const { inputs } = this.#layers[0];
    const count = Math.min(BLOCK, this.#rows - first);
    this.#floats.set(this.#x.subarray(first * inputs, (first + count) * inputs), this.#input.x / 4);
    this.#input.seal(this.#kernel, count);
    this.#chain.forward(count);
    return count;
  }
}
