// A file that a visitor gives: what it is, why it cannot be opened, and its pixels as `open_upright` reads them in Python.
import {draftFactor, reduce, thumbnail} from "./resample.js";

const MAX_BYTES = 100e6;  // as in Python
const MAX_PIXELS = 100e6;  // a browser decodes all of a picture, 4 bytes a pixel; Python takes larger JPEGs

// Why a file is refused: in English, and as a key of the words with what they need, for pages in other languages.
export class BadPicture extends Error {
  constructor(reason, key, given = {}) { super(reason); Object.assign(this, {key, given}); }
}

const KINDS = [  // what the first bytes say of files that no browser, or not every one, can open
  [/^(II[*+]\0|MM\0[*+])/, "tiff", "a TIFF"], [/^....ftyp(hei|hev|mif1)/s, "heic", "an HEIC photo"],
  [/^....ftypavi/s, "avif", "an AVIF picture"], [/^RIFF....WEBP/s, "webp", "a WebP picture"],
  [/^\0\0\0\x0c(jP  |JXL )|^\xff[\x0a\x4f]/, "jpeg2000", "JPEG 2000 or JPEG XL"], [/^8BPS/, "photoshop", "a Photoshop file"],
  [/^(....ftyp|\x1aE\xdf\xa3)/s, "video", "a video"], [/^%PDF/, "pdf", "a PDF"], [/^PK\x03\x04/, "zip", "a zip archive"]];

function cannotOpen(head) {
  const [, what, name] = KINDS.find(([signs]) => signs.test(head)) ?? [];
  if (what) return new BadPicture(`it is ${name}, which this browser cannot open; save it as JPEG or PNG`, "kind", {what});
  if (/^(\xff\xd8\xff|\x89PNG|GIF8|BM)/.test(head))
    return new BadPicture("the file is damaged, or too large for this browser; take another copy, or save it smaller", "damaged");
  return new BadPicture("it is no picture that this browser can open; save it as JPEG or PNG", "nothing");
}

// Width and height that the first bytes of a file declare, before anything is decoded; null where they do not.
export function declaredSize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), n = bytes.length;
  const sign = String.fromCharCode(...bytes.subarray(0, 16));
  if (sign.startsWith("\x89PNG") && n >= 24) return [view.getUint32(16), view.getUint32(20)];
  if (sign.startsWith("GIF8") && n >= 10) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (sign.startsWith("BM") && n >= 26) return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
  if (/^RIFF....WEBPVP8X/s.test(sign) && n >= 30)
    return [24, 27].map(at => 1 + (view.getUint16(at, true) | bytes[at + 2] << 16));
  return sign.startsWith("\xff\xd8\xff") ? frameSize(view, n) : null;
}

function frameSize(view, n) {  // of a JPEG: marker after marker, until the one that begins the picture
  for (let at = 2; at + 9 < n && view.getUint8(at) === 0xff;) {
    const kind = view.getUint8(at + 1);
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind))
      return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += kind === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}

function refuseHuge([width, height]) {
  if (width*height > MAX_PIXELS)
    throw new BadPicture(`${width}×${height} is more than ${MAX_PIXELS/1e6} megapixels, the limit of this page; save it smaller`,
                         "pixels", {width, height, megapixels: MAX_PIXELS/1e6});
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

// A decoded picture, RGB, no side longer than `most`; `jpeg`: shrunk first as Pillow does it while it decodes a JPEG.
export function fromBitmap(bitmap, most, jpeg = false) {
  const {width, height} = bitmap, factor = jpeg ? draftFactor(width, height, most) : 1;
  return thumbnail(readPixels(bitmap, factor), most, [width, height], factor);
}

const HEADER = 2**18;  // bytes in which a JPEG has said how large it is, whatever notes stand before

// A file, upright, RGB, no side longer than `most`: what `open_upright` is in Python. `whole` is its size as it was.
export async function openUpright(blob, most) {
  if (blob.size > MAX_BYTES)
    throw new BadPicture(`the file is larger than ${MAX_BYTES/1e6} MB, the limit of this page; save it smaller`, "size", {megabytes: MAX_BYTES/1e6});
  const bytes = new Uint8Array(await blob.slice(0, HEADER).arrayBuffer());
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  refuseHuge(declaredSize(bytes) ?? [0, 0]);
  let bitmap;
  try { bitmap = await createImageBitmap(blob, {imageOrientation: "from-image", premultiplyAlpha: "default"}); }
  catch { throw cannotOpen(head); }
  const whole = [bitmap.width, bitmap.height];
  try {
    refuseHuge(whole);
    return {...fromBitmap(bitmap, most, head.startsWith("\xff\xd8\xff")), whole};
  } finally { bitmap.close(); }
}
