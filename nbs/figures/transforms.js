// What a DataBlock does to one picture. Values: the picture (a data URI) and the side of the square.
import { element, start } from "./drive.js";

start("transforms", (figure) => {
  const { picture, side } = figure.values, photo = new Image(), canvas = element("canvas", { width: 2 * side, height: 2 * side, role: "img", style: `width:${side}px` });
  figure.box.append(canvas);
  figure.choice("square", "item_tfms: made square by", ["squish", "crop", "pad"], "squish");
  figure.slider("turn", "batch_tfms: turned", [-10, 10, 1], 0, (v) => `${v}°`);
  figure.slider("zoom", "nearer", [1, 1.5, 0.05], 1, (v) => `× ${(+v).toFixed(2)}`);
  figure.slider("light", "lighter or darker", [-0.4, 0.4, 0.05], 0, (v) => (+v).toFixed(2));
  figure.check("mirror", "mirrored", false);
  figure.draw = () => {
    if (!photo.naturalWidth) return;
    const [pen, n, w, h] = [canvas.getContext("2d"), 2 * side, photo.naturalWidth, photo.naturalHeight], how = figure.controls.square.value;
    const by = how === "crop" ? Math.max(n / w, n / h) : Math.min(n / w, n / h);
    const [width, height] = how === "squish" ? [n, n] : [w * by, h * by], zoom = figure.number("zoom"), light = figure.number("light");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "black";
    pen.fillRect(0, 0, n, n);
    pen.translate(n / 2, n / 2);
    pen.rotate(figure.number("turn") * Math.PI / 180);
    pen.scale(figure.controls.mirror.checked ? -zoom : zoom, zoom);
    pen.drawImage(photo, -width / 2, -height / 2, width, height);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = light > 0 ? `rgba(255,255,255,${light})` : `rgba(0,0,0,${-light})`;
    pen.fillRect(0, 0, n, n);
    const lost = how === "crop" ? Math.round(100 * (1 - Math.min(w, h) / Math.max(w, h))) : 0, empty = how === "pad" ? Math.round(100 * (1 - Math.min(w, h) / Math.max(w, h))) : 0;
    figure.said.textContent = `${w} × ${h} pixels become ${side} × ${side}. ${lost ? `${lost} % of the picture are cut off.` : empty ? `${empty} % of the square hold nothing.` : "Nothing is lost, and the proportions change."} Would you still call it a bird?`;
    canvas.setAttribute("aria-label", `The picture, made square by ${how}`);
  };
  photo.addEventListener("load", () => figure.draw());
  photo.src = picture;
});
