// One picture large: how it formed, its settings, and what lies near it.

import { Latest, of, post, postForFile } from "./api.js";
import { $, blobOf, download, el, image, number, phrase, tellProblem } from "./dom.js";

const dialog = $("viewer");
const latest = new Latest();

// `again(change, title, captions)` generates other pictures that start from this one.
export function openViewer({ run, pictures, place, body, again }) {
  const one = pictures[place];
  const words = phrase(one.cond);
  const big = image(one.picture, `Picture ${one.index}: ${words}`, { className: "big" });
  const time = el("span", { className: "value" }); // a label would name an <output> before it
  const steps = el("input", { type: "range", min: 0, max: 0, value: 0, disabled: true });
  const noisy = el("input", { type: "checkbox", disabled: true });
  const note = el("p", { className: "note", role: "status" }, "Loading its path from noise …");
  const alone = { ...body, cond: one.cond, count: 1, indices: [one.index] };
  let path;

  const show = () => {
    const step = steps.valueAsNumber;
    big.src = step === path.times.length - 1 ? one.picture : path[noisy.checked ? "noisy" : "clean"][step];
    time.textContent = `step ${step} of ${path.times.length - 1}, t = ${number(path.times[step], 3)}`;
  };
  const close = () => dialog.close();
  const factors = run.factors.filter((factor) => factor.values.length > 1);
  const other = el("select", { "aria-label": "Condition to change" }, ...factors.map(({ name }) => el("option", {}, name)));
  const distance = el("input", { type: "range", min: 0.05, max: 1, step: 0.05, value: 0.3, "aria-label": "Distance of the noise" });

  function sameNoise() {
    const factor = factors.find(({ name }) => name === other.value);
    const cond = factor.values.slice(0, 64).map((value) => ({ ...one.cond, [factor.name]: value }));
    close();
    again({ cond, indices: cond.map(() => one.index), ...(body.near ? { near: body.near } : {}) },
      `The noise of picture ${one.index}, each ${factor.name}`, (made) => made.cond[factor.name]);
  }
  function nearNoise() {
    close();
    again({ cond: one.cond, count: 8, near: { index: one.index, distance: distance.valueAsNumber } },
      `Near the noise of picture ${one.index}`, null);
  }
  async function saveGif() {
    note.textContent = "Making the GIF …";
    try {
      download(await postForFile(of(run.name, "/generate/gif"), alone), `${one.name}.gif`);
      note.textContent = "The GIF is among your downloads.";
    } catch (error) { note.textContent = error.message; }
  }
  const savePng = () => download(blobOf(one.picture), `${one.name}.png`);
  const step = (by) => { openViewer({ run, pictures, place: (place + by + pictures.length) % pictures.length, body, again }); };

  dialog.replaceChildren(
    el("button", { type: "button", className: "close", "aria-label": "Close", onclick: close }, "×"),
    el("div", { className: "viewer" },
      el("div", {}, big,
        el("label", { className: "field" }, "From noise to picture ", time, steps),
        el("label", { className: "check" }, noisy, " Show the noisy picture, not the predicted clean one"), note),
      el("div", {},
        el("h2", { id: "viewer-title" }, words === "any" ? `Picture ${one.index}` : words),
        el("dl", {}, ...[["seed", one.seed], ["number", one.index], ["guidance", number(one.guidance)], ["steps", one.num_steps], ["sampler", one.sampler]]
          .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
        el("div", { className: "row" },
          el("button", { type: "button", onclick: () => step(-1) }, "Previous"),
          el("button", { type: "button", onclick: () => step(1) }, "Next")),
        el("h3", {}, "Keep"),
        el("div", { className: "row" },
          el("button", { type: "button", onclick: savePng }, "PNG with its settings"),
          el("button", { type: "button", onclick: saveGif }, "GIF of its path")),
        ...(factors.length ? [el("h3", {}, "Same noise, other condition"),
          el("div", { className: "row" }, other, el("button", { type: "button", onclick: sameNoise }, "Show each value"))] : []),
        el("h3", {}, "Near noise"),
        el("div", { className: "row" }, distance, el("button", { type: "button", onclick: nearNoise }, "Show 8 neighbours")))));
  if (!dialog.open) dialog.showModal();
  steps.addEventListener("input", show);
  noisy.addEventListener("change", () => {
    if (noisy.checked && steps.valueAsNumber === path.times.length - 1) steps.value = Math.floor(path.times.length / 2);
    show();
  });

  post(of(run.name, "/generate/path"), alone, latest.next()).then((found) => {
    path = found;
    steps.max = path.times.length - 1; // before the value, which may not be above it
    steps.value = steps.max;
    steps.disabled = noisy.disabled = false;
    note.textContent = "Move the slider to see how it formed.";
    show();
  }).catch((error) => { if (error.name !== "AbortError") { note.textContent = "Its path cannot be shown."; tellProblem(error); } });
}

dialog.addEventListener("close", () => latest.stop());
