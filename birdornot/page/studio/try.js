// The third step: new photos and the camera, answered; what the answer rests on, and "not sure" where it rests on nothing.
import {$, capital, make, neighbours, words} from "../kit.js";
import {percent, say, translate, whyRefused} from "../words.js";
import {Camera} from "./camera.js";
import {ACCEPTED} from "./classes.js";
import {classActivation, overlay} from "./heat.js";
import {answer} from "./judge.js";
import {nearest} from "./nearest.js";
import {canvasOf} from "./pictures.js";

const KEPT = 20;  // answers on the page
const NEAR = 4;  // training photos beside an answer
const SHOWN = 5;  // bars of an answer

const strange = ({doubt}) => doubt === "novel" || doubt === "drawn";

function bar(name, p, text) {
  return make("li", {}, make("span", {class: "what"}, name), make("span", {class: "share"}, text),
    make("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"}, make("rect", {width: Math.max(0.4, 100*p), height: 10})));
}

// Of a strange photo no probability says anything: how novel it is, beside the limit and what is typical.
function bars(found) {
  if (!strange(found))
    return make("ul", {class: "bars", "aria-label": say("try.bars")}, ...found.probabilities.slice(0, SHOWN).map(([label, p]) => bar(words(label), p, percent(p))));
  const marks = [["answer.this", found.novelty], ["answer.limit", found.limit], ["answer.typical", 1]], most = Math.max(...marks.map(([, v]) => v));
  return make("ul", {class: "bars novel", "aria-label": say("try.novelty")}, ...marks.map(([key, v]) => bar(capital(say(key)), v/most, v.toFixed(2))));
}

export const headline = found => found.doubt ? capital(say("try.unsure")) : words(found.labels[0]);
const reason = found => found.doubt ? `${capital(say(`answer.${found.doubt}`))}.` : "";

export class Trying {
  // `ask`: look(asked, first) → what the embedder finds; photos() that were learned from; nameOf(photo).
  constructor(ask) {
    Object.assign(this, {ask, head: null, answers: [], camera: null, asked: Promise.resolve()});
    this.build();
  }

  build() {
    const file = make("input", {type: "file", class: "hidden", id: "tried", accept: ACCEPTED, multiple: true, "data-say-aria-label": "try.choose"});
    const drop = make("label", {class: "drop", for: "tried"}, make("span", {class: "ask", "data-say": "try.choose"}), make("span", {class: "ways", "data-say": "try.ways"}));
    file.addEventListener("change", () => { this.take(file.files); file.value = ""; });
    this.live = make("button", {type: "button", id: "live", "data-say": "try.live"});
    this.live.addEventListener("click", () => this.camera ? this.endLive() : this.beginLive());
    this.wait = make("p", {class: "plain-word", "data-say": "try.wait"});
    this.stage = make("div", {class: "live", hidden: true});
    this.cards = make("div", {class: "cards"});
    this.ways = make("div", {hidden: true}, file, drop, make("div", {class: "row left"}, this.live), this.stage);
    $("#trying").replaceChildren(this.wait, this.ways, this.cards);
    translate($("#trying"));
  }

  // A new head, or null: what was answered is answered again.
  use(head) {
    this.head = head;
    this.wait.hidden = Boolean(head);
    this.ways.hidden = !head;
    if (!head) this.endLive();
    this.draw();
  }

  draw() { this.cards.replaceChildren(...(this.head ? this.answers.map(a => this.card(a)) : [])); }

  take(files) {
    if (!this.head) return;
    for (const file of files) this.asked = this.asked.then(() => this.one(file)).catch(() => {});
    return this.asked;
  }

  async one(file) {
    const name = file.name || say("try.photo"), found = await this.ask.look({blob: file, name, maps: true, picture: true}, true);
    if (!found.ok && found.dropped) return;
    this.answers = [{name, ...found}, ...this.answers].slice(0, KEPT);
    this.draw();
    const said = found.ok ? answer(this.head, found.embedding) : null;
    $("#spoken").textContent = said ? `${name}: ${headline(said)}. ${reason(said)}` : `${name}: ${say("answer.refused")}. ${whyRefused(found)}`;
  }

