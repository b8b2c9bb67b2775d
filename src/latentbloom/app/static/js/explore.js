// The tab Explore: the map of latents, places between pictures, directions and morphs.

import { Latest, get, of, post, postForFile } from "./api.js";
import { pills } from "./choices.js";
import { $, debounce, download, el, image, number, tellProblem } from "./dom.js";
import { LatentMap, colourOf } from "./latent_map.js";

const out = $("explore-out");
const latest = new Latest();
const loading = new Latest();
let run, atlas, shownOf, place = null, start = null, amounts = {}, address;

const map = new LatentMap($("map"), { onHover: hover, onChoose: choose });

export function setRun(info) {
  run = info;
  atlas = null;
  place = start = null;
  map.places = null;
  map.marks = [];
  map.cursor = null;
  $("map").getContext("2d").clearRect(0, 0, 1e5, 1e5);
  $("map-kinds").replaceChildren();
  out.replaceChildren(el("p", { className: "note" }, "Choose a place on the map."));
  $("directions").disabled = true;
}

export async function open() {
  if (atlas || !run) return;
  if (!run.explores) { $("map-note").textContent = "This run has no autoencoder yet: there is nothing to explore."; return; }
  $("map-note").textContent = "Making the map: the first time takes some seconds …";
  const mine = run;
  try {
    const signal = loading.next();
    const found = await get(of(run.name, "/map"), signal);
    const answer = await fetch(of(run.name, "/map.png"), { signal });
    const sheet = await createImageBitmap(await answer.blob());
    if (mine !== run) return;
    atlas = { ...found, sheet };
  } catch (error) {
    if (error.name !== "AbortError") $("map-note").textContent = error.message;
    tellProblem(error);
    return;
  }
  const kinds = pills("map-kind", "Map", Object.keys(atlas.maps).map((value) => ({ value, text: value })), Object.keys(atlas.maps)[0]);
  $("map-kinds").replaceChildren(...kinds.querySelector(".row").children);
  $("map-colour").replaceChildren(el("option", { value: "" }, "nothing"), ...atlas.factors.map(({ name }) => el("option", {}, name)));
  if (atlas.factors.length) $("map-colour").value = atlas.factors[0].name;
  $("refine").disabled = !run.generates;
  if (!run.generates) $("refine").checked = false;
  fillDirections();
  showMap();
}

const kind = () => document.querySelector('input[name="map-kind"]:checked').value;

function showMap() {
  const factor = atlas.factors.find(({ name }) => name === $("map-colour").value);
  map.show({ places: atlas.maps[kind()], sheet: atlas.sheet, cols: atlas.cols, thumb: atlas.thumb, values: factor?.of, known: factor?.values.length });
  const held = kind() === "PCA" ? `PCA shows ${Math.round(100 * atlas.variance)}% of the variance.` : "t-SNE keeps neighbours together; distances between its groups mean little.";
  $("map-note").textContent = `${atlas.count} ${atlas.which} pictures; those hidden behind others are dots. ${held}`;
  $("map-key").replaceChildren(...(factor && factor.values.length <= 20 ? factor.values.map((value, k) => el("span", {}, swatch(colourOf(k)), value)) : []));
}

function swatch(colour) {
  const made = el("canvas", { width: 11, height: 11, "aria-hidden": "true" });
  const pen = made.getContext("2d");
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 11, 11);
  return made;
}

const labelOf = (k) => atlas.factors.map(({ name, values, of: all }) => `${name}: ${values[all[k]] ?? "not labelled"}`).join(", ");

function hover(k) { $("map-here").textContent = `Picture ${k}. ${labelOf(k)}`; }

function choose(chosen, at) {
  const full = chosen.point === undefined ? { map: kind(), x: chosen.x, y: chosen.y } : chosen;
  if (document.querySelector('input[name="click"]:checked').value === "decode") {
    place = full;
    map.mark([[at, "•"]]);
    resetRanges();
    decode();
  } else if (!start) {
    start = { place: full, at };
    latest.next(); // a picture that is still on its way must not replace the note
    map.mark([[at, "A"]]);
    out.replaceChildren(el("p", { className: "note" }, "Now choose where the morph ends."));
  } else {
    const ends = { start: start.place, end: full };
    map.mark([[start.at, "A"], [at, "B"]]);
    start = null;
    morph(ends);
  }
}

