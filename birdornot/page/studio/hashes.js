// The same picture again, smaller, brighter, cropped or mirrored: the hashes and limits of `birdornot.duplicates`.
import {reduceAndResize, resize} from "../resample.js";
import {byCodePoint, dot} from "./numbers.js";
import {connected, islands, nameGroups} from "./split.js";

const each = (n, make) => Float64Array.from({length: n}, (_, i) => make(i));

// Pillow's greys: three bytes a pixel again, all the same, because the resampler takes three.
function greyOf({data, width, height}) {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3)
    out[i] = out[i + 1] = out[i + 2] = data[i]*19595 + data[i + 1]*38470 + data[i + 2]*7471 + 0x8000 >> 16;
  return {data: out, width, height};
}

// Standard deviation of the ink that varies most: next to nothing where a picture is blank.
export function contrastOf({data}) {
  const n = data.length/3;
  return Math.max(...[0, 1, 2].map(c => {
    let total = 0, squares = 0;
    for (let i = c; i < data.length; i += 3) { total += data[i]; squares += data[i]*data[i]; }
    return Math.sqrt(Math.max(0, squares/n - (total/n)**2));
  }));
}

// Pillow's tables of RGB → YCbCr, 6 bits after the point.
const INK = [[0.299, 0.587, 0.114], [-0.16874, -0.33126, 0.5], [0.5, -0.41869, -0.08131]]
  .map(row => row.map(share => Int32Array.from({length: 256}, (_, i) => Math.trunc(share*64*i + 0.5))));

// 24×24 luminances, then 12×12 Cb and 12×12 Cr, one byte each.
export function colourThumbnail(picture, {grid}) {
  const small = resize(picture, [grid, grid], "box").data, inks = new Uint8Array(small.length);
  for (let i = 0; i < small.length; i += 3) INK.forEach(([r, g, b], c) => {
    inks[i + c] = (r[small[i]] + g[small[i + 1]] + b[small[i + 2]] >> 6) + (c ? 128 : 0);
  });
  const half = resize({data: inks, width: grid, height: grid}, [grid/2, grid/2], "box").data;
  const take = (data, c) => Array.from({length: data.length/3}, (_, i) => data[3*i + c]);
  return Uint8Array.from([...take(inks, 0), ...take(half, 1), ...take(half, 2)]);
}

const WAVES = Array.from({length: 16}, (_, k) => each(64, i => Math.fround(Math.cos(Math.PI/64*k*(i + 0.5)))));

function packBits(low) {
  const ranked = Float64Array.from(low).sort(), middle = (ranked[127] + ranked[128])/2, out = new Uint8Array(32);
  low.forEach((v, i) => { if (v > middle) out[i >> 3] |= 128 >> i%8; });
  return out;
}

// {phash, mirror: 32 bytes each; look: the colour thumbnail} of an upright picture.
export function perceptualHashes(picture, constants) {
  const {data} = reduceAndResize(greyOf(picture), [64, 64], "lanczos");
  const columns = Array.from({length: 64}, (_, x) => each(64, y => data[3*(64*y + x)]));
  const across = WAVES.map(wave => each(64, x => dot(columns[x], 0, wave, 0, 64)));
  const low = each(256, i => dot(across[i >> 4], 0, WAVES[i & 15], 0, 64)), mirrored = low.map((v, i) => i%2 ? -v : v);
  return {phash: packBits(low), mirror: packBits(mirrored), look: colourThumbnail(picture, constants)};
}

// All that tells copies, of an upright picture: {phash, mirror, look, blank}.
export const fingerprints = (picture, constants) => (
  {...perceptualHashes(picture, constants), blank: contrastOf(picture) < constants.blank});

