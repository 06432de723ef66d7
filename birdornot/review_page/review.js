"use strict"
const $ = (selector, within = document) => within.querySelector(selector)
const make = (tag, props = {}, ...kids) => {
  const el = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) name in el ? el[name] = value : el.setAttribute(name, value)
  el.append(...kids)
  return el
}
const key = name => make("kbd", {textContent: name, ariaHidden: "true"})
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`

let state = {view: "", labels: [], views: [], decided: 0, last: null}

const ask = async (path, body) => {
  const options = body && {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)}
  const reply = await fetch(path, options)
  const answer = await reply.json()
  if (!reply.ok) throw new Error(answer.error)
  return answer
}
const say = text => { $("#wrong").textContent = ""; $("#said").textContent = text }
const complain = error => { $("#said").textContent = ""; $("#wrong").textContent =
  error instanceof TypeError ? "The program behind this page has stopped. Start `birdornot review` again; every decision so far is kept." : error.message }
const attempt = work => async (...args) => { try { return await work(...args) } catch (error) { complain(error) } }

// ---- the page around the pictures
const showHead = answer => {
  Object.assign(state, {labels: answer.labels, views: answer.views, decided: answer.decided, last: answer.last})
  document.title = `Review ${answer.name}`
  $("#name").textContent = answer.name
  $("#progress").textContent = plural(state.decided, "decision")
  $("#undo").disabled = !state.last
  $("#numbers").textContent = state.labels.length ? `(${state.labels.slice(0, 9).map((l, i) => `${i + 1} ${l}`).join(", ")})` : ""
  const focused = document.activeElement?.closest("#views button")?.dataset.view
  $("#views").replaceChildren(...state.views.map(v => make("button", {
    role: "tab", id: `tab-${v.name}`, ariaSelected: String(v.name === state.view), tabIndex: v.name === state.view ? 0 : -1,
    onclick: attempt(() => open(v.name))}, v.title, make("b", {textContent: v.count}))))
  state.views.forEach((v, i) => $("#views").children[i].dataset.view = v.name)
  if (focused) $(`#tab-${focused}`)?.focus()
}
$("#views").onkeydown = event => {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
  if (!step) return
  event.preventDefault(); event.stopPropagation()
  const names = state.views.map(v => v.name), to = names[(names.indexOf(state.view) + step + names.length) % names.length]
  attempt(open)(to).then(() => $(`#tab-${to}`).focus())
}

// ---- one picture
const facts = p => {
  const lines = []
  if (p.status === "clean") lines.push(make("p", {}, "in ", make("span", {className: "chip", textContent: p.label})))
  else lines.push(make("p", {}, "found as ", make("span", {className: "chip", textContent: p.label})))
  if (p.hint) lines.push(make("p", {className: "hint", textContent: p.hint}))
  const fine = make("p", {className: "fine", textContent: [p.title, p.size, p.licence].filter(Boolean).join(" · ")})
  if (p.page) fine.append(" · ", make("a", {href: p.page, rel: "noreferrer noopener", target: "_blank", textContent: "where it is from"}))
  lines.push(fine)
  return make("div", {className: "facts"}, ...lines)
}
const buttons = p => {
  const others = state.labels.filter(l => l !== p.label)
  const act = (action, label) => attempt(() => decide(p.id, action, label))
  const keep = make("button", {className: "keep", onclick: act("keep")}, p.status === "clean" ? "Keep" : "Bring back", key("K"))
  const drop = make("button", {className: "drop", onclick: act("discard")}, p.status === "clean" ? "Discard" : "Leave out", key("D"))
  const moves = others.length <= 3
    ? others.map(l => make("button", {onclick: act("move", l)}, `To ${l}`, key(state.labels.indexOf(l) + 1)))
    : [make("select", {ariaLabel: "Move to a class", onchange: event => act("move", event.target.value)()},
        make("option", {value: "", textContent: "Move to …"}), ...others.map(l => make("option", {value: l, textContent: l})))]
  return make("div", {className: "acts"}, ...(p.shown ? [keep, ...moves] : []), drop)
}
const card = p => {
  const img = make("img", {alt: p.alt, loading: "lazy"})
  if (p.shown) img.src = `img/${p.id}`
  const picture = make("button", {className: "picture", ariaLabel: `Look closer: ${p.alt}`, onclick: () => enlarge(p)}, img)
  const lost = () => picture.replaceChildren(make("span", {className: "lost", textContent: "This file cannot be shown."}))
  img.onerror = lost
  if (!p.shown) { lost(); picture.disabled = true }
  const el = make("article", {className: "card", tabIndex: -1, ariaLabel: [p.alt, p.hint].filter(Boolean).join(". ")}, picture, facts(p), buttons(p),
    make("div", {className: "verdict"}, make("span"), make("button", {textContent: "Undo"})))
  el.dataset.id = p.id
  return el
}
const enlarge = p => {
  $("#large img").src = `img/${p.id}`
  $("#large img").alt = p.alt
  $("#large p").textContent = p.alt
  $("#large").showModal()
}

