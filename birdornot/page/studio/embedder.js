// A module worker: reads a photo, tells copies of it, embeds it, makes a thumbnail. One picture at a time.
import * as ort from "../ort/ort.wasm.min.mjs";
import {fromBitmap, openUpright} from "../reader.js";
import {modelInput, thumbnail} from "../resample.js";
import {fingerprints, pixelBytes} from "./hashes.js";
import {fileSha256} from "./sha256.js";

const THUMBNAIL = 160;  // longest side, pixels
const root = new URL("../", import.meta.url);  // where studio.json lies, and what it names

let session, constants;

async function start(given) {
  constants = given;
  const {file, sha256} = constants.backbone, reply = await fetch(new URL(file, root));
  if (!reply.ok) throw new Error(`${file} is missing (${reply.status}): copy the whole folder to the server`);
  const bytes = new Uint8Array(await reply.arrayBuffer());
  if (sha256 && await fileSha256(bytes) !== sha256)
    throw new Error(`${file} is not the file that was written: copy the whole folder again`);
  ort.env.wasm.numThreads = 1;  // more need headers that static hosts do not send; there are several workers instead
  ort.env.wasm.wasmPaths = new URL("ort/", root).href;
  session = await ort.InferenceSession.create(bytes, {executionProviders: ["wasm"]});
}

function drawn({data, width, height}) {  // on a canvas
  const canvas = new OffscreenCanvas(width, height), pixels = new ImageData(width, height);
  for (let i = 0, o = 0; i < data.length; i += 3, o += 4) {
    pixels.data[o] = data[i]; pixels.data[o + 1] = data[i + 1]; pixels.data[o + 2] = data[i + 2]; pixels.data[o + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

const thumb = picture => drawn(thumbnail(picture, THUMBNAIL)).convertToBlob({type: "image/jpeg", quality: 0.85});

async function run(picture, maps) {
  const {size} = constants.backbone, pixels = new ort.Tensor("float32", modelInput(picture, size), [1, 3, size, size]);
  const found = await session.run({pixels}, maps ? ["embedding", "maps"] : ["embedding"]);
  return {embedding: new Float32Array(found.embedding.data), ...(maps && {maps: new Float32Array(found.maps.data)})};
}

// A photo as a file, with all that a dataset needs; or, for an answer alone, as a bitmap, which is closed.
async function look({blob, bitmap, maps, picture: wanted}) {
  const begin = performance.now(), {max_size} = constants.backbone;
  if (bitmap) {
    const picture = fromBitmap(bitmap, max_size);
    bitmap.close();
    return {...await run(picture, maps), ...(wanted && {picture}), seconds: (performance.now() - begin)/1000};
  }
  const {whole: [width, height], ...picture} = await openUpright(blob, max_size);
  const sha256 = await fileSha256(new Uint8Array(await blob.arrayBuffer()));
  return {sha256, pixels: await fileSha256(pixelBytes(picture)), width, height, ...fingerprints(picture, constants.hashes),
          ...await run(picture, maps), thumb: await thumb(picture), ...(wanted && {picture}), seconds: (performance.now() - begin)/1000};
}

onmessage = async ({data}) => {
  if (data.start) {
    try { await start(data.start); postMessage({ready: true}); }
    catch (e) { postMessage({failed: e.message}); }
    return;
  }
  try { postMessage({id: data.id, ok: true, ...await look(data)}); }
  catch (e) { postMessage({id: data.id, ok: false, reason: e.message, key: e.key, given: e.given}); }
};