// What is hashed of pixels: width and height, four bytes each, and then red, green and blue.
export function pixelBytes({data, width, height}) {
  const out = new Uint8Array(data.length + 8), view = new DataView(out.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  out.set(data, 8);
  return out;
}

// ---- pairs
const COUNT = new Uint8Array(65536);  // of bits
for (let i = 1; i < 65536; i++) COUNT[i] = COUNT[i >> 1] + (i & 1);

const asWords = codes => codes.map(code => new Uint16Array(Uint8Array.from(code).buffer));

function differ(a, b, most) {
  let n = 0;
  for (let i = 0; i < 16 && n <= most; i++) n += COUNT[a[i] ^ b[i]];
  return n;
}

// The middle of numbers, which are put in another order: Hoare's selection, since sorting all of them takes five times as long.
function middleOf(values) {
  const half = values.length >> 1;
  for (let low = 0, high = values.length - 1; low < high;) {
    const pivot = values[low + high >> 1];
    let i = low, j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) { const v = values[i]; values[i++] = values[j]; values[j--] = v; }
    }
    if (j < half && half < i) break;
    if (half <= j) high = j; else low = i;
  }
  if (values.length%2) return values[half];
  let below = -Infinity;
  for (let i = 0; i < half; i++) if (values[i] > below) below = values[i];
  return (below + values[half])/2;
}

// A thumbnail, ready to be compared: three planes grid×grid, luminance 0–255 and two colours around 0; how strong the
// colours are; and which pixels have the colour of the border.
function readyLook(planes, grid) {
  const strong = each(grid*grid, i => Math.sqrt(planes[1][i]**2 + planes[2][i]**2)), border = planes.map(p => {
    const edge = [];
    for (let i = 0; i < grid; i++) edge.push(p[i], p[(grid - 1)*grid + i], p[i*grid], p[i*grid + grid - 1]);
    return middleOf(Float64Array.from(edge));
  });
  const flat = Uint8Array.from(strong, (_, i) => Number(planes.every((p, c) => Math.abs(p[i] - border[c]) < 12)));
  return {planes, strong, flat};
}

function planesOf(look, grid, mirrored) {
  const n = grid*grid, half = grid/2, out = [0, 1, 2].map(() => new Float64Array(n));
  for (let y = 0, i = 0; y < grid; y++) for (let x = 0; x < grid; x++, i++) {
    const u = mirrored ? grid - 1 - x : x, small = (y >> 1)*half + (u >> 1);
    out[0][i] = look[y*grid + u];
    out[1][i] = look[n + small] - 128;
    out[2][i] = look[n + n/4 + small] - 128;
  }
  return out;
}

function zoomed(planes, grid, by) {  // the middle of a thumbnail, enlarged
  const low = new Int32Array(grid), share = new Float64Array(grid);
  for (let i = 0; i < grid; i++) {
    const place = Math.min(grid - 1.001, Math.max(0, (i + 0.5 - grid/2)*by + grid/2 - 0.5));
    low[i] = Math.trunc(place);
    share[i] = place - low[i];
  }
  const between = (a, b, s) => a*(1 - s) + b*s;
  return planes.map(p => each(grid*grid, i => {
    const y = Math.floor(i/grid), x = i%grid, at = low[y]*grid + low[x];
    return between(between(p[at], p[at + 1], share[x]), between(p[at + grid], p[at + grid + 1], share[x]), share[y]);
  }));
}

// What `sameLook` needs of a thumbnail, made when it is first asked for: as it is, mirrored, and the middle of each.
export function looks(look, {grid, zoom}) {
  const made = {};
  return (mirrored, close) => made[[mirrored, close]] ??= readyLook(
    close ? zoomed(planesOf(look, grid, mirrored), grid, zoom) : planesOf(look, grid, mirrored), grid);
}

function sharedMask(p, q, mask) {  // where not both are background; everywhere, where that is next to nothing
  let n = 0;
  for (let i = 0; i < mask.length; i++) n += mask[i] = 1 - (p.flat[i] & q.flat[i]);
  if (n >= 6) return n;
  mask.fill(1);
  return mask.length;
}

