// What the visitor makes: classes, and photos in them. Every change is kept, told to those who listen, and can be undone.
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(2)), v => v.toString(36)).join("");

// A name that can be that of a folder on any computer, and of one class alone.
export const cleanName = text => text.normalize("NFC").replace(/[\\/:*?"<>|+\p{Cc}]/gu, " ").replace(/\s+/g, " ").trim().replace(/^\.+|\.+$/g, "").slice(0, 60);

export class Project extends EventTarget {
  constructor(store) {
    super();
    Object.assign(this, {store, classes: [], photos: [], past: [], groups: new Map()});
  }

  async load() {
    this.classes = await this.store.fact("classes") ?? [];
    const known = new Set(this.classes.map(c => c.id));
    this.photos = (await this.store.photos()).filter(p => known.has(p.of)).sort((a, b) => a.order - b.order);
    for (const photo of this.photos) photo.url = URL.createObjectURL(photo.thumb);
    this.order = Math.max(0, ...this.photos.map(p => p.order));
    while (this.classes.length < 2) this.classes.push({id: newId(), name: ""});
  }

  tell(kind) { this.dispatchEvent(new CustomEvent("change", {detail: kind})); }

  // ---- what is there
  of(id) { return this.photos.filter(p => p.of === id); }
  called(name) { return this.classes.find(c => c.name === name); }
  classOf(photo) { return this.classes.find(c => c.id === photo.of); }
  free(id) { return this.classes.find(c => (id ?? c.id) === c.id && !c.name && !this.photos.some(p => p.of === c.id)); }
  has(sha256, id) { return this.photos.find(p => p.sha256 === sha256 && p.of === id); }

  // Other photos of the group that a photo is in: copies of it.
  copiesOf(photo) {
    const group = this.groups.get(photo.id);
    return group === undefined ? [] : this.photos.filter(p => p !== photo && this.groups.get(p.id) === group);
  }

  // ---- changes
  keepClasses() { return this.store.keepFact("classes", this.classes); }

  keepPhoto({url, ...photo}) { return this.store.keepPhoto(photo); }

  addClass(name = "") {
    const made = {id: newId(), name: cleanName(name)};
    this.classes.push(made);
    this.keepClasses();
    this.tell("classes");
    return made;
  }

  rename(id, text) {
    const it = this.classes.find(c => c.id === id), name = cleanName(text);
    if (!it || it.name === name) return;
    it.name = name;
    this.keepClasses();
    this.tell("names");
  }

  removeClass(id) {
    const at = this.classes.findIndex(c => c.id === id), it = this.classes[at], mine = this.of(id);
    this.classes.splice(at, 1);
    this.drop(mine);
    this.keepClasses();
    this.remember("undo.class", {label: it.name}, () => {
      this.classes.splice(Math.min(at, this.classes.length), 0, it);
      this.keepClasses();
      this.bring(mine);
    });
    while (this.classes.length < 2) this.classes.push({id: newId(), name: ""});
    this.tell("classes");
  }

  // A photo with what the embedder found in it; → whether the browser keeps it.
  async add(file, name, of, found) {
    const photo = {id: newId(), of, name, blob: file, order: this.order = (this.order ?? 0) + 1, ...found};
    photo.url = URL.createObjectURL(photo.thumb);
    this.photos.push(photo);
    this.tell("photos");
    return this.keepPhoto(photo);
  }

  move(photo, of) {
    if (photo.of === of) return;
    const back = this.decide(photo, {action: "move", from: this.classOf(photo).name}, of);
    this.remember("undo.moved", {name: photo.name, label: this.classOf(photo).name}, back);
    this.tell("labels");
  }

  // Write down what somebody decided about a photo, which goes with it; → the way back.
  decide(photo, decision, of) {
    const {of: from, verdict, decisions = []} = photo;
    const set = values => { Object.assign(photo, values); this.keepPhoto(photo); };
    set({of, verdict: of, decisions: [...decisions, {...decision, at: new Date().toISOString()}]});
    return () => set({of: from, verdict, decisions});
  }

  // Somebody has looked: the label is right, and not to be doubted again.
  confirm(photo) {
    this.remember("undo.kept", {name: photo.name}, this.decide(photo, {action: "keep"}, photo.of));
    this.tell("verdicts");
  }

  remove(photo) {
    this.drop([photo]);
    this.remember("undo.removed", {name: photo.name}, () => this.bring([photo]));
    this.tell("photos");
  }

  drop(photos) {
    this.photos = this.photos.filter(p => !photos.includes(p));
    for (const photo of photos) this.store.dropPhoto(photo.id);
  }

  bring(photos) {
    this.photos = [...this.photos, ...photos].sort((a, b) => a.order - b.order);
    for (const photo of photos) this.keepPhoto(photo);
  }

  // ---- undo: key and what it needs of the words, and the way back
  remember(key, given, back) { this.past.push({key, given, back}); this.tell("past"); }

  undo() {
    const last = this.past.pop();
    if (!last) return;
    last.back();
    this.tell("classes");
  }

  async empty() {
    const shown = this.photos.map(p => p.url);
    setTimeout(() => shown.forEach(url => URL.revokeObjectURL(url)), 1000);  // when none is on the page any more
    Object.assign(this, {classes: [{id: newId(), name: ""}, {id: newId(), name: ""}], photos: [], past: [], groups: new Map()});
    await this.store.clear();
    this.tell("classes");
  }
}
