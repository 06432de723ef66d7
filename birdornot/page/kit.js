// What the scripts of all our pages share.
export const $ = (selector, within = document) => within.querySelector(selector);
export const words = label => label.replaceAll("_", " ");
export const capital = text => text && text[0].toUpperCase() + text.slice(1);
export const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

// An element: texts are attributes, all else (handlers, what is on or off) are properties.
export function make(name, given = {}, ...children) {
  const svg = ["svg", "rect"].includes(name);
  const el = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [k, v] of Object.entries(given)) {
    if (typeof v === "function" || typeof v === "boolean") el[k] = v;
    else el.setAttribute(k, v);
  }
  el.append(...children);
  return el;
}

// What a program on this computer says to a question; its refusals are errors.
export async function ask(url, options, stopped) {
  let reply;
  try { reply = await fetch(url, options); }
  catch { throw new Error(stopped); }
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

// Pictures beside a picture: each has a `label`, a `similarity` from -1 to 1, and may be the photo `itself`, or a `copy`.
const SAME = {itself: "the photo itself", copy: "a copy of it"};
export const neighbours = (title, found, picture, same = SAME) => make("div", {class: "near"}, make("h3", {}, title),
  make("ul", {}, ...found.map(n => make("li", {}, picture(n), make("b", {}, n.label), ` ${n.similarity.toFixed(2)}`,
    ...(n.itself || n.copy ? [make("br"), n.itself ? same.itself : same.copy] : [])))));
