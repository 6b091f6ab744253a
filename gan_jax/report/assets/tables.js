// Tables that are sorted by a click on the name of a column.

const LIGHTS = ["red", "yellow", "green"];

function compareCells(a, b) {
  if (a === null || b === null) return (a === null) - (b === null); // what is undefined comes last
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sortedRows(table, column, descending) {
  const order = [...table.rows.keys()];
  return order.sort((a, b) => {
    const [first, second] = [table.rows[a][column], table.rows[b][column]];
    const sign = descending && first !== null && second !== null ? -1 : 1;
    return sign * compareCells(first, second) || a - b;
  });
}

function cellOf(value, column) {
  const isLong = typeof value === "string" && value.length > 40;
  const className = typeof value !== "string" ? "number" : isLong && column > 0 ? "long" : "";
  return element("td", { className, textContent: formatted(value) });
}

// Draws a table into a node, and returns its rows. lead(row) makes what stands in front of a row.
function drawTable(node, table, lead) {
  const head = element("tr");
  const body = element("tbody");
  const rows = table.rows.map((cells, row) => {
    const made = element("tr", {}, ...cells.map(cellOf));
    if (lead) made.firstChild.prepend(lead(row));
    for (const cell of made.children) if (LIGHTS.includes(cell.textContent)) cell.prepend(element("span", { className: `light ${cell.textContent}` }));
    return made;
  });
  table.columns.forEach((name, column) => {
    const title = element("th", { scope: "col" }, element("button", { type: "button", textContent: name }));
    title.firstChild.onclick = () => {
      const descending = title.ariaSort === "ascending";
      for (const other of head.children) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", descending ? "descending" : "ascending");
      body.replaceChildren(...sortedRows(table, column, descending).map((row) => rows[row]));
    };
    head.append(title);
  });
  body.append(...rows);
  node.replaceChildren(element("table", {}, element("thead", {}, head), body));
  return rows;
}

// The table of runs, whose rows select what curves and samples show.
function drawRuns(changed) {
  const boxes = [];
  const rows = drawTable(document.getElementById("run-table"), data.tables.runs, (row) => {
    const box = element("input", { type: "checkbox", checked: true, ariaLabel: `show ${data.runs[row].name}` });
    box.onchange = () => { box.checked ? selected.add(row) : selected.delete(row); changed(); };
    boxes[row] = box;
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = colourOf(row);
    return element("span", {}, box, " ", swatch);
  });
  const filter = document.getElementById("filter");
  filter.oninput = () => {
    const text = filter.value.toLowerCase();
    rows.forEach((row) => { row.hidden = !row.textContent.toLowerCase().includes(text); });
  };
  function select(isSelected) {
    boxes.forEach((box, row) => {
      box.checked = isSelected(row);
      box.checked ? selected.add(row) : selected.delete(row);
    });
    changed();
  }
  document.getElementById("select-shown").onclick = () => select((row) => !rows[row].hidden);
  document.getElementById("select-all").onclick = () => select(() => true);
}

// A sweep or a figure: what is said of it, its pictures, its table.
function drawResults(section, results) {
  for (const result of results) {
    const pictures = result.pictures.map((src) => element("img", { src, loading: "lazy", alt: result.name }));
    const made = element("article", { className: "result" }, element("h3", { textContent: result.title ? `${result.name}: ${result.title}` : result.name }));
    made.append(...result.lines.map((textContent) => element("p", { textContent })), ...pictures);
    const [columns, ...rows] = result.table;
    if (columns) {
      const cells = rows.map((row) => columns.map((_, column) => numberOr(row[column])));
      const node = element("div", { className: "table" });
      for (const row of drawTable(node, { columns, rows: cells })) {
        for (const cell of row.children) if (["pass", "miss"].includes(cell.textContent)) cell.classList.add(cell.textContent);
      }
      made.append(node);
    }
    section.append(made);
  }
}

function numberOr(text) {
  if (text === undefined || text === "") return null;
  return Number.isFinite(Number(text)) ? Number(text) : text;
}
