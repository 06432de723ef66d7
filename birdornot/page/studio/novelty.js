// How far an embedding is from the cloud of the training pictures, and from where on it is strange: `birdornot.novelty`.
import {dot, eigenSymmetric, gram, median, multiply, orthonormalRows, sorted, takeRows, transpose} from "./numbers.js";

// How novel each of `n` embeddings is: the typical picture of its classes has 1.
export function noveltyOf({mean, scale, centre, axes, less, step}, x, n) {
  const c = mean.length, r = less.length, out = new Float64Array(n), off = new Float64Array(c);
  const across = transpose(axes, c, r);
  for (let i = 0; i < n; i++) {
    let length = 0, far = 0, wide = 0;
    for (let j = 0; j < c; j++) { off[j] = (x[i*c + j] - mean[j])/scale[j]; length += off[j]*off[j]; }
    length = Math.sqrt(length);
    for (let j = 0; j < c; j++) { off[j] = off[j]/length - centre[j]; far += off[j]*off[j]; }
    for (let a = 0; a < r; a++) {
      const along = dot(across, a*c, off, 0, c);
      wide += along*along*less[a];
    }
    out[i] = step*far - wide;
  }
  return out;
}

// The largest singular values and right singular vectors, one a row, of `x` n×c: by projection on directions that Python
// draws (Halko et al. 2011). With few pictures all happens among their products, n×n, which are far fewer numbers.
function widest(x, n, c, rank, {more, projection}) {
  const m = rank + more, start = multiply(x, Float64Array.from(projection.subarray(0, c*m)), n, c, m);  // n×m
  return n*FEW < c ? fewWidest(x, n, c, rank, m, start) : manyWidest(x, n, c, rank, m, start);
}

const FEW = 3;  // times as many numbers a picture as pictures

// Singular values and, one a row, right singular vectors of a matrix m×n that is given transposed, by its m×m products.
function turned(rows, m, n, rank) {
  const {values, vectors} = eigenSymmetric(gram(rows, m, n), m), from = m - rank;
  const reversed = takeRows(vectors, m, Array.from({length: rank}, (_, i) => m - 1 - i));
  return {lengths: Float64Array.from({length: rank}, (_, i) => Math.sqrt(Math.max(0, values[from + rank - 1 - i]))), reversed};
}

function fewWidest(x, n, c, rank, m, start) {
  const products = gram(x, n, c);
  let rows = orthonormalRows(transpose(start, n, m), m, n);  // m×n
  rows = orthonormalRows(multiply(rows, products, m, n, n), m, n);
  const across = multiply(rows, products, m, n, n);  // rows·x has the products rows·across
  const {values, vectors} = eigenSymmetric(multiply(across, transpose(rows, m, n), m, n, m), m);
  const least = values[m - 1]*1e-12, lengths = values.map(v => v > least ? Math.sqrt(v) : 0);
  const spread = vectors.map((v, at) => lengths[Math.floor(at/m)] && v/lengths[Math.floor(at/m)]);  // spread·rows·x is orthonormal
  const {lengths: found, reversed} = turned(multiply(spread, across, m, m, n), m, n, rank);
  const mixed = multiply(multiply(reversed, spread, rank, m, m), rows, rank, m, n);
  return {lengths: found, axes: multiply(mixed, x, rank, n, c)};
}

function manyWidest(x, n, c, rank, m, start) {
  const across = transpose(x, n, c);
  let rows = orthonormalRows(multiply(transpose(start, n, m), x, m, n, c), m, c);  // m×c
  rows = orthonormalRows(multiply(multiply(rows, across, m, c, n), x, m, n, c), m, c);
  const {lengths, reversed} = turned(multiply(rows, across, m, c, n), m, n, rank);
  return {lengths, axes: multiply(reversed, rows, rank, m, c)};
}

// Describe where `n` embeddings lie: `rank` directions by their widths, all others by `floor` mean variances.
function fitCloud(x, n, c, constants) {
  const {rank, floor} = constants;
  const mean = new Float64Array(c), scale = new Float64Array(c), centre = new Float64Array(c), z = new Float64Array(n*c);
  for (let at = 0; at < n*c; at++) mean[at%c] += x[at]/n;
  for (let at = 0; at < n*c; at++) scale[at%c] += (x[at] - mean[at%c])**2/n;
  let middle = 0;
  for (let j = 0; j < c; j++) middle += (scale[j] = Math.sqrt(scale[j]))/c;
  for (let j = 0; j < c; j++) scale[j] += middle + 1e-6;  // a number that never varied here must not decide alone
  for (let i = 0; i < n; i++) {
    let length = 0;
    for (let j = 0; j < c; j++) { z[i*c + j] = (x[i*c + j] - mean[j])/scale[j]; length += z[i*c + j]**2; }
    length = Math.sqrt(length) + 1e-12;
    for (let j = 0; j < c; j++) centre[j] += (z[i*c + j] /= length)/n;
  }
  let total = 0;
  for (let at = 0; at < n*c; at++) total += (z[at] -= centre[at%c])**2;
  const width = Math.max(floor*total/(n*c), 1e-9), most = Math.min(rank, n - 1, c);
  const {lengths, axes} = widest(z, n, c, most, constants);
  const less = lengths.map(s => 1/width - 1/(width + s*s/n));
  return {mean, scale, centre, axes: transpose(axes, most, c), less, step: 1/width};
}

