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

function planesOf(look, grid, mirrored = false) {  // three planes grid×grid: luminance 0–255, two colours around 0
  const n = grid*grid, half = grid/2, out = [0, 1, 2].map(() => new Float64Array(n));
  for (let y = 0, i = 0; y < grid; y++) for (let x = 0; x < grid; x++, i++) {
    const u = mirrored ? grid - 1 - x : x, small = (y >> 1)*half + (u >> 1);
    out[0][i] = look[y*grid + u];
    out[1][i] = look[n + small] - 128;
    out[2][i] = look[n + n/4 + small] - 128;
  }
  return out;
}

const middleOf = values => {
  const s = Float64Array.from(values).sort(), half = s.length >> 1;
  return s.length%2 ? s[half] : (s[half - 1] + s[half])/2;
};

function flatGround(planes, grid) {  // which pixels have the colour of the border
  const border = planes.map(p => {
    const edge = [];
    for (let i = 0; i < grid; i++) edge.push(p[i], p[(grid - 1)*grid + i], p[i*grid], p[i*grid + grid - 1]);
    return middleOf(edge);
  });
  return each(grid*grid, i => Number(planes.every((p, c) => Math.abs(p[i] - border[c]) < 12)));
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

function lightTogether(a, b, m, n) {  // correlation of the luminances where `m` is 1, and their mean difference
  let ma = 0, mb = 0, uv = 0, uu = 0, vv = 0, apart = 0;
  for (let i = 0; i < m.length; i++) { ma += a[i]*m[i]/n; mb += b[i]*m[i]/n; }
  for (let i = 0; i < m.length; i++) if (m[i]) {
    const u = a[i] - ma, v = b[i] - mb;
    uv += u*v; uu += u*u; vv += v*v; apart += Math.abs(a[i] - b[i]);
  }
  const noise = 4*n;  // two levels: a picture without contrast has nothing to compare
  return [(uv + noise)/Math.sqrt((uu + noise)*(vv + noise)), apart/n];
}

function coloursFit(p, q, m, n, apart, [levels, part]) {
  const strength = (c, d) => m.reduce((s, on, i) => on ? s + Math.sqrt(c[i]*c[i] + d[i]*d[i]) : s, 0)/n;
  const one = strength(p[1], p[2]), other = strength(q[1], q[2]);
  const factor = Math.sqrt(Math.min(1.7, Math.max(0.6, (one + 1)/(other + 1))));
  const [u, v] = [1, 2].map(c => {
    const off = p[c].map((value, i) => value/factor - q[c][i]*factor);
    const cast = Math.min(12, Math.max(-12, middleOf(off)));
    return off.map(value => value - cast);
  });
  const differs = strength(u, v);
  return differs <= levels || differs <= part*(one + other) || (Math.min(one, other) < 2 && apart < 12);
}

function compareLooks(p, q, {grid, same_light, same_colour}) {
  const one = flatGround(p, grid), other = flatGround(q, grid);
  let m = one.map((v, i) => Number(!(v && other[i]))), n = m.reduce((s, v) => s + v, 0);
  if (n < 6) { m = m.fill(1); n = m.length; }  // nothing but background: all of it counts
  const [together, apart] = lightTogether(p[0], q[0], m, n);
  return {light: together >= same_light, colour: coloursFit(p, q, m, n, apart, same_colour)};
}

// Is one thumbnail that of a copy of the other?
export function sameLook(a, b, mirrored, constants) {
  const {grid, zoom} = constants, p = planesOf(a, grid), q = planesOf(b, grid, mirrored);
  let found = compareLooks(p, q, constants);
  if (!found.light) found = compareLooks(zoomed(p, grid, zoom), q, constants);
  if (!found.light) found = compareLooks(p, zoomed(q, grid, zoom), constants);
  return found.light && found.colour;
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

function byLook(members, rows, constants) {  // of rows with one hash: to the first that looks the same
  const out = new Map();
  let rest = members;
  for (let looks = 0; rest.length && looks < SAME_HASH; looks++) {
    const [first] = rest;
    const same = rest.filter(i => i === first || sameLook(rows[first].look, rows[i].look, false, constants));
    for (const i of same) out.set(i, first);
    rest = rest.filter(i => !out.has(i));
  }
  for (const i of rest) out.set(i, i);
  return out;
}

// Which rows {phash, mirror, look} look the same, mirrored or not. → {node: for each the first with the same hash and look,
// pairs of such that are alike}
export function alikePairs(rows, constants) {
  const node = Int32Array.from({length: rows.length}, (_, i) => i), same = new Map(), keys = rows.map(r => r.phash.join());
  keys.forEach((key, i) => { if (same.has(key)) same.get(key).push(i); else same.set(key, [i]); });
  for (const members of same.values()) {
    if (members.length > 1) for (const [i, first] of byLook(members, rows, constants)) node[i] = first;
  }
  const codes = asWords(rows.map(r => r.phash)), mirror = asWords(rows.map(r => r.mirror)), pairs = [];
  const firsts = [...new Set(node)].sort((a, b) => a - b), {most} = constants;
  for (let a = 0; a < firsts.length; a++) for (let b = a + 1; b < firsts.length; b++) {
    const i = firsts[a], j = firsts[b];
    if (keys[i] === keys[j]) continue;
    if ((differ(codes[i], codes[j], most) <= most && sameLook(rows[i].look, rows[j].look, false, constants))
        || (differ(codes[i], mirror[j], most) <= most && sameLook(rows[i].look, rows[j].look, true, constants))) pairs.push([i, j]);
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
// mirror, look, label, width, height, name}. `found`: their `alikePairs`, if known.
export function copyGroups(rows, constants, found = alikePairs(rows, constants)) {
  const session = sessionMembers(found, rows, constants), marks = new Array(rows.length);
  for (const label of new Set(rows.map(r => r.label))) {
    const mine = [...rows.keys()].filter(i => session[i] && rows[i].label === label);
    const blocks = sessionBlocks(mine.map(i => rows[i].name), constants);
    mine.forEach((i, at) => { marks[i] = JSON.stringify(["session", label, blocks[at]]); });
  }
  const free = [...rows.keys()].filter(i => !session[i]), place = new Map(free.map((i, at) => [i, at]));
  const {node, pairs} = session.some(Boolean) ? alikePairs(free.map(i => rows[i]), constants) : found;
  const group = starGroups(free.length, pairs);
  for (const i of free) marks[i] = `copy ${group[node[place.get(i)]]}`;
  return nameGroups(islands(rows.map((r, i) => [r.sha256, marks[i]])), rows.map(r => r.sha256));
}
