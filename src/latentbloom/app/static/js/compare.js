// The tab Compare: two runs, or two qualities of one, from the same noise.

import { Latest, of, stream } from "./api.js";
import { conditions } from "./choices.js";
import { $, clearProblem, el, phrase, tellProblem } from "./dom.js";
import { Gallery } from "./gallery.js";

const form = $("compare-form");
const status = $("compare-status");
const latest = new Latest();
let runs, readConditions = () => ({});

const chosen = (side) => runs.find(({ name }) => name === form.elements[side].value);

export function setRuns(all) {
  runs = all.filter((run) => run.generates);
  for (const [place, side] of ["left", "right"].entries()) {
    form.elements[side].replaceChildren(...runs.map(({ name }) => el("option", {}, name)));
    form.elements[side].selectedIndex = Math.min(place, runs.length - 1);
  }
  if (runs.length === 1) form.elements["left-quality"].value = "draft";
  form.querySelector("button.main").disabled = !runs.length;
  shared();
}

// Conditions and values that both runs know.
function shared() {
  const [left, right] = [chosen("left"), chosen("right")];
  if (!left || !right) return;
  const factors = left.factors.flatMap((factor) => {
    const same = right.factors.find(({ name }) => name === factor.name);
    const values = same ? factor.values.filter((value) => same.values.includes(value)) : [];
    return values.length ? [{ name: factor.name, values }] : [];
  });
  readConditions = conditions($("compare-conditions"), "compare", factors, { none: "The two runs share no condition." });
  const missing = [...left.factors, ...right.factors].map(({ name }) => name).filter((name) => !factors.some((one) => one.name === name));
  status.textContent = runs.length === 1
    ? "One run is served, so its qualities are compared. Start the app with two run folders to compare runs."
    : missing.length ? `Both start from the same noise. Only one of them knows ${[...new Set(missing)].join(", ")}.` : "Both start from the same noise.";
}

async function compare(event) {
  event.preventDefault();
  clearProblem();
  const signal = latest.next();
  const count = form.elements.count.valueAsNumber;
  const cond = readConditions();
  const sides = ["left", "right"].map((side) => {
    const run = chosen(side);
    const list = el("ul", { className: "gallery", "aria-label": `Pictures of ${run.name}` });
    const quality = form.elements[`${side}-quality`].value;
    return { run, quality, gallery: new Gallery(list), list, time: el("p", { className: "note" }, "Waiting …") };
  });
  $("compare-out").replaceChildren(...sides.map((side) =>
    el("div", {}, el("h3", {}, `${side.run.name}, ${side.quality}`), side.time, side.list, numbers(side.run))));
  $("compare-cancel").hidden = false;
  try {
    await Promise.all(sides.map(async (side) => {
      side.gallery.begin(count);
      let began = performance.now();
      const body = { cond, count, seed: form.elements.seed.valueAsNumber, quality: side.quality };
      const done = await stream(of(side.run.name, "/generate/stream"), body, {
        queued: ({ ahead }) => { side.time.textContent = ahead ? `Waiting: ${ahead} ahead.` : "Waiting …"; },
        started: () => { began = performance.now(); },
        preview: (seen) => { side.gallery.preview(seen); side.time.textContent = `Step ${seen.step + 1} of ${seen.steps}`; },
      }, signal);
      side.gallery.finish(done.pictures);
      side.time.textContent = `${done.settings.num_steps} steps, guidance ${done.settings.guidance}, ${((performance.now() - began) / 1000).toFixed(1)} s`;
    }));
    status.textContent = `${count} pictures of “${phrase(cond)}” each, from the same noise.`;
  } catch (error) {
    status.textContent = error.name === "AbortError" ? "Cancelled." : "Not compared.";
    for (const side of sides) side.gallery.stop();
    tellProblem(error);
  }
  if (latest.controller.signal === signal) $("compare-cancel").hidden = true;
}

function numbers(run) {
  if (!run.numbers.length) return el("p", { className: "note" }, "No scores yet.");
  return el("table", {}, el("caption", { className: "hide" }, `Scores of ${run.name}`), el("tbody", {}, ...run.numbers.map(({ label, value, hint }) =>
    el("tr", {}, el("th", { scope: "row", title: hint }, label), el("td", {}, value)))));
}

export function start() {
  form.addEventListener("submit", compare);
  for (const side of ["left", "right"]) form.elements[side].addEventListener("change", shared);
  $("compare-cancel").addEventListener("click", () => latest.stop());
}
