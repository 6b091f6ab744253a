// Curves of metrics over steps: a line per run, or the median and the range of several runs.

const MOST_IN_LEGEND = 24;
const shownMetrics = new Set();
const views = new Map(); // of the charts that are drawn, by their nodes

function smoothed(values, weight) {
  if (!weight) return Array.from(values);
  let mean = 0, total = 0;
  return Array.from(values, (value) => {
    if (!Number.isFinite(value)) return NaN;
    mean = weight * mean + (1 - weight) * value;
    total = weight * total + (1 - weight); // as Adam corrects its means
    return mean / total;
  });
}

// Lines by the names of their groups: {name, colour, steps, low, middle, high}; one run has no low.
function linesOf(metric, grouping, weight) {
  const groups = new Map();
  for (const run of [...selected].sort((a, b) => a - b)) {
    const curve = curveOf(run, metric);
    if (!curve) continue;
    const name = data.runs[run][grouping];
    const key = grouping === "name" ? run : name;
    if (!groups.has(key)) groups.set(key, { name, run, curves: [] });
    groups.get(key).curves.push({ steps: curve.steps, values: smoothed(curve.values, weight) });
  }
  return [...groups.values()].map(({ name, run, curves }) => {
    const colour = colourOf(grouping === "name" ? run : groupNames(grouping).indexOf(name));
    if (curves.length === 1) return { name, colour, steps: Array.from(curves[0].steps), middle: curves[0].values };
    return { name: `${name} (${curves.length} runs)`, colour, ...bandOf(curves) };
  });
}

function groupNames(grouping) {
  return [...new Set(data.runs.map((run) => run[grouping]))];
}

// The lowest value, the median and the highest at each step that any of the curves has.
function bandOf(curves) {
  const at = new Map();
  for (const { steps, values } of curves) {
    steps.forEach((step, index) => {
      if (!at.has(step)) at.set(step, []);
      if (Number.isFinite(values[index])) at.get(step).push(values[index]);
    });
  }
  const steps = [...at.keys()].sort((a, b) => a - b);
  const sorted = steps.map((step) => at.get(step).sort((a, b) => a - b));
  const median = (v) => (v.length ? (v[(v.length - 1) >> 1] + v[v.length >> 1]) / 2 : NaN);
  return {
    steps,
    low: sorted.map((v) => v[0] ?? NaN),
    middle: sorted.map(median),
    high: sorted.map((v) => v[v.length - 1] ?? NaN),
  };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const [ink, faint, line] = ["--ink", "--faint", "--line"].map((name) => style.getPropertyValue(name).trim());
  return { ink, faint, line };
}

function chartOf(metric, options) {
  const { ink, faint, line } = colours();
  const lines = linesOf(metric, options.grouping, options.smoothing);
  const bands = lines.filter((entry) => entry.low);
  const plot = Bokeh.Plotting.figure({
    sizing_mode: "stretch_both", tools: "pan,box_zoom,wheel_zoom,reset,save",
    x_axis_label: "step", y_axis_type: options.logarithmic ? "log" : "linear",
    background_fill_color: null, border_fill_color: null, outline_line_color: line, output_backend: "canvas",
  });
  for (const band of bands) {
    plot.varea({ x: band.steps, y1: band.low, y2: band.high, fill_color: band.colour, fill_alpha: 0.2 });
  }
  const source = new Bokeh.ColumnDataSource({ data: {
    xs: lines.map((entry) => entry.steps), ys: lines.map((entry) => entry.middle),
    name: lines.map((entry) => entry.name), colour: lines.map((entry) => entry.colour),
  } });
  plot.multi_line({
    xs: { field: "xs" }, ys: { field: "ys" }, line_color: { field: "colour" }, source,
    line_width: lines.length > 30 ? 1 : 1.6, line_alpha: lines.length > 30 ? 0.6 : 0.9, name: "lines",
  });
  const tooltips = [["", "@name"], ["step", "$x{0,0}"], ["value", "$y{0.0000a}"]];
  const renderers = plot.renderers.filter((renderer) => renderer.name === "lines");
  plot.add_tools(new Bokeh.HoverTool({ tooltips, renderers, line_policy: "nearest" }));
  for (const axis of [...plot.below, ...plot.left]) {
    Object.assign(axis, {
      axis_line_color: line, major_tick_line_color: line, minor_tick_line_color: null,
      major_label_text_color: faint, axis_label_text_color: ink,
    });
  }
  for (const grid of plot.center) if ("grid_line_color" in grid) grid.grid_line_color = line;
  for (const axis of plot.below) axis.formatter = new Bokeh.NumeralTickFormatter({ format: "0,0" });
  plot.toolbar.logo = null;
  // Where fingers scroll, a drag across a chart must not be caught by it.
  if (matchMedia("(pointer: coarse)").matches) plot.toolbar.active_drag = null;
  return plot;
}

