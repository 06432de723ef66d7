// Small dense linear algebra in plain JavaScript. A matrix is a Float64Array, row after row; its sides are arguments.

// a·b: `a` n×k, `b` k×m. Columns of `b` are taken four at a time, packed, so that they and the sums stay in registers.
export function multiply(a, b, n, k, m, out = new Float64Array(n*m)) {
  const pack = new Float64Array(4*k), wide = m - m%4;
  for (let j = 0; j < wide; j += 4) {
    for (let p = 0, at = j, o = 0; p < k; p++, at += m, o += 4) {
      pack[o] = b[at]; pack[o + 1] = b[at + 1]; pack[o + 2] = b[at + 2]; pack[o + 3] = b[at + 3];
    }
    fourColumns(a, pack, n, k, m, j, out);
  }
  for (let j = wide; j < m; j++) {
    for (let p = 0, at = j; p < k; p++, at += m) pack[p] = b[at];
    oneColumn(a, pack, n, k, m, j, out);
  }
  return out;
}

function fourColumns(a, pack, n, k, m, j, out) {
  let i = 0;
  for (; i + 1 < n; i += 2) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
    for (let p = 0, at = i*k, to = at + k, o = 0; p < k; p++, at++, to++, o += 4) {
      const u = a[at], v = a[to], b0 = pack[o], b1 = pack[o + 1], b2 = pack[o + 2], b3 = pack[o + 3];
      s0 += u*b0; s1 += u*b1; s2 += u*b2; s3 += u*b3;
      t0 += v*b0; t1 += v*b1; t2 += v*b2; t3 += v*b3;
    }
    const o = i*m + j, q = o + m;
    out[o] = s0; out[o + 1] = s1; out[o + 2] = s2; out[o + 3] = s3;
    out[q] = t0; out[q + 1] = t1; out[q + 2] = t2; out[q + 3] = t3;
  }
  for (; i < n; i++) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (let p = 0, at = i*k, o = 0; p < k; p++, at++, o += 4) {
      const u = a[at];
      s0 += u*pack[o]; s1 += u*pack[o + 1]; s2 += u*pack[o + 2]; s3 += u*pack[o + 3];
    }
    const o = i*m + j;
    out[o] = s0; out[o + 1] = s1; out[o + 2] = s2; out[o + 3] = s3;
  }
}

function oneColumn(a, column, n, k, m, j, out) {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let p = 0, at = i*k; p < k; p++, at++) sum += a[at]*column[p];
    out[i*m + j] = sum;
  }
}

export function transpose(a, n, m) {
  const out = new Float64Array(n*m);
  for (let i = 0; i < n; i++) for (let j = 0, at = i*m; j < m; j++, at++) out[j*n + i] = a[at];
  return out;
}

// a·aᵀ of `a` n×k; half of it is computed, the other half is the same.
export function gram(a, n, k) {
  const out = new Float64Array(n*n);
  for (let i = 0; i < n; i += 2) {
    const two = i + 1 < n ? 1 : 0;
    for (let j = 0; j <= i + two; j += 2) {
      const more = j + 1 < n ? 1 : 0;
      let s = 0, t = 0, u = 0, v = 0;
      for (let p = 0, x = i*k, y = x + two*k, z = j*k, w = z + more*k; p < k; p++, x++, y++, z++, w++) {
        const ax = a[x], ay = a[y], az = a[z], aw = a[w];
        s += ax*az; t += ax*aw; u += ay*az; v += ay*aw;
      }
      out[i*n + j] = out[j*n + i] = s;
      if (more) out[i*n + j + 1] = out[(j + 1)*n + i] = t;
      if (two) out[(i + 1)*n + j] = out[j*n + i + 1] = u;
      if (two && more) out[(i + 1)*n + j + 1] = out[(j + 1)*n + i + 1] = v;
    }
  }
  return out;
}

