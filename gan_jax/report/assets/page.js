// Puts the page together. Sections with nothing to show are left out.

const filled = {
  runs: data.runs.length,
  curves: data.metrics.length,
  samples: data.runs.some((run) => run.grids.length),
  scores: data.tables.scores.rows.length,
  health: data.runs.length,
  sweeps: data.sweeps.length,
  figures: data.figures.length,
};
for (const [id, isFilled] of Object.entries(filled)) {
  const section = document.getElementById(id);
  if (!isFilled) { section.remove(); continue; }
  document.getElementById("sections").append(element("a", { href: `#${id}`, textContent: section.querySelector("h2").textContent }));
}

const statuses = data.tables.runs.rows.map((row) => row[2]);
const counts = [...new Set(statuses)].map((status) => `${statuses.filter((other) => other === status).length} ${status}`);
const ofRuns = data.runs.length ? `${data.runs.length} ${data.runs.length === 1 ? "run" : "runs"}: ${counts.join(", ")}. ` : "";
document.getElementById("summary").textContent = `${ofRuns}Made ${data.made}.`;

function drawSelected() {
  if (filled.curves) drawCurves();
  if (filled.samples) drawGrids();
}

if (filled.runs) drawRuns(drawSelected);
if (filled.curves) chooseMetrics();
if (filled.scores) drawTable(document.getElementById("score-table"), data.tables.scores);
if (filled.health) {
  const node = document.getElementById("health-table");
  if (data.tables.health.rows.length) drawTable(node, data.tables.health);
  else node.replaceChildren(element("p", { textContent: "Nothing was found: all numbers are finite, and all files are there." }));
}
if (filled.sweeps) drawResults(document.getElementById("sweeps"), data.sweeps);
if (filled.figures) drawResults(document.getElementById("figures"), data.figures);
drawSelected();
