// Regularised, class-balanced logistic regression, its strength chosen by cross-validation: `birdornot.head` in Python.
import {dot, eigenSymmetric, gram, multiply, sum, transpose} from "./numbers.js";

const logspace = (from, to, n) => Array.from({length: n}, (_, i) => 10**(from + i*(to - from)/(n - 1)));

// Softmax of rows of `k` logits, in place.
function softmaxRows(z, k) {
  for (let at = 0; at < z.length; at += k) {
    let top = -Infinity, total = 0;
    for (let j = at; j < at + k; j++) if (z[j] > top) top = z[j];
    for (let j = at; j < at + k; j++) total += z[j] = Math.exp(z[j] - top);
    for (let j = at; j < at + k; j++) z[j] /= total;
  }
  return z;
}

// Probabilities N×K of logits N×K: by offsets first, then by temperature.
export function probabilitiesOf(logits, k, temperature = 1, offset = null) {
  return softmaxRows(logits.map((v, i) => (v + (offset ? offset[i%k] : 0))/temperature), k);
}

function classWeights(y, k) {  // every class counts the same; 1 on average
  const counts = new Float64Array(k);
  y.forEach(c => { counts[c] += 1; });
  return Float64Array.from(y, c => y.length/k/Math.max(counts[c], 1));
}

function spreadOf(x, n, c, w) {  // weighted mean and, times √C, standard deviation of every number
  const mean = new Float64Array(c), scale = new Float64Array(c), total = sum(w);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < c; j++, at++) mean[j] += w[i]*x[at];
  for (let j = 0; j < c; j++) mean[j] /= total;
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < c; j++, at++) scale[j] += w[i]*(x[at] - mean[j])**2;
  for (let j = 0; j < c; j++) scale[j] = (Math.sqrt(scale[j]/total) + 1e-6)*Math.sqrt(c);
  return {mean, scale};
}

const KEPT = 1e-7;  // share of the largest spread under which a direction is rounding

// Standardise and rotate embeddings into the directions of their spread. → q N×(r+1), the last column ones; curve r+1
export function rotate(x, y, n, c, k) {
  const w = classWeights(y, k), {mean, scale} = spreadOf(x, n, c, w), a = new Float64Array(n*c);
  for (let i = 0, at = 0; i < n; i++) {
    const root = Math.sqrt(w[i]);
    for (let j = 0; j < c; j++, at++) a[at] = (x[at] - mean[j])/scale[j]*root;
  }
  const small = n <= c, side = small ? n : c, across = small ? null : transpose(a, n, c);
  const {values, vectors} = eigenSymmetric(small ? gram(a, n, c) : gram(across, c, n), side);
  const first = values.findIndex(v => v > Math.max(values[side - 1], 1e-12)*KEPT), r = side - first;
  const spread = values.subarray(first), kept = vectors.subarray(first*side);
  const axes = small ? multiply(kept, a, r, n, c) : kept;  // r×C
  if (small) for (let i = 0, at = 0; i < r; i++) for (let j = 0; j < c; j++, at++) axes[at] /= Math.sqrt(spread[i]);
  const along = small ? null : multiply(axes, across, r, c, n);
  const q = new Float64Array(n*(r + 1));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < r; j++)  // z·axes: with few pictures the eigenvectors say it already
      q[i*(r + 1) + j] = (small ? kept[j*n + i]*Math.sqrt(spread[j]) : along[j*n + i])/Math.sqrt(w[i]);
    q[i*(r + 1) + r] = 1;
  }
  for (let i = 0, at = 0; i < r; i++) for (let j = 0; j < c; j++, at++) axes[at] /= scale[j];
  const curve = Float64Array.from({length: r + 1}, (_, i) => i < r ? spread[i] : sum(w));
  return {q, across: transpose(q, n, r + 1), curve, axes, mean, w, y, n, c, k};
}

// Of two classes one is solved: what speaks for it speaks as much against the other.
const columnsOf = k => k === 2 ? 1 : k;

// From scores N×B×columns to what the loss still asks of them: (probability - target)·weight, in place.
function residuals(z, {y, n, k}, weights, problems) {
  if (k > 2) softmaxRows(z, k);
  for (let i = 0, at = 0; i < n; i++) for (let b = 0; b < problems; b++) {
    const w = weights[i*problems + b];
    if (k === 2) { z[at] = w && (1/(1 + Math.exp(-2*z[at])) - (y[i] === 0))*w; at++; }
    else for (let j = 0; j < k; j++, at++) z[at] = w && (z[at] - (y[i] === j))*w;
  }
  return z;
}

