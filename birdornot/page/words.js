// The words of our pages: a table for each language in words/, all with the same keys. An entry that depends on a number
// has its forms, as `Intl.PluralRules` calls them; {name} stands for what is given.
import {make} from "./kit.js";

const NAMES = {en: "English", es: "Español", fr: "Français", de: "Deutsch", zh: "中文"};
const KEPT = "birdornot-language";

let table = {}, spoken = "en";

const remembered = () => { try { return localStorage.getItem(KEPT); } catch { return null; } };
const remember = language => { try { localStorage.setItem(KEPT, language); } catch { /* it will be asked again */ } };

// The first of the visitor's languages that there is a table for; what was chosen here before goes first.
export function preferred(asked = [remembered(), ...navigator.languages]) {
  const short = asked.filter(Boolean).map(l => l.slice(0, 2).toLowerCase());
  return short.find(l => l in NAMES) ?? "en";
}

function form(entry, n) {
  return typeof entry === "string" ? entry : entry[new Intl.PluralRules(spoken).select(n)] ?? entry.other;
}

const shown = value => typeof value === "number" ? value.toLocaleString(spoken) : String(value);

// What the table says under a key, `given` put in; numbers as they are written in the language.
export function say(key, given = {}) {
  return form(table[key] ?? key, given.n).replace(/\{(\w+)\}/g, (whole, name) => name in given ? shown(given[name]) : whole);
}

export const has = key => key in table;

// The same as a list for an element's children: what is given may be elements.
export function tell(key, given) {
  return form(table[key] ?? key, given.n).split(/(\{\w+\})/).map(part => given[part.slice(1, -1)] ?? part);
}

export const share = (p, digits = 0) =>
  new Intl.NumberFormat(spoken, {style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits}).format(p);

// A probability, but none that says it is certain where it is not.
export const percent = p => p > 0.999 && p < 1 ? `> ${share(0.999, 1)}` : p < 0.001 && p > 0 ? `< ${share(0.001, 1)}` : share(p, 1);

export const listed = names => new Intl.ListFormat(spoken).format(names);
export const either = names => new Intl.ListFormat(spoken === "en" ? "en-GB" : spoken, {type: "disjunction"}).format(names);

// Why a photo was refused: in the visitor's language where the reader of files gave a key, else in its own words.
export function whyRefused({key, given, reason, message}) {
  if (!has(`refused.${key}`)) return reason ?? message;
  return say(`refused.${key}`, given.what ? {...given, what: say(`kind.${given.what}`)} : given);
}

const ATTRIBUTES = ["aria-label", "content", "placeholder"];

// Put the words into all elements below one that name them: `data-say` for the text, `data-say-…` for an attribute.
export function translate(root = document) {
  for (const el of root.querySelectorAll("[data-say]")) el.textContent = say(el.dataset.say);
  for (const name of ATTRIBUTES)
    for (const el of root.querySelectorAll(`[data-say-${name}]`)) el.setAttribute(name, say(el.getAttribute(`data-say-${name}`)));
}

export async function speak(language) {
  const reply = await fetch(new URL(`words/${language}.json`, import.meta.url));
  if (!reply.ok) throw new Error(`words/${language}.json is missing (${reply.status}): copy the whole folder to the server`);
  [table, spoken] = [await reply.json(), language];
  document.documentElement.lang = language;
  translate();
}

// Let a <select> change the language; `changed` is called when the words are others.
export function offerLanguages(select, changed) {
  select.replaceChildren(...Object.entries(NAMES).map(([code, name]) => make("option", {value: code, lang: code}, name)));
  select.value = spoken;
  select.addEventListener("change", async () => {
    await speak(select.value);
    remember(select.value);
    changed();
  });
}
