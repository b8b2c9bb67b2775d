// Samples in the browser: noise, the step table of a sampler, the denoiser, the decoder.
const $ = (id) => document.getElementById(id);
const pause = () => new Promise((done) => setTimeout(done));

// ---- what the page carries ----

async function unpack(id) {
  const text = atob($(`data-${id}`).textContent);
  $(`data-${id}`).remove();
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const written = writer.write(packed).then(() => writer.close());
  const reader = stream.readable.getReader(), pieces = [];
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) pieces.push(piece.value);
  await written;
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((place, piece) => { bytes.set(piece, place); return place + piece.length; }, 0);
  return bytes;
}

function halfTable() {
  const table = new Float32Array(65536);
  for (let code = 0; code < 65536; code++) {
    const sign = code & 0x8000 ? -1 : 1, power = (code >> 10) & 31, rest = code & 1023;
    table[code] = sign * (power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
  }
  return table;
}

// Stored weights back to float32, one tensor after another.
function restore(stored, layout, precision) {
  const total = layout.reduce((sum, entry) => sum + entry.size, 0);
  const values = new Float32Array(total);
  const table = precision === "float16" ? halfTable() : null;
  let from = 0, to = 0;
  for (const { size, scales: count, axis } of layout) {
    if (table) {
      const codes = new Uint16Array(stored.slice(from, from + 2 * size).buffer);
      for (let i = 0; i < size; i++) values[to + i] = table[codes[i]];
      from += 2 * size;
    } else {
      const codes = new Int8Array(stored.buffer, stored.byteOffset + from, size);
      const scales = new Float32Array(stored.slice(from + size, from + size + 4 * count).buffer);
      const each = size / count;
      for (let i = 0; i < size; i++) {
        values[to + i] = codes[i] * scales[axis === 0 ? Math.floor(i / each) : i % count];
      }
      from += size + 4 * count;
    }
    to += size;
  }
  return new Uint8Array(values.buffer);
}

// ---- noise: that of PyTorch on a CPU, so that seeds mean the same here ----

function sha256(text) {
  const bytes = new TextEncoder().encode(text);
  const words = new Uint32Array(((bytes.length + 8 >> 6) + 1) * 16);
  bytes.forEach((b, i) => { words[i >> 2] |= b << (24 - 8 * (i & 3)); });
  words[bytes.length >> 2] |= 0x80 << (24 - 8 * (bytes.length & 3));
  words[words.length - 1] = 8 * bytes.length;
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  const k = primes.map((p) => fraction(Math.cbrt(p)));
  const h = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let block = 0; block < words.length; block += 16) {
    const w = Array.from(words.subarray(block, block + 16), (x) => x | 0);
    for (let i = 16; i < 64; i++) {
      const a = w[i - 15], b = w[i - 2];
      w[i] = (w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))) | 0;
    }
    let [a, b, c, d, e, f, g, i] = h;
    for (let n = 0; n < 64; n++) {
      const one = (i + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + k[n] + w[n]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [i, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, i].forEach((x, n) => { h[n] = (h[n] + x) | 0; });
  }
  const out = new DataView(new ArrayBuffer(32));
  h.forEach((x, n) => out.setInt32(4 * n, x));
  return out;
}

function twister(seed) {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const x = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, x) + i;
  }
  let place = 624;
  return () => {
    if (place === 624) {
      for (let i = 0; i < 624; i++) {
        const x = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (x >>> 1) ^ (x & 1 ? 0x9908b0df : 0);
      }
      place = 0;
    }
    let y = state[place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return ((y ^ (y >>> 18)) >>> 0) & 0xffffff;
  };
}

function normal(next, values, start) {
  const uniform = Array.from({ length: 16 }, () => next() / 2 ** 24);
  groupOf16(uniform, values, start);
}

function groupOf16(uniform, values, start) {
  for (let i = 0; i < 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform[i]));
    const angle = 2 * Math.PI * uniform[i + 8];
    values[start + i] = radius * Math.cos(angle);
    values[start + i + 8] = radius * Math.sin(angle);
  }
}

function noiseFor(seed, index, size) {
  const digest = sha256(`start/${seed}`);
  const first = digest.getUint32(0, true), stride = digest.getUint32(4, true) | 1;
  const next = twister((first + Math.imul(stride, index)) >>> 0);
  const uniform = Array.from({ length: size }, () => next() / 2 ** 24);
  const values = new Float32Array(size);
  for (let start = 0; start + 16 <= size; start += 16) groupOf16(uniform.slice(start, start + 16), values, start);
  if (size % 16) normal(next, values, size - 16); // the last group, on new numbers
  return values;
}