// Eigenvalues, ascending, and eigenvectors, one a row, of a symmetric matrix, which is overwritten: Householder's
// reduction to three diagonals, then the implicit QL algorithm (Wilkinson and Reinsch 1971).
export function eigenSymmetric(a, n) {
  const diagonal = new Float64Array(n), beside = new Float64Array(n);
  const vectors = tridiagonalise(a, n, diagonal, beside);
  rotateToDiagonal(vectors, n, diagonal, beside);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[i] - diagonal[j]);
  const rows = new Float64Array(n*n);
  order.forEach((from, i) => rows.set(vectors.subarray(from*n, from*n + n), i*n));
  return {values: Float64Array.from(order, i => diagonal[i]), vectors: rows};
}

// Reflect column after column: what remains is `diagonal` and, one place lower, `beside`; → the reflections, multiplied.
function tridiagonalise(a, n, diagonal, beside) {
  const v = new Float64Array(n), w = new Float64Array(n), factors = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    let norm = 0;
    for (let i = k + 1; i < n; i++) norm += (v[i] = a[i*n + k])**2;
    norm = Math.sqrt(norm);
    diagonal[k] = a[k*n + k];
    const head = v[k + 1] > 0 ? -norm : norm, tail = norm*norm - v[k + 1]*head;
    beside[k] = head;
    v[k + 1] -= head;
    const factor = factors[k] = tail > 0 ? 1/tail : 0;
    for (let i = k + 1; i < n; i++) a[i*n + k] = v[i];  // kept below the diagonal, to be multiplied later
    if (factor) reflect(a, n, k + 1, v, w, factor);
  }
  if (n) diagonal[n - 1] = a[n*n - 1];
  return reflections(a, n, factors, v, w);
}

function reflect(a, n, from, v, w, factor) {  // the lower triangle from `from` on
  w.fill(0, from);
  for (let i = from; i < n; i++) {
    const vi = v[i];
    let sum = a[i*n + i]*vi;
    for (let j = from, at = i*n + from; j < i; j++, at++) { sum += a[at]*v[j]; w[j] += a[at]*vi; }
    w[i] += sum;
  }
  let half = 0;
  for (let i = from; i < n; i++) half += (w[i] *= factor)*v[i];
  half *= factor/2;
  for (let i = from; i < n; i++) w[i] -= half*v[i];
  for (let i = from; i < n; i++) {
    const vi = v[i], wi = w[i];
    for (let j = from, at = i*n + from; j <= i; j++, at++) a[at] -= vi*w[j] + wi*v[j];
  }
}

function reflections(a, n, factors, v, w) {  // row i: the i-th column of their product
  const q = new Float64Array(n*n);
  for (let i = 0; i < n; i++) q[i*n + i] = 1;
  for (let k = n - 2; k >= 0; k--) {
    if (!factors[k]) continue;
    for (let i = k + 1; i < n; i++) v[i] = a[i*n + k];
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1, at = i*n + k + 1; j < n; j++, at++) sum += q[at]*v[j];
      sum *= factors[k];
      for (let j = k + 1, at = i*n + k + 1; j < n; j++, at++) q[at] -= sum*v[j];
    }
  }
  return q;
}

function rotateToDiagonal(q, n, d, e) {
  const cosines = new Float64Array(n), sines = new Float64Array(n);
  for (let l = 0; l < n; l++) {
    for (let turn = 0; turn < 60; turn++) {
      let m = l;
      for (; m < n - 1; m++) {
        const near = Math.abs(d[m]) + Math.abs(d[m + 1]);
        if (Math.abs(e[m]) <= Number.EPSILON*near) break;
      }
      if (m === l) break;
      let g = (d[l + 1] - d[l])/(2*e[l]), r = Math.hypot(g, 1), s = 1, c = 1, p = 0;
      g = d[m] - d[l] + e[l]/(g + (g < 0 ? -r : r));
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s*e[i], b = c*e[i];
        e[i + 1] = r = Math.hypot(f, g);
        if (r === 0) { d[i + 1] -= p; e[m] = 0; break; }
        s = f/r; c = g/r;
        g = d[i + 1] - p;
        r = (d[i] - g)*s + 2*c*b;
        d[i + 1] = g + (p = s*r);
        g = c*r - b;
        cosines[i] = c; sines[i] = s;
      }
      turnRows(q, n, i + 1, m - 1, cosines, sines);
      if (r === 0 && i >= l) continue;
      d[l] -= p; e[l] = g; e[m] = 0;
    }
  }
}

