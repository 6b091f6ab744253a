"use strict";
// The numbers of the page, and elements made of them. Texts from files are only ever set as text.

const data = JSON.parse(document.getElementById("data").textContent);
const selected = new Set(data.runs.keys()); // indices of the runs that curves and samples show

function decoded(text, kind) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index);
  return new kind(bytes.buffer);
}

const decodedSteps = new Map();
function stepsOf(index) {
  if (!decodedSteps.has(index)) decodedSteps.set(index, decoded(data.steps[index], Float64Array));
  return decodedSteps.get(index);
}

// The curve of a run: {steps, values}; undefined if it has no such metric.
const decodedCurves = new Map();
function curveOf(run, metric) {
  const key = `${run} ${metric}`;
  if (!decodedCurves.has(key)) {
    const curve = data.runs[run].curves[metric];
    decodedCurves.set(key, curve && { steps: stepsOf(curve[0]), values: decoded(curve[1], Float32Array) });
  }
  return decodedCurves.get(key);
}

function formatted(value) {
  if (value === null || value === undefined) return "\u2013";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return Math.abs(value) < 1e15 ? value.toLocaleString("en") : String(value);
  return String(Number(value.toPrecision(4)));
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const PALETTE = ["#3b82c4", "#e07b28", "#3d9a50", "#cc4444", "#8d6bbf", "#9a6a55", "#d275b4", "#7f8a93", "#a9a72b", "#25a8b8"];

function colourOf(index) {
  if (index < PALETTE.length) return PALETTE[index];
  const hue = (index * 137.508) % 360; // the golden angle: neighbours differ
  const channel = (shift) => {
    const k = (shift + hue / 30) % 12;
    return Math.round(255 * (0.52 - 0.3 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))).toString(16).padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
