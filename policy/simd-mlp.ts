// A multilayer perceptron's forward pass on a WebAssembly SIMD kernel. It keeps its weights, padded to the kernel's width,
// and room for a block of rows in memory of its own.

import { readFileSync } from 'node:fs';
import type { Layer } from './network.js';
import { PolicyError } from './policy.js';

/** Rows that go through all layers together: enough to use each weight often, few enough to stay in cache. */
const BLOCK = 64;
const PAGE = 65536;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  dense(x: number, w: number, b: number, y: number, rows: number, inputs: number, outputs: number, relu: number): void;
}

/** A layer with its places in the kernel's memory, in bytes; `width` is `outputs` padded to a multiple of 8. */
interface PlacedLayer extends Layer {
  readonly w: number;
  readonly b: number;
  readonly width: number;
}

let module: WebAssembly.Module | undefined;

function instantiate(): Kernel {
  module ??= new WebAssembly.Module(readFileSync(new URL('./dense.wasm', import.meta.url)));
  return new WebAssembly.Instance(module, { env: { abort: () => undefined } }).exports as unknown as Kernel;
}

/** A network's layers in WebAssembly memory. Not shared between threads. */
export class SimdMlp {
  /** Numbers in a row of the input. */
  readonly inputs: number;
  /** Numbers in a row of the output. */
  readonly outputs: number;
  readonly #kernel: Kernel = instantiate();
  readonly #layers: readonly PlacedLayer[];
  readonly #input: number;
  readonly #ping: number;
  readonly #pong: number;
  readonly #floats: Float32Array;

  /** @param layers hidden widths are multiples of 8, as `networkLayout` checks */
  constructor(layers: readonly Layer[]) {
    this.inputs = layers[0].inputs;
    this.outputs = layers.at(-1)!.outputs;
    // Address 0 stays unused, and AssemblyScript keeps its statics in the first kilobytes.
    let top = 16384;
    const reserve = (floats: number): number => {
      const at = top;
      top = Math.ceil((top + 4 * floats) / 64) * 64;
      return at;
    };
    let widest = 0;
    this.#layers = layers.map((layer) => {
      const width = Math.ceil(layer.outputs / 8) * 8;
      widest = Math.max(widest, width);
      return { ...layer, width, w: reserve(layer.inputs * width), b: reserve(width) };
    });
    this.#input = reserve(BLOCK * this.inputs);
    this.#ping = reserve(BLOCK * widest);
    this.#pong = reserve(BLOCK * widest);
    const missing = Math.ceil(top / PAGE) - this.#kernel.memory.buffer.byteLength / PAGE;
    if (missing > 0) this.#kernel.memory.grow(missing);
    this.#floats = new Float32Array(this.#kernel.memory.buffer);
  }

  /**
   * Takes over its layers' part of a flat array of weights.
   * @throws PolicyError `ERR_NETWORK` if the array ends before they do
   */
  load(weights: Float32Array): void {
    const { biases, outputs } = this.#layers.at(-1)!;
    if (weights.length < biases + outputs) {
      throw new PolicyError('ERR_NETWORK', `${weights.length} weights: the layers need ${biases + outputs}`);
    }
    for (const layer of this.#layers) {
      for (let r = 0; r < layer.inputs; r++) {
        const from = layer.weights + r * layer.outputs;
        this.#floats.set(weights.subarray(from, from + layer.outputs), layer.w / 4 + r * layer.width);
      }
      this.#floats.set(weights.subarray(layer.biases, layer.biases + layer.outputs), layer.b / 4);
    }
  }

  /**
   * A row's result does not depend on the rows around it.
   * @param x      `[>= firstX + rows, inputs]`
   * @param y      output, `[>= firstY + rows, outputs]`
   */
  run(x: Float32Array, firstX: number, rows: number, y: Float32Array, firstY: number): void {
    const { inputs, outputs } = this;
    const last = this.#layers.at(-1)!;
    for (let done = 0; done < rows; done += BLOCK) {
      const count = Math.min(BLOCK, rows - done);
      this.#floats.set(x.subarray((firstX + done) * inputs, (firstX + done + count) * inputs), this.#input / 4);
      let from = this.#input;
      for (let k = 0; k < this.#layers.length; k++) {
        const layer = this.#layers[k];
        const to = k % 2 === 0 ? this.#ping : this.#pong;
        this.#kernel.dense(from, layer.w, layer.b, to, count, layer.inputs, layer.width, layer === last ? 0 : 1);
        from = to;
      }
      const at = from / 4;
      for (let r = 0; r < count; r++) {
        const target = (firstY + done + r) * outputs;
        const source = at + r * last.width;
        for (let o = 0; o < outputs; o++) y[target + o] = this.#floats[source + o]!;
      }
    }
  }
}