// ---- the model ----

let about, ort, denoiser, decoder, latentSize;

async function open(name) {
  const graph = await unpack(`${name}-graph`);
  const data = restore(await unpack(`${name}-weights`), about.layouts[name], about.precision);
  return ort.InferenceSession.create(graph, {
    executionProviders: ["wasm"],
    externalData: [{ path: name, data }],
  });
}

async function run(x, t, rows, guidance) {
  const n = rows.length, shape = about.latent_shape;
  const feeds = {
    x_t: new ort.Tensor("float32", x, [n, ...shape]),
    t: new ort.Tensor("float32", new Float32Array(n).fill(t), [n]),
    guidance: new ort.Tensor("float32", new Float32Array(n).fill(guidance), [n]),
  };
  about.factors.forEach((_, k) => {
    feeds[`cond_${k}`] = new ort.Tensor("int64", BigInt64Array.from(rows, (row) => BigInt(row[k])), [n]);
  });
  return (await denoiser.run(feeds)).x0_hat.data;
}

// Rows that name every factor in a combination that training never showed are guided by what each
// of their values changes in combinations that it showed.
async function estimate(x, t, rows, w) {
  const nulls = about.factors.map((f) => f.values.length);
  const unseen = (row) => about.shown && nulls.length > 1 && row.every((v, k) => v !== nulls[k])
    && !about.shown.some((s) => s.every((v, k) => v === row[k]));
  if (!rows.some(unseen)) return run(x, t, rows, w);
  const out = Float32Array.from(await run(x, t, rows, w));
  const free = await run(x, t, rows.map(() => nulls), 0);
  const total = new Float32Array(out.length);
  const turn = (Math.fround(t) * 617.3) % 1;
  for (let column = 0; column < nulls.length; column++) {
    const others = rows.map((row) => {
      const score = about.shown.map((s) => s[column] === row[column] ? s.filter((v, k) => v === row[k]).length : 0);
      const best = Math.max(...score);
      const nearest = about.shown.filter((_, i) => best > 0 && score[i] === best);
      return nearest.length ? nearest[Math.floor(turn * nearest.length)] : nulls;
    });
    const put = (values) => others.map((row, r) => row.map((v, k) => (k === column ? values[r][k] : v)));
    const withValue = Float32Array.from(await run(x, t, put(rows), 1));
    const without = await run(x, t, put(rows.map(() => nulls)), 1);
    for (let i = 0; i < total.length; i++) total[i] += withValue[i] - without[i];
  }
  rows.forEach((row, r) => {
    if (!unseen(row)) return;
    for (let i = r * latentSize; i < (r + 1) * latentSize; i++) out[i] = free[i] + w * total[i];
  });
  return out;
}

function combined(row, terms) {
  const total = new Float32Array(terms[0].length);
  row.forEach((factor, j) => {
    const term = terms[j];
    if (factor) for (let i = 0; i < total.length; i++) total[i] += factor * term[i];
  });
  return total;
}

async function sample(rows, seed, guidance, table, onStep = () => {}) {
  const noise = new Float32Array(rows.length * latentSize);
  rows.forEach((_, k) => noise.set(noiseFor(seed, k, latentSize), k * latentSize));
  const [low, high] = about.sampling.default.guidance_interval || [0, 1];
  const terms = [noise];
  for (let i = 0; i < table.t.length; i++) {
    const t = table.t[i];
    const w = low <= t && t <= high ? guidance : 1;
    terms.push(Float32Array.from(await estimate(combined(table.rows[i], terms), t, rows, w)));
    await onStep((i + 1) / table.t.length);
  }
  const z = combined(table.rows.at(-1), terms);
  return { z, path: [...terms.slice(1).filter((_, i) => table.shows[i]), z] };
}

async function decode(z, n) {
  const result = await decoder.run({ z: new ort.Tensor("float32", z, [n, ...about.latent_shape]) });
  return result.image.data;
}

// ---- drawing ----

function paint(canvas, image, k) {
  const { size, channels } = about.image;
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d"), data = context.createImageData(size, size);
  const area = size * size;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) {
      const value = image[(k * channels + (channels === 3 ? c : 0)) * area + i];
      data.data[4 * i + c] = Math.round((value + 1) * 127.5);
    }
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

const colour = (k, n) => `hsl(${Math.round((360 * k) / n + 20)} 70% 50%)`;
const part = (values, k) => values.slice(k * latentSize, (k + 1) * latentSize);

