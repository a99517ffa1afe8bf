
"use strict";
const filters = document.getElementById("filters");
const buttons = [...filters.querySelectorAll("button")];
const search = document.getElementById("search");
const shown = document.getElementById("shown");
const entries = [...document.querySelectorAll(".entry")];
const lists = ["defective", "not_inspected", "clean"]
  .map((id) => document.getElementById(id))
  .filter(Boolean);
const cells = [...document.querySelectorAll(".cells .cell")];
const wanted = { verdict: "", classId: "" };

const has = (element, key, value) => !value || (element.dataset[key] || "").split(" ").includes(value);
const matches = (element) => has(element, "v", wanted.verdict) && has(element, "c", wanted.classId);

function show() {
  const words = search.value.trim().toLowerCase();
  let count = 0;
  for (const entry of entries) {
    const found = matches(entry) && (!words || entry.textContent.toLowerCase().includes(words));
    entry.hidden = !found;
    count += found;
  }
  for (const list of lists) list.hidden = !list.querySelector(".entry:not([hidden])");
  for (const cell of cells) cell.classList.toggle("off", !matches(cell));
  for (const button of buttons) {
    const pressed = "c" in button.dataset
      ? button.dataset.c === wanted.classId
      : button.dataset.v === wanted.verdict && !wanted.classId;
    button.setAttribute("aria-pressed", String(pressed));
  }
  shown.value = `${count} of ${entries.length} listed`;
  if (wanted.verdict === "clean" || words) {
    for (const details of document.querySelectorAll("details")) details.open = true;
  }
}

function choose(button) {
  if ("c" in button.dataset) {
    wanted.classId = wanted.classId === button.dataset.c ? "" : button.dataset.c;
    wanted.verdict = "";
  } else {
    wanted.verdict = button.dataset.v;
    wanted.classId = "";
  }
  show();
}

function order(by) {
  const cards = entries.filter((entry) => entry.classList.contains("card"));
  const rank = (card) => (by === "severity" ? -Number(card.dataset.rank) : 0);
  cards.sort((a, b) => rank(a) - rank(b) || a.dataset.n - b.dataset.n);
  if (cards.length) cards[0].parentNode.append(...cards);
}

function mark(marked) {
  for (const image of document.querySelectorAll("img[data-bare]")) {
    image.dataset.marked ||= image.getAttribute("src");
    image.src = marked ? image.dataset.marked : image.dataset.bare;
  }
}

function reveal() {
  const entry = document.getElementById(location.hash.slice(1));
  const details = entry && entry.closest("details");
  if (details) details.open = true;
  if (entry) entry.scrollIntoView();
}

for (const button of buttons) button.addEventListener("click", () => choose(button));
search.addEventListener("input", show);
document.getElementById("order").addEventListener("change", (event) => order(event.target.value));
document.getElementById("marks").addEventListener("change", (event) => mark(event.target.checked));
addEventListener("hashchange", reveal);
filters.hidden = false;
show();
if (location.hash) reveal();
