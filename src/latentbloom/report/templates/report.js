"use strict";
(() => {
  for (const button of document.querySelectorAll("button.axis")) {
    button.addEventListener("click", () => {
      const log = button.closest(".panel").classList.toggle("log");
      button.setAttribute("aria-pressed", String(log));
    });
  }

  for (const box of document.querySelectorAll(".steps")) {
    const slider = box.querySelector("input");
    const output = box.querySelector("output");
    const play = box.querySelector(".play");
    const times = JSON.parse(box.dataset.times);
    let timer = 0;
    const show = () => {
      const k = Number(slider.value);
      const time = times[k] === undefined ? "" : `, t = ${times[k].toFixed(2)}`;
      box.style.setProperty("--k", k);
      output.textContent = `step ${k} of ${slider.max}${time}`;
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "▶";
      play.setAttribute("aria-label", "Play");
    };
    slider.addEventListener("input", () => { stop(); show(); });
    play.addEventListener("click", () => {
      if (timer) { stop(); return; }
      if (slider.value === slider.max) slider.value = 0;
      play.textContent = "❚❚";
      play.setAttribute("aria-label", "Pause");
      show();
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        show();
        if (slider.value === slider.max) stop();
      }, 140);
    });
    show();
  }

  for (const box of document.querySelectorAll(".map")) {
    const data = JSON.parse(box.querySelector("script").textContent);
    const canvas = box.querySelector("canvas");
    const tip = box.querySelector(".tip");
    const thumb = tip.querySelector(".thumb");
    const legend = box.querySelector(".legend");
    const which = box.querySelector(".which");
    const chooser = box.querySelector(".factor");
    const overlay = box.querySelector(".overlay");
    const count = data.maps[which.value].length;
    const real = count - data.generated;
    let lit = -1;

    const factor = () => (chooser ? data.factors[chooser.selectedIndex] : null);
    const colour = (f, i) => (f && f.colours[f.of[i]]) || "#8a959e";
    const word = (f, i) => (f.values[f.of[i]] === undefined ? "any" : f.values[f.of[i]]);
    const spans = {};
    for (const [name, points] of Object.entries(data.maps)) {
      spans[name] = [0, 1].map((k) => {
        const values = points.map((p) => p[k]);
        return [Math.min(...values), Math.max(...values)];
      });
    }
    const place = (at) => {
      const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
      const [x, y] = spans[which.value];
      // One scale for both axes, as large as fits.
      const scale = Math.min((wide - 32) / (x[1] - x[0] || 1), (high - 32) / (y[1] - y[0] || 1));
      return [
        wide / 2 + (at[0] - (x[0] + x[1]) / 2) * scale,
        high / 2 - (at[1] - (y[0] + y[1]) / 2) * scale,
      ];
    };
    const spot = (i) => place(data.maps[which.value][i]);
    const centres = () => (chooser ? data.centres[which.value][chooser.selectedIndex] : []);
    const draw = () => {
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      const f = factor();
      pen.globalAlpha = 0.6;
      for (let i = 0; i < real; i++) {
        const [x, y] = spot(i);
        pen.fillStyle = colour(f, i);
        pen.beginPath(); pen.arc(x, y, 2.6, 0, 7); pen.fill();
      }
      pen.globalAlpha = 1;
      pen.lineWidth = 1.6;
      for (let i = real; overlay.checked && i < count; i++) {
        const [x, y] = spot(i);
        pen.strokeStyle = colour(f, i);
        pen.beginPath(); pen.arc(x, y, 4.2, 0, 7); pen.stroke();
      }
      const page = getComputedStyle(document.body);
      pen.lineWidth = 2;
      pen.strokeStyle = page.backgroundColor;
      centres().forEach((at, k) => {
        if (!at) return;
        const [x, y] = place(at);
        pen.fillStyle = f.colours[k];
        pen.beginPath(); pen.arc(x, y, 7, 0, 7); pen.fill(); pen.stroke();
      });
      if (lit >= 0) {
        const [x, y] = spot(lit);
        pen.strokeStyle = page.color;
        pen.lineWidth = 2;
        pen.beginPath(); pen.arc(x, y, 7, 0, 7); pen.stroke();
      }
    };
    const name = () => {
      const f = factor();
      legend.replaceChildren();
      const add = (text, style) => {
        const item = document.createElement("span");
        const dot = document.createElement("i");
        Object.assign(dot.style, style);
        item.append(dot, text);
        legend.append(item);
      };
      if (f && f.values.length <= 24) f.values.forEach((v, k) => add(v, { background: f.colours[k] }));
      if (centres().length) add("large: centre of its pictures", { background: "currentColor", width: "13px", height: "13px" });
      if (overlay.checked) add("ring: sample", { border: "1.5px solid currentColor", boxSizing: "border-box" });
    };
    const hide = () => { tip.hidden = true; if (lit >= 0) { lit = -1; draw(); } };
    const seek = (event) => {
      const frame = canvas.getBoundingClientRect();
      const [mx, my] = [event.clientX - frame.left, event.clientY - frame.top];
      let best = 22 * 22;
      let found = -1;
      for (let i = 0; i < (overlay.checked ? count : real); i++) {
        const [x, y] = spot(i);
        const far = (x - mx) ** 2 + (y - my) ** 2;
        if (far < best) { best = far; found = i; }
      }
      if (found < 0) { hide(); return; }
      if (found !== lit) { lit = found; draw(); }
      const [x, y] = spot(found);
      thumb.style.backgroundSize = `${data.cols * 100}% ${data.rows * 100}%`;
      const share = (k, n) => (n > 1 ? (k / (n - 1)) * 100 : 0);
      thumb.style.backgroundPosition =
        `${share(found % data.cols, data.cols)}% ${share(Math.floor(found / data.cols), data.rows)}%`;
      const words = data.factors.map((f) => `${f.name}: ${word(f, found)}`);
      tip.querySelector("span").textContent =
        `${found < real ? "picture" : "sample"}${words.length ? ", " : ""}${words.join(", ")}`;
      tip.hidden = false;
      const left = x + 14 + tip.offsetWidth > canvas.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
      const top = Math.min(Math.max(0, y - tip.offsetHeight / 2), canvas.clientHeight - tip.offsetHeight);
      tip.style.left = `${Math.max(0, left)}px`;
      tip.style.top = `${top}px`;
    };
    const renew = () => { lit = -1; tip.hidden = true; name(); draw(); };
    canvas.addEventListener("pointermove", seek);
    canvas.addEventListener("pointerdown", seek);
    canvas.addEventListener("pointerleave", hide);
    for (const control of [which, chooser, overlay]) if (control) control.addEventListener("change", renew);
    new ResizeObserver(draw).observe(canvas);
    window.addEventListener("beforeprint", draw);
    renew();
  }
})();
