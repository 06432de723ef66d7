// Zip archives, written as they are and read with limits; nothing is compressed, because photos and weights are already.
const MOST = 2**32 - 1, MOST_FILES = 65_535;  // beyond that an archive needs another format, which not everything opens

const TABLE = Uint32Array.from({length: 256}, (_, i) => {
  for (let bit = 0; bit < 8; bit++) i = i & 1 ? i >>> 1 ^ 0xedb88320 : i >>> 1;
  return i;
});

// CRC-32 of bytes; `from` is that of the bytes before.
export function crc32(bytes, from = 0) {
  let crc = ~from;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 255] ^ crc >>> 8;
  return ~crc >>> 0;
}

async function crcOf(data) {  // of bytes, or of a Blob, which need not fit into memory
  if (data instanceof Uint8Array) return crc32(data);
  let crc = 0;
  for (let at = 0; at < data.size; at += 2**23) crc = crc32(new Uint8Array(await data.slice(at, at + 2**23).arrayBuffer()), crc);
  return crc;
}

const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;
const bytesOf = text => new TextEncoder().encode(text).length;

// One name of a file or folder that every system can have: no separators, no device of Windows, so many bytes at most.
export function safeName(text, other = "photo", most = 112) {
  let name = text.normalize("NFC").replace(/[/\\:*?"<>|\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, "_").replace(/\s+/g, " ");
  name = name.replace(/^[.\s-]+|[.\s]+$/g, "") || other;
  if (DEVICES.test(name)) name = `_${name}`;
  const [, stem, end] = name.match(/^(.*?)(\.[^.]{1,10})?$/s);
  const letters = [...stem];
  while (bytesOf(letters.join("") + (end ?? "")) > most) letters.pop();
  return letters.join("").replace(/[.\s]+$/, "") + (end ?? "");
}

// Names of which no two are the same, as Windows and Macs see it: a number is put behind those that come later.
export function apart(names) {
  const taken = new Set();
  return names.map(name => {
    const [, stem, end] = name.match(/^(.*?)(\.[^./]{1,10})?$/s);
    let new_ = name;
    for (let i = 2; taken.has(new_.toLowerCase()); i++) new_ = `${stem}-${i}${end ?? ""}`;
    taken.add(new_.toLowerCase());
    return new_;
  });
}

function record(signature, widths, values) {  // numbers of two and four bytes, the lowest first
  const view = new DataView(new ArrayBuffer(4 + widths.reduce((n, w) => n + w, 0)));
  view.setUint32(0, signature, true);
  let at = 4;
  widths.forEach((width, i) => {
    if (width === 2) view.setUint16(at, values[i], true); else view.setUint32(at, values[i], true);
    at += width;
  });
  return new Uint8Array(view.buffer);
}

function dosTime(when) {
  const year = Math.min(Math.max(when.getFullYear(), 1980), 2107) - 1980;
  return [when.getHours() << 11 | when.getMinutes() << 5 | when.getSeconds() >> 1,
          year << 9 | when.getMonth() + 1 << 5 | when.getDate()];
}

const UTF8 = 0x800, STORED = 0, LONGEST = 120;  // bytes of a name, with a number that tells it apart
const ENTRY = [2, 2, 2, 2, 2, 4, 4, 4, 2, 2], LISTED = [2, ...ENTRY, 2, 2, 2, 4, 4], LAST = [2, 2, 2, 2, 4, 4, 2];

// A Blob of a Map name → bytes or Blob, all in the folder `top`. Names are checked once more: none leads out of it.
export async function zipOf(files, {top = "", when = new Date()} = {}) {
  const parts = [], listed = [], names = [...files.keys()].map(name => top ? `${top}/${name}` : name);
  const odd = names.find((name, i) => name.split("/").some(n => !n || n !== safeName(n, "", LONGEST)) || names.indexOf(name) !== i);
  if (odd !== undefined) throw new Error(`${JSON.stringify(odd)} is not a name for a file in a zip; give it another one`);
  let at = 0;
  for (const [i, data] of [...files.values()].entries()) {
    const name = new TextEncoder().encode(names[i]), size = data.size ?? data.length;
    const about = [20, UTF8, STORED, ...dosTime(when), await crcOf(data), size, size, name.length, 0];
    const entry = record(0x04034b50, ENTRY, about);
    listed.push(record(0x02014b50, LISTED, [20, ...about, 0, 0, 0, 0, at]), name);
    parts.push(entry, name, data);
    at += entry.length + name.length + size;
    if (at > MOST || files.size > MOST_FILES)
      throw new Error("this is more than 4 GB or 65,535 files, too much for one zip; take it along in two parts");
  }
  const size = listed.reduce((n, p) => n + p.length, 0);
  const end = record(0x06054b50, LAST, [0, 0, files.size, files.size, size, at, 0]);
  return new Blob([...parts, ...listed, end], {type: "application/zip"});
}
