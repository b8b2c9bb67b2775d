// Requests to the server: JSON, files, and streams of events.

export class Problem extends Error {}

async function checked(answer) {
  if (answer.ok) return answer;
  let detail = `The server answered ${answer.status}.`;
  try { detail = (await answer.json()).detail || detail; } catch { /* no JSON: the status says it */ }
  throw new Problem(detail);
}

async function ask(path, options) {
  try {
    return await checked(await fetch(path, options));
  } catch (error) {
    if (error instanceof TypeError) throw new Problem("The server does not answer. Is it still running?");
    throw error;
  }
}

const json = (body, signal) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const of = (run, path = "") => `/api/runs/${encodeURIComponent(run)}${path}`;
export const get = async (path, signal) => (await ask(path, { signal })).json();
export const post = async (path, body, signal) => (await ask(path, json(body, signal))).json();
export const postForFile = async (path, body, signal) => (await ask(path, json(body, signal))).blob();
export const send = async (path, form, signal) => (await ask(path, { method: "POST", body: form, signal })).json();

// Calls on[event](data) for each event until "done", whose data it returns.
export async function stream(path, body, on, signal) {
  const reader = (await ask(path, json(body, signal))).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Problem("The server ended before it was done.");
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const event = parse(text.slice(0, end));
      text = text.slice(end + 2);
      if (event.name === "done") return event.data;
      if (event.name === "error") throw new Problem(event.data.detail);
      if (event.name === "cancelled") throw new DOMException("Cancelled", "AbortError");
      on[event.name]?.(event.data);
    }
  }
}

function parse(block) {
  const event = { name: "", data: null };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event.name = line.slice(7);
    if (line.startsWith("data: ")) event.data = JSON.parse(line.slice(6));
  }
  return event;
}

// One request at a time: a new one hangs up on the one before.
export class Latest {
  next() {
    this.stop();
    this.controller = new AbortController();
    return this.controller.signal;
  }
  stop() { this.controller?.abort(); }
}
