// The studio: photos come in, workers read and learn, four steps show it. Nothing leaves the page.
import {$} from "../kit.js";
import {offerLanguages, preferred, say, speak, translate, whyRefused} from "../words.js";
import {Along} from "./along.js";
import {burst} from "./camera.js";
import {ClassCards, Refusals, nameOf} from "./classes.js";
import {Embedders} from "./embed.js";
import {ofDrop, ofFiles, ofFolder} from "./intake.js";
import {askFirst, openPhoto} from "./photo.js";
import {Project} from "./project.js";
import {Results, lackingSentences} from "./results.js";
import {missingFor} from "./split.js";
import {Store} from "./store.js";
import {whatIsMissing} from "./support.js";
import {Trainer} from "./trainer.js";
import {Trying} from "./try.js";

const SEED = 42;  // as in Python: the same photos, the same folds
const AT_ONCE = 2000;  // photos up to which it trains again by itself after each change
const SHOWN_UNDO = 15_000;  // milliseconds that the offer to undo stays

const here = name => new URL(`../${name}`, import.meta.url);

const spoken = text => { $("#spoken").textContent = text; };

function stop(sentence) {
  $("#reading").hidden = false;
  $("#progress").hidden = true;
  $("#status").textContent = sentence;
  $("#reading").classList.add("failed");
}

class Studio {
  constructor(constants, project) {
    Object.assign(this, {constants, project, result: null, reading: 0, read: 0, last: null, refusals: new Refusals(), stale: true});
    this.embedders = Embedders.start(constants);
    this.trainer = Trainer.start(constants);
    for (const started of [this.embedders, this.trainer]) started.catch(e => stop(say("lack.engine", {reason: e.message})));
    this.cards = new ClassCards(project, {
      least: constants.head.min_groups, open: photo => this.open(photo),
      files: (files, id) => this.take(ofFiles(files), id), folder: (files, id) => this.take(ofFolder(files), id),
      camera: id => burst(nameOf(project, project.classes.find(c => c.id === id)), file => this.take(ofFiles([file]), id), sentence => this.refuse("", sentence))});
    this.results = new Results({open: photo => this.open(photo), keep: photo => project.confirm(photo),
                                fix: (photo, label) => project.move(photo, this.labelled(label).id)});
    this.trying = new Trying({photos: () => project.photos, nameOf: photo => nameOf(project, project.classOf(photo)),
                              look: async (asked, first) => (await this.embedders).look(asked, first)});
    this.along = new Along(Object.fromEntries(["model", "page", "photos"].map(kind => [kind, () => this.pack(kind)])));
    project.addEventListener("change", e => this.changed(e.detail));
    $("#train").addEventListener("click", () => this.update(true));
    this.listen();
    this.update();
  }

  labelled(label) { return this.project.classes.find(c => nameOf(this.project, c) === label); }
  labels(photos) { return photos.map(p => nameOf(this.project, this.project.classOf(p))); }

  // ---- photos come in
  async take(found, id = null) {
    const {pictures, left} = await found;
    if (!pictures.length) { if (left) this.refuse("", say("refused.no_pictures", {n: left})); return; }
    const where = pictures.map(p => ({...p, of: this.place(p.folder, id)}));
    this.reading += where.length;
    if (!this.result) this.results.lacking([]);
    this.progress();
    navigator.storage?.persist?.().catch(() => {});
    const embedders = await this.embedders;
    await Promise.all(where.map(async each => {
      this.enter(each, await embedders.look({blob: each.file, name: each.path}));
      this.read += 1;
      this.progress();
    }));
    if (left) this.refuse("", say("refused.others", {n: left}));
    if (this.read < this.reading) return;
    spoken(say("photos.done", {n: this.read}));
    this.read = this.reading = 0;
    this.progress();
    this.update();
  }

  // A folder's photos go where its name says; all others into the class that was meant.
  place(folder, id) {
    const {project} = this;
    if (!folder) return id ?? this.last ?? project.classes[0].id;
    const name = folder.normalize("NFC").trim(), there = project.called(name);
    if (there) return there.id;
    const empty = project.free(id) ?? project.free();
    if (!empty) return project.addClass(name).id;
    project.rename(empty.id, name);
    this.cards.draw();
    return empty.id;
  }

