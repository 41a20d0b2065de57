"use strict";
const VIEWS = ["scan", "normal", "moved"];
const LANDMARKS = ["anterior_falx", "posterior_falx", "shifted", "ideal"];
const NAMES = { anterior_falx: "anterior falx", posterior_falx: "posterior falx", shifted: "shifted place", ideal: "ideal place" };
const PLACED = ["anterior falx attachment", "posterior falx attachment", "midline at the septum"];
const GRAB_PX = 16, NEAR_MM = 0.5, FAR_MM = 2, NEAR = 0.005, FAR = 0.03, SHARPEST = 1.5, RETRY_MS = 1000;
const AWAY = "No connection to the review; trying again. What was confirmed is saved.";
const SIGNED_OUT = "The review wants the printed address, and the password if it has one, once more. What was confirmed is saved.";
const key = location.pathname.split("/").pop();
const byId = (id) => document.getElementById(id);
let socket = null, state = null, holder = "", placing = false, cursor = null, chosen = null, drag = null, sized = false, failed = false;

function send(message) { if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); }
function notify(text) { if (byId("notice").textContent !== text) byId("notice").textContent = text; }

function connect() {
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket/${key}`;
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { sized = false; notify(""); };
  socket.onmessage = (event) => (typeof event.data === "string" ? hear(JSON.parse(event.data)) : draw(event.data));
  socket.onclose = () => {
    document.body.dataset.connected = "no";
    if (failed) return;
    if (byId("notice").textContent !== SIGNED_OUT) notify(AWAY);
    fetch(location.pathname, { method: "HEAD" }).then((answer) => answer.status === 403, () => false).then((signedOut) => {
      if (socket.readyState !== WebSocket.OPEN) notify(signedOut ? SIGNED_OUT : AWAY);
    });
    setTimeout(connect, RETRY_MS);
  };
}

function hear(message) {
  if (message.type === "writer") {
    holder = message.holder;
    if (holder) notify(`${holder} has this case open; it can only be looked at here. Load this page again to see later changes.`);
    sendSizes(true);
  } else if (message.type === "state") { state = message; show(); document.body.dataset.connected = "yes"; }
  else if (message.type === "saved") { document.body.dataset.saved = String(Number(document.body.dataset.saved || 0) + 1); byId("case-status").title = "saved"; notify(""); }
  else if (message.type === "failed") { failed = true; notify(message.text); byId("number").textContent = "Not shown"; }
  else if (message.type === "message") notify(message.text);
}

async function draw(data) {
  const name = VIEWS[new Uint8Array(data, 0, 1)[0]], canvas = byId(name);
  const picture = await createImageBitmap(new Blob([new Uint8Array(data, 1)]));
  if (canvas.width !== picture.width || canvas.height !== picture.height) { canvas.width = picture.width; canvas.height = picture.height; }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  canvas.dataset.drawn = String(Number(canvas.dataset.drawn || 0) + 1);
  if (name === "scan" && !document.body.dataset.first) document.body.dataset.first = String(Math.round(performance.now()));
  send({ type: "drawn" });
}

function sendSizes(fit) {
  const scale = Math.min(devicePixelRatio || 1, SHARPEST), message = { type: "size", fit: fit && !sized };
  for (const name of VIEWS) {
    const box = byId(name).getBoundingClientRect();
    message[name] = [Math.round(box.width * scale), Math.round(box.height * scale)];
  }
  sized = true;
  send(message);
}

function show() {
  document.title = `${state.name}: midline shift review`;
  byId("name").textContent = state.name;
  byId("reader-name").textContent = `Reader: ${state.reader}${state.blind ? " (blind)" : ""}`;
  const status = byId("case-status");
  status.textContent = state.status; status.className = `status ${state.status.split(" ")[0]}`;
  if (byId("number").textContent !== state.number) byId("number").textContent = state.number;
  const review = state.review ? `${state.review.decision} by ${state.review.reader}${state.review.reason ? `: ${state.review.reason}` : ""}` : "";
  byId("facts").textContent = [state.certainty, state.rule, state.case_slice_name, review].filter(Boolean).join(" · ");
  byId("slice").max = state.slices_count - 1; byId("slice").value = state.slice;
  byId("slice-number").textContent = state.slice_name.replace("slice ", "");
  byId("slice-text").textContent = `${state.slice_name} · ${state.slice_text}${state.edited ? " · edited" : ""}${state.pinned ? " · pinned" : ""}`;
  byId("warnings").replaceChildren(...state.warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  const without = state.blind ? ": hidden in a blind review" : ": not in this result (measure with --fields)";
  byId("normal-caption").textContent = `Warped back to normal${state.displacement ? " (the model's)" : without}`;
  byId("moved-caption").textContent = `Displacement${state.displacement ? ", 1 mm violet to 10 mm yellow (the model's)" : without}`;
  const can = state.writable;
  byId("accept").disabled = !can || state.case_slice === null; byId("reject").disabled = !can;
  byId("undo").disabled = !can || !state.can_undo; byId("redo").disabled = !can || !state.can_redo;
  byId("pin").disabled = !can || !state.has_landmarks; byId("pin").setAttribute("aria-pressed", String(state.pinned));
  byId("pin").textContent = state.pinned ? "Unpin slice" : "Pin slice";
  byId("add").disabled = !can || state.has_landmarks || state.blind; byId("add").hidden = state.blind;
  byId("place").disabled = !can || state.has_landmarks;
  if (state.has_landmarks) placing = false;
  if (!placing) cursor = null;
  byId("place").setAttribute("aria-pressed", String(placing));
  byId("restore-slice").disabled = !can || !state.edited; byId("restore").disabled = !can || state.status === "unread";
  byId("restore-slice").textContent = state.blind ? "Remove landmarks" : "Slice back to model";
  byId("restore").textContent = state.blind ? "Start anew" : "All back to model";
  if (!state.has_landmarks) chosen = null;
  byId("chosen").textContent = placing ? `Click the ${PLACED[state.pending.length]}, or arrow keys and Enter` : chosen ? `${NAMES[chosen]}: move with the arrow keys` : "";
  const marks = state.pending.map((place) => [place, ""]);
  if (cursor) marks.push([[cursor.x, cursor.y], "focus"]);
  if (chosen && state.landmarks[chosen]) marks.push([state.landmarks[chosen], "focus"]);
  byId("marks").replaceChildren(...marks.map(([place, name]) => {
    const mark = document.createElement("span");
    mark.className = name; mark.style.left = `${place[0] * 100}%`; mark.style.top = `${place[1] * 100}%`;
    return mark;
  }));
  byId("plot").replaceChildren(drawPlot(state, (index) => send({ type: "slice", index })));
  showTable();
}

function showTable() {
  const body = byId("slices");
  const rows = [...state.slices].reverse().map((one) => {
    const row = document.createElement("tr"), head = document.createElement("th"), button = document.createElement("button");
    head.scope = "row"; button.type = "button"; button.textContent = one.number;
    button.setAttribute("aria-label", `Show slice ${one.number}`);
    button.addEventListener("click", () => send({ type: "slice", index: one.index }));
    head.append(button);
    const side = Math.abs(one.shift_mm) < 0.5 ? "" : one.shift_mm > 0 ? " L" : " R";
    const note = [one.index === state.case_slice ? "case's slice" : "", one.edited ? "edited" : "", one.pinned ? "pinned" : ""].filter(Boolean).join(", ");
    const cells = [one.height_mm ?? "–", `${Math.abs(one.shift_mm).toFixed(1)}${side}`, note].map((text) => Object.assign(document.createElement("td"), { textContent: text }));
    row.append(head, ...cells);
    row.className = [one.index === state.slice ? "shown" : "", one.index === state.case_slice ? "own" : ""].join(" ").trim();
    row.dataset.slice = one.index;
    return row;
  });
  const focused = document.activeElement && body.contains(document.activeElement) ? document.activeElement.textContent : null;
  body.replaceChildren(...rows);
  if (focused !== null) { const again = [...body.querySelectorAll("button")].find((one) => one.textContent === focused); if (again) again.focus(); }
}

// ---- the pointer
const view = byId("scan");
function fractions(event) {
  const box = view.getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
}
function landmarkAt(place) {
  const box = view.getBoundingClientRect();
  return state && LANDMARKS.find((name) => state.landmarks[name] && Math.hypot((state.landmarks[name][0] - place.x) * box.width, (state.landmarks[name][1] - place.y) * box.height) < GRAB_PX);
}
view.addEventListener("pointerdown", (event) => {
  if (!state || event.button !== 0) return;
  const place = fractions(event);
  byId("scan-view").focus({ preventScroll: true });
  if (placing) { cursor = null; send({ type: "place", ...place }); return; }
  const name = state.writable ? landmarkAt(place) : null;
  drag = { kind: name ? "landmark" : "pan", last: place };
  view.setPointerCapture(event.pointerId);
  if (name) send({ type: "drag", kind: "down", ...place });
});
view.addEventListener("pointermove", (event) => {
  const place = fractions(event);
  if (!drag) { view.style.cursor = !placing && landmarkAt(place) ? "grab" : "crosshair"; return; }
  if (drag.kind === "landmark") send({ type: "drag", kind: "move", ...place });
  else { send({ type: "pan", right: place.x - drag.last.x, down: place.y - drag.last.y }); drag.last = place; }
});
for (const name of ["pointerup", "pointercancel"]) {
  view.addEventListener(name, (event) => {
    if (drag && drag.kind === "landmark") send({ type: "drag", kind: "up", ...fractions(event) });
    drag = null;
  });
}
view.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.ctrlKey) { const place = fractions(event); send({ type: "zoom", factor: event.deltaY < 0 ? 1.15 : 1 / 1.15, at: [place.x, place.y] }); }
  else send({ type: "step", by: event.deltaY < 0 ? 1 : -1 });
}, { passive: false });

// ---- buttons and keys
for (const button of document.querySelectorAll("[data-window]")) {
  button.addEventListener("click", () => {
    send({ type: "window", preset: button.dataset.window });
    for (const other of document.querySelectorAll("[data-window]")) other.setAttribute("aria-pressed", String(other === button));
  });
}
const actions = {
  "zoom-in": () => send({ type: "zoom", factor: 1.25 }), "zoom-out": () => send({ type: "zoom", factor: 0.8 }), fit: () => send({ type: "fit" }),
  accept: () => send({ type: "decide", accepted: true }), reject: () => { byId("reason").value = ""; byId("reject-dialog").showModal(); },
  undo: () => send({ type: "undo" }), redo: () => send({ type: "redo" }), pin: () => send({ type: "pin", pinned: !state.pinned }), add: () => send({ type: "add" }),
  place: () => { placing = !placing; if (placing) byId("scan-view").focus({ preventScroll: true }); show(); }, "restore-slice": () => send({ type: "restore", whole: false }), restore: () => send({ type: "restore", whole: true }),
};
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
byId("slice").addEventListener("input", (event) => send({ type: "slice", index: Number(event.target.value) }));
byId("reject-dialog").addEventListener("close", (event) => {
  if (event.target.returnValue === "reject") send({ type: "decide", accepted: false, reason: byId("reason").value });
  event.target.returnValue = "";
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  if (!state || event.altKey || event.metaKey || event.target.matches("textarea, input[type=text], dialog *")) return;
  const press = (id) => { if (!byId(id).disabled) byId(id).click(); };
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey && name !== "z") return;
  if (name === "PageUp") send({ type: "step", by: 1 });
  else if (name === "PageDown") send({ type: "step", by: -1 });
  else if ("1234".includes(name) && state.has_landmarks) { chosen = LANDMARKS[Number(name) - 1]; show(); }
  else if (name === "Escape" && (chosen || placing)) { chosen = null; placing = false; show(); }
  else if (ARROWS[name] && placing) {
    const step = event.shiftKey ? FAR : NEAR, inside = (value) => Math.min(1, Math.max(0, value));
    const from = cursor || { x: 0.5, y: 0.5 };
    cursor = { x: inside(from.x + ARROWS[name][0] * step), y: inside(from.y + ARROWS[name][1] * step) };
    show();
  } else if (name === "Enter" && cursor && event.target === byId("scan-view")) send({ type: "place", ...cursor });
  else if (ARROWS[name] && chosen) {
    const step = event.shiftKey ? FAR_MM : NEAR_MM;
    send({ type: "nudge", landmark: chosen, left_mm: ARROWS[name][0] * step, back_mm: ARROWS[name][1] * step });
  } else if (name === "z") press(event.shiftKey ? "redo" : "undo");
  else if (name === "p") press("pin");
  else if (name === "a") press("accept");
  else if (name === "r") press("reject");
  else if (name === "n") byId("next").click();
  else if (name === "b") byId("previous").click();
  else if (name === "+") press("zoom-in");
  else if (name === "-") press("zoom-out");
  else if (name === "0") press("fit");
  else return;
  event.preventDefault();
});

// ---- next and previous, in the order of the worklist
let order = [];
try { order = JSON.parse(sessionStorage.getItem("order")) || []; } catch { /* opened without the worklist */ }
for (const [id, step] of [["previous", -1], ["next", 1]]) {
  const other = order[order.indexOf(key) + step];
  byId(id).href = other && order.includes(key) ? `/case/${other}` : "/";
}
let timer = null;
addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(() => sendSizes(false), 150); });
connect();
