// Pictures in a grid while they form, and when they are done.

import { el, image, phrase } from "./dom.js";

export class Gallery {
  constructor(list, onOpen = null) {
    this.list = list;
    this.onOpen = onOpen;
    this.pictures = [];
  }

  begin(count) {
    this.pictures = [];
    this.list.setAttribute("aria-busy", "true");
    this.list.replaceChildren(...Array.from({ length: count }, () => el("li", {}, el("div", { className: "empty" }))));
  }

  preview({ first, pictures }) {
    for (const [place, src] of pictures.entries()) {
      const box = this.list.children[first + place]?.firstElementChild;
      if (!box) continue;
      if (box.tagName === "IMG") box.src = src;
      else box.replaceWith(image(src, "Forming"));
    }
  }

  // `captions` gives the text under a picture, or is left out.
  finish(pictures, captions = null) {
    this.pictures = pictures;
    this.list.setAttribute("aria-busy", "false");
    this.list.replaceChildren(...pictures.map((one, place) => {
      const shown = image(one.picture, `Picture ${one.index}: ${phrase(one.cond)}`);
      const box = this.onOpen ? el("button", { type: "button", onclick: () => this.onOpen(place) }, shown) : shown;
      return el("li", {}, box, ...(captions ? [el("p", {}, captions(one))] : []));
    }));
  }

  stop() {
    this.list.setAttribute("aria-busy", "false");
    if (!this.pictures.length) this.list.replaceChildren();
  }
}