  async enter({file, path, of}, found) {
    if (!found.ok) { if (!found.dropped) this.refuse(path, whyRefused(found)); return; }
    if (!this.project.classes.some(c => c.id === of)) return;
    if (found.blank) return this.refuse(path, say("refused.blank"));
    const twin = this.project.has(found.sha256, of);
    if (twin) return this.refuse(path, say("refused.twice", {name: twin.name}));
    const {ok, seconds, ...known} = found;
    if (!await this.project.add(file, path.split("/").pop(), of, known) && !this.warned) {
      this.warned = true;
      this.refuse("", say("studio.not_kept"));
    }
  }

  refuse(name, reason) {
    this.refusals.add(name || say("photos.note"), reason);
    spoken(`${name} ${reason}`);
  }

  progress() {
    $("#reading").hidden = !this.reading;
    $("#progress").value = this.reading ? this.read/this.reading : 0;
    $("#status").textContent = this.read ? say("photos.progress", {done: this.read, all: this.reading}) : say("photos.loading");
  }

  // ---- training
  changed(kind) {
    if (kind === "groups") return;
    if (kind === "past") return this.offerUndo();
    if (kind === "verdicts") return this.result && this.results.show(this.result);
    if (["photos", "classes", "labels"].includes(kind)) this.stale = true;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.update(), 20);
  }

  // Find copies where photos have changed, and train where there is enough; one after the other, the last change counts.
  async update(asked = false) {
    if (this.reading) return;
    clearTimeout(this.soon);
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try { await this.learn(asked); }
    catch (e) { $("#training").textContent = e.message; $("#train").ariaBusy = "false"; }
    finally {
      this.busy = false;
      if (this.again) { this.again = false; this.update(); }
    }
  }

  async learn(asked) {
    const {project} = this, photos = [...project.photos], labels = this.labels(photos);
    if (this.stale && photos.length) {
      this.stale = false;
      project.groups = await (await this.trainer).groups(photos, labels);
      project.tell("groups");
      this.cards.changed("groups");
    }
    const groups = photos.map(p => project.groups.get(p.id)), lack = this.lack(labels, groups);
    $("#train").disabled = Boolean(lack);
    this.along.allow(photos.length > 0, !lack && Boolean(this.result));
    if (lack) return this.forget(lack);
    if (photos.length > AT_ONCE && !asked) return void ($("#training").textContent = say("result.press"));
    $("#train").ariaBusy = "true";
    $("#training").textContent = say("result.training", {n: photos.length});
    const begin = performance.now(), found = await (await this.trainer).train(photos, labels, groups, SEED);
    $("#train").ariaBusy = "false";
    if (this.again) return;
    if (!found.enough) return this.forget(lackingSentences(found.missing, []));
    this.show(found, (performance.now() - begin)/1000);
  }

  // Sentences on what it takes before anything can be said; null: nothing.
  lack(labels, groups) {
    const {project} = this, names = project.classes.map(c => nameOf(project, c)), twice = names.find((n, i) => names.indexOf(n) < i);
    if (twice) return [say("lack.twice", {label: twice})];
    const empty = names.filter(n => !labels.includes(n)), missing = missingFor(labels, groups, this.constants.head);
    const bare = names.length - empty.length < 2 || missing ? empty : [];
    return missing || bare.length ? lackingSentences(missing ?? {classes: 0, more: {}}, bare) : null;
  }

  forget(sentences) {
    this.result = null;
    $("#training").textContent = "";
    $("#train").ariaBusy = "false";
    this.results.lacking(sentences);
    this.trying.use(null);
    this.along.allow(this.project.photos.length > 0, false);
    document.body.dataset.trained = "";
  }

  show(result, seconds) {
    this.result = result;
    $("#training").textContent = say("result.trained", {n: result.photos.length, seconds: seconds.toLocaleString(document.documentElement.lang, {maximumFractionDigits: 1, minimumFractionDigits: 1})});
    this.results.show(result);
    this.trying.use(result.head);
    this.along.allow(true, true);
    this.times = (this.times ?? 0) + 1;
    document.body.dataset.trained = this.times;
  }

  async pack(kind) {
    const {pack} = await import("./packing.js");
    return pack(kind, this);
  }

  // ---- what the page as a whole listens to
  open(photo) { openPhoto(this.project, photo, () => $("#photos").focus()); }

  offerUndo() {
    const last = this.project.past.at(-1), bar = $("#undo");
    clearTimeout(this.hiding);
    bar.hidden = false;
    bar.firstElementChild.textContent = say(last.key, last.given);
    spoken(say(last.key, last.given));
    this.hiding = setTimeout(() => { if (!bar.contains(document.activeElement)) bar.hidden = true; }, SHOWN_UNDO);
  }

  undo() {
    $("#undo").hidden = true;
    if (this.project.past.length) spoken(say("undo.done"));
    this.project.undo();
  }

  listen() {
    $("#undo button").addEventListener("click", () => { this.undo(); $("#photos").focus({preventScroll: true}); });
    addEventListener("keydown", e => {
      if (e.key === "z" && (e.ctrlKey || e.metaKey) && !e.shiftKey && !e.target.closest("input, textarea, dialog")) { e.preventDefault(); this.undo(); }
    });
    for (const kind of ["focusin", "pointerdown"]) addEventListener(kind, e => {
      const card = e.target.closest?.("[data-id].class");
      if (card) this.last = card.dataset.id;
      this.atTry = Boolean(e.target.closest?.("#try"));
    });
    addEventListener("paste", e => {
      if (!e.clipboardData?.files.length) return;
      if (this.atTry) this.trying.take(e.clipboardData.files); else this.take(ofFiles(e.clipboardData.files), this.meant());
    });
    this.listenToDrops();
    $("#empty").addEventListener("click", () => askFirst(say("sure.empty", {n: this.project.photos.length}), say("sure.yes"), async () => {
      (await this.embedders).drop();
      this.trying.answers = [];
      await this.project.empty();
    }));
  }

  meant() { return this.project.classes.some(c => c.id === this.last) ? this.last : this.project.classes[0].id; }

  listenToDrops() {
    const over = e => e.target.closest?.(".class, #try");
    const mark = el => { for (const other of document.querySelectorAll(".over")) other.classList.remove("over"); el?.classList.add("over"); };
    for (const kind of ["dragenter", "dragover"]) addEventListener(kind, e => { e.preventDefault(); mark(over(e)); });
    addEventListener("dragleave", e => { if (!e.relatedTarget) mark(null); });
    addEventListener("drop", e => {
      e.preventDefault();
      mark(null);
      const el = over(e);
      if (el?.id === "try") this.trying.take(e.dataTransfer.files);
      else this.take(ofDrop(e.dataTransfer), el?.dataset.id ?? this.meant()).catch(() => this.refuse("", say("refused.folder")));
    });
  }

  redraw() {
    translate();
    this.cards.draw();
    this.refusals.draw();
    this.trying.draw();
    this.along.draw();
    if (this.result) this.results.show(this.result);
    if (!this.result || this.project.classes.some(c => !c.name)) this.update();  // names that depend on the language
  }
}

async function keepForLater(constants) {
  if (constants.served || !navigator.serviceWorker) return;
  await navigator.serviceWorker.register(here("sw.js"));
  await navigator.serviceWorker.ready;
  document.body.dataset.offline = "yes";
  $("#offline").hidden = false;
}

try {
  await speak(preferred());
  const missing = whatIsMissing();
  if (missing) throw new Error(say("lack.browser", {what: say(missing)}));
  const reply = await fetch(here("studio.json"));
  if (!reply.ok) throw new Error(`studio.json is missing (${reply.status}): copy the whole folder to the server`);
  const constants = await reply.json(), project = new Project(await Store.open());
  await project.load();
  const studio = new Studio(constants, project);
  offerLanguages($("#language"), () => studio.redraw());
  document.body.dataset.ready = "yes";
  keepForLater(constants).catch(() => {});
} catch (e) { stop(e.message); }
