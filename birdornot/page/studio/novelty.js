// How far an embedding is from the cloud of the training pictures, and from where on it is strange: `birdornot.novelty`.
import {dot, eigenSymmetric, gram, median, multiply, orthonormalRows, sorted, takeRows, transpose} from "./numbers.js";

// Directions, `offset.length` numbers of length one, in which the backbone's own ImageNet scores of embeddings point.
function scoreDirections({axes, offset}, x, n) {
  const r = offset.length, out = multiply(Float64Array.from(x), Float64Array.from(axes), n, axes.length/r, r);
  for (let i = 0; i < n; i++) {
    let length = 0;
    for (let a = 0; a < r; a++) length += (out[i*r + a] += offset[a])**2;
    length = Math.sqrt(length);
    for (let a = 0; a < r; a++) out[i*r + a] /= length;
  }
  return out;
}

// How unlike all pictures known each of `n` directions is; `places`: rows of `known` that count, by default all.
function strangenessOf({offset: {length: r}, known, sharpness, step}, directions, n, places = [...Array(known.length/r).keys()]) {
  return Float64Array.from({length: n}, (_, i) => {
    let near = 0;
    for (const p of places) near += Math.exp((dot(directions, i*r, known, p*r, r) - 1)/sharpness);
    return -step*sharpness*Math.log(near/places.length);
  });
}

// How novel each of `n` embeddings is: the typical picture of its classes has 1.
export function noveltyOf(novelty, x, n) {
  const far = distanceOf(novelty, x, n), {strangeness} = novelty;
  if (!strangeness) return far;
  const strange = strangenessOf(strangeness, scoreDirections(strangeness, x, n), n);
  return far.map((v, i) => v + strange[i]);
}

function distanceOf({mean, scale, centre, axes, less, step}, x, n) {  // from the cloud
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

// Some of `rows`, evenly from the first to the last of each class.
function someOfEach(y, rows, most) {
  return [...new Set(rows.map(i => y[i]))].flatMap(c => {
    const mine = rows.filter(i => y[i] === c), n = Math.min(most, mine.length), step = n > 1 ? (mine.length - 1)/(n - 1) : 0;
    return Array.from({length: n}, (_, i) => i && i === n - 1 ? mine.at(-1) : mine[Math.trunc(i*step)]);
  }).sort((a, b) => a - b);
}

// For each of the `folds` what `found(rest, mine)` says of the pictures in it, known the rest.
function inTurn(folds, found) {
  const out = new Float64Array(folds.length), everyone = [...folds.keys()];
  for (let f = 0; f <= Math.max(...folds); f++) {
    const mine = everyone.filter(i => folds[i] === f), said = found(everyone.filter(i => folds[i] !== f), mine);
    mine.forEach((i, at) => { out[i] = said[at]; });
  }
  return out;
}

function unit(leftOut) {  // by how much novel pictures differ from typical ones: the median and the tenth most novel
  const ranked = sorted(leftOut), place = 0.9*(ranked.length - 1), low = Math.floor(place);
  const high = ranked[low] + (place - low)*((ranked[low + 1] ?? ranked[low]) - ranked[low]);
  return Math.max(high - median(leftOut), 1e-9);
}

// How strange pictures are beside a distance whose `leftOut` is known: {strangeness, leftOut} of both together.
function withStrangeness(leftOut, x, n, folds, y, {answers, sharpness, remembered}) {
  const r = answers.offset.length, known = scoreDirections(answers, x, n), some = rows => someOfEach(y, rows, remembered);
  const strange = inTurn(folds, (rest, mine) => (
    strangenessOf({...answers, known, sharpness, step: 1}, takeRows(known, r, mine), mine.length, some(rest))));
  const step = unit(leftOut)/unit(strange), kept = takeRows(known, r, some([...folds.keys()]));
  return {strangeness: {...answers, known: kept, sharpness, step}, leftOut: leftOut.map((v, i) => v + step*strange[i])};
}

// {novelty, leftOut}: for new pictures; and the novelty of each training picture, class `y`, had it been left out.
export function fitNovelty(x, n, c, folds, y, constants) {
  const far = inTurn(folds, (rest, mine) => (
    distanceOf(fitCloud(takeRows(x, c, rest), rest.length, c, constants), takeRows(x, c, mine), mine.length)));
  const {strangeness, leftOut} = withStrangeness(far, x, n, folds, y, constants);
  const typical = median(leftOut), cloud = fitCloud(x, n, c, constants);
  return {novelty: {...cloud, step: cloud.step/typical, less: cloud.less.map(v => v/typical),
                    strangeness: {...strangeness, step: strangeness.step/typical}},
          leftOut: leftOut.map(v => v/typical)};
}

// How many of `n` pictures may be lost if no more than `share` of all shall be (Clopper and Pearson 1934); -1: no promise.
export function allowed(n, share, certainty) {
  if (share >= 1) return n;
  if (share <= 0) return -1;
  let ways = 0, sum = 0;
  for (let k = 0; k <= n; k++) {
    sum += Math.exp(ways + k*Math.log(share) + (n - k)*Math.log(1 - share));
    if (sum > 1 - certainty) return k - 1;
    ways += Math.log((n - k)/(k + 1));
  }
  return n;
}

// What share of `n` pictures left out may be silenced; and the coverage that is then promised, or null.
function priceOf(n, coverage, certainty) {
  const most = allowed(n, 1 - coverage, certainty);
  if (most >= 0) return {lost: most/n, promised: coverage};
  return {lost: Math.max(0, Math.trunc((1 - coverage)*(n + 1) + 1e-9) - 1)/n, promised: null};
}

// From how many different pictures on a coverage can be promised.
export const leastToPromise = ({coverage, limits: {certainty}}) => Math.ceil(Math.log(1 - certainty)/Math.log(coverage));

const withLuck = (q, n) => Math.min(1, q + 1.645*Math.sqrt(q*(1 - q)/n));  // what chance may silence of a class of `n`

function reach(novelty, sure, coverage) {  // up to which novelty a share is answered, of the pictures that are sure
  const kept = sorted(novelty.filter((_, i) => sure[i]));
  if (!kept.length) return -Infinity;
  return kept[Math.min(kept.length, Math.max(1, Math.ceil(coverage*novelty.length - 1e-9))) - 1];
}

// {min_confidence, max_novelty, coverage, error, ood_unsure, promised}: the limits beyond which an answer is unsure.
// `left`: {confidence, right, novelty, shown: the class of each} of pictures left out, `n` of which are different;
// `ood`: {confidence, novelty}.
export function chooseThresholds({confidence, right, novelty, shown, n}, ood, {coverage, limits: {certainty, shares}}) {
  const {lost, promised} = priceOf(Math.max(1, Math.min(Math.trunc(n), confidence.length)), coverage, certainty);
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
  for (const share of shares) {
    const low = Math.min(...views.map(v => v.ranked[Math.floor(v.silent(share*lost)*(v.ranked.length - 1))]));
    const high = Math.max(...views.map(v => reach(v.strange, v.sure.map(s => Number(s >= low)), 1 - v.silent(lost))));
    const answered = everyone.filter(i => confidence[i] >= low && novelty[i] <= high);
    const wrong = answered.filter(i => !right[i]).length;
    const silent = Array.from(ood.novelty).filter((v, i) => ood.confidence[i] < low || v > high).length;
    const found = {min_confidence: low, max_novelty: high, coverage: answered.length/everyone.length,
                   error: 1 - (answered.length - wrong)/answered.length, ood_unsure: silent/ood.novelty.length, promised};
    if (!best || found.ood_unsure > best.ood_unsure) best = found;
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
