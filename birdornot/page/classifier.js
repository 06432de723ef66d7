// The model folder in a browser: what `birdornot.predict.Classifier` does in Python.
import * as ort from "./ort/ort.wasm.min.mjs";
import {draftFactor, modelInput, reduce, thumbnail} from "./resample.js";

const MAX_BYTES = 100e6;  // as in Python
const MAX_PIXELS = 100e6;  // a browser decodes all of a picture, 4 bytes a pixel; Python takes larger JPEGs

export class BadPicture extends Error {}

const KINDS = [  // what the first bytes say of files that no browser, or not every one, can open
  [/^(II[*+]\0|MM\0[*+])/, "a TIFF"], [/^....ftyp(hei|hev|mif1)/s, "an HEIC photo"],
  [/^....ftypavi/s, "an AVIF picture"], [/^RIFF....WEBP/s, "a WebP picture"], [/^\0\0\0\x0c(jP  |JXL )|^\xff[\x0a\x4f]/, "JPEG 2000 or JPEG XL"],
  [/^8BPS/, "a Photoshop file"], [/^(....ftyp|\x1aE\xdf\xa3)/s, "a video"], [/^%PDF/, "a PDF"],
  [/^PK\x03\x04/, "a zip archive"]];

function cannotOpen(head) {
  const [, what] = KINDS.find(([signs]) => signs.test(head)) ?? [];
  if (what) return `it is ${what}, which this browser cannot open; save it as JPEG or PNG`;
  if (/^(\xff\xd8\xff|\x89PNG|GIF8|BM)/.test(head))
    return "the file is damaged, or too large for this browser; take another copy, or save it smaller";
  return "it is no picture that this browser can open; save it as JPEG or PNG";
}

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

// Pixels of a decoded picture, on white, shrunk by `factor`; in strips, because phones limit the size of a canvas.
function readPixels(bitmap, factor) {
  const {width, height} = bitmap, strip = 512*factor;
  const out = {width: Math.ceil(width/factor), height: Math.ceil(height/factor)};
  out.data = new Uint8Array(out.width*out.height*3);
  const canvas = new OffscreenCanvas(width, Math.min(strip, height));
  const pen = canvas.getContext("2d", {willReadFrequently: true, alpha: false, colorSpace: "srgb"});
  for (let top = 0; top < height; top += strip) {
    const high = Math.min(strip, height - top);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, high);
    pen.drawImage(bitmap, 0, -top);
    const rgba = pen.getImageData(0, 0, width, high).data, rgb = new Uint8Array(width*high*3);
    for (let i = 0, o = 0; i < rgba.length; i += 4) {
      rgb[o++] = rgba[i]; rgb[o++] = rgba[i + 1]; rgb[o++] = rgba[i + 2];
    }
    const part = {data: rgb, width, height: high};
    out.data.set((factor > 1 ? reduce(part, factor) : part).data, top/factor*out.width*3);
  }
  return out;
}

// A file, upright, RGB, no side longer than `most`: what `open_upright` is in Python.
export async function openUpright(blob, most) {
  if (blob.size > MAX_BYTES)
    throw new BadPicture(`the file is larger than ${MAX_BYTES/1e6} MB, the limit of this page; save it smaller`);
  const head = String.fromCharCode(...new Uint8Array(await blob.slice(0, 16).arrayBuffer()));
  const jpeg = head.startsWith("\xff\xd8\xff");
  let bitmap;
  try { bitmap = await createImageBitmap(blob, {imageOrientation: "from-image", premultiplyAlpha: "default"}); }
  catch { throw new BadPicture(cannotOpen(head)); }
  const {width, height} = bitmap;
  try {
    if (width*height > MAX_PIXELS)
      throw new BadPicture(`${width}×${height} is more than ${MAX_PIXELS/1e6} megapixels, the limit of this page; `
        + "save it smaller");
    const factor = jpeg ? draftFactor(width, height, most) : 1;
    return thumbnail(readPixels(bitmap, factor), most, [width, height], factor);
  } finally { bitmap.close(); }
}

const softmax = logits => {
  const top = Math.max(...logits), e = logits.map(v => Math.exp(v - top)), sum = e.reduce((s, v) => s + v, 0);
  return e.map(v => v/sum);
};

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

  answer(logits, novelty) {
    const {labels, temperature = 1, multilabel, unsure} = this.info;
    const scaled = logits.map(v => v/temperature);
    const p = multilabel ? scaled.map(v => 1/(1 + Math.exp(-v))) : softmax(scaled);
    const probabilities = labels.map((label, i) => [label, p[i]]).sort((a, b) => b[1] - a[1]);
    const found = multilabel ? labels.filter((label, i) => p[i] >= 0.5) : [probabilities[0][0]];
    const sure = multilabel ? Math.min(...p.map(v => Math.max(v, 1 - v))) : probabilities[0][1];
    return {labels: found, probabilities, doubt: this.doubt(sure, novelty), novelty, limit: unsure?.max_novelty};
  }

  // Why an answer is unsure, as in Python: a key of the words in page.json.
  doubt(sure, novelty) {
    const {unsure, drawn} = this.info;
    if (unsure?.max_novelty != null && novelty > unsure.max_novelty) return drawn ? "drawn" : "novel";
    return unsure?.min_confidence != null && sure < unsure.min_confidence ? "close" : "";
  }
}