function chartOptions() {
  return {
    grouping: document.getElementById("grouping").value,
    smoothing: Number(document.getElementById("smoothing").value),
    logarithmic: document.getElementById("logarithmic").checked,
  };
}

async function drawChart(node) {
  const options = chartOptions();
  const drawing = element("div");
  const before = views.get(node);
  views.set(node, null);
  node.querySelector("div").replaceWith(drawing);
  before?.remove();
  views.set(node, await Bokeh.Plotting.show(chartOf(node.dataset.metric, options), drawing));
}

// Charts are drawn when they come into sight, and again when what they show has changed.
const inSight = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    isIntersecting ? inSight.add(target) : inSight.delete(target);
    if (isIntersecting && target.dataset.stale) refresh(target);
  }
}, { rootMargin: "0px" });

function refresh(node) {
  node.dataset.stale = "";
  drawChart(node);
}

function drawCurves() {
  const charts = document.getElementById("charts");
  const present = new Map([...charts.children].map((node) => [node.dataset.metric, node]));
  for (const [metric, node] of present) {
    if (!shownMetrics.has(metric)) { observer.unobserve(node); inSight.delete(node); views.get(node)?.remove(); views.delete(node); }
  }
  charts.replaceChildren(...data.metrics.filter((metric) => shownMetrics.has(metric)).map((metric) => {
    const node = present.get(metric) ?? element("div", { className: "chart" }, element("h3", { textContent: metric }), element("div"));
    node.dataset.metric = metric;
    node.dataset.stale = "yes";
    if (present.has(metric)) { if (inSight.has(node)) refresh(node); } else observer.observe(node);
    return node;
  }));
  drawLegend();
}

function drawLegend() {
  const { grouping } = chartOptions();
  const groups = new Map();
  for (const run of [...selected].sort((a, b) => a - b)) {
    const name = data.runs[run][grouping];
    const key = grouping === "name" ? run : name;
    if (!groups.has(key)) groups.set(key, [name, colourOf(grouping === "name" ? run : groupNames(grouping).indexOf(name))]);
  }
  const shown = [...groups.values()];
  const entries = shown.slice(0, MOST_IN_LEGEND).map(([name, colour]) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = colour;
    return element("span", {}, swatch, name);
  });
  if (shown.length > MOST_IN_LEGEND) entries.push(element("span", { textContent: `and ${shown.length - MOST_IN_LEGEND} more` }));
  document.getElementById("legend").replaceChildren(...entries);
}

function chooseMetrics() {
  const results = data.metrics.filter((name) => data.tables.runs.columns.includes(name));
  const losses = data.metrics.filter((name) => name.endsWith("/loss"));
  for (const name of [...results.slice(0, 2), ...losses]) shownMetrics.add(name);
  const boxes = data.metrics.map((name) => {
    const box = element("input", { type: "checkbox", checked: shownMetrics.has(name) });
    box.onchange = () => { box.checked ? shownMetrics.add(name) : shownMetrics.delete(name); drawCurves(); };
    return element("label", {}, box, ` ${name}`);
  });
  document.getElementById("metrics").append(...boxes);
  document.getElementById("curve-remark").textContent = data.thinned;
  for (const name of ["grouping", "smoothing", "logarithmic"]) document.getElementById(name).onchange = drawCurves;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCurves);
}
