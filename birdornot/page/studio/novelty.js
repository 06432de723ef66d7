// How far an embedding is from the cloud of the training pictures, and from where on it is strange: `birdornot.novelty`.
import {eigenSymmetric, gram, median, multiply, orthonormalRows, sorted, takeRows, transpose} from "./numbers.js";

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
      let along = 0;
      for (let j = 0, at = a*c; j < c; j++, at++) along += off[j]*across[at];
      wide += along*along*less[a];
    }
    out[i] = step*far - wide;
  }
  return out;
}

// The largest singular values and right singular vectors, one a row, of `x` n×c.
function widest(x, n, c, rank) {
  const {values, vectors} = eigenSymmetric(gram(x, n, c), n);
  const chosen = Array.from({length: rank}, (_, i) => n - 1 - i);
  const lengths = Float64Array.from(chosen, i => Math.sqrt(Math.max(values[i], 0)));
  const axes = multiply(takeRows(vectors, n, chosen), x, rank, n, c);
  for (let i = 0, at = 0; i < rank; i++) for (let j = 0; j < c; j++, at++) axes[at] /= lengths[i] || 1;
  return {lengths, axes};
}

// Describe where `n` embeddings lie: `rank` directions by their widths, all others by `floor` mean variances.
function fitCloud(x, n, c, {rank, floor}) {
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
  const {lengths, axes} = widest(z, n, c, most);
  return {mean, scale, centre, axes: transpose(axes, most, c), less: lengths.map(s => 1/width - 1/(width + s*s/n)), step: 1/width};
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
    if (!best || found.ood_unsure > best.ood_unsure || (found.ood_unsure === best.ood_unsure && found.error < best.error))
      best = found;
  }
  return best;
}

// Positions of OOD pictures that show none of the classes: `half` "choose" for the limits, "judge" for the others.
export function oodRows(names, labels, half) {
  const said = new Set(labels.flatMap(label => label.toLowerCase().split(/[^\p{L}\p{Nl}\p{No}]+/u)).map(w => w.replace(/s$/, "")));
  const named = kind => [...said].some(w => w === kind || (kind !== "thing" && w.endsWith(kind)));
  return [...names.keys()].filter(i => {
    const [kind, number] = names[i].replace(".jpg", "").split("-");
    return !named(kind) && Number(number)%2 === (half === "choose" ? 0 : 1);
  });
}