async function decode() {
  if (start) return;
  try {
    const body = { place, amounts, refine: $("refine").checked };
    const blob = await postForFile(of(run.name, "/decode"), body, latest.next());
    const where = place.point === undefined ? "the chosen place" : `picture ${place.point}`;
    const moved = Object.keys(amounts).length ? `, moved: ${Object.entries(amounts).map(([name, amount]) => `${name} ${number(amount)}`).join(", ")}` : "";
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(blob);
    shownOf = "place";
    out.replaceChildren(image(address, `Decoded at ${where}${moved}`),
      el("p", { className: "note" }, place.point === undefined ? "Decoded between its neighbours." : `${labelOf(place.point)}, decoded from its latent.`),
      el("div", { className: "row" }, el("button", { type: "button", onclick: () => download(blob, `${run.name}_place.png`) }, "PNG")));
    $("directions").disabled = false;
  } catch (error) { tellProblem(error); }
}

async function morph(ends) {
  const body = { ...ends, frames: 16, refine: $("refine").checked };
  shownOf = "morph";
  $("directions").disabled = true;
  out.replaceChildren(el("p", { className: "note" }, "Making the morph …"));
  try {
    const { pictures } = await post(of(run.name, "/morph"), body, latest.next());
    const shown = image(pictures[0], "Morph from A to B, at its start");
    const slider = el("input", { type: "range", min: 0, max: pictures.length - 1, value: 0 });
    slider.addEventListener("input", () => {
      shown.src = pictures[slider.valueAsNumber];
      shown.alt = `Morph from A to B, picture ${slider.valueAsNumber + 1} of ${pictures.length}`;
    });
    const save = async () => { try { download(await postForFile(of(run.name, "/morph/gif"), body), `${run.name}_morph.gif`); } catch (error) { tellProblem(error); } };
    out.replaceChildren(shown, el("label", { className: "field" }, "From A to B", slider),
      el("div", { className: "row" }, el("button", { type: "button", onclick: save }, "GIF")));
  } catch (error) { tellProblem(error); }
}

// Sliders: the values of one factor at a time, or the principal components.
function fillDirections() {
  const groups = atlas.factors.map(({ name }) => name).filter((name) => atlas.directions.some((one) => one.startsWith(`${name}=`)));
  $("direction-group").replaceChildren(...groups.map((name) => el("option", { value: `${name}=` }, name)), el("option", { value: "component " }, "principal components"));
  resetRanges();
}

function resetRanges() {
  const group = $("direction-group").value;
  amounts = {};
  $("direction-ranges").replaceChildren(...atlas.directions.filter((name) => name.startsWith(group)).slice(0, 24).map((name) => {
    const shown = el("span", { className: "value" }, "0");
    const range = el("input", { type: "range", min: -3, max: 3, step: 0.1, value: 0 });
    range.addEventListener("input", () => {
      shown.textContent = number(range.value, 1);
      if (range.valueAsNumber) amounts[name] = range.valueAsNumber;
      else delete amounts[name];
      soon();
    });
    return el("label", { className: "field" }, name.startsWith(group) && group.endsWith("=") ? name.slice(group.length) : name, " ", shown, range);
  }));
}

const soon = debounce(120, decode);

export function startExplore() {
  $("map-kinds").addEventListener("change", showMap);
  $("map-colour").addEventListener("change", showMap);
  $("zoom-in").addEventListener("click", () => map.zoom(1.5));
  $("zoom-out").addEventListener("click", () => map.zoom(1 / 1.5));
  $("zoom-all").addEventListener("click", () => map.all());
  $("direction-group").addEventListener("change", () => { resetRanges(); if (place) decode(); });
  $("direction-reset").addEventListener("click", () => { resetRanges(); decode(); });
  $("refine").addEventListener("change", () => { if (place && shownOf === "place") decode(); });
  for (const radio of document.querySelectorAll('input[name="click"]')) radio.addEventListener("change", () => { start = null; map.mark([]); });
}
