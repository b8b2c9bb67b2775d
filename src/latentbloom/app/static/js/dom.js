// Small helpers to build and find elements.

export const $ = (id) => document.getElementById(id);

export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function image(src, alt, properties = {}) {
  return el("img", { src, alt, ...properties });
}

export function debounce(milliseconds, action) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}

export function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The bytes of a data: address; the page's policy lets `fetch` reach the server alone.
export function blobOf(address) {
  const [head, data] = address.split(",");
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}

let timer;

export function tellProblem(error) {
  if (error.name === "AbortError") return;
  const box = $("problem");
  box.replaceChildren(error.message, el("button", { type: "button", onclick: () => (box.hidden = true) }, "Close"));
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (box.hidden = true), 20_000);
}

export const clearProblem = () => ($("problem").hidden = true);

export const number = (value, digits = 2) => Number(value).toFixed(digits).replace(/\.?0+$/, "");

export const phrase = (words) =>
  Object.entries(words).filter(([, value]) => value !== "any").map(([name, value]) => `${name}: ${value}`).join(", ") || "any";
