// How far a hash moves when its picture is changed. Values: the hash and a small picture of the original, and for each
// kind of change its steps: a word, a hash, a picture.
import { RED, element, shape, start } from "./drive.js";

const bits = (hash) => [...hash].flatMap((c) => [8, 4, 2, 1].map((b) => (parseInt(c, 16) & b ? 1 : 0)));

start("hash", (figure) => {
  const { hash, picture, changes, limit } = figure.values, kinds = Object.keys(changes), own = bits(hash);
  const pair = [0, 1].map(() => element("img", { width: 150, style: "border-radius:4px" }));
  pair[0].src = picture;
  pair[0].alt = "the picture";
  figure.box.append(element("div", { style: "display:flex;gap:1rem;flex-wrap:wrap;align-items:center;margin-bottom:.8rem" }, ...pair));
  figure.plot(360, 175, "The 256 bits of both hashes as squares; those of the second that differ are red.");
  figure.choice("kind", "change", kinds, kinds[0]);
  figure.slider("step", "how much", [0, changes[kinds[0]].length - 1, 1], 1, () => "");  // the sentence below says how much
  figure.draw = () => {
    const steps = changes[figure.controls.kind.value], [said, changed, shown] = steps[Math.min(figure.number("step"), steps.length - 1)];
    const other = bits(changed), differ = own.filter((b, i) => b !== other[i]).length;
    pair[1].src = shown;
    pair[1].alt = `the picture, ${said}`;
    figure.svg.replaceChildren();
    [own, other].forEach((some, k) => some.forEach((b, i) => shape(figure.svg, "rect", {
      x: 190 * k + 10 * (i % 16), y: 10 * Math.floor(i / 16), width: 9, height: 9, stroke: "currentColor", "stroke-opacity": 0.3,
      fill: k && b !== own[i] ? RED : b ? "currentColor" : "none" })));
    figure.said.textContent = `${said}: ${differ} of 256 bits differ. The limit is ${limit}, so it is ${differ <= limit ? "looked at more closely, as a copy might be" : "taken for another picture"}.`;
  };
});
