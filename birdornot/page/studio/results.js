// The second step: how often it is wrong and how sure that is, what it confuses, which labels are doubted, what would help.
import {$, capital, make, words} from "../kit.js";
import {listed, say, share, tell} from "../words.js";
import {advice} from "./advice.js";

const MOST = 12;  // doubted labels, and photos answered wrongly, that are shown at once

const heading = key => make("h3", {}, say(key));
const hundred = p => Math.round(100*p);

export class Results {
  // `open(photo)`: show it large; `fix(photo, label)`: give it another label; `keep(photo)`: its label is right.
  constructor(ask) { Object.assign(this, {ask, box: $("#judged")}); }

  // Photos that it takes before there is anything to say, as a sentence.
  lacking(sentences) {
    this.box.replaceChildren(...sentences.map(s => make("p", {class: "plain-word"}, capital(s))));
  }

  show(result) {
    const focused = this.box.contains(document.activeElement) && document.activeElement.closest(".doubted");
    const {judged, photos, joined} = result, doubted = result.suspects.filter(s => photos[s.position].verdict !== photos[s.position].of);
    this.box.replaceChildren(this.verdict(judged, joined, this.promise(result)), this.help(judged, doubted), ...this.doubts(doubted, photos, result.abstains),
      ...this.mistakes(judged, photos), heading("result.confused"), this.confusion(judged), ...this.strange(result.ood));
    if (focused) (this.box.querySelector(".doubted button") ?? $("#result")).focus();
  }

  // Whether it is promised how many new photos are answered.
  promise({head: {unsure: {promised}}, least}) {
    return promised ? say("result.promised", {answered: hundred(promised)}) : say("result.unpromised", {least});
  }

  verdict(judged, joined, promise) {
    const {wrong, of, low, high, coverage, answered_error: left, effective_n: n} = judged;
    const said = [wrong ? say("result.wrong", {n: wrong, of}) : say("result.none", {n: of}),
                  say("result.interval", {low: hundred(low), high: hundred(high)})];
    if (Math.round(n) < of) said.push(say("result.copies", {n: Math.round(n)}));
    if (joined) said.push(say("result.joined", {n: joined}));
    said.push(say("result.unsure", {n: hundred(1 - coverage), left: hundred(left ?? 0)}), promise);
    if (judged.warnings.length) said.push(say("result.bursts", {share: share(judged.bursts.error)}));
    return make("div", {class: "verdict"}, make("p", {class: "big"}, ...tell("result.error", {share: make("b", {}, share(judged.error, judged.error && judged.error < 0.1 ? 1 : 0))})),
      ...said.map(s => make("p", {}, s)));
  }

  help(judged, doubted) {
    const {key, ...given} = advice(judged, doubted);
    return make("p", {class: "help"}, make("b", {}, say("advice.title")), " ", say(key, given.label ? {...given, label: words(given.label)} : given));
  }

  doubts(doubted, photos, abstains) {
    if (abstains) return [make("p", {class: "plain-word"}, say("doubt.abstains"))];
    if (!doubted.length) return [];
    const cards = doubted.slice(0, MOST).map(({position, label, better}) => {
      const photo = photos[position], fix = make("button", {type: "button", class: "main small"}, say("doubt.fix", {label: words(better)}));
      const keep = make("button", {type: "button", class: "small"}, say("doubt.keep", {label: words(label)}));
      fix.addEventListener("click", () => this.ask.fix(photo, better));
      keep.addEventListener("click", () => this.ask.keep(photo));
      return make("li", {}, this.picture(photo), make("div", {}, make("p", {}, say("doubt.asks", {label: words(label), better: words(better)})), make("div", {class: "row left"}, fix, keep)));
    });
    return [heading("doubt.title"), make("p", {class: "hint"}, say("doubt.hint")), make("ul", {class: "doubted"}, ...cards)];
  }

  mistakes({positions, said, right, labels, y}, photos) {
    const wrong = positions.map((p, i) => ({photo: photos[p], i})).filter(({i}) => !right[i]);
    if (!wrong.length) return [];
    const rows = wrong.slice(0, MOST).map(({photo, i}) => make("li", {}, this.picture(photo),
      make("span", {}, say("result.mistake", {label: words(labels[y[i]]), said: words(labels[said[i]])}))));
    return [heading("result.mistakes"), make("ul", {class: "mistakes"}, ...rows),
            ...(wrong.length > MOST ? [make("p", {class: "hint"}, say("result.rest", {n: wrong.length - MOST}))] : [])];
  }

  picture(photo) {
    const el = make("button", {type: "button", class: "thumb", "aria-label": say("photo.open", {name: photo.name})}, make("img", {src: photo.url, alt: ""}));
    el.addEventListener("click", () => this.ask.open(photo));
    return el;
  }

  confusion({labels, confusion}) {
    const head = make("tr", {}, make("th", {scope: "col"}, say("result.is")), ...labels.map(l => make("th", {scope: "col"}, say("result.said", {label: words(l)}))));
    const rows = confusion.map((row, i) => make("tr", {}, make("th", {scope: "row"}, words(labels[i])),
      ...row.map((n, j) => make("td", {class: i === j ? "right" : n ? "wrong" : ""}, n.toLocaleString(document.documentElement.lang)))));
    return make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": say("result.confused")},
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  strange(rows) {
    const n = rows.reduce((s, r) => s + r.pictures, 0), unsure = rows.reduce((s, r) => s + r.unsure, 0);
    return n ? [make("p", {class: "hint"}, say("result.strange", {n, unsure}))] : [];
  }
}

// Why nothing can be said yet: `missing` as judge.js says it, and the classes that have no photo at all.
export function lackingSentences({classes, more, copies}, empty) {
  if (copies) return [say("lack.copies")];
  const said = Object.entries(more).map(([label, n]) => say("lack.photos", {label, n}));
  const bare = empty.length ? [say("lack.empty", {labels: listed(empty), n: empty.length})] : classes ? [say("lack.classes")] : [];
  return [...bare, ...said];
}
