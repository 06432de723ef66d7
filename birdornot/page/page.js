// The page: photos come in by file, folder, drop, paste and camera, answers go out for eyes and for screen readers.
import {doubtOf, surenessOf} from "./answer.js";
import {Classifier} from "./classifier.js";
import {$, capital, make, neighbours, words} from "./kit.js";
import {either, offerLanguages, percent, preferred, say, speak, whyRefused} from "./words.js";

const SHOWN = 5, FEW = 6, KEPT = 1000;  // bars of an answer; answers with all details; answers on the page
const SMALL = 240;  // side of a picture among many, pixels: a thousand whole ones would not fit in a phone

// A picture is a decoded one, or {data, width, height} with three bytes a pixel.
function canvas(picture, label, most = Infinity) {
  const {data, width, height} = picture, el = make("canvas", {width, height, role: "img", "aria-label": label});
  if (!data) el.getContext("2d").drawImage(picture, 0, 0);
  else {
    const rgba = new ImageData(width, height);
    for (let i = 0, o = 0; i < data.length; i += 3, o += 4) rgba.data.set([data[i], data[i + 1], data[i + 2], 255], o);
    el.getContext("2d").putImageData(rgba, 0, 0);
  }
  const factor = most/Math.max(width, height);
  if (factor >= 1) return el;
  const small = make("canvas", {width: Math.ceil(width*factor), height: Math.ceil(height*factor), role: "img", "aria-label": label});
  small.getContext("2d").drawImage(el, 0, 0, small.width, small.height);
  return small;
}

const bar = ([name, share, text]) => make("li", {},
  make("span", {class: "what"}, name), make("span", {class: "share"}, text),
  make("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"},
    make("rect", {width: Math.max(0.4, 100*share), height: 10})));

// Is it novelty that makes the answer unsure? Then no probability says anything, and none is shown.
const strange = ({doubt}) => doubt === "novel" || doubt === "drawn";

function bars(answer) {
  if (!strange(answer))
    return make("ul", {class: "bars", "aria-label": say("try.bars")},
      ...answer.probabilities.slice(0, SHOWN).map(([label, p]) => bar([words(label), p, percent(p)])));
  const marks = [["this", answer.novelty], ["limit", answer.limit], ["typical", 1]], most = Math.max(...marks.map(([, v]) => v));
  return make("ul", {class: "bars novel", "aria-label": say("try.novelty")},
    ...marks.map(([name, v]) => bar([capital(say(`answer.${name}`)), v/most, v.toFixed(2)])));
}

const all = names => names.join(say("page.and"));
const headline = ({labels, doubt}) => capital(doubt ? say("answer.unsure") : all(labels.map(words)) || say("answer.none"));

// What is said of a photo, beside it.
function answered(file, answer, photo, model, few) {
  const {info} = model, name = file.called, text = headline(answer);
  const body = [make("h2", {}, text), make("p", {class: "name"}, name)];
  if (answer.doubt) body.push(make("p", {class: "why"}, `${capital(say(`answer.${answer.doubt}`))}.`));
  body.push(bars(answer));
  if (info.why) body.push(reasons(file, answer, photo, model, few));
  if (info.dataset) body.push(correction(file, answer, model));
  return make("div", {}, ...body);
}

function show(batch, file, {picture, ...answer}, model) {
  const name = file.called, few = batch.size <= FEW;
  if (model.chosen) answer.doubt = doubtOf(model.info, surenessOf(model.info, answer.probabilities), answer.novelty);
  const photo = make("figure", {}, canvas(picture, say("page.photo", {name}), few ? Infinity : SMALL));
  const card = make("article", {}, photo, answered(file, answer, photo, model, few));
  const dress = () => {
    card.className = answer.doubt ? "unsure" : "sure";
    card.setAttribute("aria-label", `${name}: ${headline(answer)}`);
    card.kind = answer.doubt ? say("answer.unsure") : headline(answer);
  };
  card.judge = () => {  // again, as often unsure as was chosen
    const doubt = doubtOf(model.info, surenessOf(model.info, answer.probabilities), answer.novelty);
    if (doubt === answer.doubt) return;
    answer.doubt = doubt;
    card.lastChild.replaceWith(answered(file, answer, photo, model, few));
    dress();
  };
  dress();
  const text = headline(answer), [best, p] = answer.probabilities[0];
  tell(batch, card, card.kind, `${name}: ${text}. `
    + (answer.doubt ? `${capital(say(`answer.${answer.doubt}`))}.` : `${words(best)} ${percent(p)}.`));
}

