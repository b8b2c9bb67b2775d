// The tab Edit: a picture of yours or a held-out one, what to change, before and after.

import { Latest, get, of, send } from "./api.js";
import { beforeAfter } from "./before_after.js";
import { conditions } from "./choices.js";
import { $, blobOf, clearProblem, download, el, image, number, phrase, tellProblem } from "./dom.js";

const EACH = 15;
const form = $("edit-form");
const status = $("edit-status");
const latest = new Latest();
const paging = new Latest();
let run, readConditions = () => ({}), picture = null, first = 0, opened = false;

export function setRun(info) {
  run = info;
  latest.stop();
  picture = null;
  opened = false;
  first = 0;
  $("edit-file").value = "";
  for (const id of ["held", "edit-out", "edit-strip-out"]) $(id).replaceChildren();
  readConditions = conditions($("edit-conditions"), "edit", run.factors, { open: "as it is" });
  status.textContent = run.edits
    ? "Choose a picture, then what to change."
    : "This run cannot edit: it has no denoiser yet, or works on pixels directly.";
  ready();
}

export async function open() {
  if (opened || !run?.edits) return;
  opened = true;
  await page();
}

async function page() {
  const mine = run;
  try {
    const found = await get(of(run.name, `/pictures?start=${first}&count=${EACH}`), paging.next());
    if (mine !== run) return;
    $("held-title").textContent = `Or one of the ${found.which} pictures (${found.total})`;
    $("held-more").hidden = found.total <= EACH;
    first = found.start + EACH < found.total ? found.start + EACH : 0;
    $("held").replaceChildren(...found.pictures.map((src, place) => {
      const index = found.start + place;
      const words = phrase(found.words[place] ?? {});
      return el("button", { type: "button", "aria-pressed": "false", title: words, onclick: (event) => take({ held_out: index }, event.currentTarget) },
        image(src, `Picture ${index}: ${words}`));
    }));
  } catch (error) {
    if (error.name !== "AbortError") $("held").replaceChildren(el("p", { className: "note" }, error.message));
  }
}

function formData() {
  const data = new FormData();
  if (picture.file) data.append("picture", picture.file);
  else data.append("held_out", picture.held_out);
  return data;
}

// Shows a picture as the model sees it, and what the model finds in it.
async function take(chosen, button = null) {
  picture = chosen;
  for (const other of $("held").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  if (button) $("edit-file").value = "";
  $("edit-out").replaceChildren();
  $("edit-strip-out").replaceChildren();
  clearProblem();
  status.textContent = "Reading the picture …";
  try {
    const found = await send(of(run.name, "/edit/fit"), formData(), latest.next());
    const seen = Object.entries(found.source).map(([name, value]) => `${name}: ${value}${name in found.confidence ? ` (${Math.round(100 * found.confidence[name])}%)` : ""}`);
    status.textContent = `${found.note} The model finds: ${seen.join(", ") || "nothing"}.`.trim();
    $("edit-out").replaceChildren(el("div", { className: "before-after" }, image(found.picture, "The picture as the model sees it")));
  } catch (error) {
    if (error.name === "AbortError") return;
    picture = null;
    status.textContent = error.message;
    tellProblem(error);
  }
  ready();
}

function ready() {
  const can = Boolean(run?.edits && picture && Object.keys(readConditions()).length);
  $("edit-go").disabled = $("edit-strip").disabled = !can;
}

async function edit(strengths) {
  const data = formData();
  const to = readConditions();
  for (const [name, value] of Object.entries(to)) data.append("to", `${name}=${value}`);
  for (const strength of strengths) data.append("strengths", strength);
  const signal = latest.next();
  const began = performance.now();
  clearProblem();
  status.textContent = "Editing …";
  $("edit-cancel").hidden = false;
  try {
    const found = await send(of(run.name, "/edit/strip"), data, signal);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    status.textContent = found.unchanged
      ? "The model finds that the picture shows this already, so it stays as it is."
      : `From ${phrase(found.source)} to ${phrase(found.cond)}, in ${seconds} s.`;
    if (strengths.length > 1) showStrip(found);
    else showOne(found, 0);
  } catch (error) {
    status.textContent = error.name === "AbortError" ? "Cancelled." : "Not edited.";
    tellProblem(error);
  }
  if (latest.controller.signal === signal) $("edit-cancel").hidden = true;
}

function showOne(found, place) {
  const words = `${phrase(found.cond)}, strength ${number(found.strengths[place])}`;
  const save = () => download(blobOf(found.pictures[place]), `${run.name}_edit.png`);
  $("edit-out").replaceChildren(beforeAfter(found.original, found.pictures[place], words),
    el("div", { className: "row" }, el("button", { type: "button", onclick: save }, "PNG with its settings")));
}

function showStrip(found) {
  const buttons = found.pictures.map((src, place) => el("button", { type: "button", "aria-pressed": "false", onclick: () => choose(place) },
    image(src, `Strength ${number(found.strengths[place])}`)));
  function choose(place) {
    for (const [k, button] of buttons.entries()) button.setAttribute("aria-pressed", String(k === place));
    showOne(found, place);
  }
  $("edit-strip-out").replaceChildren(el("h3", {}, "Strengths"),
    el("ul", { className: "strip" }, ...buttons.map((button, place) => el("li", {}, button, el("p", {}, number(found.strengths[place]))))));
  const wanted = form.elements.strength.valueAsNumber;
  choose(found.strengths.reduce((best, one, k, all) => (Math.abs(one - wanted) < Math.abs(all[best] - wanted) ? k : best), 0));
}

function takeFile(file) {
  if (!file || !run.edits) return;
  take({ file });
}

export function start() {
  const strength = form.elements.strength;
  const show = () => ($("strength-value").textContent = number(strength.value));
  const drop = $("drop");
  show();
  strength.addEventListener("input", show);
  form.addEventListener("submit", (event) => { event.preventDefault(); if (!$("edit-go").disabled) edit([strength.valueAsNumber]); });
  $("edit-conditions").addEventListener("change", ready);
  $("edit-strip").addEventListener("click", () => edit([0, 0.2, 0.4, 0.6, 0.8, 1]));
  $("edit-cancel").addEventListener("click", () => latest.stop());
  $("held-more").addEventListener("click", page);
  $("edit-file").addEventListener("change", (event) => takeFile(event.target.files[0]));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); takeFile(event.dataTransfer.files[0]); });
}
