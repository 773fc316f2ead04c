// AssemblyScript, compiled to dist/policy/dense.wasm: a dense layer on rows of 32-bit floats, four lanes at a time.
// Every output is summed over the inputs in ascending order whatever the number of rows, so a row's result does not
// depend on the batch that it is part of.

/**
 * y = relu?(x w + b)
 * @param x       `[rows, inputs]`
 * @param w       `[inputs, outputs]`
 * @param b       `[outputs]`
 * @param y       `[rows, outputs]` output
 * @param outputs a multiple of 8: the caller pads
 * @param relu    0 or 1
 */
export function dense(x: usize, w: usize, b: usize, y: usize, rows: i32, inputs: i32, outputs: i32, relu: i32): void {
  const xStride: usize = <usize>inputs << 2;
  const yStride: usize = <usize>outputs << 2;
  const floor = relu ? f32x4.splat(0) : f32x4.splat(-Infinity);
  for (let o: usize = 0; o < yStride; o += 32) {
    const b0 = v128.load(b + o);
    const b1 = v128.load(b + o, 16);
    let row: i32 = 0;
    let xr = x;
    let yr = y + o;
    // Four rows by eight outputs: eight sums stay in registers, and each weight that is loaded is used four times.
    for (; row + 4 <= rows; row += 4) {
      let p0 = b0, p1 = b1, q0 = b0, q1 = b1, r0 = b0, r1 = b1, s0 = b0, s1 = b1;
      let wk = w + o;
      const end = xr + xStride;
      for (let xk = xr; xk < end; xk += 4) {
        const w0 = v128.load(wk);
        const w1 = v128.load(wk, 16);
        const p = v128.load_splat<f32>(xk);
        const q = v128.load_splat<f32>(xk + xStride);
        const r = v128.load_splat<f32>(xk + 2 * xStride);
        const s = v128.load_splat<f32>(xk + 3 * xStride);
        p0 = f32x4.add(p0, f32x4.mul(p, w0));
        p1 = f32x4.add(p1, f32x4.mul(p, w1));
        q0 = f32x4.add(q0, f32x4.mul(q, w0));
        q1 = f32x4.add(q1, f32x4.mul(q, w1));
        r0 = f32x4.add(r0, f32x4.mul(r, w0));
        r1 = f32x4.add(r1, f32x4.mul(r, w1));
        s0 = f32x4.add(s0, f32x4.mul(s, w0));
        s1 = f32x4.add(s1, f32x4.mul(s, w1));
        wk += yStride;
      }
      store(yr, p0, p1, floor);
      store(yr + yStride, q0, q1, floor);
      store(yr + 2 * yStride, r0, r1, floor);
      store(yr + 3 * yStride, s0, s1, floor);
      xr += 4 * xStride;
      yr += 4 * yStride;
    }
    for (; row < rows; row++) {
      let p0 = b0, p1 = b1;
      let wk = w + o;
      const end = xr + xStride;
      for (let xk = xr; xk < end; xk += 4) {
        const p = v128.load_splat<f32>(xk);
        p0 = f32x4.add(p0, f32x4.mul(p, v128.load(wk)));
        p1 = f32x4.add(p1, f32x4.mul(p, v128.load(wk, 16)));
        wk += yStride;
      }
      store(yr, p0, p1, floor);
      xr += xStride;
      yr += yStride;
    }
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function store(y: usize, v0: v128, v1: v128, floor: v128): void {
  v128.store(y, f32x4.max(v0, floor));
  v128.store(y, f32x4.max(v1, floor), 16);
}
