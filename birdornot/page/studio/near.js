// Copies that the perceptual hash misses, cut smaller or framed: `join_alike` in Python.
import {dot} from "./numbers.js";
import {dealtLabels, distinctGroups, nameGroups} from "./split.js";

// Each number scaled to mean 0 and standard deviation 1, then each embedding to length 1.
function standardised(x, n, c) {
  const mean = new Float64Array(c), deviation = new Float64Array(c), z = new Float64Array(n*c);
  for (let at = 0; at < n*c; at++) mean[at%c] += x[at]/n;
  for (let at = 0; at < n*c; at++) deviation[at%c] += (x[at] - mean[at%c])**2/n;
  for (let j = 0; j < c; j++) deviation[j] = Math.max(Math.sqrt(deviation[j]), 1e-6);
  for (let i = 0; i < n; i++) {
    let length = 0;
    for (let j = 0, at = i*c; j < c; j++, at++) { z[at] = (x[at] - mean[j])/deviation[j]; length += z[at]**2; }
    length = Math.sqrt(length) + 1e-12;
    for (let j = 0, at = i*c; j < c; j++, at++) z[at] /= length;
  }
  return z;
}

// For each picture the number of its island: pictures that are nearly the same, directly or through others.
function islandsAlike(z, n, c, marks, alike) {
  const island = Int32Array.from(marks);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) {
    const a = island[i], b = island[j];
    if (a === b || dot(z, i*c, z, j*c, c) <= alike) continue;
    const least = Math.min(a, b), other = Math.max(a, b);
    for (let k = 0; k < n; k++) if (island[k] === other) island[k] = least;
  }
  return island;
}

// Is an island small, and are all other pictures clearly less like those of it than these are like one another?
function standsApart(z, n, c, marks, island, members, {alike, apart, most}) {
  if (new Set(members.map(i => marks[i])).size > most) return false;
  let inside = 2, outside = -1;
  for (const i of members) {
    let linked = -1;
    for (let j = 0; j < n; j++) if (marks[j] !== marks[i]) {
      const cosine = dot(z, i*c, z, j*c, c);
      if (island[j] === island[i]) linked = Math.max(linked, cosine); else outside = Math.max(outside, cosine);
    }
    if (linked > alike) inside = Math.min(inside, linked);  // a copy by its hash may be linked through its copy alone
  }
  return outside <= inside - apart;
}

// Embeddings `x` N×C, labels, groups → groups: those that an embedding takes for copies, and that stand apart from the
// rest, are one; `near`: the constants of studio.json.
export function joinAlike(x, labels, groups, near, minGroups) {
  const n = labels.length, c = x.length/n, numbers = new Map([...new Set(groups)].sort().map((g, k) => [g, k]));
  const marks = Int32Array.from(groups, g => numbers.get(g)), z = standardised(x, n, c);
  const island = islandsAlike(z, n, c, marks, near.alike), places = new Map();
  island.forEach((k, i) => { if (places.has(k)) places.get(k).push(i); else places.set(k, [i]); });
  const joined = new Map([...places].filter(([k, at]) => at.some(i => marks[i] !== k)));
  const leave = (k, at) => { for (const i of at) island[i] = marks[i]; joined.delete(k); };
  const close = [...joined].filter(([, at]) => !standsApart(z, n, c, marks, island, at, near));
  for (const [k, at] of close) leave(k, at);
  const names = dealtLabels(labels, groups, minGroups), few = distinctGroups(names, island);
  for (const [k, at] of [...joined]) if (at.some(i => few.get(names[i]) < minGroups)) leave(k, at);
  return nameGroups(island, groups);
}
