// Pictures as elements: what a worker made of a photo, on a canvas.
import {make} from "../kit.js";

// {data, width, height} with three bytes a pixel.
export function canvasOf({data, width, height}, label) {
  const el = make("canvas", {width, height, role: "img", "aria-label": label}), rgba = new ImageData(width, height);
  for (let i = 0, o = 0; i < data.length; i += 3, o += 4) {
    rgba.data[o] = data[i]; rgba.data[o + 1] = data[i + 1]; rgba.data[o + 2] = data[i + 2]; rgba.data[o + 3] = 255;
  }
  el.getContext("2d").putImageData(rgba, 0, 0);
  return el;
}
