// The review page: lists of pictures, a decision with one key each, everything undoable.
import {$, ask, make, neighbours, plural} from "./kit.js";

const STOPPED = "The program behind this page has stopped. Start `birdornot review` again; every decision so far is kept.";
const JSON_BODY = {"Content-Type": "application/json"};

const key = name => make("kbd", {"aria-hidden": "true"}, String(name));
const asked = (path, body) => ask(path, body && {method: "POST", headers: JSON_BODY, body: JSON.stringify(body)}, STOPPED);

let state = {view: "", labels: [], views: [], decided: 0, last: null};
const known = new Map();  // facts of every picture on the page, by number

const say = text => { $("#wrong").textContent = ""; $("#said").textContent = text; };
const complain = error => { $("#said").textContent = ""; $("#wrong").textContent = error.message; };
const attempt = work => async (...args) => { try { return await work(...args); } catch (error) { complain(error); } };

// ---- the page around the pictures
function showHead(answer) {
  Object.assign(state, {labels: answer.labels, views: answer.views, decided: answer.decided, last: answer.last});
  document.title = `Review ${answer.name}`;
  $("#name").textContent = answer.name;
  $("#progress").textContent = plural(state.decided, "decision");
  $("#error").textContent = answer.error;
  $("#undo").disabled = !state.last;
  $("#numbers").textContent = state.labels.length ? `(${state.labels.slice(0, 9).map((l, i) => `${i + 1} ${l}`).join(", ")})` : "";
  const focused = document.activeElement?.closest("#views button")?.dataset.view;
  $("#views").replaceChildren(...state.views.map(v => make("button", {
    type: "button", role: "tab", id: `tab-${v.name}`, "data-view": v.name, "aria-selected": String(v.name === state.view),
    tabindex: v.name === state.view ? "0" : "-1", onclick: attempt(() => open(v.name))}, v.title, make("b", {}, String(v.count)))));
  if (focused) $(`#tab-${focused}`)?.focus();
}
$("#views").onkeydown = event => {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const names = state.views.map(v => v.name), to = names[(names.indexOf(state.view) + step + names.length) % names.length];
  attempt(open)(to).then(() => $(`#tab-${to}`).focus());
};

// ---- one picture
function facts(p) {
  const where = p.status === "clean" ? "in " : "found as ";
  const fine = make("p", {class: "fine"}, [p.title, p.size, p.licence].filter(Boolean).join(" · "));
  if (p.page) fine.append(" · ", make("a", {href: p.page, rel: "noreferrer noopener", target: "_blank"}, "where it is from"));
  return make("div", {class: "facts"}, make("p", {}, where, make("span", {class: "chip"}, p.label)),
    make("p", {class: "hint"}, p.hint), fine);
}

// The buttons of a picture: what is suggested is filled, and stands first.
function buttons(p) {
  const act = (action, label) => attempt(() => decide(p.id, action, label));
  const {action: best, label: target} = p.suggest, main = is => is ? " main" : "";
  const keep = make("button", {type: "button", class: `keep${main(best === "keep")}`, onclick: act("keep")},
    p.status === "clean" ? "Keep" : "Bring back", key("K"));
  const drop = make("button", {type: "button", class: `drop${main(best === "discard")}`, onclick: act("discard")},
    p.status === "clean" ? "Discard" : "Leave out", key("D"));
  const others = state.labels.filter(l => l !== p.label), few = others.length <= 3;
  const move = l => make("button", {type: "button", class: `move${main(best === "move" && l === target)}`, onclick: act("move", l)},
    `To ${l}`, ...(state.labels.indexOf(l) < 9 ? [key(state.labels.indexOf(l) + 1)] : []));
  const moves = others.filter(l => few || l === target).map(move);
  if (!few) moves.push(make("select", {"aria-label": "Move to a class", onchange: event => act("move", event.target.value)()},
    make("option", {value: ""}, "Move to …"), ...others.map(l => make("option", {value: l}, l))));
  const all = [...(p.shown ? [keep, ...moves] : []), drop];
  all.sort((a, b) => b.classList.contains("main") - a.classList.contains("main"));
  return make("div", {class: "acts"}, ...all);
}

function card(p) {
  known.set(p.id, p);
  const img = make("img", {alt: p.alt, loading: "lazy"});
  if (p.shown) img.src = `img/${p.id}`;
  const picture = make("button", {type: "button", class: "picture", "aria-label": `Look closer: ${p.alt}`,
    onclick: attempt(() => enlarge(p))}, img);
  const lost = () => picture.replaceChildren(make("span", {class: "lost"}, "This file cannot be shown."));
  img.onerror = lost;
  if (!p.shown) { lost(); picture.disabled = true; }
  return make("article", {class: "card", tabindex: "-1", "data-id": p.id, "aria-label": [p.alt, p.hint].filter(Boolean).join(". ")},
    picture, facts(p), buttons(p), make("div", {class: "verdict"}, make("span"), make("button", {type: "button"}, "Undo")));
}

