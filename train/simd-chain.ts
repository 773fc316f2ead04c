// One network in the memory of the WebAssembly kernels: where its numbers lie, and how a block of rows goes forward and back.
// It knows no loss and no optimiser; which thread runs which block is the caller's part.

import type { LearningKernel } from '../policy/index.js';
import type { Layer } from '../policy/index.js';

/** Hands out addresses in the kernels' memory, in bytes, each a multiple of 64. */
export class Arena {
  /** First free address. 0 stays unused: to the kernels it means "none". */
  top = 1024;

  /** Room for so many 32-bit numbers. */
  reserve(numbers: number): number {
    const at = this.top;
    this.top = Math.ceil((at + 4 * numbers) / 64) * 64;
    return at;
  }
}

/** A layer, and its places within a block of parameters in bytes; gradients and moments lie alike in blocks of their own. */
interface PaddedLayer extends Layer {
  /** Outputs padded to a multiple of 8; 1 for a single output, which has kernels of its own. */
  readonly width: number;
  readonly w: number;
  readonly b: number;
  /** Whether only listed outputs of each row are computed; its weights lie transposed, `[outputs, inputs]`. */
  readonly listed: boolean;
}

/** Which outputs of each row are computed: entries `starts[r]` to `starts[r + 1]` (exclusive) of `at`; addresses. */
export interface ListedOutputs {
  readonly starts: number;
  readonly at: number;
  /** Most entries of a block. */
  readonly entries: number;
}

/** Networks' layers, padded, in one block of parameters. */
export class ParameterBlock {
  /** Numbers in the block, a multiple of 8. */
  size = 0;
  readonly #chains: (readonly PaddedLayer[])[] = [];

  /**
   * Adds a network's layers to the block.
   * @param listed whether only listed outputs of its last layer, which is not its first, are computed
   */
  add(layers: readonly Layer[], listed = false): readonly PaddedLayer[] {
    const padded = layers.map((layer, k) => {
      const single = layer.outputs === 1 && layer.inputs % 8 === 0;
      const width = single ? 1 : Math.ceil(layer.outputs / 8) * 8;
      const w = 4 * this.size;
      this.size += layer.inputs * width;
      const b = 4 * this.size;
      this.size += single ? 8 : width;
      return { ...layer, width, w, b, listed: listed && k > 0 && k === layers.length - 1 };
    });
    this.#chains.push(padded);
    return padded;
  }

  /** Copies flat weights, or moments, to the block at `at`, index in `floats`; padding is not touched. */
  load(flat: Float32Array, floats: Float32Array, at: number): void {
    this.#each(({ outputs }, from, to, stride) => {
      for (let o = 0; o < outputs; o++) floats[at + to + o * stride] = flat[from + o]!;
    });
  }

  /** Copies the block at `at`, index in `floats`, to a flat array. */
  store(floats: Float32Array, at: number, flat: Float32Array): void {
    this.#each(({ outputs }, from, to, stride) => {
      for (let o = 0; o < outputs; o++) flat[from + o] = floats[at + to + o * stride]!;
    });
  }

  /** Calls `row` for each row of weights and for the biases of each layer: place in the flat array, in the block, and stride there. */
  #each(row: (layer: PaddedLayer, flat: number, block: number, stride: number) => void): void {
    for (const layer of this.#chains.flat()) {
      const { inputs, outputs, width, listed } = layer;
      for (let r = 0; r < inputs; r++) {
        const from = layer.weights + r * outputs;
        if (listed) row(layer, from, layer.w / 4 + r, inputs);
        else row(layer, from, layer.w / 4 + r * width, 1);
      }
      row(layer, layer.biases, layer.b / 4, 1);
    }
  }
}

/** A block of input rows, and the list of what is not zero in it: most of an observation is empty slots. */
export class InputRows {
  /** Address of the `[rows, inputs]` numbers. */
  readonly x: number;
  /** Numbers in a row. */
  readonly inputs: number;
  /** Whether the list is in use: the kernels skip zeros. */
  sparse = false;
  /** The list, as the kernels take it; null where zeros are never skipped. */
  readonly lists: readonly [number, number, number, number, number, number] | null;

  /** @param rows most rows of a block */
  constructor(arena: Arena, inputs: number, rows: number) {
    this.inputs = inputs;
    this.x = arena.reserve(rows * inputs);
    // Narrow rows are not worth the search.
    const list = (numbers: number): number => arena.reserve(numbers);
    this.lists =
      inputs < 64
        ? null
        : [
            list(rows + 1),
            list(rows * inputs),
            list(rows * inputs),
            list(inputs + 2),
            list(rows * inputs),
            list(rows * inputs),
          ];
  }

  /** Call it when `rows` rows have been written to `x`. */
  seal(kernel: LearningKernel, rows: number): void {
    if (this.lists === null) return;
    const entries = kernel.compress(this.x, rows, this.inputs, ...this.lists);
    this.sparse = 2 * entries < rows * this.inputs;
  }
}

