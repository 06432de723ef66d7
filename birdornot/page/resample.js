// Pillow's arithmetic in plain JavaScript, to the last bit: the filters of its Resample.c and Reduce.c on 8-bit RGB.
// A picture is {data: Uint8Array of height×width×3, width, height}.

const BITS = 22;  // fixed-point precision of the weights, as in Pillow (32 - 8 - 2)

const sinc = x => x === 0 ? 1 : Math.sin(x*Math.PI)/(x*Math.PI);

const FILTERS = {
  box: {support: 0.5, at: x => x > -0.5 && x <= 0.5 ? 1 : 0},
  bilinear: {support: 1, at: x => Math.max(0, 1 - Math.abs(x))},
  hamming: {support: 1, at: x => {
    const d = Math.abs(x)*Math.PI;
    if (d === 0) return 1;
    return d < Math.PI ? Math.sin(d)/d*(0.54 + 0.46*Math.cos(d)) : 0;
  }},
  bicubic: {support: 2, at: x => {
    const d = Math.abs(x);
    if (d < 1) return (1.5*d - 2.5)*d*d + 1;
    return d < 2 ? ((-0.5*d + 2.5)*d - 4)*d + 2 : 0;
  }},
  lanczos: {support: 3, at: x => x >= -3 && x < 3 ? sinc(x)*sinc(x/3) : 0},
};

// For each of `to` pixels: the first pixel of `from` that counts, and the weights. `span` of the `from` pixels are used.
function weights(from, span, to, {support, at}) {
  const scale = span/to, wide = Math.max(scale, 1), reach = support*wide;
  return Array.from({length: to}, (_, i) => {
    const centre = (i + 0.5)*scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const w = Array.from({length: end - first}, (_, j) => at((j + first - centre + 0.5)*(1/wide)));
    const sum = w.reduce((s, v) => s + v, 0);
    const whole = w.map(v => sum ? v*(1/sum) : v).map(v => Math.trunc((v < 0 ? -0.5 : 0.5) + v*2**BITS));
    return {first, whole: Int32Array.from(whole)};
  });
}

const clip = v => v < 0 ? 0 : v > 255 ? 255 : v;

// One pass: each of `lines` lines has its pixels `step` bytes apart and starts `jump` bytes after the last.
function pass(src, dst, table, lines, [jump, step], [outJump, outStep]) {
  table.forEach(({first, whole}, i) => {
    for (let line = 0; line < lines; line++) {
      let r = 1 << BITS - 1, g = r, b = r, at = line*jump + first*step;
      for (let j = 0; j < whole.length; j++, at += step) {
        r += src[at]*whole[j]; g += src[at + 1]*whole[j]; b += src[at + 2]*whole[j];
      }
      const to = line*outJump + i*outStep;
      dst[to] = clip(r >> BITS); dst[to + 1] = clip(g >> BITS); dst[to + 2] = clip(b >> BITS);
    }
  });
}

// Image.resize: across, then down, with 8-bit numbers between. `box` is the part used, from the upper left corner.
export function resize({data, width, height}, to, name, box = [width, height]) {
  const filter = FILTERS[name], [w, h] = to;
  if (w !== width || box[0] !== width) {
    const out = new Uint8Array(w*height*3);
    pass(data, out, weights(width, box[0], w, filter), height, [width*3, 3], [w*3, 3]);
    data = out;
  }
  if (h !== height || box[1] !== height) {
    const out = new Uint8Array(w*h*3);
    pass(data, out, weights(height, box[1], h, filter), w, [3, w*3], [3, w*3]);
    data = out;
  }
  return {data, width: w, height: h};
}

// Image.reduce: the mean of each block of `fx`×`fy` pixels; blocks at the far edges may be smaller.
export function reduce({data, width, height}, fx, fy = fx) {
  const w = Math.ceil(width/fx), h = Math.ceil(height/fy), out = new Uint8Array(w*h*3);
  for (let y = 0, o = 0; y < h; y++) for (let x = 0; x < w; x++) {
    const right = Math.min(width, (x + 1)*fx), low = Math.min(height, (y + 1)*fy);
    const n = (right - x*fx)*(low - y*fy), inverse = Math.floor(2**32/(256*n)), half = n >> 1;
    let r = half, g = half, b = half;
    for (let v = y*fy; v < low; v++) for (let u = x*fx, at = (v*width + u)*3; u < right; u++, at += 3) {
      r += data[at]; g += data[at + 1]; b += data[at + 2];
    }
    out[o++] = r*inverse/2**24; out[o++] = g*inverse/2**24; out[o++] = b*inverse/2**24;
  }
  return {data: out, width: w, height: h};
}

// The size of Image.thumbnail: the longer side becomes `most`, the other keeps the aspect as well as whole pixels can.
export function thumbnailSize(width, height, most) {
  const aspect = width/height;
  if (most >= width && most >= height) return [width, height];
  const nearest = (v, off) => Math.max(1, off(Math.floor(v)) <= off(Math.ceil(v)) ? Math.floor(v) : Math.ceil(v));
  if (aspect <= 1) return [nearest(most*aspect, n => Math.abs(aspect - n/most)), most];
  return [most, nearest(most/aspect, n => n ? Math.abs(aspect - most/n) : 0)];
}

const GAP = 1.5;  // the `reducing_gap` of `open_upright`: the means of blocks leave at least so much to the filter

// By how much Pillow shrinks a JPEG of this size while it decodes it for a thumbnail.
export function draftFactor(width, height, most) {
  const enough = Math.trunc(most*GAP), scale = Math.floor(Math.min(width, height)/enough);
  if (most >= width && most >= height) return 1;
  return [8, 4, 2, 1].find(s => scale >= s) ?? 1;
}

// Image.thumbnail with the filter and the gap of `open_upright`. `whole` is the size before a JPEG was shrunk by `factor` while it was decoded.
export function thumbnail(picture, most, whole = [picture.width, picture.height], factor = 1) {
  const to = thumbnailSize(...whole, most);
  if (to[0] === picture.width && to[1] === picture.height) return picture;
  const box = whole.map(v => v/factor);
  const [fx, fy] = box.map((v, i) => Math.trunc(v/to[i]/GAP) || 1);
  if (fx === 1 && fy === 1) return resize(picture, to, "hamming", box);
  return resize(reduce(picture, fx, fy), to, "hamming", [box[0]/fx, box[1]/fy]);
}

// Image.resize with a `reducing_gap`: by the means of blocks first, as far as the gap allows.
export function reduceAndResize(picture, to, name, gap = GAP) {
  const box = [picture.width, picture.height], [fx, fy] = box.map((v, i) => Math.trunc(v/to[i]/gap) || 1);
  if (fx === 1 && fy === 1) return resize(picture, to, name);
  return resize(reduce(picture, fx, fy), to, name, [box[0]/fx, box[1]/fy]);
}

// The numbers the model is given: squished to a square, channels first, 0 to 1.
export function modelInput(picture, size) {
  const {data} = resize(picture, [size, size], "bilinear"), n = size*size, out = new Float32Array(3*n);
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) out[c*n + i] = data[3*i + c]/255;
  return out;
}