// ---- where the answers come from this computer: why it is so, and what is right
function button(text, work) {
  const el = make("button", {type: "button", class: "small"}, text);
  el.addEventListener("click", async () => {
    if (el.ariaBusy === "true") return;
    const place = el.parentElement;
    el.ariaBusy = "true";
    place.querySelector(".wrong")?.remove();
    try { await work(el); }
    catch (e) { $("#spoken").textContent = e.message; place.append(make("p", {class: "wrong"}, e.message)); }
    finally { el.ariaBusy = "false"; }
  });
  return el;
}

// Heat over the photo, and the training pictures most like it; of a novel photo only these, and without being asked.
function reasons(file, answer, photo, model, few) {
  const plain = photo.firstChild, novel = strange(answer), box = make("div", {});
  let heat, found;
  const why = button(say("page.why"), async el => {
    if (!found) {
      el.textContent = say("page.reason");
      try { found = await model.why(file, !novel); }
      finally { el.textContent = say("page.why"); }
      if (found.heat) heat = canvas(found.heat, say("page.heat"));
    }
    const shown = el.dataset.shown === "yes";
    el.dataset.shown = shown ? "no" : "yes";
    photo.replaceChildren(...(heat && !shown ? [heat, make("figcaption", {}, say("try.brighter"))] : [plain]));
    box.replaceChildren(...(shown ? [] : nearest(found)));
    el.textContent = say(shown ? "page.why" : heat ? "page.show" : "page.hide");
  });
  if (novel && few && model.info.dataset) setTimeout(() => why.click());
  return make("div", {}, make("div", {class: "row left"}, why), box);
}

function nearest({nearest: found, note}) {
  const all = note ? [make("p", {class: "name"}, note)] : [];
  if (!found.length) return all;
  return [...all, neighbours(say("page.near"), found.map(n => ({...n, label: words(n.label)})), n => canvas(n.picture, say("page.trained", {label: n.label})), {itself: say("try.itself"), copy: say("try.copy")})];
}

function correction(file, answer, model) {
  const {labels, multilabel} = model.info;
  const box = make("div", {class: "correction", role: "group", "aria-label": say("page.correction")});
  const save = async right => {
    if (!right.length) throw new Error(say("page.nothing"));
    const {said, id} = await model.correct(file, right);
    const undo = button(say("undo.undo"), async () => { $("#spoken").textContent = (await model.undo(id)).said; offer(); });
    $("#spoken").textContent = said;
    box.replaceChildren(make("p", {}, said), make("div", {class: "row left"}, undo));
    undo.focus();
  };
  const fields = multilabel ? boxes : labels.length > 6 ? list : buttons;
  const offer = () => box.replaceChildren(make("p", {}, say(answer.doubt ? "page.known" : "page.wrong")),
    make("div", {class: "row left"}, ...fields(answer, labels, save)));
  offer();
  return box;
}

const buttons = (answer, labels, save) => labels.filter(l => answer.doubt || l !== answer.labels[0]).map(l => button(words(l), () => save([l])));

function list(answer, labels, save) {
  const options = [["", say("page.select")], ...labels.map(l => [l, words(l)])].map(([value, text]) => make("option", {value}, text));
  const select = make("select", {"aria-label": say("page.shows")}, ...options);
  return [select, button(say("page.save"), () => save(select.value ? [select.value] : []))];
}

function boxes(answer, labels, save) {
  const ticks = labels.map(l => make("input", {type: "checkbox", value: l, checked: answer.labels.includes(l)}));
  const chosen = () => ticks.filter(t => t.checked).map(t => t.value);
  return [...ticks.map(t => make("label", {class: "tick"}, t, words(t.value))), button(say("page.save"), () => save(chosen()))];
}

function refuse(batch, name, reason) {
  const said = say("answer.refused");
  const card = make("article", {class: "refused", "aria-label": `${name}: ${said}`},
    make("div", {}, make("h2", {}, capital(said)), make("p", {class: "name"}, `${name}: ${reason}`)));
  tell(batch, card, said, `${name}, ${said}: ${reason}`);
}

