// Tabs by click, by arrow keys and by address (#explore).

import { $ } from "./dom.js";

export function startTabs(onOpen) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const panelOf = (tab) => $(tab.getAttribute("aria-controls"));

  function open(tab, focus = false) {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      panelOf(other).hidden = !chosen;
    }
    if (focus) tab.focus();
    tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    history.replaceState(null, "", `#${panelOf(tab).id}`);
    onOpen(panelOf(tab).id);
  }

  const fromAddress = () => tabs.find((tab) => panelOf(tab).id === location.hash.slice(1));
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      open(tabs[(moves[event.key] + tabs.length) % tabs.length], true);
    });
  }
  window.addEventListener("hashchange", () => { if (fromAddress()) open(fromAddress()); }); // #main is no tab
  open(fromAddress() ?? tabs[0]);
  return (id) => open(tabs.find((tab) => panelOf(tab).id === id));
}
