// Reliability under a temperature. Values: logits of answers to pictures, a row for each, and the number of the truth.
import { AMBER, TEAL, axes, percent, shape, start } from "./drive.js";

start("temperature", (figure) => {
  const { logits, truth, best } = figure.values;
  figure.plot(420, 290, "Reliability: how sure the answers are, against how many of them are right; honest answers lie on the diagonal.");
  figure.slider("t", "temperature", [0.5, 8, 0.1], 1, (v) => (+v).toFixed(1));
  figure.draw = () => {
    const t = figure.number("t"), bins = Array.from({ length: 10 }, () => [0, 0, 0]);
    let loss = 0;
    logits.forEach((row, i) => {
      const high = Math.max(...row), powers = row.map((z) => Math.exp((z - high) / t)), sum = powers.reduce((a, b) => a + b);
      const sure = 1 / sum, bin = bins[Math.min(9, Math.floor(10 * sure))];
      bin[0] += 1; bin[1] += sure; bin[2] += row.indexOf(high) === truth[i];
      loss -= Math.log(powers[truth[i]] / sum + 1e-12);
    });
    figure.svg.replaceChildren();
    const a = axes(figure.svg, [50, 25, 340, 215], [0.3, 1], [0, 1], ["mean confidence", "share right"], percent);
    shape(figure.svg, "path", { d: `M${a.x(0.3)} ${a.y(0.3)}L${a.x(1)} ${a.y(1)}`, class: "axis", "stroke-dasharray": "4 4" });
    const full = bins.filter((bin) => bin[0]), off = full.reduce((sum, [n, s, r]) => sum + Math.abs(s - r), 0) / truth.length;
    shape(figure.svg, "path", { d: `M${full.map(([n, s, r]) => [a.x(s / n), a.y(r / n)]).join("L")}`, fill: "none", stroke: TEAL });
    for (const [n, s, r] of full) shape(figure.svg, "circle", { cx: a.x(s / n), cy: a.y(r / n), r: 2 + 12 * Math.sqrt(n / truth.length), fill: Math.abs(s - r) / n > 0.05 ? AMBER : TEAL, opacity: 0.8 });
    figure.said.textContent = `On ${truth.length} answers the confidence is off by ${percent(off)} on average, and the loss is ${(loss / truth.length).toFixed(2)}. Not one answer changes. The temperature fitted to other answers was ${best.toFixed(1)}.`;
  };
});
