// Conditions and qualities as native controls: radios for few values, a select for many.

import { el, number } from "./dom.js";

const MOST_PILLS = 10;
const MOST_OPEN = 6;

export function pills(name, legend, choices, chosen) {
  return el("fieldset", { className: "pills" },
    el("legend", {}, legend),
    el("div", { className: "row" }, ...choices.map(({ value, text, small }) =>
      el("label", {},
        el("input", { type: "radio", name, value, checked: value === chosen }),
        el("span", {}, text, ...(small ? [" ", el("small", {}, small)] : []))))));
}

// Controls for every factor in a box; `open` is the word for "not said", `none` stands in an empty box.
// Returns how to read them.
export function conditions(box, prefix, factors, { open = "any", none = "This model has no conditions." } = {}) {
  const made = factors.map((factor) => {
    const name = `${prefix}:${factor.name}`;
    const values = ["any", ...factor.values];
    if (values.length <= MOST_PILLS) {
      return pills(name, factor.name, values.map((value) => ({ value, text: value === "any" ? open : value })), "any");
    }
    return el("label", { className: "field" }, factor.name,
      el("select", { name }, ...values.map((value) => el("option", { value }, value === "any" ? open : value))));
  });
  const more = made.slice(MOST_OPEN);
  box.replaceChildren(...made.slice(0, MOST_OPEN));
  if (more.length) box.append(el("details", {}, el("summary", {}, `${more.length} more conditions`), ...more));
  if (!factors.length) box.append(el("p", { className: "note" }, none));

  return () => Object.fromEntries(factors.flatMap(({ name }) => {
    const key = CSS.escape(`${prefix}:${name}`);
    const found = box.querySelector(`input[name="${key}"]:checked, select[name="${key}"]`)?.value ?? "any";
    return found === "any" ? [] : [[name, found]];
  }));
}

export function qualities(box, name, run, chosen = "balanced") {
  box.replaceChildren(pills(name, "Quality", Object.entries(run.qualities).map(([value, { num_steps: steps }]) =>
    ({ value, text: value, small: `${steps} steps` })), chosen));
}

export const guidanceOf = (run, quality) => run.qualities[quality].guidance;
export const guidanceText = (value) => number(value);
