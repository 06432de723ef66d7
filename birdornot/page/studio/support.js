// What a browser must have for the studio to work; the first thing that is missing, as a key of the words, or "".
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);  // a module that uses it

function takesModules() {  // does a browser that makes a worker look at its type?
  let looked = false;
  const line = URL.createObjectURL(new Blob([""], {type: "text/javascript"}));
  try { new Worker(line, {get type() { looked = true; return "module"; }}).terminate(); }
  catch { /* it is said below */ }
  URL.revokeObjectURL(line);
  return looked;
}

export function whatIsMissing() {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(SIMD)) return "lack.wasm";
  if (typeof Worker === "undefined" || !takesModules()) return "lack.workers";
  if (typeof OffscreenCanvas === "undefined" || typeof createImageBitmap === "undefined") return "lack.canvas";
  return "";
}
