// onnxruntime-node as an anchor: a multilayer perceptron that learns by two ONNX graphs, forward and back, with our Adam. It is no
// dependency: its row appears where it can be imported. FLEETSTEP_ONNXRUNTIME may name the module, such as a path to its index.

import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { PbfWriter } from 'pbf';
import { kernelMemory, learningKernel } from '../policy/index.js';

interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}

interface Node {
  readonly type: 'Gemm' | 'MatMul' | 'Relu' | 'Sub' | 'Sign' | 'Mul';
  readonly inputs: readonly string[];
  readonly output: string;
  /** Attributes of Gemm that are 1. */
  readonly transposed?: 'transA' | 'transB';
}

// Field numbers of onnx.proto3; see train/export.ts, which writes inference models.
const FLOAT = 1;
const INT_ATTRIBUTE = 2;

function message(pbf: PbfWriter, field: number, write: (inner: PbfWriter) => void): void {
  pbf.writeMessage(field, (_: null, inner: PbfWriter) => write(inner), null);
}

/** A graph of named tensors whose shapes the runtime finds out itself; all inputs are given by name and number of dimensions. */
function graphOf(
  nodes: readonly Node[],
  inputs: readonly (readonly [string, number])[],
  outputs: readonly string[],
): Uint8Array {
  const pbf = new PbfWriter();
  const value = (name: string, dimensions: number, to: PbfWriter): void => {
    to.writeStringField(1, name);
    message(to, 2, (type) =>
      message(type, 1, (tensor) => {
        tensor.writeVarintField(1, FLOAT);
        if (dimensions === 0) return;
        message(tensor, 2, (shape) => {
          for (let k = 0; k < dimensions; k++) message(shape, 1, (side) => side.writeStringField(2, `${name}_${k}`));
        });
      }),
    );
  };
  pbf.writeVarintField(1, 8);
  message(pbf, 7, (graph) => {
    for (const { type, inputs: from, output, transposed } of nodes) {
      message(graph, 1, (node) => {
        for (const name of from) node.writeStringField(1, name);
        node.writeStringField(2, output);
        node.writeStringField(4, type);
        if (transposed === undefined) return;
        message(node, 5, (attribute) => {
          attribute.writeStringField(1, transposed);
          attribute.writeVarintField(3, 1);
          attribute.writeVarintField(20, INT_ATTRIBUTE);
        });
      });
    }
    graph.writeStringField(2, 'learn');
    for (const [name, dimensions] of inputs) message(graph, 11, (one) => value(name, dimensions, one));
    for (const name of outputs) message(graph, 12, (one) => value(name, 0, one));
  });
  message(pbf, 8, (opset) => {
    opset.writeStringField(1, '');
    opset.writeVarintField(2, 13);
  });
  return pbf.finish();
}

const runtimeModule = (): string => process.env['FLEETSTEP_ONNXRUNTIME'] ?? 'onnxruntime-node';

/** Weights that learn by our Adam, from gradients that others compute. */
export class Adam {
  /** Weights and biases, in the order of the layers. */
  readonly weights: Float32Array;
  /** Where the next gradient is written. */
  readonly gradient: Float32Array;
  /** Takes a step against the gradient. */
  readonly step: () => void;

  constructor(count: number) {
    const size = 8 * Math.ceil(count / 8);
    const memory = kernelMemory(1024 + 16 * size);
    const kernel = learningKernel(memory);
    const [w, g, m, v] = [0, 1, 2, 3].map((k) => 1024 + 4 * size * k);
    this.weights = new Float32Array(memory.buffer, w, count);
    this.gradient = new Float32Array(memory.buffer, g, count);
    this.step = () => {
      const norm = Math.sqrt(kernel.sumParts(g, g, 1, size));
      kernel.adam(w, g, m, v, size, norm > 0.5 ? 0.5 / norm : 1, 1e-4, 1, 0.9, 0.999, 0.1, 0.001, 1e-5);
    };
  }
}

/** Does `update` again and again for so many seconds. */
export async function repeat(update: () => Promise<void>, seconds: number): Promise<{ work: number; seconds: number }> {
  const started = performance.now();
  let work = 0;
  while (performance.now() - started < 1000 * seconds) {
    await update();
    work++;
  }
  return { work, seconds: (performance.now() - started) / 1000 };
}

/** One network on onnxruntime-node, one thread, trained towards random targets. */
export class OnnxNet {
  readonly #forward: InferenceSession;
  readonly #backward: InferenceSession;
  readonly #feeds: Record<string, Tensor>;
  /** Parameters, in the order of the layers, as the graphs read them. */
  readonly #parameters: readonly Float32Array[];
  readonly #adam: Adam;

