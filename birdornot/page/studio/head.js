// Regularised, class-balanced logistic regression, its strength chosen by cross-validation: `birdornot.head` in Python.
import {eigenSymmetric, gram, multiply, sum, transpose} from "./numbers.js";

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

// Minimise the penalised cross-entropy of B problems at once; `now` (r+1)×B×K is where it begins.
function descend({q, across, curve, y, n, k}, weights, problems, now, strength, {steps, close}) {
  const r = curve.length, m = problems*k, penalty = new Float64Array(r).fill(strength);
  penalty[r - 1] = 1e-6;  // the last coordinate is the bias, which is free
  const length = penalty.map((p, i) => 1/(0.5*curve[i] + p));
  let ahead = now, t = 1;
  const z = new Float64Array(n*m), gradient = new Float64Array(r*m);
  for (let step = 0; step < steps; step++) {
    softmaxRows(multiply(q, ahead, n, r, m, z), k);
    for (let i = 0, at = 0; i < n; i++) for (let b = 0; b < problems; b++) {
      const w = weights[i*problems + b];
      for (let j = 0; j < k; j++, at++) z[at] = w && (z[at] - (y[i] === j))*w;
    }
    multiply(across, z, r, n, m, gradient);
    const fresh = new Float64Array(r*m);
    let along = 0, longest = 0, largest = 1;
    for (let i = 0, at = 0; i < r; i++) for (let j = 0; j < m; j++, at++) {
      const slope = gradient[at] + penalty[i]*ahead[at], move = length[i]*slope;
      fresh[at] = ahead[at] - move;
      along += slope*(fresh[at] - now[at]);
      longest = Math.max(longest, Math.abs(move));
    }
    if (along > 0) t = 1;  // overshot: start the acceleration again
    const before = t;
    t = (1 + Math.sqrt(1 + 4*t*t))/2;
    ahead = fresh.map((v, i) => v + (before - 1)/t*(v - now[i]));
    now = fresh;
    for (let at = 0; at < now.length; at++) largest = Math.max(largest, Math.abs(now[at]));
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

// {weight K×C, bias K, logits N×K of pictures left out, strength}. `deals`: the fold of every picture, dealt R times.
export function solveHead(rotated, deals, constants) {
  const {q, curve, axes, mean, w, y, n, c, k} = rotated, r = curve.length;
  const folds = Math.max(...deals[0]) + 1, problems = deals.length*folds + 1, m = problems*k;
  const weights = new Float64Array(n*problems);
  for (let i = 0; i < n; i++) {
    deals.forEach((dealt, d) => { for (let f = 0; f < folds; f++) weights[i*problems + d*folds + f] = dealt[i] === f ? 0 : w[i]; });
    weights[(i + 1)*problems - 1] = w[i];
  }
  let now = new Float64Array(r*m), best = {loss: Infinity}, worse = 0;
  for (const strength of logspace(...constants.strengths)) {
    now = descend(rotated, weights, problems, now, strength, constants);
    const all = multiply(q, now, n, r, m);
    const leftOut = deals.map((dealt, d) => Float64Array.from({length: n*k}, (_, at) => {
      const i = Math.floor(at/k);
      return all[i*m + (d*folds + dealt[i])*k + at%k];
    }));
    const loss = sum(leftOut.map(each => lossOf(each, k, y, w)))/deals.length;
    worse += 1;
    if (loss < best.loss) { best = {loss, now, leftOut, strength}; worse = 0; }
    if (worse === constants.patience) break;
  }
  const logits = Float64Array.from({length: n*k}, (_, at) => sum(best.leftOut.map(each => each[at]))/deals.length);
  const weight = new Float64Array(k*c), bias = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    const solution = Float64Array.from({length: r}, (_, i) => best.now[i*m + (problems - 1)*k + j]);
    const row = multiply(solution.subarray(0, r - 1), axes, 1, r - 1, c);
    weight.set(row, j*c);
    bias[j] = solution[r - 1] - row.reduce((s, v, i) => s + v*mean[i], 0);
  }
  return {weight: Float32Array.from(weight), bias: Float32Array.from(bias), logits, strength: best.strength};
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
    let total = 0;
    for (let p = 0, at = i*c, to = j*c; p < c; p++, at++, to++) total += x[at]*weight[to];
    out[i*k + j] = total + bias[j];
  }
  return out;
}