// Rows i and i + 1, from `most` down to `least`; four numbers of a row at a time, which the next turn takes from registers.
function turnRows(q, n, least, most, cosines, sines) {
  let x = 0;
  for (; x + 3 < n; x += 4) {
    let at = (most + 1)*n + x, u0 = q[at], u1 = q[at + 1], u2 = q[at + 2], u3 = q[at + 3];
    for (let i = most; i >= least; i--) {
      const c = cosines[i], s = sines[i], to = at - n, v0 = q[to], v1 = q[to + 1], v2 = q[to + 2], v3 = q[to + 3];
      q[at] = s*v0 + c*u0; q[at + 1] = s*v1 + c*u1; q[at + 2] = s*v2 + c*u2; q[at + 3] = s*v3 + c*u3;
      u0 = c*v0 - s*u0; u1 = c*v1 - s*u1; u2 = c*v2 - s*u2; u3 = c*v3 - s*u3;
      at = to;
    }
    q[at] = u0; q[at + 1] = u1; q[at + 2] = u2; q[at + 3] = u3;
  }
  for (; x < n; x++) {
    let at = (most + 1)*n + x, u = q[at];
    for (let i = most; i >= least; i--, at -= n) {
      const c = cosines[i], s = sines[i], v = q[at - n];
      q[at] = s*v + c*u;
      u = c*v - s*u;
    }
    q[at] = u;
  }
}

// Make the rows of `a` n×k orthonormal, one after the other; once more where little was left of one (twice is enough: Kahan).
export function orthonormalRows(a, n, k) {
  const dot = (x, y) => { let sum = 0; for (let p = 0; p < k; p++) sum += a[x + p]*a[y + p]; return sum; };
  for (let i = 0; i < n; i++) {
    const row = i*k;
    let before = Math.sqrt(dot(row, row)), length = before;
    for (let round = 0; round < 3; round++) {
      for (let j = 0; j < row; j += k) {
        const share = dot(j, row);
        for (let p = 0; p < k; p++) a[row + p] -= share*a[j + p];
      }
      length = Math.sqrt(dot(row, row));
      if (length > 0.7*before) break;
      before = length;
    }
    for (let p = 0; p < k; p++) a[row + p] = length > 0 ? a[row + p]/length : 0;
  }
  return a;
}

export const mean = a => a.reduce((s, v) => s + v, 0)/a.length;
export const sorted = a => Float64Array.from(a).sort();
export const sum = a => a.reduce((s, v) => s + v, 0);

export function median(a) {
  const s = sorted(a), half = s.length >> 1;
  return s.length%2 ? s[half] : (s[half - 1] + s[half])/2;
}

export function argmax(row) {
  let best = 0;
  for (let j = 1; j < row.length; j++) if (row[j] > row[best]) best = j;
  return best;
}

// Rows of `a`, each `k` long, as views.
export const rowsOf = (a, k) => Array.from({length: a.length/k}, (_, i) => a.subarray(i*k, i*k + k));

// The rows of `a` with these positions, as a matrix of its own.
export function takeRows(a, k, positions) {
  const out = new a.constructor(positions.length*k);
  positions.forEach((from, i) => out.set(a.subarray(from*k, from*k + k), i*k));
  return out;
}

// Sort texts as Python does: by code points, not by the halves that UTF-16 cuts them into.
export function byCodePoint(a, b) {
  const x = [...a], y = [...b], n = Math.min(x.length, y.length);
  for (let i = 0; i < n; i++) if (x[i] !== y[i]) return x[i].codePointAt(0) - y[i].codePointAt(0);
  return x.length - y.length;
}
