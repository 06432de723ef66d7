// What a visitor takes along, as Map name → bytes or Blob: the model folder, its page, the photos. Python opens all three.
// Whatever is text or does not depend on the photos comes from Python: take.json, see `take_files` of `birdornot.web`.
import {modelCard, printable} from "./card.js";
import {byCodePoint, transpose} from "./numbers.js";
import {attachHead, joined} from "./onnx.js";
import {fileSha256, sha256} from "./sha256.js";
import {apart, safeName} from "./zip.js";

const utf8 = text => new TextEncoder().encode(text);
const json = (value, indent) => utf8(JSON.stringify(value, null, indent));
const floats = base64 => new Float32Array(Uint8Array.from(atob(base64), c => c.charCodeAt(0)).buffer);

async function fetchBytes(name, root) {
  const reply = await fetch(new URL(name, root));
  if (!reply.ok) throw new Error(`${name} is missing (${reply.status}): copy the whole folder to the server`);
  return new Uint8Array(await reply.arrayBuffer());
}

// take.json and the check picture: what `modelFolder` and `pageFolder` call `take`.
export async function loadTake(root) {
  const [told, picture] = await Promise.all([fetchBytes("take.json", root), fetchBytes("probe.png", root)]);
  return {...JSON.parse(new TextDecoder().decode(told)), picture};
}

// The files of a page that are the same for every model, with the runtime: what `pageFolder` calls `sources`.
export async function loadSources({page}, root) {
  const names = [...page.sources, "page.html", ...page.runtime.map(name => `ort/${name}`)];
  return new Map(await Promise.all(names.map(async name => [name, await fetchBytes(name, root)])));
}

// ---- names
const SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "image/avif": ".avif", "image/bmp": ".bmp"};

function photoName({name, blob}) {  // what was pasted or taken by a camera may have a name without a suffix
  const last = name.split(/[/\\]/).at(-1).trim(), stem = safeName(last);
  return /.\.[a-z]{3,4}$/i.test(last) ? stem : safeName(`${stem}${SUFFIXES[blob?.type] ?? ".jpg"}`);
}

// Label → name of its folder: the label itself, where every system can have such a folder.
export function folderNames(labels) {
  const names = apart(labels.map(label => safeName(label, "class")));
  return new Map(labels.map((label, i) => [label, names[i]]));
}

const labelsOf = photos => [...new Set(photos.map(p => p.label))].sort(byCodePoint);

function placesOf(photos) {  // class/name of every photo, no two alike
  const folders = folderNames(labelsOf(photos));
  return apart(photos.map(p => `${folders.get(p.label)}/${photoName(p)}`));
}

// The name of every photo's group: the first hash in it, as Python names them.
function groupNames(photos) {
  const first = new Map();
  for (const {group, sha256: hash} of photos) if (!(first.get(group) <= hash)) first.set(group, hash);
  return photos.map(p => first.get(p.group));
}

