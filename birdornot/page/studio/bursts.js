// Photos taken in a burst: each has a twin, which answers for it. `twins` and `error_without_twins` in Python.
import {crossCalibrate, solveHead} from "./head.js";
import {argmax, gram, rowsOf, sum} from "./numbers.js";
import {islands, stratifiedFolds} from "./split.js";

// {nearest, twin}: the most similar other picture of each, and whether it is much more so than the tenth most similar.
export function twins(x, n, c, groups) {
  const mean = new Float64Array(c), z = new Float64Array(n*c), nearest = new Int32Array(n), twin = new Uint8Array(n);
  for (let at = 0; at < n*c; at++) mean[at%c] += x[at]/n;
  for (let i = 0; i < n; i++) {
    let length = 0;
    for (let j = 0; j < c; j++) { z[i*c + j] = x[i*c + j] - mean[j]; length += z[i*c + j]**2; }
    length = Math.sqrt(length) + 1e-12;
    for (let j = 0; j < c; j++) z[i*c + j] /= length;
  }
  const alike = gram(z, n, c);
  for (let i = 0; i < n; i++) {
    const others = [...groups.keys()].filter(j => groups[j] !== groups[i]);
    const far = Float64Array.from(others, j => 1 - alike[i*n + j]), ranked = far.slice().sort(), known = far.length;
    if (!known) continue;
    nearest[i] = others[far.indexOf(ranked[0])];
    twin[i] = known >= 10 && (ranked[0] < ranked[9]/2 || ranked[0] < (ranked[known >> 1] ?? Infinity)/4);
  }
  return {nearest, twin};
}

const wrongOf = (probabilities, {y, k}) => rowsOf(probabilities, k).map((p, i) => Number(argmax(p) !== y[i]));

// {error, rise}: the error where neither a copy nor the twin of a picture was seen, 0–1, and its rise in standard errors
// over the error by `logits`, of heads that have seen the twin; null where hardly a picture has one.
export function withoutTwins(x, labels, groups, rotated, {logits, folds}, constants, seed) {
  const {n, c, y, k} = rotated, {nearest, twin} = twins(x, n, c, groups);
  if (sum(twin)/n < constants.bursts) return null;
  const linked = islands(groups.map((g, i) => [`group ${g}`, `twin ${i}`, twin[i] && `twin ${nearest[i]}`]));
  const kinds = new Map();
  labels.forEach((label, i) => kinds.set(label, (kinds.get(label) ?? new Set()).add(linked[i])));
  if ([...kinds.values()].some(mine => mine.size < 2)) return null;
  const dealt = stratifiedFolds(labels, Array.from(linked, String), seed, constants.head);
  const apart = solveHead(rotated, [dealt], constants.head).logits;
  const seen = wrongOf(crossCalibrate(logits, y, k, folds), rotated), unseen = wrongOf(crossCalibrate(apart, y, k, dealt), rotated);
  const more = new Map();  // an island at a time
  linked.forEach((island, i) => more.set(island, (more.get(island) ?? 0) + unseen[i] - seen[i]));
  const off = [...more.values()];
  return {error: sum(unseen)/n, rise: sum(off)/Math.max(1, Math.sqrt(sum(off.map(v => v*v))))};
}

// A sentence for the card of the model, or nothing: where there are bursts, the error looks smaller than it is elsewhere.
export const warnOfBursts = found => found && found.rise >= 1 ? [
  `These look like bursts: with pictures that hardly differ kept together the error is ${Math.round(100*found.error)}%. `
  + "On photos of another day or place expect more errors than the number says; add such photos, and train again."] : [];
