// Which pictures are judged by which head: whole groups, dealt out as `birdornot.split` does in Python.
import {byCodePoint, evenRound} from "./numbers.js";
import {sha256} from "./sha256.js";

function countBy(keys) {
  const counts = new Map();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

// How many groups each label has: Map label → number.
export function distinctGroups(labels, groups) {
  const found = new Map();
  labels.forEach((label, i) => {
    if (!found.has(label)) found.set(label, new Set());
    found.get(label).add(groups[i]);
  });
  return new Map([...found].map(([label, mine]) => [label, mine.size]));
}

// What is missing to judge: {label: how many more pictures, copies counted once}; `classes` short of two. null: nothing.
export function missingFor(labels, groups, {min_groups}) {
  const distinct = distinctGroups(dealtLabels(labels, groups, min_groups), groups);
  const small = [...distinct].filter(([, n]) => n < min_groups);
  const more = Object.fromEntries(small.map(([label, n]) => [label, min_groups - n]));
  const classes = Math.max(0, 2 - distinct.size);
  return classes || Object.keys(more).length ? {classes, more} : null;
}

function wordsOf(label) {
  const parts = label.split("+").map(part => part.trim());
  return parts.every(Boolean) ? parts : [label];
}

export function dealtLabels(labels, groups, least) {  // a rare combination such as bird+forest goes with its first word
  const distinct = distinctGroups(labels, groups);
  return labels.map(label => {
    const [word] = wordsOf(label);
    return distinct.get(label) < least && distinct.has(word) ? word : label;
  });
}

function commonest(labels) {
  const counts = countBy(labels);
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || byCodePoint(a, b))[0];
}

// The fold of every picture: whole groups, so that every fold gets its share of each label.
export function stratifiedFolds(labels, groups, seed, {folds, min_groups}) {
  labels = dealtLabels(labels, groups, min_groups);
  const members = new Map();
  groups.forEach((g, i) => { if (members.has(g)) members.get(g).push(i); else members.set(g, [i]); });
  const all = [...members].map(([g, at]) => (
    {at, kind: commonest(at.map(i => labels[i])), hash: sha256(`${seed}:${g}`)}));
  const n = Math.max(2, Math.min(folds, ...countBy(all.map(g => g.kind)).values()));
  all.sort((a, b) => byCodePoint(a.kind, b.kind) || b.at.length - a.at.length || (a.hash < b.hash ? -1 : 1));
  const foldOf = new Int32Array(labels.length), total = new Int32Array(n);
  const placed = Array.from({length: n}, () => new Map());
  for (const {at, kind} of all) {
    let best = 0;
    for (let k = 1; k < n; k++) {
      const less = (placed[k].get(kind) ?? 0) - (placed[best].get(kind) ?? 0) || total[k] - total[best];
      if (less < 0) best = k;
    }
    for (const i of at) {
      foldOf[i] = best;
      placed[best].set(labels[i], (placed[best].get(labels[i]) ?? 0) + 1);
    }
    total[best] += at.length;
  }
  return foldOf;
}

// {train, valid}: positions; no group on both sides, every class on each. null where that cannot be.
export function splitByGroup(labels, groups, seed, constants) {
  const {valid_pct, min_groups} = constants;
  labels = dealtLabels(labels, groups, min_groups);
  const perClass = [...distinctGroups(labels, groups).values()], n = labels.length;
  const splits = Math.min(evenRound(1/valid_pct), ...perClass);
  const foldOf = stratifiedFolds(labels, groups, seed, {...constants, folds: splits});
  let best = null;
  for (let k = 0; k < splits; k++) {
    const parts = {train: [], valid: []};
    foldOf.forEach((fold, i) => parts[fold === k ? "valid" : "train"].push(i));
    const whole = Object.values(parts).every(part => new Set(part.map(i => labels[i])).size === perClass.length);
    const off = Math.abs(parts.valid.length/n - valid_pct);
    if (whole && (!best || off < best.off)) best = {...parts, off};
  }
  return best && {train: best.train, valid: best.valid};
}

// How many independent pictures are worth as much as these.
export function effectiveN(groups) {
  let all = 0, squares = 0;
  for (const n of countBy(groups).values()) { all += n; squares += n*n; }
  return squares ? all*all/squares : 0;
}

// For each of `n` things the number of the first in its group; `pairs` belong together, directly or through others.
export function connected(n, pairs) {
  const first = Int32Array.from({length: n}, (_, i) => i);
  const root = i => { while (first[i] !== i) i = first[i] = first[first[i]]; return i; };
  for (const [i, j] of pairs) {
    const a = root(i), b = root(j);
    first[Math.max(a, b)] = Math.min(a, b);
  }
  return first.map((_, i) => root(i));
}

// For each picture a number, the same for those that share a mark, directly or through others; empty marks do not count.
export function islands(marks) {
  const first = new Map(), pairs = [];
  marks.forEach((mine, i) => {
    for (const mark of mine) if (mark) {
      if (!first.has(mark)) first.set(mark, i);
      pairs.push([first.get(mark), i]);
    }
  });
  return connected(marks.length, pairs);
}

// Name groups after the alphabetically first of their members' names.
export function nameGroups(numbers, names) {
  const least = new Map();
  numbers.forEach((g, i) => { if (!least.has(g) || names[i] < least.get(g)) least.set(g, names[i]); });
  return Array.from(numbers, g => least.get(g));
}