const map = {
  pictures: [], fresh: [],
  place(x, y) {
    const [sx, sy] = about.map.spread, canvas = $("map");
    return [(0.5 + x / sx / 2.3) * canvas.width, (0.5 - y / sy / 2.3) * canvas.height];
  },
  back(px, py) {
    const [sx, sy] = about.map.spread, canvas = $("map");
    return [(px / canvas.width - 0.5) * 2.3 * sx, -(py / canvas.height - 0.5) * 2.3 * sy];
  },
  project(z) {
    return about.map.axes.map((axis) => axis.reduce((sum, a, i) => sum + a * (z[i] - about.map.mean[i]), 0));
  },
  draw(point) {
    const canvas = $("map"), context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    const labels = about.factors[0].values.length;
    for (const [x, y, k] of about.map.dots) {
      context.fillStyle = k < labels ? colour(k, labels) : "gray";
      context.globalAlpha = 0.6;
      context.beginPath();
      context.arc(...map.place(x, y), 3, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    for (const [list, frame] of [[map.pictures, null], [map.fresh, "#6d28d9"]]) {
      for (const { canvas: picture, x, y } of list) {
        const [px, py] = map.place(x, y);
        context.drawImage(picture, px - 12, py - 12, 24, 24);
        if (frame) { context.strokeStyle = frame; context.lineWidth = 2; context.strokeRect(px - 13, py - 13, 26, 26); }
      }
    }
    if (point) {
      context.strokeStyle = getComputedStyle(document.body).color;
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(...point, 6, 0, 7);
      context.stroke();
    }
  },
  async look(px, py) {
    map.point = [px, py];
    if (map.busy) return;
    map.busy = true;
    while (map.point) {
      const point = map.point;
      map.point = null;
      const [x, y] = map.back(...point);
      const z = Float32Array.from(about.map.mean, (m, i) => m + x * about.map.axes[0][i] + y * about.map.axes[1][i]);
      await exclusive(async () => paint($("there"), await decode(z, 1), 0));
      $("there-text").textContent = `${x.toFixed(2)}, ${y.toFixed(2)}`;
      map.draw(point);
      map.last = point;
    }
    map.busy = false;
  },
};

// A session runs one request at a time.
let queue = Promise.resolve();
function exclusive(work) {
  const result = queue.then(work);
  queue = result.catch(() => {});
  return result;
}

// ---- the page ----

function table() {
  const [sampler, steps] = $("steps").value.split(" ");
  return about.samplers.find((t) => t.sampler === sampler && t.num_steps === Number(steps));
}

function asked() {
  return about.factors.map((_, k) => Number($(`factor-${k}`).value));
}

async function showPath(result, k) {
  [...$("pictures").children].forEach((c, i) => c.setAttribute("aria-pressed", i === k));
  const count = Math.min(8, result.path.length);
  const chosen = Array.from({ length: count }, (_, i) => Math.round((i * (result.path.length - 1)) / Math.max(count - 1, 1)));
  const z = new Float32Array(count * latentSize);
  chosen.forEach((step, i) => z.set(part(result.path[step], k), i * latentSize));
  const image = await exclusive(() => decode(z, count));
  const canvases = chosen.map((step, i) => {
    const canvas = paint(document.createElement("canvas"), image, i);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `step ${step} of ${result.path.length - 1}`);
    canvas.title = canvas.getAttribute("aria-label");
    return canvas;
  });
  $("path").replaceChildren(...canvases);
  $("path-section").hidden = false;
}

async function go() {
  const count = Number($("count").value), seed = Number($("seed").value);
  if (!Number.isSafeInteger(seed)) { $("status").textContent = "The seed must be a whole number."; return; }
  const row = asked(), started = performance.now();
  $("go").disabled = true;
  $("progress").hidden = false;
  try {
    const result = await exclusive(() => sample(Array(count).fill(row), seed, Number($("guidance").value), table(), async (done) => {
      $("progress").value = done;
      $("status").textContent = `${Math.round(100 * done)} %`;
      await pause();
    }));
    const image = await exclusive(() => decode(result.z, count));
    const words = about.factors.map((f, k) => `${f.name} ${f.values[row[k]] ?? "any"}`).join(", ");
    const canvases = Array.from({ length: count }, (_, k) => {
      const canvas = paint(document.createElement("canvas"), image, k);
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "button");
      canvas.setAttribute("aria-label", `Picture ${k + 1}: ${words}. Show its path`);
      canvas.onclick = () => showPath(result, k);
      canvas.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); showPath(result, k); } };
      return canvas;
    });
    $("pictures").replaceChildren(...canvases);
    const seconds = (performance.now() - started) / 1000;
    $("status").textContent = `${count} ${count === 1 ? "picture" : "pictures"} in ${seconds.toFixed(1)} s`;
    window.result = { latents: Array.from(result.z), seconds };
    if (about.map) {
      map.fresh = canvases.map((canvas, k) => {
        const [x, y] = map.project(part(result.z, k));
        return { canvas, x, y };
      });
      map.draw();
    }
    await showPath(result, 0);
  } catch (error) {
    $("status").textContent = `Sampling failed: ${error.message || error}`;
    throw error;
  } finally {
    $("progress").hidden = true;
    $("go").disabled = false;
  }
}

