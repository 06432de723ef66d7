const main = document.querySelector("main"), all = [...document.querySelectorAll(".slide")], last = all.length - 1;
const at = () => Math.round(main.scrollLeft/main.clientWidth);
const show = (n) => { main.scrollTo({ left: Math.max(0, Math.min(n, last))*main.clientWidth, behavior: "instant" }); };
const fill = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.())?.catch(() => {});
const tell = () => {
  const n = at();
  document.querySelector("#place").textContent = n ? `${n} of ${last}` : "";
  document.querySelector("nav").hidden = !n;
  all.forEach((slide, i) => { slide.inert = i !== n; });
  history.replaceState(null, "", n ? `#${n}` : location.pathname);
};
const turns = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1, Home: -all.length, End: all.length };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.closest("button, a")) return;
  if (event.key in turns) { event.preventDefault(); show(at() + turns[event.key]); }
  if (event.key === "s") document.querySelectorAll(".notes").forEach((notes) => { notes.hidden = !notes.hidden; });
  if (event.key === "f") fill();
});
document.querySelector("#start").onclick = () => { show(1); fill(); };
document.querySelector("#on").onclick = () => show(at() + 1);
document.querySelector("#back").onclick = () => show(at() - 1);
let here = Number(location.hash.slice(1));
addEventListener("resize", () => show(here));
main.addEventListener("scroll", () => { tell(); });
main.addEventListener("scrollend", () => { here = at(); });
show(here);
tell();
