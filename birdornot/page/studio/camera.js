// The camera: a burst of photos for a class, or the pictures it shows, one after the other, to be answered.
import {$, make} from "../kit.js";
import {say} from "../words.js";

const PACE = 250;  // milliseconds from one photo of a burst to the next
const SIDE = 1280;  // of the pictures that are asked of the camera, pixels

export class Camera {
  constructor() { this.facing = "environment"; }

  // Show what the camera sees in a <video>; rejects with a sentence where there is none, or it may not be used.
  async show(video) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error(say(isSecureContext ? "camera.none" : "camera.insecure"));
    const wanted = {video: {width: {ideal: SIDE}, facingMode: {ideal: this.facing}}};
    try { this.stream = await navigator.mediaDevices.getUserMedia(wanted); }
    catch (e) { throw new Error(say(e.name === "NotAllowedError" ? "camera.forbidden" : "camera.none")); }
    this.video = video;
    video.srcObject = this.stream;
    await video.play().catch(() => {});
  }

  async turn() {
    this.facing = this.facing === "environment" ? "user" : "environment";
    const {video} = this;
    this.stop();
    await this.show(video);
  }

  stop() {
    this.stream?.getTracks().forEach(track => track.stop());
    if (this.video) this.video.srcObject = null;
    this.stream = this.video = null;
  }

  get ready() { return Boolean(this.video?.videoWidth); }

  // What it sees now, as a file.
  async photo(name) {
    const {videoWidth: width, videoHeight: height} = this.video, shot = new OffscreenCanvas(width, height);
    shot.getContext("2d").drawImage(this.video, 0, 0);
    return new File([await shot.convertToBlob({type: "image/jpeg", quality: 0.92})], name, {type: "image/jpeg"});
  }

  frame() { return createImageBitmap(this.video); }
}

const severalCameras = async () => {
  try { return (await navigator.mediaDevices.enumerateDevices()).filter(d => d.kind === "videoinput").length > 1; }
  catch { return false; }
};

// A window in which photos are taken for as long as the button is held down; `take(file)` gets each.
export async function burst(label, take, failed) {
  const dialog = $("#booth"), camera = new Camera(), count = make("p", {class: "count", role: "status"});
  const video = make("video", {autoplay: true, playsInline: true, muted: true, "aria-label": say("camera.sees")});
  const shoot = make("button", {type: "button", class: "main"}, say("camera.hold")), leave = make("button", {type: "button"}, say("camera.done"));
  const turn = make("button", {type: "button"}, say("camera.turn"));
  let held = null, n = 0;
  const one = async () => {
    if (!camera.ready) return;
    take(await camera.photo(`camera-${String(Date.now())}.jpg`));
    count.textContent = say("camera.count", {n: ++n, label});
  };
  const start = () => { if (held === null) { one(); held = setInterval(one, PACE); } };
  const stop = () => { clearInterval(held); held = null; };
  shoot.addEventListener("pointerdown", e => { shoot.setPointerCapture(e.pointerId); start(); });
  for (const kind of ["pointerup", "pointercancel", "blur"]) shoot.addEventListener(kind, stop);
  shoot.addEventListener("keyup", e => { e.preventDefault(); stop(); });
  shoot.addEventListener("keydown", e => { if (e.key === " " || e.key === "Enter") { e.preventDefault(); start(); } });
  shoot.addEventListener("contextmenu", e => e.preventDefault());
  shoot.addEventListener("click", e => { if (!e.detail) one(); });  // from a screen reader: one photo
  leave.addEventListener("click", () => dialog.close());
  turn.addEventListener("click", () => camera.turn().catch(e => { count.textContent = e.message; }));
  turn.hidden = true;
  dialog.setAttribute("aria-label", say("photos.camera_for", {label}));
  dialog.replaceChildren(video, count, make("div", {class: "row"}, shoot, turn, leave));
  dialog.addEventListener("close", () => { stop(); camera.stop(); }, {once: true});
  try { await camera.show(video); }
  catch (e) { return failed(e.message); }
  turn.hidden = !await severalCameras();
  dialog.showModal();
}
