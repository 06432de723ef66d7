// The fourth step: the model, its page and the photos as files to keep. What is in them is the matter of take.js.
import {$, make} from "../kit.js";
import {say} from "../words.js";

export function download(blob, name) {
  const url = URL.createObjectURL(blob), link = make("a", {href: url, download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export class Along {
  // `make_`: kind → async function that gives {blob, name}; all but the photos need a trained model.
  constructor(makers) { Object.assign(this, {makers, trained: false, any: false}); this.draw(); }

  allow(any, trained) { Object.assign(this, {any, trained}); this.draw(); }

  draw() {
    $("#taking").replaceChildren(make("ul", {class: "things"}, ...["model", "page", "photos"].map(kind => {
      const button = make("button", {type: "button", id: `take-${kind}`, disabled: !(kind === "photos" ? this.any : this.trained)}, say(`take.${kind}`));
      const note = make("p", {}, say(`take.${kind}_note`)), row = make("li", {}, button, note);
      button.addEventListener("click", () => this.save(button, row, kind));
      return row;
    })), make("p", {class: "hint"}, say("take.python")));
  }

  async save(button, row, kind) {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    row.querySelector(".wrong")?.remove();
    try {
      const {blob, name} = await this.makers[kind]();
      download(blob, name);
      $("#spoken").textContent = say("take.saved", {name});
    } catch (e) { row.append(make("p", {class: "wrong", role: "alert"}, e.message)); }
    finally { button.ariaBusy = "false"; }
  }
}
