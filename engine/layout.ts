// Where everything lives: one fixed-size buffer, cut into typed arrays by name. The same description makes the same
// views in every thread. Its size is fixed, because growable shared buffers are an order of magnitude slower in V8.

import { EngineError } from './errors.js';
import { kindOf, shown } from './shown.js';

interface Kinds {
  f64: Float64Array;
  f32: Float32Array;
  i32: Int32Array;
  u8: Uint8Array;
}

/** Element type of a field, such as `f32` for a Float32Array. */
export type FieldKind = keyof Kinds;

/** Element type and number of elements of each field. */
export type LayoutSpec = Readonly<Record<string, readonly [kind: FieldKind, count: number]>>;

/** The layout that cuts a buffer into the typed arrays of `V`. */
export type LayoutOf<V> = {
  readonly [K in keyof V]: readonly [
    kind: { [F in FieldKind]: V[K] extends Kinds[F] ? F : never }[FieldKind],
    count: number,
  ];
};

const bytesOf: Readonly<Record<FieldKind, number>> = { f64: 8, f32: 4, i32: 4, u8: 1 };

/** Bytes that `spec` takes; every field starts at a multiple of 64, so that no two share a cache line. */
export function layoutBytes(spec: LayoutSpec): number {
  let bytes = 0;
  for (const [kind, count] of Object.values(spec)) bytes = align(bytes) + count * bytesOf[kind];
  return align(bytes);
}

/**
 * A new zeroed buffer for `spec`, shared between threads.
 * @throws EngineError `ERR_BUFFER` if the system cannot reserve that much
 */
export function allocate(spec: LayoutSpec): SharedArrayBuffer {
  const bytes = layoutBytes(spec);
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    const size = (bytes / 2 ** 30).toFixed(1);
    throw new EngineError('ERR_BUFFER', `cannot reserve ${size} GiB: use fewer environments or shorter rollouts`, {
      cause,
    });
  }
}

/**
 * The views of `spec` into `buffer`.
 * @throws EngineError `ERR_BUFFER` if `buffer` is no buffer, or not exactly as long as the layout
 */
export function viewsOf<V>(spec: LayoutOf<V> & LayoutSpec, buffer: SharedArrayBuffer): V {
  // Typed arrays on anything else are copies: what is written there would be lost.
  if (kindOf(buffer) !== 'SharedArrayBuffer' && kindOf(buffer) !== 'ArrayBuffer') {
    throw new EngineError('ERR_BUFFER', `buffer is ${shown(buffer)}: expected a SharedArrayBuffer`);
  }
  const expected = layoutBytes(spec);
  if (buffer.byteLength !== expected) {
    throw new EngineError('ERR_BUFFER', `buffer holds ${buffer.byteLength} bytes, its layout needs ${expected}`);
  }
  const views: Record<string, Kinds[FieldKind]> = {};
  let offset = 0;
  for (const [name, [kind, count]] of Object.entries<LayoutSpec[string]>(spec)) {
    offset = align(offset);
    views[name] = view(kind, buffer, offset, count);
    offset += count * bytesOf[kind];
  }
  // Properties added one by one by computed name leave V8 a dictionary; its copy has a shape, and fields are loads.
  return { ...views } as V;
}

function view(kind: FieldKind, buffer: SharedArrayBuffer, offset: number, count: number): Kinds[FieldKind] {
  switch (kind) {
    case 'f64':
      return new Float64Array(buffer, offset, count);
    case 'f32':
      return new Float32Array(buffer, offset, count);
    case 'i32':
      return new Int32Array(buffer, offset, count);
    case 'u8':
      return new Uint8Array(buffer, offset, count);
  }
}

function align(offset: number): number {
  return Math.ceil(offset / 64) * 64;
}
