// The page: photos come in by file, drop, paste and camera, answers go out for eyes and for screen readers.
import {Classifier} from "./classifier.js";

const $ = id => document.getElementById(id);
const say = label => label.replaceAll("_", " ");
const percent = p => p > 0.999 && p < 1 ? "> 99.9 %" : p < 0.001 && p > 0 ? "< 0.1 %" : `${(100*p).toFixed(1)} %`;
const SHOWN = 5, KEPT = 50;  // bars of an answer; answers on the page

function make(name, attributes = {}, ...children) {
  const svg = ["svg", "rect"].includes(name);
  const el = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) el.setAttribute(k, v);
  el.append(...children);
  return el;
}

// A picture is a decoded one, or {data, width, height} with three bytes a pixel.
function canvas(picture, label) {
  const {data, width, height} = picture, el = make("canvas", {width, height, role: "img", "aria-label": label});
  if (!data) return el.getContext("2d").drawImage(picture, 0, 0), el;
  const rgba = new ImageData(width, height);
  for (let i = 0, o = 0; i < data.length; i += 3, o += 4) rgba.data.set([data[i], data[i + 1], data[i + 2], 255], o);
  el.getContext("2d").putImageData(rgba, 0, 0);
  return el;
}

const bar = ([label, p]) => make("li", {},
  make("span", {class: "what"}, say(label)), make("span", {class: "share"}, percent(p)),
  make("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"},
    make("rect", {width: Math.max(0.4, 100*p), height: 10})));

function headline({labels, unsure}) {
  const text = unsure ? "Not sure" : labels.map(say).join(" and ") || "None of these";
  return text[0].toUpperCase() + text.slice(1);
}

function show(file, answer, model) {
  const name = file.name || "photo", text = headline(answer), body = [make("h2", {}, text), make("p", {class: "name"}, name)];
  if (answer.unsure) body.push(make("p", {class: "why"}, `It could be none of these: ${answer.unsure}.`));
  body.push(make("ul", {class: "bars", "aria-label": "Probabilities"}, ...answer.probabilities.slice(0, SHOWN).map(bar)));
  const photo = make("figure", {}, canvas(answer.picture, `Your photo ${name}`));
  if (model.info.why) body.push(reasons(file, photo, model));
  if (model.info.dataset) body.push(correction(file, answer, model));
  const card = make("article", {class: answer.unsure ? "unsure" : "sure", "aria-label": `${name}: ${text}`},
    photo, make("div", {}, ...body));
  const [best, p] = answer.probabilities[0];
  tell(card, `${name}: ${text}. ${say(best)} ${percent(p)}.`);
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
    catch (e) { $("spoken").textContent = e.message; place.append(make("p", {class: "wrong"}, e.message)); }
    finally { el.ariaBusy = "false"; }
  });
  return el;
}

function reasons(file, photo, model) {
  const plain = photo.firstChild;
  let heat;
  return make("div", {class: "row left"}, button("Why?", async el => {
    if (!heat) {
      el.textContent = "Looking for the reason …";
      try { heat = canvas(await model.why(file), "The photo in grey, with what speaks for the answer in colour"); }
      finally { el.textContent = "Why?"; }
    }
    const shown = photo.firstChild === heat;
    photo.replaceChildren(...(shown ? [plain] : [heat, make("figcaption", {}, "The brighter, the more it speaks for the answer")]));
    el.textContent = shown ? "Why?" : "Show the photo";
  }));
}

function correction(file, answer, model) {
  const {labels, multilabel} = model.info;
  const box = make("div", {class: "correction", role: "group", "aria-label": "Correction"});
  const save = async right => {
    if (!right.length) throw new Error("nothing is chosen; choose what the photo shows");
    const {said, id} = await model.correct(file, right);
    const undo = button("Undo", async () => { $("spoken").textContent = (await model.undo(id)).said; ask(); });
    $("spoken").textContent = said;
    box.replaceChildren(make("p", {}, said), make("div", {class: "row left"}, undo));
    undo.focus();
  };
  const fields = multilabel ? boxes : labels.length > 6 ? list : buttons;
  const ask = () => box.replaceChildren(make("p", {}, "Wrong? Say what it is:"), make("div", {class: "row left"}, ...fields(answer, labels, save)));
  ask();
  return box;
}

const buttons = (answer, labels, save) => labels.filter(l => answer.unsure || l !== answer.labels[0]).map(l => button(say(l), () => save([l])));

function list(answer, labels, save) {
  const options = [["", "Choose …"], ...labels.map(l => [l, say(l)])].map(([value, text]) => make("option", {value}, text));
  const select = make("select", {"aria-label": "What the photo shows"}, ...options);
  return [select, button("Save", () => save(select.value ? [select.value] : []))];
}

