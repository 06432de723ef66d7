// The model folder on this computer: what classifier.js does in the browser is asked of `birdornot serve` here.
const MAX_BYTES = 50e6;  // as in Python

const here = name => new URL(name, import.meta.url);

async function ask(path, body, type = "application/octet-stream") {
  if (body.size > MAX_BYTES) throw new Error(`the file is larger than ${MAX_BYTES/1e6} MB`);
  let reply;
  try { reply = await fetch(here(path), {method: "POST", headers: {"Content-Type": type}, body}); }
  catch { throw new Error("the program behind this page has stopped; start birdornot serve again"); }
  if (!reply.ok) throw new Error((await reply.json()).error);
  return reply;
}

export class Classifier {
  static async load() {
    const reply = await fetch(here("page.json"));
    if (!reply.ok) throw new Error((await reply.json()).error);
    return Object.assign(new Classifier(), {info: await reply.json()});
  }

  // {picture, labels, probabilities: [[label, 0–1], …] most probable first, unsure: reason or ""}
  async classify(blob) {
    const {photo, ...answer} = await (await ask("answer", blob)).json();
    const bytes = Uint8Array.from(atob(photo), c => c.charCodeAt(0));
    return {picture: await createImageBitmap(new Blob([bytes])), ...answer};
  }

  // The photo with what speaks for the answer in colour.
  async why(blob) { return createImageBitmap(await (await ask("why", blob)).blob()); }

  // Put a photo with its right labels into the dataset: {said, id}; `undo(id)` takes it back.
  async correct(blob, labels) {
    const query = labels.map(label => `label=${encodeURIComponent(label)}`).join("&");
    return (await ask(`feedback?${query}`, blob)).json();
  }

  async undo(id) { return (await ask("undo", JSON.stringify({id}), "application/json")).json(); }
}
