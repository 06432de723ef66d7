// What all figures to drive have in common: controls with labels, their state in the address, and drawing.
// A page holds <div class="drive" data-drive="NAME" data-values="JSON">a still picture</div>; NAME.js replaces the picture.

const SVG = "http://www.w3.org/2000/svg", STYLE = `
.drive { margin: 1rem 0; border: 1px solid var(--bs-border-color, #8886); border-radius: .5rem; padding: .8rem 1rem; }
.drive svg { width: 100%; max-width: 34rem; height: auto; display: block; font: 12px sans-serif; touch-action: pan-y; }
.drive svg text { fill: currentColor; } .drive .axis { stroke: currentColor; opacity: .5; fill: none; }
.drive label { display: grid; grid-template-columns: minmax(9rem, 14rem) 1fr 4.5rem; gap: .8rem; align-items: center; min-height: 2rem; max-width: 34rem; }
.drive input[type=range] { width: 100%; accent-color: #1f9a8e; } .drive output { text-align: right; font-variant-numeric: tabular-nums; }
.drive .said { margin: .6rem 0 0; max-width: 34rem; min-height: 3em; } .drive button.item { padding: 0; border: 3px solid transparent; background: none; border-radius: 6px; touch-action: none; }
.drive :focus-visible { outline: 3px solid #1f9a8e; outline-offset: 2px; } .drive .sides { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem; max-width: 40rem; }
.drive .side { border: 1px dashed currentColor; border-radius: .4rem; padding: .4rem; min-height: 6rem; } .drive canvas { max-width: 100%; display: block; }
@media (max-width: 30rem) { .drive label { grid-template-columns: 1fr 4.5rem; } .drive label input, .drive label select { grid-column: 1; } }`;
export const TEAL = "#1f9a8e", AMBER = "#c98a1b", RED = "#d1495b";

export const element = (name, attributes = {}, ...inside) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
};

export const shape = (parent, name, attributes, text = "") => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  parent.append(made);
  return made;
};

// The state of a figure is in the address, as NAME.control=value, so that a link shows what its sender saw.
export class Figure {
  constructor(box, name) {
    [this.box, this.name, this.values, this.controls] = [box, name, JSON.parse(box.dataset.values), {}];
    this.said = element("p", { class: "said", "aria-live": "polite" });
    box.replaceChildren();
  }

  kept(key, otherwise) { return new URLSearchParams(location.search).get(`${this.name}.${key}`) ?? otherwise; }

  keep(key, value) {
    const asked = new URLSearchParams(location.search);
    asked.set(`${this.name}.${key}`, value);
    history.replaceState(null, "", `?${asked}${location.hash}`);
  }

  control(key, label, input, shown = (value) => value) {
    const output = element("output");
    const look = () => { output.textContent = shown(input.type === "checkbox" ? input.checked : input.value); };
    input.addEventListener("input", () => {
      look();
      this.keep(key, input.type === "checkbox" ? +input.checked : input.value);
      this.draw();
    });
    this.controls[key] = input;
    this.box.append(element("label", {}, label, input, output));
    look();
  }

  slider(key, label, [low, high, step], start, shown) {
    const input = element("input", { type: "range", min: low, max: high, step });
    input.value = this.kept(key, start);
    this.control(key, label, input, shown);
  }

  choice(key, label, options, start) {
    const input = element("select", {}, ...options.map((o) => element("option", {}, o)));
    input.value = options.includes(this.kept(key, start)) ? this.kept(key, start) : start;
    this.control(key, label, input, () => "");
  }

  check(key, label, start) {
    const input = element("input", { type: "checkbox" });
    input.checked = this.kept(key, +start) === "1" || this.kept(key, +start) === 1;
    this.control(key, label, input, () => "");
  }

  number(key) { return +this.controls[key].value; }

  plot(width, height, described) {
    this.svg = document.createElementNS(SVG, "svg");
    for (const [k, v] of Object.entries({ viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": described })) this.svg.setAttribute(k, v);
    this.box.append(this.svg);
  }
}

// Axes from x0 to x1 and y0 to y1 in a frame; → functions that place a value
export const axes = (svg, [left, top, width, height], [x0, x1], [y0, y1], names, mark = (v) => v) => {
  const x = (v) => left + (Math.min(Math.max(v, x0), x1) - x0) / (x1 - x0) * width;
  const y = (v) => top + height - (Math.min(Math.max(v, y0), y1) - y0) / (y1 - y0) * height;
  shape(svg, "path", { d: `M${left} ${top}V${top + height}H${left + width}`, class: "axis" });
  for (const end of [0, 0.5, 1]) {
    const [vx, vy] = [x0 + end * (x1 - x0), y0 + end * (y1 - y0)];
    shape(svg, "text", { x: x(vx), y: top + height + 15, "text-anchor": "middle" }, mark(vx));
    shape(svg, "text", { x: left - 5, y: y(vy) + 4, "text-anchor": "end" }, mark(vy));
  }
  shape(svg, "text", { x: left + width / 2, y: top + height + 32, "text-anchor": "middle" }, names[0]);
  shape(svg, "text", { x: left, y: top - 7 }, names[1]);
  return { x, y };
};

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.095 ? 1 : 0)} %`;

export const start = (name, build) => {
  if (!document.getElementById("drive-style")) document.head.append(element("style", { id: "drive-style" }, STYLE));
  for (const box of document.querySelectorAll(`[data-drive="${name}"]`)) {
    const figure = new Figure(box, name);
    build(figure);
    figure.box.append(figure.said);
    figure.draw();
  }
};
