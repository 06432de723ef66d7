// The model folder on this computer: what classifier.js does in the browser is asked of `birdornot serve` here.
import {ask} from "./kit.js";

const MAX_BYTES = 50e6;  // as in Python
const STOPPED = "the program behind this page has stopped; start birdornot serve again";

const here = name => new URL(name, import.meta.url);

async function send(path, body, type = "application/octet-stream") {
  if (body.size > MAX_BYTES) throw new Error(`the file is larger than ${MAX_BYTES/1e6} MB`);
  return ask(here(path), {method: "POST", headers: {"Content-Type": type}, body}, STOPPED);
}

const decoded = text => text && createImageBitmap(new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))]));

export class Classifier {
  static async load() { return Object.assign(new Classifier(), {info: await ask(here("page.json"), {}, STOPPED)}); }

  // {picture, labels, probabilities: [[label, 0–1], …] most probable first, doubt, novelty, limit}
  async classify(blob) {
    const {photo, ...answer} = await send("answer", blob);
    return {picture: await decoded(photo), ...answer};
  }

  // The photo with what speaks for the answer in colour, if it is asked for, the training pictures most like it, a note.
  async why(blob, heat) {
    const found = await send(heat ? "why" : "why?heat=no", blob);
    const nearest = await Promise.all(found.nearest.map(async ({photo, ...n}) => ({...n, picture: await decoded(photo)})));
    return {heat: await decoded(found.heat), nearest, note: found.note};
  }

  // Put a photo with its right labels into the dataset: {said, id}; `undo(id)` takes it back.
  async correct(blob, labels) {
    const query = labels.map(label => `label=${encodeURIComponent(label)}`).join("&");
    return send(`feedback?${query}`, blob);
  }

  async undo(id) { return send("undo", JSON.stringify({id}), "application/json"); }
}