// ---- one photo, or several that came together: in the order given, the newest lot on top
function begin(size) {
  const batch = {size, sum: make("p", {class: "sum"}), cards: make("div", {class: "cards"})};
  $("#answers").prepend(make("section", {class: size > FEW ? "batch many" : "batch", "aria-label": say("page.photos", {n: size})},
    ...(size > 1 ? [batch.sum] : []), batch.cards));
  return batch;
}

function tell(batch, card, kind, spoken) {
  batch.cards.append(Object.assign(card, {kind, batch}));
  const cards = document.getElementsByTagName("article");
  while (cards.length > KEPT) cards[cards.length - 1].remove();
  $("#spoken").textContent = spoken;
  if (batch.cards.children.length === 1 && card.getBoundingClientRect().top > innerHeight - 120)
    card.scrollIntoView({block: "nearest", behavior: "smooth"});
}

function summarise(batch, left = batch.left) {
  batch.left = left;
  const kinds = new Map();
  for (const {kind} of batch.cards.children) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const counts = [...kinds].map(([kind, n]) => `${n} × ${kind.toLowerCase()}`).join(", ");
  const without = left ? `. ${say("page.left", {n: left})}` : "";
  batch.sum.textContent = `${say("page.photos", {n: batch.size})}: ${counts}${without}`;
  if (batch.size > 1) $("#spoken").textContent = batch.sum.textContent;
}

const status = (text, failed = false) => {
  $("#status").textContent = text;
  $("#loading").classList.toggle("failed", failed);
};

let queue = Promise.resolve();
const ready = Classifier.load(p => { $("#progress").value = p; });

async function look(files, left) {
  const model = await ready, batch = begin(files.length);
  for (const [i, file] of files.entries()) {
    status(files.length > 1 ? say("page.looking_at", {i: i + 1, n: files.length}) : say("page.looking"));
    await new Promise(done => setTimeout(done, 20));  // let the page paint
    file.called ??= file.name || say("try.photo");
    try { show(batch, file, await model.classify(file), model); }
    catch (e) { refuse(batch, file.called, whyRefused(e)); }
  }
  summarise(batch, left);
  status("");
}

function take(files, left = 0) {
  if ((files = [...files]).length) queue = queue.then(() => look(files, left)).catch(() => {});
  else if (left) status(say("page.no_picture"), true);
}

// ---- a folder: its pictures by name, in order, and how many files are none
const isPicture = file => file.type.startsWith("image/") || /\.(jfif|jpe|tiff?|hei[cf]|avif)$/i.test(file.name);

function takeFolder(files) {
  const seen = files.filter(f => !/(^|\/)\./.test(f.called)), pictures = seen.filter(isPicture);
  pictures.sort((a, b) => a.called.localeCompare(b.called, "en", {numeric: true}));
  take(pictures, seen.length - pictures.length);
}

async function within(entry) {
  if (entry.isFile) return new Promise((done, fail) => entry.file(f => done([Object.assign(f, {called: entry.fullPath.slice(1)})]), fail));
  const reader = entry.createReader(), found = [];
  for (;;) {  // a browser names a hundred at a time
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const inner of some) found.push(...await within(inner));
  }
}

async function takeDropped(data) {
  const entries = [...data.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some(entry => entry.isDirectory)) return take(data.files);
  takeFolder((await Promise.all(entries.map(within))).flat());
}

for (const id of ["#file", "#snap"]) $(id).addEventListener("change", e => { take(e.target.files); e.target.value = ""; });
$("#folder").addEventListener("change", e => {
  takeFolder([...e.target.files].map(f => Object.assign(f, {called: f.webkitRelativePath || f.name})));
  e.target.value = "";
});
$("#whole").addEventListener("click", () => $("#folder").click());
$("#whole").hidden = matchMedia("(pointer: coarse)").matches || !("webkitdirectory" in $("#folder"));
addEventListener("paste", e => take(e.clipboardData.files));
for (const kind of ["dragenter", "dragover"]) addEventListener(kind, e => { e.preventDefault(); $("#drop").classList.add("over"); });
for (const kind of ["dragleave", "drop"]) addEventListener(kind, () => $("#drop").classList.remove("over"));
addEventListener("drop", e => {
  e.preventDefault();
  takeDropped(e.dataTransfer).catch(() => status(`${capital(say("refused.folder"))}.`, true));
});

