"use strict";
const ORDER = { unread: 0, edited: 1, rejected: 2, accepted: 3, "accepted with edits": 3 };
const ROWS_AT_ONCE = 60;
let cases = [], waiting = [], sorting = { by: "", down: false };
const byId = (id) => document.getElementById(id);

async function load() {
  const answer = await fetch("/cases.json");
  if (!answer.ok) { byId("notice").textContent = await answer.text(); return; }
  const content = await answer.json();
  byId("reader").value = content.reader;
  if (content.fixed) { byId("reader").readOnly = true; byId("reader-form").querySelector("button").hidden = true; }
  byId("notice").textContent = content.reader ? (content.blind ? "Blind review: the model's landmarks and numbers are hidden." : "") : "Give your name to see the cases; it goes into the results.";
  cases = content.cases;
  try { sorting = JSON.parse(sessionStorage.getItem("sorting")) || sorting; } catch { /* a first visit */ }
  show();
}

function value(one) {
  if (sorting.by === "status") return ORDER[one.status];
  return one[sorting.by] ?? -1;
}

function show() {
  const text = byId("find").value.toLowerCase(), status = byId("status").value, flagged = byId("flagged").checked;
  const shown = cases.filter((one) => one.name.toLowerCase().includes(text) && (!status || one.status === status) && (!flagged || one.warnings));
  if (sorting.by) shown.sort((a, b) => { const p = value(a), q = value(b); return (p < q ? -1 : p > q ? 1 : 0) * (sorting.down ? -1 : 1); });
  byId("cases").replaceChildren();
  waiting = shown.slice();
  addRows();
  const read = cases.filter((one) => one.status !== "unread" && one.status !== "edited").length;
  byId("done").max = Math.max(1, cases.length); byId("done").value = read;
  byId("done-text").textContent = `${read} of ${cases.length} read`;
  sessionStorage.setItem("order", JSON.stringify(shown.map((one) => one.key)));
  sessionStorage.setItem("sorting", JSON.stringify(sorting));
  for (const button of document.querySelectorAll("[data-sort]")) {
    const own = button.dataset.sort === sorting.by;
    button.closest("th").setAttribute("aria-sort", own ? (sorting.down ? "descending" : "ascending") : "none");
  }
}

// Rows are made when they are scrolled to: hundreds at once would delay the first.
function addRows() { byId("cases").append(...waiting.splice(0, ROWS_AT_ONCE).map(row)); }
new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) addRows(); }, { rootMargin: "600px" }).observe(document.querySelector(".keys"));

function cell(content, name) {
  const element = document.createElement("td");
  element.append(content);
  if (name) element.className = name;
  return element;
}

function row(one) {
  const line = document.createElement("tr");
  const picture = document.createElement("img");
  picture.alt = ""; picture.loading = "lazy"; picture.width = picture.height = 58; picture.src = `/thumbnail/${one.key}`;
  picture.addEventListener("error", () => picture.remove());
  const link = document.createElement("a");
  link.href = `/case/${one.key}`; link.textContent = one.name;
  const status = document.createElement("span");
  status.className = `status ${one.status.split(" ")[0]}`; status.textContent = one.status;
  const shift = one.shift_mm === null || one.shift_mm === undefined ? (one.refused ? "not measured" : "–") : `${one.shift_mm.toFixed(1)} mm${one.side && one.side !== "none" ? ` ${one.side}` : ""}`;
  const interval = one.interval ? one.interval.map((mm) => `${Math.abs(mm).toFixed(1)}${mm < 0 ? " R" : " L"}`).join(" to ") : "–";
  const head = document.createElement("th");
  head.scope = "row"; head.append(link);
  line.append(cell(picture, "picture"), head, cell(shift), cell(interval), cell(one.warnings ? String(one.warnings) : "–"), cell(status));
  if (one.refused) line.title = one.refused;
  return line;
}

for (const id of ["find", "status", "flagged"]) byId(id).addEventListener("input", show);
for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    sorting = { by: button.dataset.sort, down: sorting.by === button.dataset.sort ? !sorting.down : button.dataset.sort === "shift_mm" };
    show();
  });
}
document.addEventListener("keydown", (event) => {
  if (!["ArrowDown", "ArrowUp"].includes(event.key) || event.target.matches("select")) return;
  if (document.activeElement === document.querySelector("#cases tr:last-child a")) addRows();
  const links = [...document.querySelectorAll("#cases a")];
  const now = links.indexOf(document.activeElement);
  const next = links[Math.min(links.length - 1, Math.max(0, now + (event.key === "ArrowDown" ? 1 : -1)))];
  if (next) { next.focus(); event.preventDefault(); }
});
addEventListener("pageshow", load);
