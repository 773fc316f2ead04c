// Typed arrays over shared memory, so that a data set reaches every worker without a copy.

/** A zeroed Int32Array of a length, or one that holds the given numbers. */
export function int32(from: number | ArrayLike<number>): Int32Array {
  const array = new Int32Array(new SharedArrayBuffer(4 * lengthOf(from)));
  if (typeof from !== 'number') array.set(from);
  return array;
}

/** The same as a Float32Array. */
export function float32(from: number | ArrayLike<number>): Float32Array {
  const array = new Float32Array(new SharedArrayBuffer(4 * lengthOf(from)));
  if (typeof from !== 'number') array.set(from);
  return array;
}

/** The same as a Uint8Array. */
export function uint8(from: number | ArrayLike<number>): Uint8Array {
  const array = new Uint8Array(new SharedArrayBuffer(lengthOf(from)));
  if (typeof from !== 'number') array.set(from);
  return array;
}

function lengthOf(from: number | ArrayLike<number>): number {
  return typeof from === 'number' ? from : from.length;
}
