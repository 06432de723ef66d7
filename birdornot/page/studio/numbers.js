// Small dense linear algebra in plain JavaScript. A matrix is a Float64Array, row after row; its sides are arguments.

// a·b: `a` n×k, `b` k×m. A few columns of `b` at a time are packed, so that they and the sums stay in registers.
export function multiply(a, b, n, k, m, out = new Float64Array(n*m)) {
  const pack = new Float64Array(4*k);
  let j = 0;
  for (; j + 3 < m; j += 4) {
    for (let p = 0, at = j, o = 0; p < k; p++, at += m, o += 4) {
      pack[o] = b[at]; pack[o + 1] = b[at + 1]; pack[o + 2] = b[at + 2]; pack[o + 3] = b[at + 3];
    }
    fourColumns(a, pack, n, k, m, j, out);
  }
  for (; j < m; j += 2) {
    const other = j + 1 < m ? 1 : 0;
    for (let p = 0, at = j, o = 0; p < k; p++, at += m, o += 2) { pack[o] = b[at]; pack[o + 1] = b[at + other]; }
    twoColumns(a, pack, n, k, m, j, other, out);
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

function twoColumns(a, pack, n, k, m, j, other, out) {
  for (let i = 0; i < n; i += 4) {
    const x = i*k, y = i + 1 < n ? x + k : x, z = i + 2 < n ? y + k : x, w = i + 3 < n ? z + k : x;
    let s0 = 0, s1 = 0, t0 = 0, t1 = 0, u0 = 0, u1 = 0, v0 = 0, v1 = 0;
    for (let p = 0, o = 0; p < k; p++, o += 2) {
      const b0 = pack[o], b1 = pack[o + 1], ax = a[x + p], ay = a[y + p], az = a[z + p], aw = a[w + p];
      s0 += ax*b0; s1 += ax*b1; t0 += ay*b0; t1 += ay*b1;
      u0 += az*b0; u1 += az*b1; v0 += aw*b0; v1 += aw*b1;
    }
    const o = i*m + j;
    out[o] = s0; if (other) out[o + 1] = s1;
    if (i + 1 < n) { out[o + m] = t0; if (other) out[o + m + 1] = t1; }
    if (i + 2 < n) { out[o + 2*m] = u0; if (other) out[o + 2*m + 1] = u1; }
    if (i + 3 < n) { out[o + 3*m] = v0; if (other) out[o + 3*m + 1] = v1; }
  }
}

// The sum of products of `n` numbers, from place `x` of `a` and from place `y` of `b`; four sums do not wait for one another.
export function dot(a, x, b, y, n) {
  let s = 0, t = 0, u = 0, v = 0, i = 0;
  for (; i + 3 < n; i += 4) {
    s += a[x + i]*b[y + i]; t += a[x + i + 1]*b[y + i + 1];
    u += a[x + i + 2]*b[y + i + 2]; v += a[x + i + 3]*b[y + i + 3];
  }
  for (; i < n; i++) s += a[x + i]*b[y + i];
  return s + t + u + v;
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
  const strips = asStrips(tridiagonalise(a, n, diagonal, beside), n);
  rotateToDiagonal(strips, n, diagonal, beside);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[i] - diagonal[j]), rows = new Float64Array(n*n);
  order.forEach((from, i) => { for (let j = 0; j < n; j++) rows[i*n + j] = strips[stripPlace(from, j, n)]; });
  return {values: Float64Array.from(order, i => diagonal[i]), vectors: rows};
}

// Four columns stand together, row after row: what a turn of two rows needs is beside what the next one needs.
const stripPlace = (row, column, n) => 4*((column >> 2)*n + row) + (column & 3);

function asStrips(a, n) {
  const out = new Float64Array(4*n*(n + 3 >> 2));
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) out[stripPlace(i, j, n)] = a[at];
  return out;
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
    let one = a[i*n + i]*vi, other = 0, j = from, at = i*n + from;
    for (; j + 1 < i; j += 2, at += 2) {
      const x = a[at], y = a[at + 1];
      one += x*v[j]; other += y*v[j + 1];
      w[j] += x*vi; w[j + 1] += y*vi;
    }
    if (j < i) { one += a[at]*v[j]; w[j] += a[at]*vi; }
    w[i] += one + other;
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
      const share = factors[k]*dot(q, i*n + k + 1, v, k + 1, n - k - 1);
      for (let j = k + 1, at = i*n + k + 1; j < n; j++, at++) q[at] -= share*v[j];
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

// Rows i and i + 1, from `most` down to `least`, strip after strip: the upper row of a turn is the lower one of the next.
function turnRows(q, n, least, most, cosines, sines) {
  for (let bottom = 4*(most + 1); bottom < q.length; bottom += 4*n) {
    let at = bottom, u0 = q[at], u1 = q[at + 1], u2 = q[at + 2], u3 = q[at + 3];
    for (let i = most; i >= least; i--, at -= 4) {
      const c = cosines[i], s = sines[i], v0 = q[at - 4], v1 = q[at - 3], v2 = q[at - 2], v3 = q[at - 1];
      q[at] = s*v0 + c*u0; q[at + 1] = s*v1 + c*u1; q[at + 2] = s*v2 + c*u2; q[at + 3] = s*v3 + c*u3;
      u0 = c*v0 - s*u0; u1 = c*v1 - s*u1; u2 = c*v2 - s*u2; u3 = c*v3 - s*u3;
    }
    q[at] = u0; q[at + 1] = u1; q[at + 2] = u2; q[at + 3] = u3;
  }
}

// Make the rows of `a` n×k orthonormal, one after the other; once more where little was left of one (twice is enough: Kahan).
export function orthonormalRows(a, n, k) {
  for (let i = 0; i < n; i++) {
    const row = i*k;
    let before = Math.sqrt(dot(a, row, a, row, k)), length = before;
    for (let round = 0; round < 3; round++) {
      for (let j = 0; j < row; j += k) {
        const share = dot(a, j, a, row, k);
        for (let p = 0; p < k; p++) a[row + p] -= share*a[j + p];
      }
      length = Math.sqrt(dot(a, row, a, row, k));
      if (length > 0.7*before) break;
      before = length;
    }
    for (let p = 0; p < k; p++) a[row + p] = length > 0 ? a[row + p]/length : 0;
  }
  return a;
}

export const evenRound = v => v%1 === 0.5 ? 2*Math.round(v/2) : Math.round(v);  // as Python rounds
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
