// Just enough of protobuf, the format of ONNX files, to put a head at the end of a body: `attach_head` in Python.
const utf8 = text => new TextEncoder().encode(text);

export function joined(parts) {  // one array of several
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) { out.set(part, at); at += part.length; }
  return out;
}

function varint(value) {  // a number of protobuf, seven bits a byte; a negative one takes 64 bits
  const out = [];
  let left = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(left & 127n) | (left > 127n ? 128 : 0));
    left >>= 7n;
  } while (left);
  return Uint8Array.from(out);
}

function readVarint(bytes, at) {
  for (let value = 0n, shift = 0n; shift < 64n; shift += 7n) {
    if (at >= bytes.length) break;
    const byte = bytes[at++];
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
  throw new Error("the file of the network is damaged: reload the page");
}

// The fields of a message, [[number, value], …]: a value is a BigInt, or the bytes of a text, a message or an array.
export function readFields(bytes) {
  const found = [];
  for (let at = 0, key, value; at < bytes.length;) {
    [key, at] = readVarint(bytes, at);
    const kind = Number(key & 7n);
    if (kind === 0) [value, at] = readVarint(bytes, at);
    else if (kind === 2) {
      let size;
      [size, at] = readVarint(bytes, at);
      value = bytes.subarray(at, at += Number(size));
    } else throw new Error(`the file of the network has a field of kind ${kind}: reload the page`);
    if (at > bytes.length) throw new Error("the file of the network is cut off: reload the page");
    found.push([Number(key >> 3n), value]);
  }
  return found;
}

// A message of fields, in the order of their numbers, as protobuf itself writes it.
export function message(fields) {
  const sorted = [...fields].sort(([a], [b]) => a - b);
  return joined(sorted.flatMap(([number, value]) => {
    if (typeof value === "string") value = utf8(value);
    if (!(value instanceof Uint8Array)) return [varint(number << 3), varint(value)];
    return [varint(number << 3 | 2), varint(value.length), value];
  }));
}

const FLOAT = 1;

// The constant `name`: `shape` and numbers, as float32.
export function tensor(name, shape, numbers) {
  return message([...shape.map(side => [1, side]), [2, FLOAT], [8, name],
                  [9, new Uint8Array(Float32Array.from(numbers).buffer)]]);
}

function output(name, sides) {  // a side is a number, or the name of one that is not fixed
  const shape = message(sides.map(side => [1, message([[typeof side === "string" ? 2 : 1, side]])]));
  return message([[1, name], [2, message([[1, message([[1, FLOAT], [2, shape]])]])]]);
}

const nameOf = (fields, number) => new TextDecoder().decode(fields.find(([n]) => n === number)[1]);
const fromBase64 = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));

// The body with a head: `template` is of Python's `model_template`, `constants` {name: [shape, numbers]} are those of
// this head, `about` describes the model in the file's own metadata.
export function attachHead(body, template, constants, labels, about) {
  const model = readFields(body), graph = readFields(model.find(([n]) => n === 7)[1]);
  const needed = Object.entries(template.constants).map(([name, fixed]) => {
    if (fixed) return [5, fromBase64(fixed)];
    if (!constants[name]) throw new Error(`the head has no ${name}: the files of this page are of two versions, so reload it`);
    return [5, tensor(name, ...constants[name])];
  });
  const there = new Map(graph.filter(([n]) => n === 12).map(([, value]) => [nameOf(readFields(value), 1), value]));
  const outputs = Object.entries(template.outputs).map(([name, sides]) =>
    [12, sides ? output(name, sides.map(side => side ?? labels)) : there.get(name)]);
  const whole = [...graph.filter(([n]) => n !== 12), ...template.nodes.map(node => [1, fromBase64(node)]), ...needed, ...outputs];
  const kept = model.filter(([n]) => ![1, 7, 8, 14].includes(n));
  return message([...kept, [1, template.ir_version], [7, message(whole)], [8, message([[1, ""], [2, template.opset]])],
                  [14, message([[1, "birdornot"], [2, JSON.stringify(about)]])]]);
}