// Minimise the penalised cross-entropy of B problems at once; `now` (r+1)×B×columns is where it begins.
function descend(rotated, weights, problems, now, strength, {steps, close}) {
  const {q, across, curve, n, k} = rotated, r = curve.length, m = problems*columnsOf(k);
  const penalty = new Float64Array(r).fill(strength);
  penalty[r - 1] = 1e-6;  // the last coordinate is the bias, which is free
  const length = penalty.map((p, i) => 1/(0.5*curve[i] + p)), z = new Float64Array(n*m), gradient = new Float64Array(r*m);
  let ahead = Float64Array.from(now), fresh = new Float64Array(r*m), t = 1;
  now = Float64Array.from(now);
  for (let step = 0; step < steps; step++) {
    multiply(across, residuals(multiply(q, ahead, n, r, m, z), rotated, weights, problems), r, n, m, gradient);
    let along = 0, longest = 0, largest = 1;
    for (let i = 0, at = 0; i < r; i++) {
      const p = penalty[i], by = length[i];
      for (let j = 0; j < m; j++, at++) {
        const slope = gradient[at] + p*ahead[at], move = by*slope, to = ahead[at] - move;
        fresh[at] = to;
        along += slope*(to - now[at]);
        if (move > longest) longest = move; else if (-move > longest) longest = -move;
        if (to > largest) largest = to; else if (-to > largest) largest = -to;
      }
    }
    if (along > 0) t = 1;  // overshot: start the acceleration again
    const before = t;
    t = (1 + Math.sqrt(1 + 4*t*t))/2;
    const speed = (before - 1)/t;
    for (let at = 0; at < ahead.length; at++) ahead[at] = fresh[at] + speed*(fresh[at] - now[at]);
    [now, fresh] = [fresh, now];
    if (longest < 0.05*close*largest) break;
  }
  return now;
}

// Weighted cross-entropy of logits N×K; targets are class numbers, or N×K shares.
function lossOf(logits, k, targets, w) {
  const p = probabilitiesOf(logits, k);
  let total = 0, weight = 0;
  for (let i = 0, at = 0; at < p.length; i++) {
    for (let j = 0; j < k; j++, at++) {
      const target = targets.length === p.length ? targets[at] : Number(targets[i] === j);
      if (target) total -= w[i]*target*Math.log(Math.min(1, Math.max(1e-12, p[at])));
    }
    weight += w[i];
  }
  return total/weight;
}

// Of each picture the logits by heads that have not seen it, N×K; `all` are those by every head, N×B×columns.
function leftOutLogits(all, dealt, first, {n, k}, m) {
  const wide = columnsOf(k), out = new Float64Array(n*k);
  for (let i = 0; i < n; i++) for (let j = 0; j < k; j++) {
    const at = i*m + (first + dealt[i])*wide;
    out[i*k + j] = wide === 1 ? (j ? -all[at] : all[at]) : all[at + j];
  }
  return out;
}

// Which pictures each of B heads learns from, with their weights, N×B: one leaves out each fold of each deal, one none.
function lessons(deals, folds, w) {
  const problems = deals.length*folds + 1, out = new Float64Array(w.length*problems);
  w.forEach((weight, i) => {
    out.fill(weight, i*problems, (i + 1)*problems);
    deals.forEach((dealt, d) => { out[i*problems + d*folds + dealt[i]] = 0; });
  });
  return out;
}

// {weight K×C, bias K, logits N×K of pictures left out, strength}. `deals`: the fold of every picture, dealt R times.
export function solveHead(rotated, deals, constants) {
  const {q, curve, w, y, n, k} = rotated, r = curve.length, folds = Math.max(...deals[0]) + 1;
  const problems = deals.length*folds + 1, m = problems*columnsOf(k), weights = lessons(deals, folds, w);
  let now = new Float64Array(r*m), best = {loss: Infinity}, worse = 0;
  for (const strength of logspace(...constants.strengths)) {
    now = descend(rotated, weights, problems, now, strength, constants);
    const all = multiply(q, now, n, r, m);
    const leftOut = deals.map((dealt, d) => leftOutLogits(all, dealt, d*folds, rotated, m));
    const loss = sum(leftOut.map(each => lossOf(each, k, y, w)))/deals.length;
    worse += 1;
    if (loss < best.loss) { best = {loss, now, leftOut, strength}; worse = 0; }
    if (worse === constants.patience) break;
  }
  const logits = best.leftOut[0].map((_, at) => sum(best.leftOut.map(each => each[at]))/deals.length);
  return {...ofEmbeddings(rotated, best.now, m), logits, strength: best.strength};
}

