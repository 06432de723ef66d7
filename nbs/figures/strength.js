// The path of regularisation. Values: for each strength the share wrong in training and on pictures left out, and the
// weights of some of the 1,280 numbers.
import { AMBER, RED, TEAL, axes, percent, shape, start } from "./drive.js";

start("strength", (figure) => {
  const { strength, train, left_out, weights, chosen } = figure.values;
  const most = Math.max(...weights.flat().map(Math.abs)), high = Math.ceil(Math.max(...train, ...left_out, 0.1) * 10) / 10;
  figure.plot(560, 250, "Left, the share of wrong answers against the strength of regularisation, in training and on pictures left out. Right, the weights at the strength chosen.");
  figure.slider("at", "strength", [0, strength.length - 1, 1], chosen, (v) => strength[v]);
  figure.draw = () => {
    const k = figure.number("at");
    figure.svg.replaceChildren();
    const a = axes(figure.svg, [50, 25, 220, 180], [0, strength.length - 1], [0, high], ["strong ← regularisation → weak", "wrong"], (v) => (v <= high ? percent(v) : ""));
    figure.svg.querySelectorAll("text").forEach((t) => { if (+t.getAttribute("y") === 220) t.textContent = ""; });
    for (const [some, colour] of [[train, TEAL], [left_out, RED]]) {
      shape(figure.svg, "path", { d: `M${some.map((v, i) => [a.x(i), a.y(v)]).join("L")}`, fill: "none", stroke: colour, "stroke-width": 1.8 });
      shape(figure.svg, "circle", { cx: a.x(k), cy: a.y(some[k]), r: 5, fill: colour });
    }
    shape(figure.svg, "text", { x: 60, y: 38, style: `fill:${RED}` }, "left out");
    shape(figure.svg, "text", { x: 125, y: 38, style: `fill:${TEAL}` }, "in training");
    const width = 220 / weights[0].length;
    weights[k].forEach((w, i) => shape(figure.svg, "rect", { x: 320 + i * width, width: Math.max(1, width - 0.6), fill: AMBER,
      y: w > 0 ? 115 - 85 * w / most : 115, height: Math.max(0.5, 85 * Math.abs(w) / most) }));
    shape(figure.svg, "text", { x: 320, y: 18 }, `${weights[0].length} of the weights for bird`);
    figure.said.textContent = `At ${strength[k]}, ${percent(train[k])} are wrong of the pictures it was solved on, and ${percent(left_out[k])} of those left out. ${k === chosen ? "Its loss on those left out is the least of all." : ""}`;
  };
});
