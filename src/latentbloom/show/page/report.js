"use strict";
(() => {
  for (const button of document.querySelectorAll("button.axis")) {
    button.addEventListener("click", () => {
      const log = button.closest(".panel").classList.toggle("log");
      button.setAttribute("aria-pressed", String(log));
    });
  }
})();