// ---- tables
function cell(value) {  // text that a spreadsheet would run gets an apostrophe in front
  let text = typeof value === "string" ? printable(value) : String(value ?? "");
  if (typeof value === "string" && /^[=+\-@]/.test(text) && !Number.isFinite(Number(text))) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csv = (columns, rows) =>
  utf8([columns.map(cell), ...rows.map(row => columns.map(column => cell(row[column])))].map(r => `${r.join(",")}\r\n`).join(""));

// Every photo that the model knows, and how it was judged.
function judgedRows(photos, places, groups, {labels}, judged, valid) {
  const at = new Map(Array.from(judged.positions, (position, i) => [position, i])), k = labels.length, held = new Set(valid);
  return photos.map(({label, sha256: hash}, position) => {
    const row = {file: places[position], sha256: hash, original: "", group: groups[position], label, part: held.has(position) ? "valid" : "train"};
    const i = at.get(position);
    if (i === undefined) return row;
    labels.forEach((name, c) => { row[name] = judged.probabilities[i*k + c]; });
    return {...row, novelty: judged.novelty[i], unsure: Number(judged.unsure[i])};
  });
}

const byFile = (a, b) => byCodePoint(a.file, b.file);

function countBy(values) {
  const counts = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

// ---- the head
const SHAPES = ({labels, novelty: {mean, less, strangeness: {offset, known}}}) => ({
  weight: [labels.length, mean.length], bias: [labels.length], "novelty.mean": [mean.length], "novelty.scale": [mean.length],
  "novelty.centre": [mean.length], "novelty.axes": [mean.length, less.length], "novelty.less": [less.length],
  "strangeness.axes": [mean.length, offset.length], "strangeness.offset": [offset.length],
  "strangeness.known": [known.length/offset.length, offset.length]});

function numbersOf(head, name) {
  const [part, own] = name.split(".");
  return own ? {novelty: head.novelty, strangeness: head.novelty.strangeness}[part][own] : head[name];
}

// A file of arrays by name, {name: [kind, shape, array of that kind]}: a description in JSON, and then the numbers.
function safetensors(arrays) {
  const about = {}, parts = Object.values(arrays).map(([, , {buffer}]) => new Uint8Array(buffer));
  let at = 0;
  for (const [name, [dtype, shape, numbers]] of Object.entries(arrays))
    about[name] = {dtype, shape, data_offsets: [at, at += numbers.byteLength]};
  const text = JSON.stringify(about), length = new BigUint64Array([BigInt(Math.ceil(text.length/8)*8)]);
  return joined([new Uint8Array(length.buffer), utf8(text.padEnd(Number(length[0]))), ...parts]);
}

const headArrays = head => Object.fromEntries(
  Object.entries(SHAPES(head)).map(([name, shape]) => [name, ["F32", shape, Float32Array.from(numbersOf(head, name))]]));

// The constants of the graph that depend on the head: {name: [shape, numbers]}; `_novelty_nodes` in Python uses them.
function graphConstants(head) {
  const {mean, scale, centre, axes, less, step, strangeness: s} = head.novelty, k = head.labels.length, c = mean.length;
  const r = less.length, numbers = s.offset.length, known = s.known.length/numbers;
  return {"head.weight": [[k, c], head.weight], "head.bias": [[k], head.bias], novelty_mean: [[c], mean],
          novelty_inverse_scale: [[c], Float32Array.from(scale).map(v => 1/v)], novelty_centre: [[c], centre],
          novelty_axes: [[c, r], axes], novelty_step: [[c, 1], new Float32Array(c).fill(step)], novelty_less: [[r, 1], less],
          novelty_answers: [[c, numbers], s.axes], novelty_offset: [[numbers], s.offset],
          novelty_known: [[numbers, known], transpose(s.known, known, numbers)],
          novelty_share: [[known, 1], new Float32Array(known).fill(1/known)], novelty_weight: [[], [-s.step*s.sharpness]]};
}

function logitsOf({labels, weight, bias}, embedding) {
  const w = Float32Array.from(weight), b = Float32Array.from(bias), c = embedding.length;
  return labels.map((_, j) => embedding.reduce((sum, v, i) => sum + v*w[j*c + i], b[j]));
}

// ---- what later photos are compared with: `birdornot.drift`
const single = new Float32Array(1), bits = new Uint32Array(single.buffer);

function half(value) {  // as a float16, rounded to the nearest, halves to the even one
  single[0] = value;
  const [x] = bits, sign = x >>> 16 & 0x8000, power = (x >>> 23 & 255) - 112;
  if (power < -10) return sign;
  const small = power < 1, all = small ? x & 0x7fffff | 0x800000 : power << 23 | x & 0x7fffff, by = small ? 14 - power : 13;
  const kept = all >>> by, rest = all & (1 << by) - 1, middle = 1 << by - 1;
  return sign | Math.min(kept + Number(rest > middle || (rest === middle && kept%2 === 1)), 0x7c00);
}

function shortened(embedding, {columns, signs}) {  // along random directions, which keep the distances between embeddings
  const out = new Float64Array(columns), size = 1/Math.sqrt(embedding.length);
  embedding.forEach((v, i) => {
    for (let j = 0, at = i*columns; j < columns; j++, at++) out[j] += signs[at >> 3] >> 7 - (at & 7) & 1 ? v : -v;
  });
  return out.map(v => v*size);
}

function referenceArrays(photos, groups, {positions, right, confidence, novelty, unsure}, {most, columns, signs}) {
  const chosen = new Map();  // a photo a group; which one their hashes decide, as good as chance
  for (const i of Array.from(positions).sort((a, b) => byCodePoint(photos[a].sha256, photos[b].sha256)))
    if (!chosen.has(groups[i]) && chosen.size < most) chosen.set(groups[i], i);
  const known = {columns, signs: Uint8Array.from(atob(signs), c => c.charCodeAt(0))}, n = positions.length;
  const points = [...chosen.values()].flatMap(i => Array.from(shortened(photos[i].embedding, known), half));
  return {points: ["F16", [chosen.size, columns], Uint16Array.from(points)], confidence: ["F32", [n], Float32Array.from(confidence)],
          right: ["U8", [n], Uint8Array.from(right, Number)], novelty: ["F32", [n], Float32Array.from(novelty)],
          unsure: ["U8", [n], Uint8Array.from(unsure, Number)]};
}

// ---- the model folder
// `head`, `judged`, `curve`, `ood`, `valid`: what train.js found of `photos` [{name, label, sha256, group, embedding}, …], in the same order;
// `body`: bytes of the graph of the backbone; `take`: from `loadTake`; `name`: what the folder is going to be called.
export async function modelFolder({head, judged, curve, ood, valid, photos, take, body, name = "model", created = new Date()}) {
  const {labels, temperature, prior, unsure} = head, places = placesOf(photos), groups = groupNames(photos), held = new Set(valid);
  const lines = photos.map((p, i) => `${held.has(i) ? "valid" : "train"}/${p.label}/${p.sha256}`).sort(byCodePoint);
  const attribution = photos.map((p, i) => ({file: places[i], label: p.label, title: p.name, code: "unknown", source: "studio"})).sort(byFile);
  const info = {
    ...take.info, labels, temperature, unsure, data: sha256(lines.join("\n")), ood: ood ?? [],
    created: created.toISOString().replace(/\.\d+/, ""), pictures: countBy(attribution.map(r => r.label)),
    licences: countBy(attribution.map(r => r.code)), head: {labels, temperature, multilabel: false, unsure, step: head.novelty.step, prior,
      strangeness: head.novelty.strangeness.step},
    error: Object.fromEntries(take.error.map(k => [k, judged[k] ?? null])), ...(curve && {curve}),
    trained_on: [...new Set(photos.map(p => p.sha256.slice(0, 12)))].sort(),
    probe: {file: "probe.png", logits: logitsOf(head, floats(take.probe))}};
  const graph = Object.fromEntries(take.graph.described.map(k => [k, info[k]]));
  const rows = judgedRows(photos, places, groups, head, judged, valid).sort(byFile);
  const files = new Map([
    ["ATTRIBUTION.csv", csv(take.attribution, attribution)],
    ["MODEL_CARD.md", utf8(modelCard(take.card, info, {studio: photos.length}, name))],
    ["head.safetensors", safetensors(headArrays(head))], ["judged.csv", csv([...take.judged, ...labels], rows)],
    ["model.onnx", attachHead(body, take.graph, graphConstants(head), labels.length, graph)], ["probe.png", take.picture]]);
  if (photos.every(p => p.embedding))
    files.set(take.reference.file, safetensors(referenceArrays(photos, groups, judged, take.reference)));
  info.sha256 = Object.fromEntries(await Promise.all([...files].map(async ([file, data]) => [file, await fileSha256(data)])));
  return files.set("model.json", json(info, 1));
}

// ---- the page
const asText = text => text.replace(/[&<>"']/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})[c]);

function titleOf(labels) {
  const words = labels.map(label => label.replaceAll("_", " ")), [first, ...rest] = words, last = rest.pop();
  const text = (last === undefined ? first : `${[first, ...rest].join(", ")} or ${last}`).toLowerCase();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}?`;
}

// The static page of a model folder; `sources`: from `loadSources`; `title`: its heading, or null for the labels as a question.
export function pageFolder({model, sources, take, title = null}) {
  const info = JSON.parse(new TextDecoder().decode(model.get("model.json"))), documents = ["MODEL_CARD.md", "ATTRIBUTION.csv"];
  const heading = asText(title ?? titleOf(info.labels)), template = new TextDecoder().decode(sources.get("page.html"));
  const about = {...Object.fromEntries(take.page.facts.filter(k => k in info).map(k => [k, info[k]])),
                 sha256: info.sha256["model.onnx"], bytes: model.get("model.onnx").length, title, files: documents, examples: []};
  return new Map([...[...sources].filter(([name]) => name !== "page.html"), ...[...documents, "model.onnx"].map(name => [name, model.get(name)]),
                  ["index.html", utf8(template.replaceAll("{{title}}", () => heading))], ["page.json", json(about)]]);
}

// ---- the photos
// Folders of the photos as they came, and photos.jsonl: what was found out about each and decided, for `birdornot make --folder`.
// A photo is {name, label, sha256, group, blob, decisions: [{action: "keep" or "move", from: label before, at: time}, …]}.
export function datasetFolder({photos}) {
  const places = placesOf(photos), groups = groupNames(photos), folders = folderNames(labelsOf(photos));
  const alone = countBy(groups);
  const rows = photos.map(({label, sha256: hash, name, decisions = []}, i) => ({
    file: places[i], label: folders.get(label), group: alone[groups[i]] > 1 ? groups[i] : "", sha256: hash, title: name, source: "studio",
    decisions: decisions.map(d => d.from === undefined ? d : {...d, from: folders.get(d.from) ?? safeName(d.from, "class")})})).sort(byFile);
  const lines = rows.map(row => `${JSON.stringify(row)}\n`).join("");
  return new Map([...photos.map((p, i) => [places[i], p.blob]), ["photos.jsonl", utf8(lines)]]);
}
