// The model folder in a browser: what `birdornot.predict.Classifier` does in Python.
import * as ort from "./ort/ort.wasm.min.mjs";
import {answerOf} from "./answer.js";
import {openUpright} from "./reader.js";
import {modelInput} from "./resample.js";

const here = name => new URL(name, import.meta.url);

async function fetchBytes(name, total, progress) {
  const reply = await fetch(here(name));
  if (!reply.ok) throw new Error(`${name} is missing (${reply.status}): copy the whole folder to the server`);
  const parts = [], reader = reply.body.getReader();
  for (let got = 0;;) {
    const {done, value} = await reader.read();
    if (done) break;
    parts.push(value);
    progress(Math.min(1, (got += value.length)/total));
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function check(bytes, sha256) {
  if (!globalThis.crypto?.subtle) return;  // browsers offer it to https and localhost only
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  if (Array.from(hash, b => b.toString(16).padStart(2, "0")).join("") !== sha256)
    throw new Error("model.onnx is not the file that was exported: copy the whole folder again");
}

export class Classifier {
  // Fetch page.json, the model and the runtime; `progress` is told how much of the model is there, 0 to 1.
  static async load(progress = () => {}) {
    const self = new Classifier();
    const reply = await fetch(here("page.json"));
    if (!reply.ok) throw new Error(`page.json is missing (${reply.status}): copy the whole folder to the server`);
    self.info = await reply.json();
    const bytes = await fetchBytes("model.onnx", self.info.bytes, progress);
    await check(bytes, self.info.sha256);
    ort.env.wasm.numThreads = 1;  // more need headers that static hosts do not send
    ort.env.wasm.wasmPaths = here("ort/").href;
    self.session = await ort.InferenceSession.create(bytes, {executionProviders: ["wasm"]});
    return self;
  }

  // {picture, labels, probabilities: [[label, 0–1], …] most probable first, doubt: why it is unsure or "", novelty, limit}
  async classify(blob) {
    const {size, max_size} = this.info, picture = await openUpright(blob, max_size);
    const pixels = new ort.Tensor("float32", modelInput(picture, size), [1, 3, size, size]);
    const found = await this.session.run({pixels});
    return {picture, ...this.answer(Array.from(found.logits.data), found.novelty?.data[0])};
  }

  answer(logits, novelty) { return answerOf(this.info, logits, novelty); }
}