// ---- the queue
const wide = () => ["conflicts", "copies"].includes(state.view)
const group = g => {
  const el = make("li", {className: "group"}, ...g.map(card))
  if (g.length > 1 && state.view === "copies") el.append(make("button", {className: "all", textContent: `Keep all ${g.length}`,
    onclick: attempt(async () => { for (const p of g) if (!cardOf(p.id).classList.contains("done")) await decide(p.id, "keep") })}))
  return el
}
const cardOf = id => $(`.card[data-id="${id}"]`)
const undecided = () => [...document.querySelectorAll(".card:not(.done)")]
const here = () => document.activeElement?.closest(".card")
const goTo = el => {
  if (!el) return
  document.querySelectorAll(".card").forEach(c => c.tabIndex = -1)
  el.tabIndex = 0
  el.focus()
}
const step = by => {
  const all = [...document.querySelectorAll(".card")], at = all.indexOf(here())
  goTo(at < 0 ? all[0] : all[Math.max(0, Math.min(all.length - 1, at + by))])
}
const openGroups = () => [...document.querySelectorAll(".group")].filter(g => $(".card:not(.done)", g)).length
const fill = async fresh => {
  const view = state.view
  const answer = await ask(`api/queue?view=${view}&offset=${fresh ? 0 : openGroups()}`)
  if (view !== state.view) return  // the answer to an earlier click, overtaken by a later one
  showHead(answer)
  $("#about").textContent = answer.about
  $("#queue").className = wide() ? "wide" : ""
  if (fresh) $("#queue").replaceChildren()
  $("#queue").append(...answer.groups.map(group))
  const left = answer.total - openGroups()
  $("#more").hidden = left <= 0
  $("#more").textContent = `Show more (${left} left)`
  $("#empty").hidden = answer.total > 0
  $("#empty").textContent = answer.empty
  if (!document.querySelector('.card[tabindex="0"]') && $(".card")) $(".card").tabIndex = 0
}
const open = async view => {
  state.view = view
  history.replaceState(null, "", `#${view}`)
  await fill(true)
  $("#main").setAttribute("aria-labelledby", `tab-${view}`)
}
$("#more").onclick = attempt(async () => {
  const before = document.querySelectorAll(".card").length
  await fill(false)
  goTo(document.querySelectorAll(".card")[before])
})

// ---- deciding
const settle = answer => {
  showHead(answer)
  for (const [id, words] of Object.entries(answer.changed)) {
    const el = cardOf(id)
    if (!el) continue
    el.classList.toggle("done", Boolean(words))
    $(".verdict span", el).textContent = words || ""
    $(".verdict button", el).onclick = attempt(() => undo(answer.decision))
  }
}
const decide = async (id, action, label = null) => {
  const el = cardOf(id), inside = el?.contains(document.activeElement)
  const answer = await ask("api/decide", {id, action, label})
  settle(answer)
  say(answer.said)
  if (!inside) return
  const all = [...document.querySelectorAll(".card")], after = all.slice(all.indexOf(el) + 1).concat(all)
  goTo(after.find(c => !c.classList.contains("done")) || el)
}
const undo = async decision => {
  const answer = await ask("api/undo", {decision})
  settle(answer)
  say(answer.said)
  const el = cardOf(answer.picture)
  el ? goTo(el) : await fill(true)
}
$("#undo").onclick = attempt(() => undo(state.last))
$("#ask").onclick = () => $("#help").showModal()

document.addEventListener("keydown", attempt(async event => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return
  if (event.target.matches("select")) return
  const el = here(), id = el && !el.classList.contains("done") && Number(el.dataset.id)
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const does = {
    ArrowRight: () => step(1), ArrowDown: () => wide() ? step(1) : null, ArrowLeft: () => step(-1), ArrowUp: () => wide() ? step(-1) : null,
    u: () => state.last && undo(state.last), "?": () => $("#help").showModal(),
    k: () => id && decide(id, "keep"), d: () => id && decide(id, "discard"), Delete: () => id && decide(id, "discard"),
    " ": () => event.target === el && $(".picture", el).click()}
  if (/^[1-9]$/.test(pressed)) does[pressed] = () => {
    const label = state.labels[pressed - 1]
    return id && label && decide(id, "move", label)
  }
  const act = does[pressed]
  if (!act || (!el && !["u", "?", "ArrowRight"].includes(pressed))) return
  if (pressed === " " && event.target !== el) return
  if (pressed === "ArrowDown" || pressed === "ArrowUp") { if (!wide()) return }
  event.preventDefault()
  await act()
}))

attempt(() => open(location.hash.slice(1) || "labels"))()
