// The first step: a card for each class, its name, its photos, and the ways to bring photos into it.
import {$, make} from "../kit.js";
import {say} from "../words.js";

const SHOWN = 24;  // photos of a class that are shown before one asks for all
export const ACCEPTED = "image/*,.jfif,.jpe,.tif,.tiff,.heic,.heif,.avif";

const EXAMPLES = 3;  // names to show where there is none: example.1, …

// What a class is called in sentences: its name, or its number where it has none yet.
export const nameOf = (project, it) => it.name || say("photos.unnamed", {n: project.classes.indexOf(it) + 1});

export class ClassCards {
  // `ask` has what only the page can do: files(found, id), camera(id), open(photo), least.
  constructor(project, ask) {
    Object.assign(this, {project, ask, cards: new Map(), opened: new Set()});
    project.addEventListener("change", e => this.changed(e.detail));
    $("#add").addEventListener("click", () => {
      const made = project.addClass();
      this.cards.get(made.id).name.focus();
    });
    this.draw();
  }

  changed(kind) {
    if (kind === "names") for (const card of this.cards.values()) this.title(card);
    else if (kind === "past") return;
    else if (kind === "classes") this.draw();
    else this.soon ??= requestAnimationFrame(() => {  // many photos may come between two frames
      this.soon = undefined;
      for (const card of this.cards.values()) this.fill(card);
    });
  }

  draw() {
    this.cards = new Map(this.project.classes.map(it => [it.id, this.card(it)]));
    $("#classes").replaceChildren(...[...this.cards.values()].map(c => c.el));
    for (const card of this.cards.values()) this.fill(card);
  }

  card(it) {
    const n = this.project.classes.indexOf(it), label = say("photos.name", {n: n + 1});
    const name = make("input", {type: "text", class: "name", "aria-label": label, maxlength: 60, autocomplete: "off", spellcheck: "false",
                                placeholder: say(`example.${1 + n%EXAMPLES}`)});
    name.value = it.name;
    const card = {it, name, count: make("p", {class: "count"}), strip: make("ul", {class: "strip"}), more: make("div", {class: "row left"})};
    name.addEventListener("change", () => { this.project.rename(it.id, name.value); name.value = it.name; });
    name.addEventListener("keydown", e => { if (e.key === "Enter") name.blur(); });
    card.el = make("article", {class: "class", "data-id": it.id}, make("div", {class: "head"}, name, this.removal(card)),
                   card.count, this.ways(it, card), card.strip, card.more);
    this.title(card);
    return card;
  }

  removal(card) {
    card.away = make("button", {type: "button", class: "icon"}, "×");
    card.away.addEventListener("click", () => { this.project.removeClass(card.it.id); $("#add").focus(); });
    return card.away;
  }

  // Files, a folder, the camera; the whole card takes what is dropped on it.
  ways(it, card) {
    const file = make("input", {type: "file", class: "hidden", accept: ACCEPTED, multiple: true, tabindex: "-1", "aria-hidden": "true"});
    const folder = make("input", {type: "file", class: "hidden folder", webkitdirectory: "", multiple: true, tabindex: "-1", "aria-hidden": "true"});
    file.addEventListener("change", () => { this.ask.files(file.files, it.id); file.value = ""; });
    folder.addEventListener("change", () => { this.ask.folder(folder.files, it.id); folder.value = ""; });
    const button = (key, work) => {
      const el = make("button", {type: "button", class: "small"}, say(key));
      el.addEventListener("click", work);
      return el;
    };
    card.buttons = [button("photos.choose", () => file.click()), button("photos.folder", () => folder.click()),
                    button("photos.camera", () => this.ask.camera(it.id))];
    card.buttons[1].hidden = matchMedia("(pointer: coarse)").matches || !("webkitdirectory" in folder);
    return make("div", {class: "row left"}, ...card.buttons, file, folder);
  }

  title({it, el, away, buttons}) {
    const label = nameOf(this.project, it);
    el.setAttribute("aria-label", label);
    away.setAttribute("aria-label", say("photos.remove_class", {label}));
    for (const [i, key] of ["photos.choose_for", "photos.folder_for", "photos.camera_for"].entries())
      buttons[i].setAttribute("aria-label", say(key, {label}));
  }

  fill(card) {
    const mine = this.project.of(card.it.id), all = this.opened.has(card.it.id), shown = all ? mine : mine.slice(-SHOWN).reverse();
    card.count.textContent = this.sentence(mine);
    card.el.classList.toggle("bare", !mine.length);
    const there = new Map([...card.strip.children].map(li => [li.dataset.id, li]));
    card.strip.replaceChildren(...shown.map(photo => this.mark(there.get(photo.id) ?? this.thumb(photo), photo)));
    card.more.replaceChildren();
    if (mine.length > SHOWN) {
      const el = make("button", {type: "button", class: "small"}, all ? say("photos.fewer") : say("photos.all", {n: mine.length}));
      el.addEventListener("click", () => { if (all) this.opened.delete(card.it.id); else this.opened.add(card.it.id); this.fill(card); });
      card.more.append(el);
    }
  }

  // How many photos, how many of them copies, and how many more it takes.
  sentence(mine) {
    if (!mine.length) return say("photos.none", {n: this.ask.least});
    const groups = new Set(mine.map(p => this.project.groups.get(p.id) ?? p.id)).size, copies = mine.length - groups;
    const said = [say("photos.count", {n: mine.length})];
    if (copies) said.push(say("photos.copies", {n: copies}));
    if (groups < this.ask.least) said.push(say("photos.lacks", {n: this.ask.least - groups}));
    return said.join(" ");
  }

  thumb(photo) {
    const button = make("button", {type: "button"}, make("img", {src: photo.url, alt: "", loading: "lazy", width: 72, height: 72}));
    button.addEventListener("click", () => this.ask.open(photo));
    return make("li", {"data-id": photo.id}, button);
  }

  mark(li, photo) {
    const copies = this.project.copiesOf(photo), button = li.firstChild;
    li.classList.toggle("copy", copies.length > 0);
    li.classList.toggle("torn", copies.some(p => p.of !== photo.of));
    button.setAttribute("aria-label", copies.length ? say("photos.one_copied", {name: photo.name, n: copies.length}) : photo.name);
    return li;
  }
}

// What was not taken, and why; the newest first.
export class Refusals {
  constructor() { this.all = []; }

  add(name, reason) { this.all.unshift({name, reason}); this.draw(); }

  draw() {
    const n = this.all.length;
    const close = make("button", {type: "button", class: "small"}, say("photos.seen"));
    close.addEventListener("click", () => { this.all = []; this.draw(); });
    const rows = this.all.slice(0, 200).map(({name, reason}) => make("li", {}, make("b", {}, name), `: ${reason}`));
    $("#refused").replaceChildren(...(n ? [make("details", {class: "refused", open: true},
      make("summary", {}, say("photos.refused", {n})), make("ul", {}, ...rows), close)] : []));
  }
}
