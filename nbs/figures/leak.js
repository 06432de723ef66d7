// A split by hand. Values: pictures (data URIs), labels, the drawing that each comes from, and all distances between them.
// A picture changes sides when it is dragged, touched, or chosen with Enter.
import { AMBER, RED, TEAL, element, percent, start } from "./drive.js";

start("leak", (figure) => {
  const { pictures, labels, drawing, far, held } = figure.values;
  const asked = figure.kept("held", held.join("-")), valid = new Set(asked.split("-").filter(Boolean).map(Number));
  const sides = [["to learn from", "train"], ["held out", "valid"]].map(([title, name]) =>
    element("div", { class: "side", "data-side": name }, element("strong", {}, title), element("div")));
  figure.box.append(element("div", { class: "sides" }, ...sides));

  const move = (i, to) => {
    if (to === undefined ? valid.has(i) : to === "train") valid.delete(i); else valid.add(i);
    figure.keep("held", [...valid].sort((a, b) => a - b).join("-"));
    figure.draw();
    items[i].focus({ preventScroll: true });
  };
  const items = pictures.map((src, i) => {
    const item = element("button", { class: "item", type: "button" }, element("img", { src, style: "width:56px;height:56px;object-fit:cover", alt: "", draggable: "false" }));
    let from = null;
    item.addEventListener("pointerdown", (e) => { from = [e.clientX, e.clientY]; item.setPointerCapture(e.pointerId); });
    item.addEventListener("pointermove", (e) => { if (from) item.style.transform = `translate(${e.clientX - from[0]}px, ${e.clientY - from[1]}px)`; });
    const end = (e) => {
      if (!from) return;
      const moved = Math.hypot(e.clientX - from[0], e.clientY - from[1]) > 8;
      [item.style.transform, from] = ["", null];
      item.dataset.dragged = moved ? "1" : "";
      if (!moved || e.type !== "pointerup") return;
      const side = sides.find((s) => { const r = s.getBoundingClientRect(); return e.clientX >= r.left && e.clientX <= r.right && e.clientY >= r.top && e.clientY <= r.bottom; });
      if (side) move(i, side.dataset.side);
    };
    item.addEventListener("pointerup", end);
    item.addEventListener("pointercancel", end);
    item.addEventListener("click", () => { if (!item.dataset.dragged) move(i); item.dataset.dragged = ""; });
    return item;
  });

  figure.draw = () => {
    const train = labels.map((_, i) => i).filter((i) => !valid.has(i));
    let wrong = 0, leaks = 0;
    items.forEach((item, i) => {
      const out = valid.has(i), near = out && train.length ? train.reduce((a, b) => (far[i][b] < far[i][a] ? b : a)) : null;
      const copy = near !== null && drawing[near] === drawing[i], bad = near !== null && labels[near] !== labels[i];
      wrong += bad; leaks += copy;
      item.style.borderColor = near === null ? "transparent" : copy ? AMBER : bad ? RED : TEAL;
      item.setAttribute("aria-label", `${labels[i]}, drawing ${drawing[i]}, ${out ? "held out" : "to learn from"}${copy ? ", answered from its copy" : bad ? ", answered wrongly" : ""}; move it`);
      sides[+out].lastChild.append(item);
    });
    figure.said.textContent = valid.size && train.length ? `${wrong} of ${valid.size} held-out pictures are answered wrongly (${percent(wrong / valid.size)}); ${leaks} were answered from a copy of themselves (amber). Put both copies of a drawing on one side, and see the error rise.` : "Put some pictures on each side.";
  };
});