function boxes(answer, labels, save) {
  const ticks = labels.map(l => Object.assign(make("input", {type: "checkbox", value: l}), {checked: answer.labels.includes(l)}));
  const chosen = () => ticks.filter(t => t.checked).map(t => t.value);
  return [...ticks.map(t => make("label", {class: "tick"}, t, say(t.value))), button("Save", () => save(chosen()))];
}

function refuse(name, reason) {
  const card = make("article", {class: "refused", "aria-label": `${name}: cannot be read`},
    make("div", {}, make("h2", {}, "This cannot be read"), make("p", {class: "name"}, `${name}: ${reason}`)));
  tell(card, `${name} cannot be read: ${reason}`);
}

function tell(card, spoken) {
  $("answers").prepend(card);
  while ($("answers").children.length > KEPT) $("answers").lastChild.remove();
  $("spoken").textContent = spoken;
  if (card.getBoundingClientRect().top > innerHeight - 120) card.scrollIntoView({block: "nearest", behavior: "smooth"});
}

const status = (text, failed = false) => {
  $("status").textContent = text;
  $("loading").classList.toggle("failed", failed);
};

let queue = Promise.resolve();
const ready = Classifier.load(p => { $("progress").value = p; });

async function look(files) {
  const model = await ready;
  for (const [i, file] of files.entries()) {
    status(files.length > 1 ? `Looking at ${i + 1} of ${files.length} …` : "Looking …");
    await new Promise(done => setTimeout(done, 20));  // let the page paint
    try { show(file, await model.classify(file), model); }
    catch (e) { refuse(file.name || "photo", e.message); }
  }
  status("");
}

const take = files => { if ((files = [...files]).length) queue = queue.then(() => look(files)).catch(() => {}); };

$("file").addEventListener("change", e => { take(e.target.files); e.target.value = ""; });
$("snap").addEventListener("change", e => { take(e.target.files); e.target.value = ""; });
addEventListener("paste", e => take(e.clipboardData.files));
for (const kind of ["dragenter", "dragover"]) addEventListener(kind, e => { e.preventDefault(); $("drop").classList.add("over"); });
for (const kind of ["dragleave", "drop"]) addEventListener(kind, () => $("drop").classList.remove("over"));
addEventListener("drop", e => { e.preventDefault(); take(e.dataTransfer.files); });

// A phone has a camera app of its own; elsewhere the picture of the camera is shown here.
$("camera").addEventListener("click", async () => {
  if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices) return $("snap").click();
  try { $("booth").querySelector("video").srcObject = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 1280}}}); }
  catch { return status("No camera can be used here: choose a file instead.", true); }
  $("booth").showModal();
});
$("booth").addEventListener("close", () => {
  const video = $("booth").querySelector("video");
  video.srcObject?.getTracks().forEach(track => track.stop());
  video.srcObject = null;
});
$("leave").addEventListener("click", () => $("booth").close());
$("shoot").addEventListener("click", async () => {
  const video = $("booth").querySelector("video"), shot = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  if (!shot.width) return;
  shot.getContext("2d").drawImage(video, 0, 0);
  const file = new File([await shot.convertToBlob({type: "image/png"})], "camera photo");
  $("booth").close();
  take([file]);
});

function about(info) {
  const facts = {
    Answers: info.labels.map(say).join(", "),
    "Learned from": info.pictures ? Object.entries(info.pictures).map(([k, n]) => `${n} × ${say(k)}`).join(", ") : "",
    "How often wrong": info.error ? `${info.error.wrong} of ${info.error.of} pictures it had not seen: ${percent(info.error.error)}`
      + ` (95 % interval ${percent(info.error.low)} to ${percent(info.error.high)})` : "",
    Backbone: info.backbone, Made: info.created?.slice(0, 10),
  };
  for (const [k, v] of Object.entries(facts)) if (v) $("about").append(make("dt", {}, k), make("dd", {}, v));
  const links = info.files.map(f => make("a", {href: f}, f)).flatMap((a, i) => i ? [", ", a] : [a]);
  if (links.length) $("about").append(make("dt", {}, "More"), make("dd", {}, ...links));
}

function offer(examples) {
  for (const {file, what} of examples) {
    const button = make("button", {type: "button"}, make("img", {src: file, alt: `Drawing: ${what}`, width: 84, height: 84}));
    button.addEventListener("click", async () => take([new File([await (await fetch(file)).blob()], `Drawing: ${what}`)]));
    $("examples").querySelector("ul").append(make("li", {}, button));
  }
  $("examples").hidden = !examples.length;
}

try {
  const {info} = await ready;
  about(info);
  offer(info.examples);
  $("progress").hidden = true;
  status("");
  document.body.dataset.ready = "yes";
} catch (e) {
  $("progress").hidden = true;
  status(`The model cannot be used: ${e.message}`, true);
}
