// Where in a photo an answer comes from: class activation maps (Zhou et al. 2016), as `birdornot.why` draws them.
import {resize, thumbnail} from "../resample.js";

// From cold to hot, colours of matplotlib's "inferno".
const HOT = [[0, 0, 4], [33, 12, 74], [87, 16, 110], [138, 34, 106], [188, 55, 84], [228, 90, 49], [249, 142, 9],
             [249, 203, 53], [252, 255, 164]];

// Heat h×w, 0–1, of maps C×h×w: highest where most speaks for class number `label` of the head.
export function classActivation(maps, {weight, bias}, label) {
  const channels = weight.length/bias.length, places = maps.length/channels, heat = new Float64Array(places);
  for (let k = 0; k < channels; k++) {
    const w = weight[label*channels + k];
    for (let i = 0; i < places; i++) heat[i] += maps[k*places + i]*w;
  }
  const most = Math.max(1e-12, ...heat);
  return heat.map(v => Math.max(0, v)/most);
}

function hotColour(share, c) {
  const place = share*(HOT.length - 1), i = Math.min(HOT.length - 2, Math.trunc(place));
  return HOT[i][c] + (HOT[i + 1][c] - HOT[i][c])*(place - i);
}

// {data, width, height}: a picture in grey with heat over it in colour, no side longer than `size`. `heat` is square.
export function overlay(picture, heat, size = 300) {
  const {data, width, height} = thumbnail(picture, size), side = Math.sqrt(heat.length), out = new Uint8Array(data.length);
  const grey = Uint8Array.from({length: 3*heat.length}, (_, i) => Math.trunc(255*heat[Math.floor(i/3)]));
  const hot = resize({data: grey, width: side, height: side}, [width, height], "bicubic").data;
  for (let i = 0; i < data.length; i += 3) {
    const light = data[i]*19595 + data[i + 1]*38470 + data[i + 2]*7471 + 0x8000 >> 16, share = hot[i]/255;
    for (let c = 0; c < 3; c++) out[i + c] = light + (hotColour(share, c) - light)*(0.15 + 0.6*share);
  }
  return {data: out, width, height};
}
