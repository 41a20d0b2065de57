"use strict";
// The plot of shift by slice, drawn as the head is seen: the patient's right on the left, the lowest slice at the bottom.
const SVG = "http://www.w3.org/2000/svg";
const PLOT = { width: 400, height: 260, left: 34, right: 12, top: 18, bottom: 26 };
const LEAST_MM = 6;

function svgElement(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function drawPlot(state, onSlice) {
  const slices = state.slices;
  const svg = svgElement("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img" });
  const largest = slices.length ? slices.reduce((a, b) => (Math.abs(a.shift_mm) > Math.abs(b.shift_mm) ? a : b)) : null;
  svg.setAttribute("aria-label", largest ? `Shift of ${slices.length} ${slices.length === 1 ? "slice" : "slices"}; largest ${largest.shift_mm} mm on slice ${largest.number}` : "No slices");
  if (!slices.length) return svg;
  const ends = slices.map((one) => Math.abs(one.shift_mm)).concat((state.interval || []).map(Math.abs));
  const limit = Math.max(LEAST_MM, 1.1 * Math.max(...ends));
  const low = slices[0].index - 1, high = slices[slices.length - 1].index + 1;
  const x = (mm) => PLOT.left + ((mm + limit) / (2 * limit)) * (PLOT.width - PLOT.left - PLOT.right);
  const y = (index) => PLOT.height - PLOT.bottom - ((index - low) / (high - low)) * (PLOT.height - PLOT.top - PLOT.bottom);
  for (const mm of [-5, 0, 5]) {
    svg.append(svgElement("line", { x1: x(mm), x2: x(mm), y1: PLOT.top, y2: PLOT.height - PLOT.bottom, class: mm ? "five" : "axis" }));
    svg.append(svgElement("text", { x: x(mm), y: PLOT.height - 8, "text-anchor": "middle" }, mm ? `5 ${mm > 0 ? "L" : "R"}` : "0 mm"));
  }
  svg.append(svgElement("text", { x: 2, y: y(slices[slices.length - 1].index) + 4 }, slices[slices.length - 1].number));
  svg.append(svgElement("text", { x: 2, y: y(slices[0].index) + 4 }, slices[0].number));
  if (state.interval) {
    const at = y(state.case_slice);
    svg.append(svgElement("line", { x1: x(state.interval[0]), x2: x(state.interval[1]), y1: at, y2: at, class: "interval" }));
  }
  svg.append(svgElement("polyline", { class: "line", points: slices.map((one) => `${x(one.shift_mm)},${y(one.index)}`).join(" ") }));
  for (const one of slices) {
    const kinds = ["point", one.edited ? "edited" : "", one.index === state.case_slice ? "own" : "", one.index === state.slice ? "shown" : ""];
    const point = svgElement("circle", { cx: x(one.shift_mm), cy: y(one.index), r: one.index === state.case_slice ? 6 : 4, class: kinds.filter(Boolean).join(" ") });
    point.addEventListener("click", () => onSlice(one.index));
    svg.append(point);
  }
  return svg;
}
