"use strict";
// Shows the trial under the pointer or the focus. Text goes in as text, never as markup.
const trials = JSON.parse(document.getElementById("trials").textContent);
const details = document.getElementById("details");
let chosen = null;
function show(mark) {
  if (chosen) chosen.classList.remove("chosen");
  chosen = mark;
  mark.classList.add("chosen");
  details.textContent = trials[mark.dataset.trial];
}
for (const mark of document.querySelectorAll(".chart [data-trial]")) {
  mark.addEventListener("mouseenter", () => show(mark));
  mark.addEventListener("focus", () => show(mark));
  mark.addEventListener("click", () => show(mark));
}
