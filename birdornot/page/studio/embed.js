// Several embedder workers side by side: as many as there are cores, and no picture waits for a busy one.
import {startWorker} from "./workers.js";

const MOST = 4;  // sessions; each holds the model and the runtime's memory, about 150 MB

export class Embedders {
  // Begin with the constants of studio.json; rejects with a sentence where no worker can start.
  static async start(constants, workers = Math.max(1, Math.min(MOST, navigator.hardwareConcurrency || 1))) {
    const self = Object.assign(new Embedders(), {constants, waiting: [], asked: new Map(), next: 0, all: []});
    self.all = Array.from({length: workers}, () => ({free: false, asked: null}));
    await Promise.any(self.all.map(me => self.hire(me))).catch(({errors: [e]}) => { throw e; });
    return self;
  }

  hire(me) {
    const worker = me.worker = startWorker("./embedder.js");
    return new Promise((ready, failed) => {
      worker.onmessage = ({data}) => {
        if (data.failed) return failed(new Error(data.failed));
        worker.onmessage = e => this.answered(me, e.data);
        worker.onerror = e => this.answered(me, {id: me.asked, ok: false, reason: e.message});
        me.free = true;
        this.go();
        ready();
      };
      worker.onerror = e => failed(new Error(e.message || "the worker could not be started"));
      worker.postMessage({start: this.constants});
    });
  }

  answered(me, {id, ...found}) {
    this.asked.get(id)?.(found);
    this.asked.delete(id);
    me.free = found.ok || Boolean(found.key);
    if (me.free) return this.go();
    me.worker.terminate();  // it was no fault of the picture that we know: what runs out of memory, say, stays broken
    this.hire(me).catch(() => {});
  }

  go() {
    for (const me of this.all) if (me.free && this.waiting.length) {
      const {message, transfer} = this.waiting.shift();
      Object.assign(me, {free: false, asked: message.id});
      me.worker.postMessage(message, transfer);
    }
  }

  // What embedder.js answers to {blob or bitmap, name, maps, picture}; `first`: before all that wait.
  // Never rejects: {ok: false, reason, key and given for the words of the page}.
  look(asked, first = false) {
    const id = this.next++, entry = {message: {id, ...asked}, transfer: asked.bitmap ? [asked.bitmap] : []};
    if (first) this.waiting.unshift(entry); else this.waiting.push(entry);
    return new Promise(done => { this.asked.set(id, done); this.go(); });
  }

  // Forget what waits: each gets {ok: false, dropped: true}.
  drop() {
    for (const {message: {id}} of this.waiting.splice(0)) {
      this.asked.get(id)({ok: false, dropped: true});
      this.asked.delete(id);
    }
  }

  stop() { for (const {worker} of this.all) worker.terminate(); }
}