  private constructor(
    forward: InferenceSession,
    backward: InferenceSession,
    feeds: Record<string, Tensor>,
    parameters: readonly Float32Array[],
  ) {
    this.#forward = forward;
    this.#backward = backward;
    this.#feeds = feeds;
    this.#parameters = parameters;
    this.#adam = new Adam(parameters.reduce((sum, each) => sum + each.length, 0));
    this.read(this.#adam.weights);
  }

  /** onnxruntime-node, or what stands in for it. */
  static async load(): Promise<Runtime> {
    const loaded = (await import(runtimeModule())) as Runtime & { readonly default?: Runtime };
    return loaded.default ?? loaded;
  }

  /** @returns null, with the reason given to `note`, if onnxruntime-node cannot be imported */
  static async runtime(note: (text: string) => void): Promise<Runtime | null> {
    try {
      return await OnnxNet.load();
    } catch (error) {
      note(
        `left out: onnxruntime-node, as ${runtimeModule()} cannot be imported (${(error as Error).message.split('\n')[0]}): install it with --onnxruntime-node-install=skip, or name it in FLEETSTEP_ONNXRUNTIME`,
      );
      return null;
    }
  }

  /** @param widths of inputs, hidden layers and outputs */
  static async create(runtime: Runtime, widths: readonly number[], rows: number): Promise<OnnxNet> {
    const layers = widths.length - 1;
    const forward: Node[] = [];
    const backward: Node[] = [{ type: 'Sub', inputs: [`h${layers}`, 'target'], output: `d${layers}` }];
    const names: string[] = [];
    const gradients: string[] = [];
    for (let k = 1; k <= layers; k++) {
      names.push(`w${k}`, `b${k}`);
      gradients.push(`gw${k}`, `gb${k}`);
      const sums = k === layers ? `h${k}` : `z${k}`;
      forward.push({ type: 'Gemm', inputs: [`h${k - 1}`, `w${k}`, `b${k}`], output: sums });
      if (k < layers) forward.push({ type: 'Relu', inputs: [sums], output: `h${k}` });
    }
    for (let k = layers; k >= 1; k--) {
      backward.push(
        { type: 'Gemm', inputs: [`h${k - 1}`, `d${k}`], output: `gw${k}`, transposed: 'transA' },
        { type: 'MatMul', inputs: ['ones', `d${k}`], output: `gb${k}` },
      );
      if (k === 1) continue;
      backward.push(
        { type: 'Gemm', inputs: [`d${k}`, `w${k}`], output: `dx${k}`, transposed: 'transB' },
        { type: 'Sign', inputs: [`h${k - 1}`], output: `gate${k}` },
        { type: 'Mul', inputs: [`dx${k}`, `gate${k}`], output: `d${k - 1}` },
      );
    }
    const dimensions = (name: string): readonly [string, number] => [name, /^b\d/.test(name) ? 1 : 2];
    const hidden = Array.from({ length: layers }, (_, k) => `h${k + 1}`);
    const options: InferenceSession.SessionOptions = { intraOpNumThreads: 1, interOpNumThreads: 1 };
    const weights = names.filter((name) => name.startsWith('w') && name !== 'w1');
    const sessions = [
      graphOf(forward, ['h0', ...names].map(dimensions), hidden),
      graphOf(backward, ['h0', ...hidden, ...weights, 'target', 'ones'].map(dimensions), gradients),
    ].map((model) => runtime.InferenceSession.create(model, options));
    const [one, other] = await Promise.all(sessions);
    const parameters: Float32Array[] = [];
    const feeds: Record<string, Tensor> = {};
    const numbers = (length: number): Float32Array =>
      Float32Array.from({ length }, (_, k) => ((k * 7919) % 1000) / 5000 - 0.1);
    const feed = (
      name: string,
      dims: readonly number[],
      data = numbers(dims.reduce((a, b) => a * b, 1)),
    ): Float32Array => {
      feeds[name] = new runtime.Tensor('float32', data, dims);
      return data;
    };
    for (let k = 1; k <= layers; k++) {
      parameters.push(feed(`w${k}`, [widths[k - 1], widths[k]]), feed(`b${k}`, [widths[k]]));
    }
    feed('h0', [rows, widths[0]]);
    feed('target', [rows, widths[layers]]);
    feed('ones', [1, rows], new Float32Array(rows).fill(1));
    return new OnnxNet(one, other, feeds, parameters);
  }

  /** Writes the gradients of half the squared distance from the targets, in the order of the layers. */
  async differentiate(out: Float32Array): Promise<void> {
    const pick = (session: InferenceSession, from: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
      Object.fromEntries(session.inputNames.map((name) => [name, from[name]]));
    const outputs = (await this.#forward.run(pick(this.#forward, this.#feeds))) as Record<string, Tensor>;
    const back = await this.#backward.run(pick(this.#backward, { ...this.#feeds, ...outputs }));
    let at = 0;
    for (const name of this.#backward.outputNames) {
      const part = back[name].data as Float32Array;
      out.set(part, at);
      at += part.length;
    }
  }

  /** One update towards the targets. */
  async update(): Promise<void> {
    await this.differentiate(this.#adam.gradient);
    this.#adam.step();
    this.write(this.#adam.weights);
  }

  /** Updates for so many seconds. */
  updates(seconds: number): Promise<{ work: number; seconds: number }> {
    return repeat(() => this.update(), seconds);
  }

  /** Copies its parameters into `weights`, in the order of the layers. */
  read(weights: Float32Array): void {
    let at = 0;
    for (const each of this.#parameters) {
      weights.set(each, at);
      at += each.length;
    }
  }

  /** Sets its parameters. */
  write(weights: Float32Array): void {
    let at = 0;
    for (const each of this.#parameters) {
      each.set(weights.subarray(at, at + each.length));
      at += each.length;
    }
  }

  /** Weights and biases, in the order of the layers. */
  get parameters(): readonly Float32Array[] {
    return this.#parameters;
  }

  /** Frees the sessions. */
  async close(): Promise<void> {
    await this.#forward.release();
    await this.#backward.release();
  }
}
