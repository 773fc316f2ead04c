// AssemblyScript, compiled to dist/policy/learn.wasm: what learning needs beside the forward pass, on rows of 32-bit floats, four
// lanes at a time. Memory is the caller's, shared by the threads. Every sum has a fixed order, and multiplications and additions
// are rounded one by one, so that the same numbers come out of every processor.
//
// `width` is a layer's outputs padded to a multiple of 8; weights, gradients and rows of outputs are padded alike, with zeros.

// a b + c for each lane. Rounded twice, the same on every processor; in the build with relaxed SIMD once where the processor can.
// @ts-ignore: decorator of AssemblyScript
@inline
function mulAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<f32>(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/**
 * y = x w + b; then relu(y), or 0 where `mask` is not positive.
 * @param x       `[rows, stride]` floats, of which the first `inputs` of each row count
 * @param w       `[inputs, width]`
 * @param b       `[width]`, or 0 for none
 * @param y       `[rows, width]` output
 * @param mask    `[rows, width]`, or 0 for none: the derivative of the ReLU that gave it
 */
export function multiply(
  x: usize,
  stride: i32,
  w: usize,
  b: usize,
  y: usize,
  rows: i32,
  inputs: i32,
  width: i32,
  relu: i32,
  mask: usize,
): void {
  const xStride: usize = <usize>stride << 2;
  const yStride: usize = <usize>width << 2;
  const xBytes: usize = <usize>inputs << 2;
  const floor = relu ? f32x4.splat(0) : f32x4.splat(-Infinity);
  const zero = f32x4.splat(0);
  const shift: usize = mask - y;
  for (let o: usize = 0; o < yStride; o += 32) {
    const b0 = b ? v128.load(b + o) : zero;
    const b1 = b ? v128.load(b + o, 16) : zero;
    let row: i32 = 0;
    let xr = x;
    let yr = y + o;
    // Four rows by eight outputs: eight sums stay in registers, and each weight that is loaded is used four times.
    for (; row + 4 <= rows; row += 4) {
      let p0 = b0, p1 = b1, q0 = b0, q1 = b1, r0 = b0, r1 = b1, s0 = b0, s1 = b1;
      let wk = w + o;
      const end = xr + xBytes;
      for (let xk = xr; xk < end; xk += 4) {
        const w0 = v128.load(wk);
        const w1 = v128.load(wk, 16);
        const p = v128.load_splat<f32>(xk);
        const q = v128.load_splat<f32>(xk + xStride);
        const r = v128.load_splat<f32>(xk + 2 * xStride);
        const s = v128.load_splat<f32>(xk + 3 * xStride);
        p0 = mulAdd(p, w0, p0);
        p1 = mulAdd(p, w1, p1);
        q0 = mulAdd(q, w0, q0);
        q1 = mulAdd(q, w1, q1);
        r0 = mulAdd(r, w0, r0);
        r1 = mulAdd(r, w1, r1);
        s0 = mulAdd(s, w0, s0);
        s1 = mulAdd(s, w1, s1);
        wk += yStride;
      }
      put(yr, p0, p1, floor, mask, shift);
      put(yr + yStride, q0, q1, floor, mask, shift);
      put(yr + 2 * yStride, r0, r1, floor, mask, shift);
      put(yr + 3 * yStride, s0, s1, floor, mask, shift);
      xr += 4 * xStride;
      yr += 4 * yStride;
    }
    for (; row < rows; row++) {
      let p0 = b0, p1 = b1;
      let wk = w + o;
      const end = xr + xBytes;
      for (let xk = xr; xk < end; xk += 4) {
        const p = v128.load_splat<f32>(xk);
        p0 = mulAdd(p, v128.load(wk), p0);
        p1 = mulAdd(p, v128.load(wk, 16), p1);
        wk += yStride;
      }
      put(yr, p0, p1, floor, mask, shift);
      xr += xStride;
      yr += yStride;
    }
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function put(y: usize, v0: v128, v1: v128, floor: v128, mask: usize, shift: usize): void {
  if (mask) {
    const zero = f32x4.splat(0);
    v128.store(y, v128.and(v0, f32x4.gt(v128.load(y + shift), zero)));
    v128.store(y, v128.and(v1, f32x4.gt(v128.load(y + shift, 16), zero)), 16);
  } else {
    // `max`, not `pmax`: it hands NaN on, so that a run that diverges is seen.
    v128.store(y, f32x4.max(v0, floor));
    v128.store(y, f32x4.max(v1, floor), 16);
  }
}

/**
 * g += x' d: gradient of weights, summed over the rows in ascending order.
 * @param x `[rows, stride]` floats, of which the first `inputs` of each row count
 * @param d `[rows, width]` derivatives with respect to the outputs
 * @param g `[inputs, width]` input and output
 */
export function addOuter(x: usize, stride: i32, d: usize, g: usize, rows: i32, inputs: i32, width: i32): void {
  const xStride: usize = <usize>stride << 2;
  const dStride: usize = <usize>width << 2;
  const end = d + <usize>rows * dStride;
  let i: i32 = 0;
  let xi = x;
  let gi = g;
  for (; i + 4 <= inputs; i += 4) {
    for (let o: usize = 0; o < dStride; o += 32) {
      const a = gi + o;
      const b = a + dStride;
      const c = b + dStride;
      const e = c + dStride;
      let p0 = v128.load(a), p1 = v128.load(a, 16), q0 = v128.load(b), q1 = v128.load(b, 16);
      let r0 = v128.load(c), r1 = v128.load(c, 16), s0 = v128.load(e), s1 = v128.load(e, 16);
      let xr = xi;
      for (let dr = d + o; dr < end; dr += dStride) {
        const d0 = v128.load(dr);
        const d1 = v128.load(dr, 16);
        const p = v128.load_splat<f32>(xr);
        const q = v128.load_splat<f32>(xr, 4);
        const r = v128.load_splat<f32>(xr, 8);
        const s = v128.load_splat<f32>(xr, 12);
        p0 = mulAdd(p, d0, p0);
        p1 = mulAdd(p, d1, p1);
        q0 = mulAdd(q, d0, q0);
        q1 = mulAdd(q, d1, q1);
        r0 = mulAdd(r, d0, r0);
        r1 = mulAdd(r, d1, r1);
        s0 = mulAdd(s, d0, s0);
        s1 = mulAdd(s, d1, s1);
        xr += xStride;
      }
      v128.store(a, p0);
      v128.store(a, p1, 16);
      v128.store(b, q0);
      v128.store(b, q1, 16);
      v128.store(c, r0);
      v128.store(c, r1, 16);
      v128.store(e, s0);
      v128.store(e, s1, 16);
    }
    xi += 16;
    gi += 4 * dStride;
  }
  for (; i < inputs; i++) {
    for (let o: usize = 0; o < dStride; o += 32) {
      let p0 = v128.load(gi + o), p1 = v128.load(gi + o, 16);
      let xr = xi;
      for (let dr = d + o; dr < end; dr += dStride) {
        const p = v128.load_splat<f32>(xr);
        p0 = mulAdd(p, v128.load(dr), p0);
        p1 = mulAdd(p, v128.load(dr, 16), p1);
        xr += xStride;
      }
      v128.store(gi + o, p0);
      v128.store(gi + o, p1, 16);
    }
    xi += 4;
    gi += dStride;
  }
}

/** g += the sum of d's rows: gradient of biases. Parameters as of `addOuter`. */
export function addRows(d: usize, g: usize, rows: i32, width: i32): void {
  const stride: usize = <usize>width << 2;
  const end = d + <usize>rows * stride;
  for (let o: usize = 0; o < stride; o += 32) {
    let s0 = v128.load(g + o), s1 = v128.load(g + o, 16);
    for (let dr = d + o; dr < end; dr += stride) {
      s0 = f32x4.add(s0, v128.load(dr));
      s1 = f32x4.add(s1, v128.load(dr, 16));
    }
    v128.store(g + o, s0);
    v128.store(g + o, s1, 16);
  }
}

/**
 * Lists what is not zero: of row r, indices and values from entry `rows_[r]` on; of column i, rows and values from `columns[i]` on.
 * @param x        `[rows, inputs]`
 * @param starts   `[rows + 1]` output
 * @param at       `[rows * inputs]` output: column of each entry, row by row
 * @param values   `[rows * inputs]` output
 * @param starts2  `[inputs + 2]` output: of the same entries, column by column
 * @param at2      `[rows * inputs]` output: row of each entry
 * @param values2  `[rows * inputs]` output
 * @returns how many there are
 */
export function compress(
  x: usize,
  rows: i32,
  inputs: i32,
  starts: usize,
  at: usize,
  values: usize,
  starts2: usize,
  at2: usize,
  values2: usize,
): i32 {
  const zero = f32x4.splat(0);
  memory.fill(starts2, 0, (<usize>inputs + 2) << 2);
  let n: usize = 0;
  let xk = x;
  for (let r: i32 = 0; r < rows; r++) {
    store<i32>(starts + (<usize>r << 2), <i32>n);
    let i: i32 = 0;
    // Most of a row is zeros: eight at a time.
    for (; i + 8 <= inputs; i += 8) {
      // NaN is not equal to 0: it is kept.
      let found =
        i32x4.bitmask(f32x4.ne(v128.load(xk), zero)) | (i32x4.bitmask(f32x4.ne(v128.load(xk, 16), zero)) << 4);
      for (; found != 0; found &= found - 1) {
        const lane = ctz(found);
        store<i32>(at + (n << 2), i + lane);
        store<f32>(values + (n << 2), load<f32>(xk + (<usize>lane << 2)));
        n++;
        const count = starts2 + ((<usize>(i + lane) + 2) << 2);
        store<i32>(count, load<i32>(count) + 1);
      }
      xk += 32;
    }
    for (; i < inputs; i++) {
      const value = load<f32>(xk);
      xk += 4;
      if (value != 0) {
        store<i32>(at + (n << 2), i);
        store<f32>(values + (n << 2), value);
        n++;
        const count = starts2 + ((<usize>i + 2) << 2);
        store<i32>(count, load<i32>(count) + 1);
      }
    }
  }
  store<i32>(starts + (<usize>rows << 2), <i32>n);
  for (let i: i32 = 2; i < inputs + 2; i++) {
    const p = starts2 + (<usize>i << 2);
    store<i32>(p, load<i32>(p) + load<i32>(p - 4));
  }
  // Now starts2[i + 1] is where column i begins; filling it moves it to where column i + 1 begins.
  for (let r: i32 = 0; r < rows; r++) {
    const end: usize = load<i32>(starts + (<usize>r << 2), 4);
    for (let k: usize = load<i32>(starts + (<usize>r << 2)); k < end; k++) {
      const p = starts2 + ((<usize>load<i32>(at + (k << 2)) + 1) << 2);
      const place: usize = load<i32>(p);
      store<i32>(p, <i32>place + 1);
      store<i32>(at2 + (place << 2), r);
      store<f32>(values2 + (place << 2), load<f32>(values + (k << 2)));
    }
  }
  return <i32>n;
}

/**
 * y += sparse(a) m, or y = relu?(sparse(a) m + b): row r of y from the rows of m that a's entries name, in their order.
 * @param starts `[rows + 1]`
 * @param at     `[entries]` rows of m
 * @param values `[entries]`
 * @param m      `[?, width]`
 * @param b      `[width]`; 0: y is added to
 * @param y      `[rows, width]` output
 */
export function multiplySparse(
  starts: usize,
  at: usize,
  values: usize,
  m: usize,
  b: usize,
  y: usize,
  rows: i32,
  width: i32,
  relu: i32,
): void {
  const stride: usize = <usize>width << 2;
  const floor = relu ? f32x4.splat(0) : f32x4.splat(-Infinity);
  for (let r: i32 = 0; r < rows; r++) {
    const from: usize = <usize>load<i32>(starts + (<usize>r << 2)) << 2;
    const to: usize = <usize>load<i32>(starts + (<usize>r << 2), 4) << 2;
    let o: usize = 0;
    for (; o + 128 <= stride; o += 128) {
      const s = b ? b + o : y + o;
      let v0 = v128.load(s), v1 = v128.load(s, 16), v2 = v128.load(s, 32), v3 = v128.load(s, 48);
      let v4 = v128.load(s, 64), v5 = v128.load(s, 80), v6 = v128.load(s, 96), v7 = v128.load(s, 112);
      for (let k = from; k < to; k += 4) {
        const a = v128.load_splat<f32>(values + k);
        const p = m + o + <usize>load<i32>(at + k) * stride;
        v0 = mulAdd(a, v128.load(p), v0);
        v1 = mulAdd(a, v128.load(p, 16), v1);
        v2 = mulAdd(a, v128.load(p, 32), v2);
        v3 = mulAdd(a, v128.load(p, 48), v3);
        v4 = mulAdd(a, v128.load(p, 64), v4);
        v5 = mulAdd(a, v128.load(p, 80), v5);
        v6 = mulAdd(a, v128.load(p, 96), v6);
        v7 = mulAdd(a, v128.load(p, 112), v7);
      }
      const t = y + o;
      v128.store(t, f32x4.max(v0, floor));
      v128.store(t, f32x4.max(v1, floor), 16);
      v128.store(t, f32x4.max(v2, floor), 32);
      v128.store(t, f32x4.max(v3, floor), 48);
      v128.store(t, f32x4.max(v4, floor), 64);
      v128.store(t, f32x4.max(v5, floor), 80);
      v128.store(t, f32x4.max(v6, floor), 96);
      v128.store(t, f32x4.max(v7, floor), 112);
    }
    for (; o < stride; o += 32) {
      const s = b ? b + o : y + o;
      let v0 = v128.load(s), v1 = v128.load(s, 16);
      for (let k = from; k < to; k += 4) {
        const a = v128.load_splat<f32>(values + k);
        const p = m + o + <usize>load<i32>(at + k) * stride;
        v0 = mulAdd(a, v128.load(p), v0);
        v1 = mulAdd(a, v128.load(p, 16), v1);
      }
      v128.store(y + o, f32x4.max(v0, floor));
      v128.store(y + o, f32x4.max(v1, floor), 16);
    }
    y += stride;
  }
}

/**
 * y = x w + b for a layer of one output.
 * @param x      `[rows, inputs]`; `inputs` is a multiple of 8
 * @param w      `[inputs]`
 * @param b      `[1]`
 * @param y      `[rows]` output
 */
export function dot(x: usize, w: usize, b: usize, y: usize, rows: i32, inputs: i32): void {
  const bytes: usize = <usize>inputs << 2;
  const bias = load<f32>(b);
  for (let r: i32 = 0; r < rows; r++) {
    let s0 = f32x4.splat(0), s1 = f32x4.splat(0);
    for (let i: usize = 0; i < bytes; i += 32) {
      s0 = mulAdd(v128.load(x + i), v128.load(w + i), s0);
      s1 = mulAdd(v128.load(x + i, 16), v128.load(w + i, 16), s1);
    }
    store<f32>(y + (<usize>r << 2), bias + across(f32x4.add(s0, s1)));
    x += bytes;
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function across(s: v128): f32 {
  return (
    f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1) + (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3))
  );
}

/**
 * The way back of `dot`: gw += x' d, gb += the sum of d, and, unless dx is 0, dx = d w' where x is positive and else 0.
 * @param d      `[rows]` derivatives with respect to the output
 * @param gw     `[inputs]` input and output
 * @param gb     `[1]` input and output
 * @param dx     `[rows, inputs]` output, or 0
 */
export function dotBack(
  x: usize,
  w: usize,
  d: usize,
  gw: usize,
  gb: usize,
  dx: usize,
  rows: i32,
  inputs: i32,
): void {
  const bytes: usize = <usize>inputs << 2;
  const zero = f32x4.splat(0);
  let sum = load<f32>(gb);
  for (let r: usize = 0; r < <usize>rows; r++) sum += load<f32>(d + (r << 2));
  store<f32>(gb, sum);
  for (let i: usize = 0; i < bytes; i += 32) {
    let s0 = v128.load(gw + i), s1 = v128.load(gw + i, 16);
    const w0 = v128.load(w + i), w1 = v128.load(w + i, 16);
    let xr = x + i;
    let dr = dx + i;
    for (let r: usize = 0; r < <usize>rows; r++) {
      const a = v128.load_splat<f32>(d + (r << 2));
      const x0 = v128.load(xr), x1 = v128.load(xr, 16);
      s0 = mulAdd(a, x0, s0);
      s1 = mulAdd(a, x1, s1);
      if (dx) {
        v128.store(dr, v128.and(f32x4.mul(a, w0), f32x4.gt(x0, zero)));
        v128.store(dr, v128.and(f32x4.mul(a, w1), f32x4.gt(x1, zero)), 16);
      }
      xr += bytes;
      dr += bytes;
    }
    v128.store(gw + i, s0);
    v128.store(gw + i, s1, 16);
  }
}

/** t = m', from `[rows, stride]` of which `columns` count, to `[columns, rows]`. */
export function transpose(m: usize, t: usize, rows: i32, columns: i32, stride: i32): void {
  for (let c: i32 = 0; c < columns; c++) {
    let p = m + (<usize>c << 2);
    for (let r: i32 = 0; r < rows; r++) {
      store<f32>(t, load<f32>(p));
      p += <usize>stride << 2;
      t += 4;
    }
  }
}

/**
 * g = the sum of `parts` gradients, in their order; returns the sum of g's squares in double precision, likewise in a fixed order.
 * @param p    `[parts, size]`
 * @param g    `[size]` output
 * @param size a multiple of 8
 */
export function sumParts(p: usize, g: usize, parts: i32, size: i32): f64 {
  const bytes: usize = <usize>size << 2;
  let squares = f64x2.splat(0), squares2 = f64x2.splat(0);
  for (let k: usize = 0; k < bytes; k += 32) {
    let q = p + k;
    let s0 = v128.load(q), s1 = v128.load(q, 16);
    for (let part: i32 = 1; part < parts; part++) {
      q += bytes;
      s0 = f32x4.add(s0, v128.load(q));
      s1 = f32x4.add(s1, v128.load(q, 16));
    }
    v128.store(g + k, s0);
    v128.store(g + k, s1, 16);
    const a = f64x2.promote_low_f32x4(s0);
    const b = f64x2.promote_low_f32x4(i8x16.shuffle(s0, s0, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    const c = f64x2.promote_low_f32x4(s1);
    const d = f64x2.promote_low_f32x4(i8x16.shuffle(s1, s1, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    squares = f64x2.add(squares, f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b)));
    squares2 = f64x2.add(squares2, f64x2.add(f64x2.mul(c, c), f64x2.mul(d, d)));
  }
  const all = f64x2.add(squares, squares2);
  return f64x2.extract_lane(all, 0) + f64x2.extract_lane(all, 1);
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1), four weights at a time.
 * @param w     `[size]` input and output; `size` is a multiple of 4
 * @param g     `[size]` gradient, scaled by `scale` first
 * @param m     `[size]` input and output: mean of the gradients, decaying with beta1
 * @param v     `[size]` input and output: mean of the squared gradients, decaying with beta2
 * @param rate  step size / (1 - beta1 ^ step)
 * @param root  1 / sqrt(1 - beta2 ^ step)
 */
export function adam(
  w: usize,
  g: usize,
  m: usize,
  v: usize,
  size: i32,
  scale: f32,
  rate: f32,
  root: f32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  epsilon: f32,
): void {
  const bytes: usize = <usize>size << 2;
  const sc = f32x4.splat(scale), ra = f32x4.splat(rate), ro = f32x4.splat(root), ep = f32x4.splat(epsilon);
  const b1 = f32x4.splat(beta1), b2 = f32x4.splat(beta2), c1 = f32x4.splat(rest1), c2 = f32x4.splat(rest2);
  for (let k: usize = 0; k < bytes; k += 16) {
    const gk = f32x4.mul(v128.load(g + k), sc);
    const mk = f32x4.add(f32x4.mul(b1, v128.load(m + k)), f32x4.mul(c1, gk));
    const vk = f32x4.add(f32x4.mul(b2, v128.load(v + k)), f32x4.mul(f32x4.mul(c2, gk), gk));
    v128.store(m + k, mk);
    v128.store(v + k, vk);
    const step = f32x4.div(f32x4.mul(ra, mk), f32x4.add(f32x4.mul(f32x4.sqrt(vk), ro), ep));
    v128.store(w + k, f32x4.sub(v128.load(w + k), step));
  }
}

/**
 * What the processor can do at most: eight sums in registers, twice 8 x 4 multiplications and additions a round. For benchmarks.
 * @param x `[32]` numbers; read one by one, or the products would leave the loop
 */
export function peak(x: usize, rounds: i32): f32 {
  const a = f32x4.splat(0.999), b = f32x4.splat(0.998), c = f32x4.splat(0.997), d = f32x4.splat(0.996);
  let p = a, q = a, r = a, s = a, t = a, u = a, v = a, w = a;
  for (let k: i32 = 0; k < rounds; k++) {
    const y = v128.load_splat<f32>(x + ((<usize>k & 7) << 2));
    const z = v128.load_splat<f32>(x + ((<usize>k & 7) << 2), 32);
    p = mulAdd(y, a, p);
    q = mulAdd(y, b, q);
    r = mulAdd(y, c, r);
    s = mulAdd(y, d, s);
    t = mulAdd(z, a, t);
    u = mulAdd(z, b, u);
    v = mulAdd(z, c, v);
    w = mulAdd(z, d, w);
    const y2 = v128.load_splat<f32>(x + ((<usize>k & 7) << 2), 64);
    const z2 = v128.load_splat<f32>(x + ((<usize>k & 7) << 2), 96);
    p = mulAdd(y2, a, p);
    q = mulAdd(y2, b, q);
    r = mulAdd(y2, c, r);
    s = mulAdd(y2, d, s);
    t = mulAdd(z2, a, t);
    u = mulAdd(z2, b, u);
    v = mulAdd(z2, c, v);
    w = mulAdd(z2, d, w);
  }
  return across(
    f32x4.add(f32x4.add(f32x4.add(p, q), f32x4.add(r, s)), f32x4.add(f32x4.add(t, u), f32x4.add(v, w))),
  );
}

/**
 * y = x t' + b for listed outputs alone: entry k of row r, from `starts[r]` to `starts[r + 1]` (exclusive), is output `at[k]`.
 * @param x      `[rows, inputs]`; `inputs` is a multiple of 8
 * @param t      `[outputs, inputs]`
 * @param b      `[outputs]`
 * @param y      `[entries]` output
 */
export function dotListed(
  x: usize,
  t: usize,
  b: usize,
  starts: usize,
  at: usize,
  y: usize,
  rows: i32,
  inputs: i32,
): void {
  const bytes: usize = <usize>inputs << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    const to: usize = load<i32>(starts + (r << 2), 4);
    for (let k: usize = load<i32>(starts + (r << 2)); k < to; k++) {
      const a: usize = load<i32>(at + (k << 2));
      const row = t + a * bytes;
      let s0 = f32x4.splat(0), s1 = f32x4.splat(0);
      for (let i: usize = 0; i < bytes; i += 32) {
        s0 = mulAdd(v128.load(x + i), v128.load(row + i), s0);
        s1 = mulAdd(v128.load(x + i, 16), v128.load(row + i, 16), s1);
      }
      store<f32>(y + (k << 2), load<f32>(b + (a << 2)) + across(f32x4.add(s0, s1)));
    }
    x += bytes;
  }
}

/**
 * The gradient of `dotListed`'s parameters: gt += d' x and gb += d, entry by entry.
 * @param d  `[entries]` derivatives with respect to the listed outputs
 * @param gt `[outputs, inputs]` input and output
 * @param gb `[outputs]` input and output
 */
export function addListed(
  x: usize,
  d: usize,
  starts: usize,
  at: usize,
  gt: usize,
  gb: usize,
  rows: i32,
  inputs: i32,
): void {
  const bytes: usize = <usize>inputs << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    const to: usize = load<i32>(starts + (r << 2), 4);
    for (let k: usize = load<i32>(starts + (r << 2)); k < to; k++) {
      const a: usize = load<i32>(at + (k << 2));
      const value = load<f32>(d + (k << 2));
      const bias = gb + (a << 2);
      store<f32>(bias, load<f32>(bias) + value);
      const row = gt + a * bytes;
      const v = f32x4.splat(value);
      for (let i: usize = 0; i < bytes; i += 32) {
        v128.store(row + i, mulAdd(v, v128.load(x + i), v128.load(row + i)));
        v128.store(row + i, mulAdd(v, v128.load(x + i, 16), v128.load(row + i, 16)), 16);
      }
    }
    x += bytes;
  }
}

/** y = y where x is positive, else 0: the derivative of the ReLU that gave x. `size` is a multiple of 4. */
export function gate(y: usize, x: usize, size: i32): void {
  const bytes: usize = <usize>size << 2;
  const zero = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) {
    v128.store(y + k, v128.and(v128.load(y + k), f32x4.gt(v128.load(x + k), zero)));
  }
}