function lightTogether(a, b, mask, n) {  // correlation of the luminances under the mask, and their mean difference
  let ma = 0, mb = 0, uv = 0, uu = 0, vv = 0, apart = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i]) { ma += a[i]; mb += b[i]; apart += Math.abs(a[i] - b[i]); }
  ma /= n; mb /= n;
  for (let i = 0; i < mask.length; i++) if (mask[i]) {
    const u = a[i] - ma, v = b[i] - mb;
    uv += u*v; uu += u*u; vv += v*v;
  }
  const noise = 4*n;  // two levels: a picture without contrast has nothing to compare
  return [(uv + noise)/Math.sqrt((uu + noise)*(vv + noise)), apart/n];
}

function coloursFit(p, q, mask, n, apart, [levels, part]) {
  let one = 0, other = 0, differ = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i]) { one += p.strong[i]; other += q.strong[i]; }
  one /= n; other /= n;
  if (Math.min(one, other) < 2 && apart < 12) return true;
  const factor = Math.sqrt(Math.min(1.7, Math.max(0.6, (one + 1)/(other + 1))));
  const [u, v] = [1, 2].map(c => {
    const a = p.planes[c], b = q.planes[c], off = new Float64Array(a.length);
    for (let i = 0; i < off.length; i++) off[i] = a[i]/factor - b[i]*factor;
    const cast = Math.min(12, Math.max(-12, middleOf(off.slice())));
    for (let i = 0; i < off.length; i++) off[i] -= cast;
    return off;
  });
  for (let i = 0; i < mask.length; i++) if (mask[i]) differ += Math.sqrt(u[i]*u[i] + v[i]*v[i]);
  return differ/n <= levels || differ/n <= part*(one + other);
}

// Is one thumbnail that of a copy of the other? Both as `looks` gives them.
export function sameLook(a, b, mirrored, {grid, same_light, same_colour}) {
  const mask = new Uint8Array(grid*grid);
  for (const [left, right] of [[false, false], [true, false], [false, true]]) {
    const p = a(false, left), q = b(mirrored, right), n = sharedMask(p, q, mask);
    const [together, apart] = lightTogether(p.planes[0], q.planes[0], mask, n);
    if (together >= same_light) return coloursFit(p, q, mask, n, apart, same_colour);
  }
  return false;
}

// Each is like the centre of its group: for each thing the number of the first in its group.
function starGroups(n, pairs) {
  const group = Int32Array.from({length: n}, (_, i) => i), free = new Uint8Array(n).fill(1);
  const near = Array.from({length: n}, () => []);
  for (const [i, j] of pairs) { near[i].push(j); near[j].push(i); }
  const centres = [...group.keys()].filter(i => near[i].length).sort((i, j) => near[j].length - near[i].length || i - j);
  for (const centre of centres) {
    if (!free[centre]) continue;
    const mine = [...near[centre].filter(i => free[i]), centre], first = Math.min(...mine);
    for (const i of mine) { group[i] = first; free[i] = 0; }
  }
  return group;
}

const SAME_HASH = 32;  // looks of pictures with one hash; what looks otherwise after so many is a picture by itself

function byLook(members, seen, constants) {  // of rows with one hash: to the first that looks the same
  const out = new Map();
  let rest = members;
  for (let times = 0; rest.length && times < SAME_HASH; times++) {
    const [first] = rest, same = rest.filter(i => i === first || sameLook(seen[first], seen[i], false, constants));
    for (const i of same) out.set(i, first);
    rest = rest.filter(i => !out.has(i));
  }
  for (const i of rest) out.set(i, i);
  return out;
}

const NOTHING = {get: () => undefined, set: () => {}};