// A phone has a camera app of its own; elsewhere the picture of the camera is shown here.
$("#camera").addEventListener("click", async () => {
  if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices) return $("#snap").click();
  try { $("#booth video").srcObject = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 1280}}}); }
  catch { return status(say("camera.none"), true); }
  $("#booth").showModal();
});
$("#booth").addEventListener("close", () => {
  const video = $("#booth video");
  video.srcObject?.getTracks().forEach(track => track.stop());
  video.srcObject = null;
});
$("#leave").addEventListener("click", () => $("#booth").close());
$("#shoot").addEventListener("click", async () => {
  const video = $("#booth video"), shot = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  if (!shot.width) return;
  shot.getContext("2d").drawImage(video, 0, 0);
  const file = new File([await shot.convertToBlob({type: "image/png"})], say("page.camera_photo"));
  $("#booth").close();
  take([file]);
});

// ---- how often it may be unsure: a point of silence and error of its exam, and the answers on the page follow
function offerSilence(model) {
  const {curve, error} = model.info, rows = curve?.[""] ?? [], place = $("#silence");
  place.hidden = rows.length < 3;
  if (place.hidden) return;
  const now = model.chosen ?? rows.reduce((best, r, i) => Math.abs(r.unsure - 1 + error.coverage) < Math.abs(rows[best].unsure - 1 + error.coverage) ? i : best, 0);
  const said = make("output", {id: "silent", for: "often"});
  const tellPoint = i => {
    const {unsure, error: wrong, low, high} = rows[i];
    said.textContent = say("page.silent", {unsure: percent(unsure), error: percent(wrong), low: percent(low), high: percent(high)});
  };
  const slider = make("input", {type: "range", id: "often", min: 0, max: rows.length - 1, step: 1, value: now, "aria-describedby": "silent"});
  slider.addEventListener("input", () => {
    model.chosen = Number(slider.value);
    model.info.unsure = {...model.info.unsure, min_confidence: rows[model.chosen].min_confidence};
    tellPoint(model.chosen);
    const cards = [...document.getElementsByTagName("article")];
    for (const card of cards) card.judge?.();
    for (const batch of new Set(cards.map(card => card.batch))) if (batch.size > 1) summarise(batch);
  });
  tellPoint(now);
  place.replaceChildren(make("label", {for: "often"}, say("page.silence")), slider, said);
}

function about(info) {
  const {pictures, error, files} = info;
  const facts = {
    answers: info.labels.map(words).join(", "),
    learned: pictures ? Object.entries(pictures).map(([k, n]) => `${n} × ${words(k)}`).join(", ") : "",
    error: error ? say("page.error_is", {n: error.wrong, of: error.of, error: percent(error.error), low: percent(error.low), high: percent(error.high)}) : "",
    backbone: info.backbone, made: info.created?.slice(0, 10),
  };
  const rows = Object.entries(facts).filter(([, v]) => v).flatMap(([k, v]) => [make("dt", {}, say(`page.about_${k}`)), make("dd", {}, v)]);
  const links = files.map(f => make("a", {href: f}, f)).flatMap((a, i) => i ? [", ", a] : [a]);
  if (links.length) rows.push(make("dt", {}, say("page.about_more")), make("dd", {}, ...links));
  $("#about").replaceChildren(...rows);
  $("#note").textContent = info.drawn ? say("answer.only_drawn") : "";
  $("#note").hidden = !info.drawn;
}

// The question that the model answers, unless the page was given a title.
function title({labels, title: given}) {
  if (!given) $("h1").textContent = document.title = capital(`${either(labels.map(words))}?`);
}

function offer(examples) {
  $("#examples ul").replaceChildren();
  for (const {file, what} of examples) {
    const button = make("button", {type: "button"}, make("img", {src: file, alt: say("page.drawing", {what}), width: 84, height: 84}));
    button.addEventListener("click", async () => take([new File([await (await fetch(file)).blob()], say("page.drawing", {what}))]));
    $("#examples ul").append(make("li", {}, button));
  }
  $("#examples").hidden = !examples.length;
}

try {
  await speak(preferred());
  const model = await ready, {info} = model;
  const describe = () => { title(info); about(info); offer(info.examples); offerSilence(model); };
  describe();
  offerLanguages($("#language"), describe);
  $("#progress").hidden = true;
  status("");
  document.body.dataset.ready = "yes";
} catch (e) {
  $("#progress").hidden = true;
  status(say("page.unusable", {reason: e.message}), true);
}
