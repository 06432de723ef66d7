// The worker that finds copies and trains, asked one thing after the other; of several trainings only the last counts.
import {startWorker} from "./workers.js";

export class Trainer {
  static async start(constants) {
    const self = new Trainer();
    self.asked = new Map();
    self.next = 0;
    self.worker = startWorker("./train.js");
    await new Promise((ready, failed) => {
      self.worker.onmessage = ({data}) => data.ready ? ready() : failed(new Error(data.failed));
      self.worker.onerror = e => failed(new Error(e.message || "the worker could not be started"));
      self.worker.postMessage({start: constants});
    });
    self.worker.onmessage = ({data: {id, ...found}}) => {
      const {done, failed} = self.asked.get(id);
      self.asked.delete(id);
      if (found.failed) failed(new Error(found.failed)); else done(found);
    };
    return self;
  }

  ask(message) {
    const id = this.next++;
    return new Promise((done, failed) => {
      this.asked.set(id, {done, failed});
      this.worker.postMessage({id, ...message});
    });
  }

  // Photo → name of its group; photos of one group are copies of each other.
  async groups(photos, labels) {
    const rows = photos.map(({sha256, phash, mirror, look, width, height, name}, i) => (
      {sha256, phash, mirror, look, width, height, name, label: labels[i]}));
    const {groups} = await this.ask({copies: rows});
    return new Map(photos.map((p, i) => [p.id, groups[i]]));
  }

  // What train.js says of these photos, their labels and groups; `photos` are added, which its positions number.
  async train(photos, labels, groups, seed) {
    const width = photos[0]?.embedding.length ?? 0, x = new Float32Array(photos.length*width);
    photos.forEach((p, i) => x.set(p.embedding, i*width));
    return {photos, ...await this.ask({x, labels, groups, seed})};
  }
}
