// The tab Generate: conditions in, pictures out, step by step.

import { Latest, of, postForFile, stream } from "./api.js";
import { conditions, guidanceOf, guidanceText, qualities } from "./choices.js";
import { $, clearProblem, download, phrase, tellProblem } from "./dom.js";
import { Gallery } from "./gallery.js";
import { openViewer } from "./viewer.js";

const form = $("generate-form");
const status = $("generate-status");
const bar = $("generate-progress");
const latest = new Latest();
let run, readConditions, lastBody;

const gallery = new Gallery($("gallery"), (place) => openViewer({ run, pictures: gallery.pictures, place, body: lastBody, again }));

export function setRun(info) {
  run = info;
  latest.stop();
  readConditions = conditions($("generate-conditions"), "generate", run.factors);
  qualities($("generate-quality"), "quality", run);
  setGuidance();
  gallery.finish([]);
  $("generate-title").hidden = $("generate-zip").hidden = true;
  $("generate-go").disabled = !run.generates;
  status.textContent = run.generates
    ? "Choose what the pictures show, then generate."
    : "This run has no denoiser yet: stage 2 has not begun. The tab Watch shows how it gets on.";
}

const quality = () => new FormData(form).get("quality");

function setGuidance() {
  form.elements.guidance.value = guidanceOf(run, quality());
  showGuidance();
}
const showGuidance = () => ($("guidance-value").textContent = guidanceText(form.elements.guidance.value));

function body() {
  return {
    cond: readConditions(), count: form.elements.count.valueAsNumber, seed: form.elements.seed.valueAsNumber,
    quality: quality(), guidance: form.elements.guidance.valueAsNumber,
  };
}

// Generates other pictures that start from one of those shown.
function again(change, title, captions) {
  const { cond, near, indices, count, ...same } = lastBody;
  generate({ ...same, ...change }, title, captions);
}

async function generate(asked, title = "", captions = null) {
  const signal = latest.next();
  const count = asked.count ?? asked.indices?.length ?? asked.cond.length;
  const began = performance.now();
  clearProblem();
  lastBody = asked;
  gallery.begin(count);
  $("generate-title").textContent = title;
  $("generate-title").hidden = !title;
  working(true);
  status.textContent = "Asking …";
  try {
    const done = await stream(of(run.name, "/generate/stream"), asked, {
      queued: ({ ahead }) => { if (ahead) status.textContent = ahead === 1 ? "Waiting: 1 request is ahead." : `Waiting: ${ahead} requests are ahead.`; },
      started: () => { status.textContent = "Starting …"; bar.value = 0; },
      preview: (seen) => {
        gallery.preview(seen);
        bar.value = (seen.first + Math.min(32, count - seen.first) * (seen.step + 1) / (seen.steps + 1)) / count;
        status.textContent = `Step ${seen.step + 1} of ${seen.steps}`;
      },
    }, signal);
    gallery.finish(done.pictures, captions);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    status.textContent = `${count} ${count === 1 ? "picture" : "pictures"} of “${phrase(Array.isArray(asked.cond) ? {} : asked.cond)}” in ${seconds} s. Choose one to see how it formed.`;
    if (Array.isArray(asked.cond)) status.textContent = `${count} pictures in ${seconds} s.`;
    $("generate-zip").hidden = false;
  } catch (error) {
    if (signal.aborted && latest.controller.signal !== signal) return; // a newer request runs
    gallery.pictures = [];
    gallery.stop();
    status.textContent = error.name === "AbortError" ? "Cancelled." : "No pictures.";
    tellProblem(error);
  }
  working(false);
}

function working(yes) {
  $("generate-cancel").hidden = !yes;
  bar.hidden = !yes;
  if (yes) $("generate-zip").hidden = true;
}

export function start() {
  form.addEventListener("submit", (event) => { event.preventDefault(); generate(body()); });
  form.addEventListener("change", (event) => { if (event.target.name === "quality") setGuidance(); });
  form.elements.guidance.addEventListener("input", showGuidance);
  $("new-seed").addEventListener("click", () => { form.elements.seed.value = Math.floor(Math.random() * 2 ** 31); });
  $("generate-cancel").addEventListener("click", () => { latest.stop(); $("generate-go").focus(); });
  $("generate-zip").addEventListener("click", async () => {
    try {
      status.textContent = "Packing …";
      download(await postForFile(of(run.name, "/generate/zip"), lastBody), `${run.name}_seed${lastBody.seed}.zip`);
      status.textContent = "The ZIP is among your downloads.";
    } catch (error) { tellProblem(error); }
  });
}
