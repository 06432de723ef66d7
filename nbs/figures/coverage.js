// Error against coverage, with the two limits of "unsure". Values: sure, novelty, right of birds and forests that no
// model had seen in training; sure and novelty of things; the limits that were chosen.
import { AMBER, RED, TEAL, axes, percent, shape, start } from "./drive.js";

start("coverage", (figure) => {
  const { sure, novelty, right, things, limits } = figure.values;
  const top = Math.ceil(Math.max(...novelty, ...things.novelty) * 10) / 10 + 0.1;
  figure.plot(560, 250, "Left, each picture by confidence and novelty, with both limits. Right, the error among the answers against the share answered.");
  figure.slider("confidence", "least confidence", [0.5, 1, 0.001], limits.min_confidence, (v) => (+v).toFixed(2));
  figure.slider("novelty", "most novelty", [0.6, top, 0.001], limits.max_novelty, (v) => (+v).toFixed(2));

  const share = (confidence, most) => {
    const answered = sure.map((_, i) => i).filter((i) => sure[i] >= confidence && novelty[i] <= most);
    return { coverage: answered.length / sure.length, n: answered.length, wrong: answered.filter((i) => !right[i]).length };
  };

  figure.draw = () => {
    const [least, most] = [figure.number("confidence"), figure.number("novelty")];
    figure.svg.replaceChildren();
    const a = axes(figure.svg, [45, 25, 210, 180], [0.5, 1], [0.4, top], ["confidence", "novelty"], (v) => v.toFixed(2));
    shape(figure.svg, "rect", { x: a.x(least), y: a.y(most), width: a.x(1) - a.x(least), height: a.y(0.4) - a.y(most), fill: TEAL, opacity: 0.18 });
    things.sure.forEach((s, i) => shape(figure.svg, "path", { d: `M${a.x(s) - 3.5} ${a.y(things.novelty[i]) - 3.5}l7 7m0 -7l-7 7`, stroke: AMBER, "stroke-width": 1.6 }));
    sure.forEach((s, i) => shape(figure.svg, "circle", { cx: a.x(s), cy: a.y(novelty[i]), r: right[i] ? 2.6 : 4, fill: right[i] ? TEAL : RED }));
    const b = axes(figure.svg, [325, 25, 210, 180], [0, 1], [0, 0.2], ["share answered", "wrong among the answers"], percent);
    const path = [];
    for (let c = 0.5; c <= 1; c += 0.005) {
      const s = share(c, most);
      if (s.n) path.push([b.x(s.coverage), b.y(s.wrong / s.n)]);
    }
    shape(figure.svg, "path", { d: `M${path.join("L")}`, fill: "none", stroke: TEAL, "stroke-width": 1.6 });
    const now = share(least, most);
    if (now.n) shape(figure.svg, "circle", { cx: b.x(now.coverage), cy: b.y(now.wrong / now.n), r: 6, fill: AMBER });
    const caught = things.sure.filter((s, i) => s < least || things.novelty[i] > most).length;
    figure.said.textContent = `${now.n} of ${sure.length} birds and forests get an answer, ${now.wrong} of them a wrong one; ${caught} of ${things.sure.length} things are unsure.`;
  };
});
