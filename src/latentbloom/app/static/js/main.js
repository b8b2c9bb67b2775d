// Starts the page: runs, tabs, theme.

import { get } from "./api.js";
import * as compare from "./compare.js";
import { $, tellProblem } from "./dom.js";
import * as edit from "./edit.js";
import * as explore from "./explore.js";
import * as generate from "./generate.js";
import { startTabs } from "./tabs.js";
import * as watch from "./watch.js";

const STATES = { finished: "finished", training: "in training", stopped: "stopped early" };
let runs = [], tab = "generate";

const chosen = () => runs.find(({ name }) => name === $("run").value);

function showReport() {
  const address = `/runs/${encodeURIComponent(chosen().name)}/report`;
  $("report-alone").href = address;
  if ($("report-frame").getAttribute("src") !== address) $("report-frame").src = address;
}

function openTab(id) {
  tab = id;
  if (!runs.length) return;
  if (id === "explore") explore.open();
  if (id === "edit") edit.open();
  if (id === "report") showReport();
  watch.show(id === "watch");
}

function useRun() {
  const run = chosen();
  $("run-state").className = `state ${run.state}`;
  $("run-state").textContent = `${STATES[run.state]}, ${run.size} × ${run.size} pixels`;
  document.title = `${run.name} - latentbloom`;
  for (const part of [generate, explore, edit, watch]) part.setRun(run);
  openTab(tab);
}

function startTheme() {
  const use = (theme) => { if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme; };
  $("theme").value = localStorage.getItem("theme") ?? "";
  use($("theme").value);
  $("theme").addEventListener("change", () => { localStorage.setItem("theme", $("theme").value); use($("theme").value); });
}

startTheme();
for (const part of [generate, compare, edit]) part.start();
explore.startExplore();
startTabs(openTab);
$("run").addEventListener("change", useRun);
try {
  runs = await get("/api/runs");
  compare.setRuns(runs);
  useRun();
  document.documentElement.dataset.ready = "yes";
} catch (error) { tellProblem(error); }
