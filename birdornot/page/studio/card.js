// The model card, filled in from a template of Python's: `birdornot.card`.

// A number to so many places, as Python rounds: halves go to the even neighbour.
function fixed(value, places) {
  const scaled = value*10**places, low = Math.floor(scaled);
  return scaled - low === 0.5 ? ((low%2 ? low + 1 : low)/10**places).toFixed(places) : value.toFixed(places);
}

const grouped = n => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const percent = v => v === null || v === undefined ? "–" : `${fixed(v*100, 1)}%`;
const plural = (n, [one, many]) => `${grouped(n)} ${n === 1 ? one : many}`;

// A sentence with {name} or {name:format} replaced, for the formats of Python that the sentences use.
export function filled(sentence, known) {
  return sentence.replace(/\{(\w+)(?::\.(\d)(%|f))?\}/g, (_, name, places, kind) => {
    const value = known[name];
    if (!kind) return String(value);
    return kind === "%" ? `${fixed(value*100, Number(places))}%` : fixed(value, Number(places));
  });
}

const ESCAPED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"};

// Text with nothing invisible in it.
export function printable(text) {
  return String(text).replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Cs}/gu, c => {
    const code = c.codePointAt(0);
    return ESCAPED[c] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`);
  });
}

const literal = text => printable(text).replace(/[\\`*[\]<>&#]/g, "\\$&");

function table(head, rows) {
  const line = cells => `| ${cells.map(c => String(c).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `${"|---".repeat(head.length)}|`, ...rows.map(line)].join("\n");
}

const whole = (pattern, text) => text.match(new RegExp(`^(?:${pattern})$`, "i"));

function isAnythingElse(label, labels, [other, without]) {
  if (whole(other, label)) return true;
  const [, , thing] = whole(without, label) ?? [];
  return thing !== undefined && labels.some(l => l.toLowerCase() === thing.toLowerCase());
}

function howJudged({said, counted, enough}, e) {
  let files = plural(e.of, counted.of);
  if (e.groups < e.of) files = filled(said.groups, {files, groups: e.groups});
  const few = e.groups >= enough ? "" : said.few;
  return filled(e.judged ? said.crossed : said.held, {files, wrong: plural(e.wrong, counted.wrong), few});
}

function errorsSection(card, {error: e, unsure}) {
  const {said, heads} = card, text = [filled(said.error, {how: howJudged(card, e), ...e}), said.solved];
  if (e.unbalanced) text.push(filled(said.unbalanced, {...e, commonest: literal(e.commonest)}));
  for (const warning of e.warnings) text.push(filled(said.warning, {said: literal(warning)}));
  if (e.coverage < 1) text.push(filled(said.answered, {...e, answered_error: percent(e.answered_error)}));
  const shares = Object.fromEntries(["min_confidence", "coverage", "error"].map(k => [k, percent(unsure[k])]));
  text.push(filled(said.unsure, {...unsure, ...shares}));
  const rows = e.per_class.map(c => [literal(c.label), c.pictures, percent(c.precision), percent(c.recall),
                                     filled(said.interval, {low: percent(c.recall_low), high: percent(c.recall_high)})]);
  return `${text.join(" ")}\n\n${table(heads.classes, rows)}`;
}

function oodSection({said, heads, anything_else}, {ood, labels}) {
  if (!ood?.length) return said.untested;
  const rows = ood.map(({kind, pictures, unsure, called}) => {
    const others = Object.entries(called), right = others.filter(([label]) => isAnythingElse(label, labels, anything_else));
    return [kind, pictures, unsure, others.map(([name, n]) => filled(said.count, {name: literal(name), n})).join(", "),
            right.reduce((s, [, n]) => s + n, unsure)];
  });
  return `${said.ood}\n\n${table(heads.ood, rows)}`;
}

function dataSection({said, heads}, {pictures, licences, data}, sources) {
  const tables = [[heads.labels, Object.entries(pictures).map(([label, n]) => [literal(label), n])],
                  [heads.licences, Object.entries(licences)], [heads.sources, Object.entries(sources)]];
  return [...tables.map(([head, rows]) => table(head, rows)), filled(said.sources, {data})].join("\n\n");
}

// What Python writes for a number that is not whole, also where it happens to be.
const real = v => Number.isInteger(v) ? v.toFixed(1) : String(v);

// The card, Markdown: `card` is the template, `info` what is in model.json, `sources` {who found pictures: how many}.
export function modelCard(card, info, sources, name) {
  const title = info.labels.join(" or ");
  const known = {
    json: JSON.stringify(title).slice(1, -1), accuracy: real(Math.round((1 - info.error.error)*1e4)/1e4),
    title: literal(title), labels: literal(info.labels.join(", ")), created: info.created.slice(0, 10), name,
    temperature: String(Number(info.temperature.toPrecision(3))), data: dataSection(card, info, sources),
    errors: errorsSection(card, info), ood: oodSection(card, info)};
  return card.text.replace(/⟦(\w+)⟧/g, (_, mark) => known[mark]);
}