// Which rows {phash, mirror, look} look the same, mirrored or not. → {node: for each the first with the same hash and look,
// pairs of such that are alike}. `known`: what was found of two rows, by their numbers, when they were compared before.
export function alikePairs(rows, constants, known = NOTHING) {
  const node = Int32Array.from({length: rows.length}, (_, i) => i), same = new Map(), keys = rows.map(r => r.phash.join());
  const seen = rows.map(r => looks(r.look, constants)), {most} = constants;
  keys.forEach((key, i) => { if (same.has(key)) same.get(key).push(i); else same.set(key, [i]); });
  for (const members of same.values()) {
    if (members.length > 1) for (const [i, first] of byLook(members, seen, constants)) node[i] = first;
  }
  const codes = asWords(rows.map(r => r.phash)), mirror = asWords(rows.map(r => r.mirror)), pairs = [];
  const look = (i, j, ways) => ways.some(mirrored => sameLook(seen[i], seen[j], mirrored, constants));
  const firsts = [...new Set(node)].sort((a, b) => a - b);
  for (let a = 0; a < firsts.length; a++) for (let b = a + 1; b < firsts.length; b++) {
    const i = firsts[a], j = firsts[b];
    if (keys[i] === keys[j]) continue;
    const ways = [false, true].filter(mirrored => differ(codes[i], (mirrored ? mirror : codes)[j], most) <= most);
    if (!ways.length) continue;
    let is = known.get(i, j);
    if (is === undefined) known.set(i, j, is = look(i, j, ways));
    if (is) pairs.push([i, j]);
  }
  return {node, pairs};
}

const counted = keys => {
  const counts = new Map();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
};

// Which rows {label, width, height} belong to a class that comes mostly from one fixed camera.
export function sessionMembers({node, pairs}, rows, {least_session, one_size}) {
  const of = connected(node.length, pairs), kinds = rows.map((r, i) => JSON.stringify([r.label, of[node[i]]]));
  const shapes = rows.map((r, i) => `${kinds[i]} ${r.width}×${r.height}`), shared = counted(shapes), commonest = new Map();
  kinds.forEach((kind, i) => commonest.set(kind, Math.max(commonest.get(kind) ?? 0, shared.get(shapes[i]))));
  const size = counted(kinds), total = counted(rows.map(r => r.label));
  return rows.map((r, i) => {
    const n = size.get(kinds[i]);
    return n >= least_session && 2*n > total.get(r.label) && commonest.get(kinds[i]) >= one_size*n;
  });
}

function naturally(a, b) {  // numbers in names count as numbers, and come before letters
  const [x, y] = [a, b].map(name => name.split(/(\d+)/).filter(Boolean));
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const [m, n] = [x[i], y[i]].map(part => /^\d+$/.test(part) ? Number(part) : NaN);
    if (isNaN(m) !== isNaN(n)) return isNaN(m) ? 1 : -1;
    const off = (isNaN(m) ? 0 : m - n) || byCodePoint(x[i], y[i]);
    if (off) return off;
  }
  return x.length - y.length;
}

// Cut a session into blocks of consecutive pictures, by their names: for each picture the number of its block.
export function sessionBlocks(names, {blocks: [least, most]}) {
  const n = names.length, out = new Int32Array(n), parts = Math.max(least, Math.min(most, Math.floor(n/2)));
  const order = [...names.keys()].sort((i, j) => naturally(names[i], names[j]) || i - j);
  order.forEach((i, place) => { out[i] = Math.floor(place*parts/n); });
  return out;
}

// The name of each picture's group, by what cleaning takes for copies or a session of one camera; rows: {sha256, phash,
// mirror, look, label, width, height, name}. `known`: as for `alikePairs`.
export function copyGroups(rows, constants, known = NOTHING) {
  const found = alikePairs(rows, constants, known), session = sessionMembers(found, rows, constants), marks = new Array(rows.length);
  for (const label of new Set(rows.map(r => r.label))) {
    const mine = [...rows.keys()].filter(i => session[i] && rows[i].label === label);
    const blocks = sessionBlocks(mine.map(i => rows[i].name), constants);
    mine.forEach((i, at) => { marks[i] = JSON.stringify(["session", label, blocks[at]]); });
  }
  const free = [...rows.keys()].filter(i => !session[i]), place = new Map(free.map((i, at) => [i, at]));
  const among = {get: (i, j) => known.get(free[i], free[j]), set: NOTHING.set};
  const {node, pairs} = session.some(Boolean) ? alikePairs(free.map(i => rows[i]), constants, among) : found;
  const group = starGroups(free.length, pairs);
  for (const i of free) marks[i] = `copy ${group[node[place.get(i)]]}`;
  return nameGroups(islands(rows.map((r, i) => [r.sha256, marks[i]])), rows.map(r => r.sha256));
}
