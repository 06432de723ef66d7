// SHA-256 where the browser's own is not to be had: it answers later, and over plain http not at all.
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every(p => n%p)) primes.push(n);
const fraction = (n, root) => Math.floor((n**(1/root)%1)*2**32) >>> 0;
const ROUNDS = Uint32Array.from(primes, p => fraction(p, 3));
const START = Uint32Array.from(primes.slice(0, 8), p => fraction(p, 2));

const hex = (numbers, digits) => Array.from(numbers, v => v.toString(16).padStart(digits, "0")).join("");

function padded(bytes) {  // one bit, zeros, and the length in bits
  const out = new Uint8Array((bytes.length + 72) >> 6 << 6), view = new DataView(out.buffer);
  out.set(bytes);
  out[bytes.length] = 0x80;
  view.setUint32(out.length - 8, Math.floor(bytes.length/2**29));
  view.setUint32(out.length - 4, bytes.length*8 >>> 0);
  return view;
}

// 64 hexadecimal digits of bytes, or of a text in UTF-8.
export function sha256(data) {
  const view = padded(typeof data === "string" ? new TextEncoder().encode(data) : data);
  const state = Uint32Array.from(START), w = new Uint32Array(64);
  for (let at = 0; at < view.byteLength; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4*i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const near = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
      const far = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
      w[i] = w[i - 16] + near + w[i - 7] + far;
    }
    mix(state, w);
  }
  return hex(state, 8);
}

function mix(state, w) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const turned = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const one = h + turned + (e & f ^ ~e & g) + ROUNDS[i] + w[i] | 0;
    const other = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
    h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + other | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((v, i) => { state[i] += v; });
}

// The same of a file's bytes, by the browser where it can.
export async function fileSha256(bytes) {
  if (!globalThis.crypto?.subtle) return sha256(bytes);
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), 2);
}
