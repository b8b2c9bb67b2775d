// The tab Watch: how a run gets on, read again every few seconds while it trains.

import { get, of } from "./api.js";
import { $, el, image } from "./dom.js";

const out = $("watch-out");
const EVERY = 3000;
let run, timer, visible = false, changed = null;

export function setRun(info) { run = info; changed = null; if (visible) look(); }

export function show(yes) {
  visible = yes;
  clearTimeout(timer);
  if (yes) look();
}

async function look() {
  clearTimeout(timer);
  const mine = run;
  try {
    const found = await get(of(run.name, "/progress"));
    if (mine !== run) return;
    const stamp = `${found.changed} ${found.state}`;
    if (stamp !== changed) { changed = stamp; fill(found); }
    if (visible && found.state === "training") timer = setTimeout(look, EVERY);
  } catch (error) {
    out.replaceChildren(el("p", { className: "note" }, error.message));
    if (visible) timer = setTimeout(look, 4 * EVERY);
  }
}

const STATES = { finished: "Finished", training: "In training", stopped: "Stopped early" };

function fill({ state, sentences, worries, stages, preview }) {
  out.setAttribute("aria-busy", "false");
  out.replaceChildren(
    el("p", { className: `state ${state}` }, STATES[state]),
    ...sentences.map((text) => el("p", { className: "sentence" }, text)),
    ...worries.map((text) => el("p", { className: "worry" }, text)),
    ...(preview ? [el("h3", {}, "Latest preview"), image(preview, "Latest preview from training", { className: "preview" })] : []),
    ...stages.map(stage));
}

function stage({ title, share, phase, images, speed, panels }) {
  const said = !images ? "not begun" : share >= 0.999 ? "done" : `${Math.round(100 * share)}%${phase ? `, ${phase}` : ""}`;
  const rate = speed ? `, ${Math.round(speed)} pictures a second` : "";
  return el("div", { className: "stage" }, el("h3", {}, `${title}: ${said}`),
    el("progress", { max: 1, value: share, "aria-label": `${title}: progress` }),
    ...(images ? [el("p", { className: "note" }, `${images.toLocaleString("en")} pictures seen${rate}.`)] : []),
    el("div", { className: "panels" }, ...panels.map(({ title: name, about, svg }) =>
      el("figure", {}, el("figcaption", {}, name, ...(about ? [el("small", {}, about)] : [])), drawing(svg)))));
}

function drawing(text) {
  const svg = new DOMParser().parseFromString(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '), "image/svg+xml").documentElement;
  return document.importNode(svg, true);
}