  card(it) {
    if (!it.ok)
      return make("article", {class: "answer refused"}, make("div", {}, make("h3", {}, capital(say("answer.refused"))), make("p", {class: "name"}, `${it.name}: ${whyRefused(it)}`)));
    const found = answer(this.head, it.embedding), photo = make("figure", {}, canvasOf(it.picture, it.name));
    const body = [make("h3", {}, headline(found)), make("p", {class: "name"}, it.name)];
    if (found.doubt) body.push(make("p", {class: "why"}, reason(found)));
    body.push(bars(found));
    if (!strange(found)) body.push(make("div", {class: "row left"}, this.heat(it, found, photo)));
    body.push(this.near(it));
    return make("article", {class: `answer ${found.doubt ? "unsure" : "sure"}`, "aria-label": `${it.name}: ${headline(found)}`}, photo, make("div", {}, ...body));
  }

  heat(it, found, photo) {
    const el = make("button", {type: "button", class: "small", "aria-pressed": "false"}, say("try.heat"));
    el.addEventListener("click", () => {
      const on = el.getAttribute("aria-pressed") === "true";
      el.setAttribute("aria-pressed", String(!on));
      const heat = () => overlay(it.picture, classActivation(it.maps, this.head, this.head.labels.indexOf(found.labels[0])), 400);
      photo.replaceChildren(on ? canvasOf(it.picture, it.name) : canvasOf(heat(), say("try.heat_of", {label: words(found.labels[0])})),
        ...(on ? [] : [make("figcaption", {}, say("try.brighter"))]));
    });
    return el;
  }

  near(it) {
    const found = nearest(this.ask.photos(), it.embedding, NEAR).map(({photo, similarity}) => ({
      label: words(this.ask.nameOf(photo)), similarity, url: photo.url, itself: photo.sha256 === it.sha256}));
    return neighbours(say("try.near"), found, n => make("img", {src: n.url, alt: say("try.trained", {label: n.label})}),
      {itself: say("try.itself"), copy: say("try.copy")});
  }

  // ---- live: one picture after the other, as fast as they are answered
  async beginLive() {
    const camera = this.camera = new Camera();
    const video = make("video", {autoplay: true, playsInline: true, muted: true, "aria-label": say("camera.sees")});
    const what = make("p", {class: "what"}), list = make("div", {}), near = make("div", {class: "near"});
    this.stage.replaceChildren(video, make("div", {class: "says"}, what, list, near));
    this.stage.hidden = false;
    this.live.textContent = say("try.stop");
    try { await camera.show(video); }
    catch (e) { this.endLive(); $("#spoken").textContent = e.message; this.stage.hidden = false; return this.stage.replaceChildren(make("p", {class: "wrong"}, e.message)); }
    let spoken = "", times = 0;
    while (this.camera === camera) {
      if (!camera.ready) { await new Promise(done => setTimeout(done, 50)); continue; }
      const found = await this.ask.look({bitmap: await camera.frame()}, true);
      if (this.camera !== camera || !this.head) break;
      if (!found.ok) continue;
      const said = answer(this.head, found.embedding), text = headline(said);
      what.textContent = text;
      this.stage.classList.toggle("unsure", Boolean(said.doubt));
      this.stage.dataset.answers = ++times;
      list.replaceChildren(bars(said), make("p", {class: "name"}, reason(said)));
      near.replaceChildren(make("ul", {}, ...nearest(this.ask.photos(), found.embedding, NEAR).map(({photo}) =>
        make("li", {}, make("img", {src: photo.url, alt: say("try.trained", {label: this.ask.nameOf(photo)})})))));
      if (text !== spoken) $("#spoken").textContent = spoken = text;
      await new Promise(done => requestAnimationFrame(done));
    }
  }

  endLive() {
    this.camera?.stop();
    this.camera = null;
    this.stage.hidden = true;
    this.stage.replaceChildren();
    this.live.textContent = say("try.live");
  }
}