function fillForm() {
  about.factors.forEach((factor, k) => {
    const label = document.createElement("label"), select = document.createElement("select");
    select.id = `factor-${k}`;
    [...factor.values, "any"].forEach((value, index) => select.add(new Option(value, index)));
    label.append(factor.name, select);
    $("factors").append(label);
  });
  const usual = about.sampling.default;
  for (const t of about.samplers) {
    if (t.sampler === usual.sampler || Object.values(about.sampling).some((s) => s.sampler === t.sampler && s.num_steps === t.num_steps)) {
      $("steps").add(new Option(`${t.num_steps} (${t.sampler})`, `${t.sampler} ${t.num_steps}`));
    }
  }
  $("steps").value = `${usual.sampler} ${usual.num_steps}`;
  $("guidance").value = usual.guidance;
  const tell = () => { $("guidance-out").textContent = Number($("guidance").value).toFixed(2); };
  $("guidance").oninput = tell;
  tell();
  const { size } = about.image;
  $("lead").textContent = `Pictures of ${size} x ${size} pixels, computed in this browser. Nothing is sent anywhere.`;
  const terms = about.data.terms ? ` Terms of the training pictures: ${about.data.terms}` : "";
  $("about").textContent = `Made by ${about.made_by}. Trained on ${about.data.source}. Weights in ${about.precision}.${terms}`;
}

async function fillMap() {
  if (!about.map) return;
  $("map-section").hidden = false;
  const canvas = $("map"), labels = about.factors[0].values;
  $("legend").append(...labels.map((label, k) => {
    const item = document.createElement("li"), dot = document.createElement("span");
    dot.style.background = colour(k, labels.length);
    item.append(dot, label);
    return item;
  }));
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
  };
  canvas.onpointermove = (event) => map.look(...at(event));
  canvas.onpointerdown = (event) => map.look(...at(event));
  canvas.onkeydown = (event) => {
    const move = { ArrowLeft: [-16, 0], ArrowRight: [16, 0], ArrowUp: [0, -16], ArrowDown: [0, 16] }[event.key];
    if (!move) return;
    event.preventDefault();
    const [x, y] = map.last || [canvas.width / 2, canvas.height / 2];
    map.look(x + move[0], y + move[1]);
  };
  map.draw();
  const { samples } = about.map;
  for (let start = 0; start < samples.length; start += 8) {
    const some = samples.slice(start, start + 8);
    const z = new Float32Array(some.length * latentSize);
    some.forEach((s, i) => z.set(s.z, i * latentSize));
    const image = await exclusive(() => decode(z, some.length));
    some.forEach((s, i) => {
      const [x, y] = map.project(s.z);
      map.pictures.push({ canvas: paint(document.createElement("canvas"), image, i), x, y });
    });
    map.draw();
    await pause();
  }
  canvas.dataset.ready = "yes";
}

async function main() {
  about = JSON.parse(new TextDecoder().decode(await unpack("about")));
  latentSize = about.latent_shape.reduce((a, b) => a * b, 1);
  fillForm();
  await pause();
  const script = new Blob([await unpack("script")], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  ort = await import(address);
  URL.revokeObjectURL(address);
  ort.env.wasm.numThreads = 1; // more would need headers that a file cannot have
  ort.env.wasm.wasmBinary = (await unpack("wasm")).buffer;
  denoiser = await open("denoiser");
  decoder = await open("decoder");
  $("form").onsubmit = (event) => { event.preventDefault(); go(); };
  await go();
  await fillMap();
}

main().catch((error) => {
  $("status").textContent = `This browser cannot run the model: ${error.message || error}`;
  throw error;
});
