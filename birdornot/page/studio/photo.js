// One photo, large: which class it is in, what it is a copy of, and the way out of the project.
import {$, make} from "../kit.js";
import {say} from "../words.js";
import {nameOf} from "./classes.js";

function closing(dialog, text, work, kind = "small") {
  const el = make("button", {type: "button", class: kind}, text);
  el.addEventListener("click", () => { dialog.close(); work?.(); });
  return el;
}

export function openPhoto(project, photo, removed) {
  const dialog = $("#photo"), url = URL.createObjectURL(photo.blob), copies = project.copiesOf(photo);
  const picture = make("img", {src: url, alt: photo.name});
  picture.addEventListener("error", () => { picture.src = photo.url; });
  const select = make("select", {"aria-label": say("photo.class")}, ...project.classes.map(c => make("option", {value: c.id}, nameOf(project, c))));
  select.value = photo.of;
  select.addEventListener("change", () => project.move(photo, select.value));
  const twins = copies.map(c => make("li", {}, make("img", {src: c.url, alt: c.name, width: 72, height: 72}), make("b", {}, nameOf(project, project.classOf(c)))));
  dialog.setAttribute("aria-label", photo.name);
  dialog.replaceChildren(picture, make("p", {class: "name"}, `${photo.name} · ${photo.width} × ${photo.height}`),
    ...(twins.length ? [make("p", {}, say("photo.copies")), make("ul", {class: "strip"}, ...twins)] : []),
    make("div", {class: "row"}, select, closing(dialog, say("photo.remove"), () => { project.remove(photo); removed(); }),
         closing(dialog, say("photo.close"), null, "main")));
  dialog.addEventListener("close", () => URL.revokeObjectURL(url), {once: true});
  dialog.showModal();
}

// Ask before something that cannot be undone.
export function askFirst(question, yes, act) {
  const dialog = $("#sure");
  dialog.setAttribute("aria-label", question);
  dialog.replaceChildren(make("p", {}, question), make("div", {class: "row"}, closing(dialog, say("sure.no"), null, "main"), closing(dialog, yes, act)));
  dialog.showModal();
}