// Large, with its buttons, and beside it what is most like it in either class.
async function enlarge(p) {
  const dialog = $("#large"), near = make("div", {"aria-live": "polite"}, make("p", {class: "fine"}, "Looking for the pictures most like it …"));
  dialog.dataset.id = p.id;
  $("img", dialog).src = `img/${p.id}`;
  $("img", dialog).alt = p.alt;
  $(".beside", dialog).replaceChildren(facts(p), buttons(p), near);
  if (!dialog.open) dialog.showModal();
  dialog.focus();
  try {
    const {near: found} = await asked(`api/near?id=${p.id}`);
    near.replaceChildren(...found.map(({label, pictures}) => neighbours(`Most like it in ${label}`, pictures,
      n => make("img", {src: `img/${n.id}`, alt: `Filed under ${n.label}`}))));
  } catch (error) { near.replaceChildren(make("p", {class: "fine"}, error.message)); }
}
$("#large").tabIndex = -1;
$("#large").addEventListener("close", () => goTo(cardOf($("#large").dataset.id)));

// ---- the queue
const wide = () => ["conflicts", "copies"].includes(state.view);
function group(g) {
  const el = make("li", {class: "group"}, ...g.map(card));
  if (g.length > 1 && state.view === "copies") el.append(make("button", {type: "button", class: "all",
    onclick: attempt(async () => { for (const p of g) if (!isDone(cardOf(p.id))) await decide(p.id, "keep"); })}, `Keep all ${g.length}`));
  return el;
}
const cardOf = id => $(`.card[data-id="${id}"]`);
const isDone = el => el.classList.contains("done");
const cards = () => [...document.querySelectorAll(".card")];
const here = () => $("#large").open ? cardOf($("#large").dataset.id) : document.activeElement?.closest(".card");
function goTo(el) {
  if (!el) return;
  cards().forEach(c => { c.tabIndex = -1; });
  el.tabIndex = 0;
  if ($("#large").open) return attempt(enlarge)(known.get(Number(el.dataset.id)));
  el.focus();
}
function step(by) {
  const all = cards().filter(c => !$("#large").open || !$(".picture", c).disabled), at = all.indexOf(here());
  goTo(at < 0 ? all[0] : all[Math.max(0, Math.min(all.length - 1, at + by))]);
}
const openGroups = () => [...document.querySelectorAll(".group")].filter(g => $(".card:not(.done)", g)).length;
async function fill(fresh) {
  const view = state.view;
  const answer = await asked(`api/queue?view=${view}&offset=${fresh ? 0 : openGroups()}`);
  if (view !== state.view) return;  // the answer to an earlier click, overtaken by a later one
  showHead(answer);
  $("#about").textContent = answer.about;
  $("#queue").className = wide() ? "wide" : "";
  if (fresh) $("#queue").replaceChildren();
  $("#queue").append(...answer.groups.map(group));
  const left = answer.total - openGroups();
  $("#more").hidden = left <= 0;
  $("#more").textContent = `Show more (${left} left)`;
  $("#empty").hidden = answer.total > 0;
  $("#empty").textContent = answer.empty;
  if (!$('.card[tabindex="0"]') && $(".card")) $(".card").tabIndex = 0;
}
async function open(view) {
  state.view = view;
  history.replaceState(null, "", `#${view}`);
  await fill(true);
  $("#main").setAttribute("aria-labelledby", `tab-${view}`);
}
$("#more").onclick = attempt(async () => {
  const before = cards().length;
  await fill(false);
  goTo(cards()[before]);
});

// ---- deciding
function settle(answer) {
  showHead(answer);
  for (const [id, said] of Object.entries(answer.changed)) {
    const el = cardOf(id);
    if (!el) continue;
    el.classList.toggle("done", Boolean(said));
    $(".verdict span", el).textContent = said || "";
    $(".verdict button", el).onclick = attempt(() => undo(answer.decision));
  }
}
async function decide(id, action, label = null) {
  const el = cardOf(id), large = $("#large").open, inside = large || el?.contains(document.activeElement);
  const answer = await asked("api/decide", {id, action, label});
  settle(answer);
  say(answer.said);
  if (!inside) return;
  const all = cards(), after = all.slice(all.indexOf(el) + 1).concat(all);
  const next = after.find(c => !isDone(c) && !(large && $(".picture", c).disabled));
  if (large && !next) return $("#large").close();
  goTo(next || el);
}
async function undo(decision) {
  const answer = await asked("api/undo", {decision});
  settle(answer);
  say(answer.said);
  const el = cardOf(answer.picture);
  if (el) goTo(el);
  else await fill(true);
}
$("#undo").onclick = attempt(() => undo(state.last));
$("#ask").onclick = () => $("#help").showModal();

document.addEventListener("keydown", attempt(async event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("#help").open || event.target.matches("select")) return;
  const el = here(), large = $("#large").open, id = el && !isDone(el) && Number(el.dataset.id);
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const plain = event.target === el || event.target === $("#large");  // a button hears Enter and Space itself
  const does = {
    ArrowRight: () => step(1), ArrowLeft: () => step(-1), u: () => state.last && undo(state.last), "?": () => $("#help").showModal(),
    k: () => id && decide(id, "keep"), d: () => id && decide(id, "discard"), Delete: () => id && decide(id, "discard")};
  if (wide() || large) Object.assign(does, {ArrowDown: () => step(1), ArrowUp: () => step(-1)});
  if (plain) does.Enter = () => id && decide(id, known.get(id).suggest.action, known.get(id).suggest.label);
  if (plain && !large) does[" "] = () => $(".picture", el).click();
  if (/^[1-9]$/.test(pressed)) does[pressed] = () => {
    const label = state.labels[pressed - 1];
    return id && label && decide(id, "move", label);
  };
  const act = does[pressed];
  if (!act || (!el && !["u", "?", "ArrowRight"].includes(pressed))) return;
  event.preventDefault();
  await act();
}));

attempt(() => open(location.hash.slice(1) || "labels"))();
