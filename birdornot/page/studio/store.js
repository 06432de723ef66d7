// The project between visits, in the browser's own database: photos one by one, classes and choices as facts.
const NAME = "birdornot-studio", PHOTOS = "photos", FACTS = "facts";

const answered = request => new Promise((done, fail) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});

export class Store {
  // A private window may have no database: then all is kept until the page is closed, and `kept` is false.
  static async open() {
    const self = new Store();
    try {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(PHOTOS, {keyPath: "id"});
        request.result.createObjectStore(FACTS);
      };
      self.db = await answered(request);
    } catch { self.db = null; }
    return self;
  }

  get kept() { return this.db !== null; }

  // One change of the database; → whether it is kept. A full disk is no reason to stop.
  async change(name, act) {
    if (!this.db) return false;
    try {
      const step = this.db.transaction(name, "readwrite");
      act(step.objectStore(name));
      await new Promise((done, fail) => { step.oncomplete = done; step.onabort = step.onerror = () => fail(step.error); });
      return true;
    } catch { return false; }
  }

  async photos() { return this.db ? answered(this.db.transaction(PHOTOS).objectStore(PHOTOS).getAll()) : []; }
  async fact(name) { return this.db ? answered(this.db.transaction(FACTS).objectStore(FACTS).get(name)) : undefined; }
  keepPhoto(photo) { return this.change(PHOTOS, s => s.put(photo)); }
  dropPhoto(id) { return this.change(PHOTOS, s => s.delete(id)); }
  keepFact(name, value) { return this.change(FACTS, s => s.put(value, name)); }

  async clear() { for (const name of [PHOTOS, FACTS]) await this.change(name, s => s.clear()); }
}
