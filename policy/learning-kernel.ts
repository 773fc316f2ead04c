// The WebAssembly kernels that learning needs, on a memory that threads share. kernel/learn.ts documents each function; all
// addresses are in bytes, all sizes in numbers.

import { readFileSync } from 'node:fs';
import { PolicyError } from './policy.js';

/** Kernels over one memory. */
export interface LearningKernel {
  multiply(
    x: number,
    stride: number,
    w: number,
    b: number,
    y: number,
    rows: number,
    inputs: number,
    width: number,
    relu: number,
    mask: number,
  ): void;
  addOuter(x: number, stride: number, d: number, g: number, rows: number, inputs: number, width: number): void;
  addRows(d: number, g: number, rows: number, width: number): void;
  compress(
    x: number,
    rows: number,
    inputs: number,
    starts: number,
    at: number,
    values: number,
    starts2: number,
    at2: number,
    values2: number,
  ): number;
  multiplySparse(
    starts: number,
    at: number,
    values: number,
    m: number,
    b: number,
    y: number,
    rows: number,
    width: number,
    relu: number,
  ): void;
  dot(x: number, w: number, b: number, y: number, rows: number, inputs: number): void;
  dotBack(x: number, w: number, d: number, gw: number, gb: number, dx: number, rows: number, inputs: number): void;
  dotListed(x: number, t: number, b: number, starts: number, at: number, y: number, rows: number, inputs: number): void;
  addListed(
    x: number,
    d: number,
    starts: number,
    at: number,
    gt: number,
    gb: number,
    rows: number,
    inputs: number,
  ): void;
  gate(y: number, x: number, size: number): void;
  /** Returns a sum that means nothing. */
  peak(x: number, rounds: number): number;
  transpose(m: number, t: number, rows: number, columns: number, stride: number): void;
  sumParts(p: number, g: number, parts: number, size: number): number;
  adam(
    w: number,
    g: number,
    m: number,
    v: number,
    size: number,
    scale: number,
    rate: number,
    root: number,
    beta1: number,
    beta2: number,
    rest1: number,
    rest2: number,
    epsilon: number,
  ): void;
}

/** Memory that threads share, for kernels; it can be sent to them. */
export type KernelMemory = WebAssembly.SharedMemory;

const PAGE = 65536;
const modules = new Map<string, WebAssembly.Module>();

/**
 * Zeroed memory of at least `bytes`.
 * @throws PolicyError `ERR_NETWORK` if it is more than WebAssembly can address, or than the system can reserve
 */
export function kernelMemory(bytes: number): KernelMemory {
  const pages = Math.ceil(bytes / PAGE);
  const size = (bytes / 2 ** 30).toFixed(1);
  if (pages > PAGE) {
    throw new PolicyError(
      'ERR_NETWORK',
      `the network needs ${size} GiB to learn, the simd backend has 4: use fewer or narrower layers, or another backend`,
    );
  }
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    throw new PolicyError('ERR_NETWORK', `cannot reserve ${size} GiB for the network: use narrower layers`, { cause });
  }
}

/**
 * The kernels on `memory`, for the thread that calls.
 * @param relaxed whether products may be added with one rounding instead of two (relaxed SIMD): faster on processors with fused
 *                multiplication, but the last bits then depend on the processor
 * @throws PolicyError `ERR_NETWORK` if `relaxed` is asked for and this Node has no relaxed SIMD
 */
export function learningKernel(memory: KernelMemory, relaxed = false): LearningKernel {
  const module = compiled(relaxed ? './learn-relaxed.wasm' : './learn.wasm');
  const imports = { env: { memory, abort: () => undefined } };
  return new WebAssembly.Instance(module, imports).exports as unknown as LearningKernel;
}

function compiled(file: string): WebAssembly.Module {
  let module = modules.get(file);
  if (module !== undefined) return module;
  const bytes = readFileSync(new URL(file, import.meta.url));
  if (file === './learn-relaxed.wasm' && !WebAssembly.validate(bytes)) {
    throw new PolicyError(
      'ERR_NETWORK',
      `Node ${process.version} on ${process.arch} has no relaxed SIMD: use Node 22 or later, or backend simd`,
    );
  }
  module = new WebAssembly.Module(bytes);
  modules.set(file, module);
  return module;
}
