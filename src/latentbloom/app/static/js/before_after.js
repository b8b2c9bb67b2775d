// Two pictures on top of each other, and a slider between them.

import { el, image } from "./dom.js";

export function beforeAfter(before, after, words) {
  const top = el("div", { className: "after" }, image(after, `After: ${words}`));
  const line = el("div", { className: "line" });
  const slider = el("input", { type: "range", min: 0, max: 100, value: 50 });
  const show = () => {
    top.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    line.style.left = `${slider.value}%`;
  };
  slider.addEventListener("input", show);
  const box = el("div", { className: "before-after" }, image(before, "Before"), top, line);
  box.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && !event.buttons) return;
    const { left, width } = box.getBoundingClientRect();
    slider.value = Math.round((event.clientX - left) / width * 100);
    show();
  });
  show();
  return el("div", {}, box, el("label", { className: "field" }, "After on the right, before on the left", slider));
}