/** One network, for one thread: its parameters are shared, its rows are the thread's own. */
export class SimdChain {
  /** Address of the outputs of the last forward pass, `[rows, width]`. */
  readonly y: number;
  /** Address of the derivatives with respect to the outputs, `[rows, width]`; written before `backward`. */
  readonly dy: number;
  /** Numbers in a row of outputs, padding included. */
  readonly width: number;
  readonly #kernel: LearningKernel;
  readonly #layers: readonly PaddedLayer[];
  readonly #input: InputRows;
  /** Address of the block of parameters. */
  readonly #parameters: number;
  readonly #list: ListedOutputs | null;
  /** Zeros: the biases of a layer's way back. */
  readonly #zeros: number;
  /** Address of each layer's transposed weights; 0 for those that are not needed. */
  readonly #transposed: readonly number[];
  /** Address of each layer's outputs, and of the loss's derivatives with respect to them. */
  readonly #h: readonly number[];
  readonly #d: readonly number[];

  /**
   * @param arena      for the thread's rows
   * @param parameters address of the block of parameters
   * @param transposed as `reserveTransposed` gave it; shared by the threads
   * @param rows       most rows of a block
   * @param list       for a last layer of listed outputs: `y` and `dy` then have an entry for each
   */
  constructor(
    kernel: LearningKernel,
    arena: Arena,
    layers: readonly PaddedLayer[],
    input: InputRows,
    parameters: number,
    transposed: readonly number[],
    rows: number,
    list: ListedOutputs | null = null,
  ) {
    this.#kernel = kernel;
    this.#layers = layers;
    this.#input = input;
    this.#parameters = parameters;
    this.#transposed = transposed;
    this.#list = list;
    const room = (layer: PaddedLayer): number => arena.reserve(layer.listed ? list!.entries : rows * layer.width);
    this.#h = layers.map(room);
    this.#d = layers.map(room);
    this.#zeros = list === null ? 0 : arena.reserve(layers.at(-1)!.inputs);
    this.y = this.#h.at(-1)!;
    this.dy = this.#d.at(-1)!;
    this.width = layers.at(-1)!.width;
  }

  /** Room for the transposed weights of the layers that need them. */
  static reserveTransposed(arena: Arena, layers: readonly PaddedLayer[]): number[] {
    return layers.map(({ inputs, outputs, width, listed }, k) =>
      k === 0 || width === 1 || listed ? 0 : arena.reserve(inputs * outputs),
    );
  }

  /** Transposes the weights anew; once after they have changed, by one thread. */
  refresh(): void {
    this.#layers.forEach(({ w, inputs, outputs, width }, k) => {
      const t = this.#transposed[k];
      if (t !== 0) this.#kernel.transpose(this.#parameters + w, t, inputs, outputs, width);
    });
  }

  /** Outputs of the first `rows` rows of the input, which has been sealed, at `y`. */
  forward(rows: number): void {
    const kernel = this.#kernel;
    const input = this.#input;
    const last = this.#layers.length - 1;
    let x = input.x;
    for (let k = 0; k <= last; k++) {
      const layer = this.#layers[k];
      const w = this.#parameters + layer.w;
      const b = this.#parameters + layer.b;
      const y = this.#h[k];
      const relu = k < last ? 1 : 0;
      if (layer.listed) {
        const { starts, at } = this.#list!;
        kernel.dotListed(x, w, b, starts, at, y, rows, layer.inputs);
      } else if (layer.width === 1) {
        kernel.dot(x, w, b, y, rows, layer.inputs);
      } else if (k === 0 && input.sparse) {
        kernel.multiplySparse(input.lists![0], input.lists![1], input.lists![2], w, b, y, rows, layer.width, relu);
      } else {
        kernel.multiply(x, layer.inputs, w, b, y, rows, layer.inputs, layer.width, relu, 0);
      }
      x = y;
    }
  }

  /**
   * Adds the gradient of the rows of the last `forward` to the block of gradients at `gradient`.
   * Padding of `dy` must be 0.
   */
  backward(rows: number, gradient: number): void {
    const kernel = this.#kernel;
    const input = this.#input;
    for (let k = this.#layers.length - 1; k >= 0; k--) {
      const layer = this.#layers[k];
      const d = this.#d[k];
      const x = k === 0 ? input.x : this.#h[k - 1];
      const dx = k === 0 ? 0 : this.#d[k - 1];
      const gw = gradient + layer.w;
      const gb = gradient + layer.b;
      if (layer.listed) {
        const { starts, at } = this.#list!;
        kernel.addListed(x, d, starts, at, gw, gb, rows, layer.inputs);
        kernel.multiplySparse(starts, at, d, this.#parameters + layer.w, this.#zeros, dx, rows, layer.inputs, 0);
        kernel.gate(dx, x, rows * layer.inputs);
        continue;
      }
      if (layer.width === 1) {
        kernel.dotBack(x, this.#parameters + layer.w, d, gw, gb, dx, rows, layer.inputs);
        continue;
      }
      kernel.addRows(d, gb, rows, layer.width);
      if (k === 0 && input.sparse) {
        kernel.multiplySparse(
          input.lists![3],
          input.lists![4],
          input.lists![5],
          d,
          0,
          gw,
          layer.inputs,
          layer.width,
          0,
        );
      } else {
        kernel.addOuter(x, layer.inputs, d, gw, rows, layer.inputs, layer.width);
      }
      if (k > 0) kernel.multiply(d, layer.width, this.#transposed[k], 0, dx, rows, layer.outputs, layer.inputs, 0, x);
    }
  }
}