// {novelty, leftOut}: for new pictures; and the novelty of each training picture, had it been left out.
export function fitNovelty(x, n, c, folds, constants) {
  const leftOut = new Float64Array(n);
  for (let f = 0; f <= Math.max(...folds); f++) {
    const rest = [...folds.keys()].filter(i => folds[i] !== f), mine = [...folds.keys()].filter(i => folds[i] === f);
    const found = noveltyOf(fitCloud(takeRows(x, c, rest), rest.length, c, constants), takeRows(x, c, mine), mine.length);
    mine.forEach((i, at) => { leftOut[i] = found[at]; });
  }
  const typical = median(leftOut), cloud = fitCloud(x, n, c, constants);
  return {novelty: {...cloud, step: cloud.step/typical, less: cloud.less.map(v => v/typical)},
          leftOut: leftOut.map(v => v/typical)};
}

const withLuck = (q, n) => Math.min(1, q + 1.645*Math.sqrt(q*(1 - q)/n));  // what chance may silence of a class of `n`

function reach(novelty, sure, coverage) {  // up to which novelty a share is answered, of the pictures that are sure
  const kept = sorted(novelty.filter((_, i) => sure[i]));
  if (!kept.length) return -Infinity;
  return kept[Math.min(kept.length, Math.max(1, Math.ceil(coverage*novelty.length - 1e-9))) - 1];
}

// {min_confidence, max_novelty, coverage, error, ood_unsure}: the limits beyond which an answer is unsure.
// `left`: {confidence, right, novelty, shown: the class of each} of pictures left out; `ood`: {confidence, novelty}.
export function chooseThresholds({confidence, right, novelty, shown}, ood, coverage) {
  const everyone = [...confidence.keys()], parts = [[everyone, q => q]];
  for (const c of new Set(Array.from(shown).sort((a, b) => a - b))) {
    const members = everyone.filter(i => shown[i] === c);
    parts.push([members, q => withLuck(q, members.length)]);
  }
  const views = parts.map(([rows, silent]) => {
    const sure = Float64Array.from(rows, i => confidence[i]);
    return {sure, ranked: sorted(sure), strange: Float64Array.from(rows, i => novelty[i]), silent};
  });
  let best = null;
  for (let share = 0; share <= 10; share++) {
    const quiet = (share === 10 ? 1 : share*0.1)*(1 - coverage);
    const low = Math.min(...views.map(v => v.ranked[Math.floor(v.silent(quiet)*(v.ranked.length - 1))]));
    const high = Math.max(...views.map(v => reach(v.strange, v.sure.map(s => Number(s >= low)), 1 - v.silent(1 - coverage))));
    const answered = everyone.filter(i => confidence[i] >= low && novelty[i] <= high);
    const wrong = answered.filter(i => !right[i]).length;
    const silent = Array.from(ood.novelty).filter((v, i) => ood.confidence[i] < low || v > high).length;
    const found = {min_confidence: low, max_novelty: high, coverage: answered.length/everyone.length,
                   error: 1 - (answered.length - wrong)/answered.length, ood_unsure: silent/ood.novelty.length};
    const more = best ? found.ood_unsure - best.ood_unsure : 1;
    if (more > 0 || (more === 0 && found.error < best.error)) best = found;
  }
  return best;
}

// Positions of OOD pictures that show none of the classes: `half` "choose" for the limits, "judge" for the others.
export function oodRows(names, labels, half) {
  const words = labels.flatMap(label => label.toLowerCase().split(/[^\p{L}\p{Nl}\p{No}]+/u)).map(w => w.replace(/s$/, ""));
  const named = kind => words.some(w => w === kind || (kind !== "thing" && w.endsWith(kind)));
  return [...names.keys()].filter(i => {
    const [kind, number] = names[i].replace(".jpg", "").split("-");
    return !named(kind) && Number(number)%2 === (half === "choose" ? 0 : 1);
  });
}