// The last head, that of all pictures, as weights of the numbers of an embedding.
function ofEmbeddings({axes, mean, curve, c, k}, now, m) {
  const r = curve.length, wide = columnsOf(k), weight = new Float32Array(k*c), bias = new Float32Array(k);
  for (let j = 0; j < k; j++) {
    const sign = wide === 1 && j ? -1 : 1, at = m - wide + (wide === 1 ? 0 : j);
    const solution = Float64Array.from({length: r}, (_, i) => sign*now[i*m + at]);
    const row = multiply(solution, axes, 1, r - 1, c);
    weight.set(row, j*c);
    bias[j] = solution[r - 1] - row.reduce((s, v, i) => s + v*mean[i], 0);
  }
  return {weight, bias};
}

function softTargets(y, k) {  // the less sure, the fewer pictures a class has
  const counts = new Float64Array(k), out = new Float64Array(y.length*k);
  y.forEach(c => { counts[c] += 1; });
  y.forEach((c, i) => {
    const doubt = 0.5/(counts[c] + 2);
    for (let j = 0; j < k; j++) out[i*k + j] = j === c ? 1 - doubt : doubt/(k - 1);
  });
  return out;
}

// {temperature, offset K}: add the offsets to the logits, then divide by the temperature. `prior`: K shares, or null.
export function calibrate(logits, y, k, prior = null) {
  const n = y.length, target = softTargets(y, k), w = new Float64Array(n).fill(1), there = new Float64Array(k);
  if (prior) {
    const share = new Float64Array(k);
    target.forEach((v, at) => { share[at%k] += v/n; });
    y.forEach((c, i) => { w[i] = prior[c]/share[c]; });
  }
  target.forEach((v, at) => { there[at%k] += w[Math.floor(at/k)]*v; });
  let best = {loss: Infinity, temperature: 1, offset: new Float64Array(k)}, offset = new Float64Array(k);
  const scaled = () => logits.map((v, at) => v/temperature + offset[at%k]);
  let temperature;
  for (temperature of logspace(1, -1, 41)) {
    for (let round = 0; round < 30; round++) {  // until as much of each class is expected as there is
      const expected = new Float64Array(k);
      softmaxRows(scaled(), k).forEach((p, at) => { expected[at%k] += w[Math.floor(at/k)]*p; });
      const step = expected.map((v, j) => Math.log(there[j]/Math.max(v, 1e-9)));
      offset = offset.map((v, j) => v + step[j]);
      if (step.every(v => Math.abs(v) < 1e-4)) break;
    }
    const loss = lossOf(scaled(), k, target, w);
    if (loss > best.loss) break;  // convex in 1/temperature: past its lowest point it only rises
    best = {loss, temperature, offset: offset.map(v => v*temperature)};
  }
  return {temperature: best.temperature, offset: best.offset};
}

// Probabilities N×K: each fold calibrated on the others.
export function crossCalibrate(logits, y, k, folds, prior = null) {
  const out = new Float64Array(logits.length);
  for (let f = 0; f <= Math.max(...folds); f++) {
    const rest = [...folds.keys()].filter(i => folds[i] !== f), mine = [...folds.keys()].filter(i => folds[i] === f);
    const {temperature, offset} = calibrate(
      Float64Array.from(rest.flatMap(i => [...logits.subarray(i*k, i*k + k)])), rest.map(i => y[i]), k, prior);
    for (const i of mine) out.set(probabilitiesOf(logits.slice(i*k, i*k + k), k, temperature, offset), i*k);
  }
  return out;
}

// Logits N×K of a head.
export function headLogits({weight, bias}, x, n, c) {
  const k = bias.length, out = new Float64Array(n*k);
  for (let i = 0; i < n; i++) for (let j = 0; j < k; j++) {
    out[i*k + j] = dot(x, i*c, weight, j*c, c) + bias[j];
  }
  return out;
}

