// The report. DATA comes from report/report.py.

const KINDS = Object.fromEntries(DATA.rows.map((row) => [row.name, row.kind]));
const GREY_ROW = DATA.rows.find((row) => row.kind === "grey")?.name;
const TRUTH_ROW = DATA.rows.find((row) => row.kind === "truth")?.name;
const SYSTEMS = DATA.rows.filter((row) => row.kind === "system").map((row) => row.name);

const option = (name, text = name) => make("option", { value: name }, text);

// Tables

/**
 * Fill a table that sorts by any column.
 * columns: { heading, title, best: "high" | "low" | null }; rows: { name, kind, cells: [{ value, content } | null] }.
 * A first click puts the best on top, or the highest; rows without a value stay at the bottom.
 */
function sortableTable(table, corner, columns, rows) {
  let sorted = null, ascending = false;
  const headings = [{ heading: corner, best: "low" }, ...columns];
  const heads = headings.map((column, n) => make("th", { scope: "col", title: column.title },
    make("button", { type: "button", onclick: () => sortBy(n) }, column.heading)));
  const lines = rows.map((row) => make("tr", { class: row.kind },
    make("th", { scope: "row" }, row.name),
    row.cells.map((cell) => make("td", {}, cell ? cell.content : ""))));
  const body = make("tbody", {}, lines);
  // Sorting by names goes back to the order of the evaluation.
  const key = (n, at) => (n === 0 ? at : rows[at].cells[n - 1]?.value ?? null);

  function sortBy(n) {
    ascending = n === sorted ? !ascending : headings[n].best === "low";
    sorted = n;
    const order = rows.map((_, at) => at).sort((one, other) => {
      const [x, y] = [key(n, one), key(n, other)];
      if (x === null || y === null) return (x === null) - (y === null) || one - other;
      return (ascending ? x - y : y - x) || one - other;
    });
    body.append(...order.map((at) => lines[at]));
    heads.forEach((head, at) => {
      if (at === n) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  table.replaceChildren(make("thead", {}, make("tr", {}, heads)), body);
}

const direction = (column) => ({ true: "high", false: "low" })[column.higher_is_better] ?? null;

/** Columns of the evaluation that at least one of these rows has a value in. */
const used = (rows) => DATA.columns.filter((column) => rows.some((cells) => cells[column.name]));

/** The same, without the columns that stand aside until somebody asks for all. */
const shown = (rows) => used(rows).filter((column) => !column.aside || byId("all-columns").checked);

const tableColumns = (columns) => columns.map((column) =>
  ({ heading: column.heading, title: column.meaning, best: direction(column) }));

function figureCell(cell) {
  if (!cell) return null;
  const sign = cell.against_grey > 0 ? "▲" : cell.against_grey < 0 ? "▼" : "";
  const words = cell.against_grey > 0 ? "significantly better than grey" : "significantly worse than grey";
  return {
    value: cell.value,
    content: [
      sign ? make("span", { class: `sign ${cell.against_grey > 0 ? "better" : "worse"}`, title: words }, sign) : null,
      cell.ties && !cell.best ? make("span", { class: "sign", title: "not significantly worse than the best" }, "≈") : null,
      make("span", { class: cell.best ? "best" : null }, cell.text),
      cell.interval ? make("small", {}, cell.interval) : null,
    ],
  };
}

function showFigures() {
  const all = used(Object.values(DATA.cells)), columns = shown(Object.values(DATA.cells));
  byId("more").hidden = !all.some((column) => column.aside);
  sortableTable(byId("table"), "system", tableColumns(columns), DATA.rows.map((row) => ({
    ...row, cells: columns.map((column) => figureCell(DATA.cells[row.name][column.name])),
  })));
  byId("meanings").replaceChildren(...all.flatMap((column) =>
    [make("dt", {}, column.heading), make("dd", {}, column.meaning)]));
}

function differenceCell(cell, column) {
  if (!cell) return null;
  const better = column.higher_is_better === null ? null : cell.value > 0 === column.higher_is_better;
  const kind = !cell.significant ? "chance" : better === null ? "best" : better ? "better best" : "worse best";
  return {
    value: cell.value,
    content: [make("span", { class: kind }, cell.text), cell.interval ? make("small", {}, cell.interval) : null],
  };
}

function showDifferences() {
  const others = DATA.rows.map((row) => row.name).filter((name) => DATA.differences.some((pair) => pair.other === name));
  if (!others.length) return;
  byId("compare").hidden = false;
  const select = byId("other");
  select.append(...others.map((name) => option(name)));
  select.value = others.find((name) => KINDS[name] === "system" && SYSTEMS.length > 1) ?? others[0];
  const draw = () => {
    const pairs = DATA.rows.flatMap((row) =>
      DATA.differences.filter((pair) => pair.row === row.name && pair.other === select.value));
    const columns = shown(pairs.map((pair) => pair.cells));
    sortableTable(byId("differences"), "system", tableColumns(columns), pairs.map((pair) => ({
      name: pair.row, kind: KINDS[pair.row],
      cells: columns.map((column) => differenceCell(pair.cells[column.name], column)),
    })));
  };
  select.addEventListener("change", draw);
  byId("all-columns").addEventListener("change", draw);
  draw();
}

function showClasses() {
  if (!DATA.classes.length) return;
  byId("classes").hidden = false;
  const columns = used(DATA.classes.flatMap((group) => Object.values(group.cells)));
  const select = byId("metric");
  select.append(...columns.map((column) => option(column.name, column.heading)));
  if (columns.some((column) => column.name === "ab_mae")) select.value = "ab_mae";
  const draw = () => {
    const column = columns.find((candidate) => candidate.name === select.value);
    const rows = DATA.rows.map((row) => row.name)
      .filter((row) => DATA.classes.some((group) => group.cells[row]?.[column.name]));
    const heads = rows.map((row) => ({ heading: row, title: column.meaning, best: direction(column) }));
    sortableTable(byId("class-table"), "class", [{ heading: "photos", best: "high" }, ...heads],
      DATA.classes.map((group) => ({
        name: group.name, kind: "system",
        cells: [{ value: group.photos, content: [String(group.photos)] }, ...rows.map((row) => {
          const cell = group.cells[row]?.[column.name];
          return cell ? { value: cell.value, content: [cell.text] } : null;
        })],
      })));
  };
  select.addEventListener("change", draw);
  draw();
}

// Photos

function showPhotos() {
  const { lists, photos } = DATA.gallery;
  const filled = lists.filter((list) => list.photos.length);
  if (!filled.length) return;
  byId("photos").hidden = false;

  const shown = DATA.rows.map((row) => row.name).filter((name) => name in photos[filled[0].photos[0]].pictures);
  const kinds = [...new Set(filled.map((list) => list.kind))];
  const systems = [...new Set(filled.map((list) => list.system).filter((system) => system !== null))];
  let kind = kinds[0], index = filled[0].photos[0];

  for (const side of ["left", "right"]) byId(side).append(...shown.map((name) => option(name)));
  byId("left").value = GREY_ROW in photos[index].pictures ? GREY_ROW : shown[0];
  byId("right").value = shown.find((name) => SYSTEMS.includes(name)) ?? shown.at(-1);
  byId("system").append(...systems.map((system) => option(system)));
  const buttons = kinds.map((name) => make("button", { type: "button", onclick: () => chooseList(name) },
    { random: "Random", best: "Best", worst: "Worst" }[name]));
  byId("kinds").append(...buttons);

  function chooseList(name) {
    kind = name;
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", kinds[n] === kind));
    byId("of").hidden = kind === "random";
    const system = kind === "random" ? null : byId("system").value;
    const list = filled.find((candidate) => candidate.kind === kind && candidate.system === system);
    const indices = list?.photos ?? [];
    const fewer = list && list.photos.length < list.measured
      ? ` ${list.photos.length} of ${list.measured} are in this page, to keep it small.` : "";
    byId("explanation").textContent = (kind === "random"
      ? "Drawn at random: what to expect."
      : `Where ${system} is furthest ${kind === "best" ? "below" : "above"} the grey photo in ab MAE,` +
        ` the ${kind} first.`) + fewer;
    if (system && shown.includes(system)) byId("right").value = system;
    byId("strip").replaceChildren(...indices.map((photo) => make("button",
      { type: "button", title: photos[photo].name, "data-photo": photo, onclick: () => choosePhoto(photo) },
      make("img", { src: photos[photo].pictures[TRUTH_ROW] ?? photos[photo].pictures[shown[0]], alt: photos[photo].name }))));
    if (indices.length) choosePhoto(indices[0]);
  }

  function choosePhoto(photo) {
    index = photo;
    for (const button of byId("strip").children) button.setAttribute("aria-pressed", button.dataset.photo === String(photo));
    byId("photo-name").textContent = photos[photo].name;
    byId("versions").replaceChildren(...shown.map((row) => make("button",
      { type: "button", "data-row": row, onclick: () => { byId("right").value = row; drawStage(); } },
      make("img", { src: photos[photo].pictures[row], alt: "" }),
      make("span", {}, row), (photos[photo].captions[row] ?? []).map((line) => make("span", { class: "quiet" }, line)))));
    drawStage();
  }

  function drawStage() {
    for (const side of ["left", "right"]) {
      const row = byId(side).value;
      byId(`${side}-picture`).src = photos[index].pictures[row];
      byId(`${side}-picture`).alt = row;
      byId(`${side}-name`).textContent = row;
    }
    byId("slider").setAttribute("aria-label", `${byId("left").value} on the left, ${byId("right").value} on the right`);
    for (const button of byId("versions").children) {
      button.setAttribute("aria-pressed", button.dataset.row === byId("right").value);
    }
  }

  for (const side of ["left", "right"]) byId(side).addEventListener("change", drawStage);
  byId("system").addEventListener("change", () => chooseList(kind));
  byId("strip").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = [...byId("strip").children].indexOf(document.activeElement) + step;
    if (!step || !byId("strip").children[next]) return;
    event.preventDefault();
    byId("strip").children[next].focus();
    byId("strip").children[next].click();
  });
  followPointer();
  chooseList(kind);
}

function followPointer() {
  const stage = byId("stage"), slider = byId("slider");
  const draw = () => stage.style.setProperty("--at", `${slider.value}%`);
  const move = (event) => {
    const box = stage.getBoundingClientRect();
    slider.value = Math.round((100 * (event.clientX - box.left)) / box.width);
    draw();
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    slider.focus({ preventScroll: true });
    event.preventDefault(); // no selection, no dragging of the picture
    move(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) move(event);
  });
  slider.addEventListener("input", draw);
  draw();
}

// Histograms

function showHistograms() {
  if (!DATA.histograms) return;
  byId("histograms").hidden = false;
  const { edges, colors, outline, panels } = DATA.histograms;
  const bins = edges.length - 1, low = edges[0], range = edges[bins] - edges[0];
  const at = (value) => (100 * (value - low)) / range; // percent of the plane, a to the right

  const border = [];
  for (let a = 0; outline && a < bins; a++) {
    for (let b = 0; b < bins; b++) {
      if (!outline[a * bins + b]) continue;
      const inside = (x, y) => x >= 0 && y >= 0 && x < bins && y < bins && outline[x * bins + y];
      const [x0, x1, y0, y1] = [at(edges[a]), at(edges[a + 1]), 100 - at(edges[b]), 100 - at(edges[b + 1])];
      if (!inside(a - 1, b)) border.push(`M${x0} ${y0}V${y1}`);
      if (!inside(a + 1, b)) border.push(`M${x1} ${y0}V${y1}`);
      if (!inside(a, b - 1)) border.push(`M${x0} ${y0}H${x1}`);
      if (!inside(a, b + 1)) border.push(`M${x0} ${y1}H${x1}`);
    }
  }
  const ticks = [-50, 50].filter((value) => value >= low && value <= edges[bins]);
  byId("panels").append(...panels.map((panel) => {
    const canvas = make("canvas", { width: bins, height: bins });
    const context = canvas.getContext("2d"), image = context.createImageData(bins, bins);
    for (let a = 0; a < bins; a++) {
      for (let b = 0; b < bins; b++) {
        const bin = a * bins + b;
        // Even a single pixel shall be seen, hence the step from nothing to it.
        const alpha = panel.levels[bin] ? 60 + (195 * panel.levels[bin]) / 255 : 0;
        image.data.set([...colors[bin], alpha], 4 * ((bins - 1 - b) * bins + a));
      }
    }
    context.putImageData(image, 0, 0);
    const lines = makeSvg("svg", { viewBox: "0 0 100 100", "stroke-width": 0.5, "font-size": 4, "aria-hidden": "true" },
      makeSvg("path", { class: "axis", d: `M${at(0)} 0V100M0 ${100 - at(0)}H100` }),
      ticks.map((value) => [
        makeSvg("text", { x: at(value), y: 98.5, "text-anchor": "middle" }, String(value)),
        makeSvg("text", { x: 1, y: 101.3 - at(value) }, String(value)),
      ]),
      makeSvg("path", { class: "outline", d: border.join("") }));
    const shared = panel.overlap === null ? "" : `, overlap ${(100 * panel.overlap).toFixed(0)} %`;
    return make("figure", {}, make("div", { class: "plane" }, canvas, lines),
      make("figcaption", {}, make("b", {}, panel.row), shared));
  }));
}

// Curves

/** Round values between low and high, at most six. */
function niceTicks(low, high) {
  const raw = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
  const ticks = [];
  for (let n = Math.ceil(low / step); n * step <= high * (1 + 1e-9); n++) ticks.push(n * step);
  return ticks;
}

const short = (value) => (Math.abs(value) >= 10000 ? `${+(value / 1000).toPrecision(3)}k` : String(+value.toPrecision(3)));

function chart(column, lines) {
  const points = lines.flatMap((line) => line.points);
  const values = points.map((point) => point[1]);
  let low = Math.min(...values), high = Math.max(...values);
  const log = low > 0 && high / low > 50; // a total is some hundred times its parts
  const scale = log ? Math.log10 : (value) => value;
  [low, high] = [scale(low), scale(high)];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const last = Math.max(...points.map((point) => point[0]), 1);
  const [left, right, top, bottom] = [40, 310, 22, 170];
  const x = (step) => left + ((right - left) * step) / last;
  const y = (value) => bottom - ((bottom - top) * (scale(value) - low)) / (high - low);
  const ticks = log
    ? niceTicks(low, high).map((power) => 10 ** power)
    : niceTicks(low, high);
  const name = column.replace(/^val_/, "validation ").replaceAll("_", " ");
  return makeSvg("svg", { viewBox: "0 0 320 195", role: "img", "aria-label": name },
    makeSvg("text", { x: 0, y: 11, "font-weight": 600 }, name + (log ? " (log scale)" : "")),
    ticks.map((value) => [
      makeSvg("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      makeSvg("text", { x: left - 5, y: y(value) + 3, "text-anchor": "end" }, short(value)),
    ]),
    niceTicks(0, last).map((step) => makeSvg("text", { x: x(step), y: bottom + 14, "text-anchor": "middle" }, short(step))),
    lines.map((line) => {
      const path = line.points.map(([step, value], n) => `${n ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
      return [
        makeSvg("path", { class: `line ${line.style}`, d: path.join("") }, makeSvg("title", {}, line.system)),
        line.points.length < 40
          ? line.points.map(([step, value]) =>
            makeSvg("circle", { class: line.style, cx: x(step), cy: y(value), r: 1.8, fill: "currentColor" }))
          : null,
      ];
    }));
}

function showCurves() {
  const systems = Object.keys(DATA.curves);
  if (!systems.length) return;
  byId("curves").hidden = false;
  const style = (system) => {
    const n = systems.indexOf(system);
    return `series${n % 6} dash${Math.floor(n / 6) % 3}`;
  };
  byId("series").append(...systems.map((system) => make("span", {},
    makeSvg("svg", { viewBox: "0 0 30 10" }, makeSvg("path", { class: `line ${style(system)}`, d: "M0 5H30" })), system)),
    make("span", {}, "over steps"));
  const columns = [...new Set(systems.flatMap((system) => Object.keys(DATA.curves[system])))];
  const draw = (column) => chart(column, systems.filter((system) => DATA.curves[system][column])
    .map((system) => ({ system, style: style(system), points: DATA.curves[system][column] })));
  const losses = columns.filter((column) => !column.startsWith("val_"));
  const validation = columns.filter((column) => column.startsWith("val_"));
  const first = ["val_ab_mae", "val_psnr", "val_fid"].filter((column) => validation.includes(column));
  byId("validation").append(...[...new Set([...first, ...validation])].map(draw));
  byId("losses").append(...losses.map(draw));
  byId("more-curves").hidden = !losses.length;
}

function showTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement, button = byId("theme");
  let chosen = null;
  const draw = () => {
    root.style.colorScheme = chosen ?? "light dark";
    button.textContent = (chosen ?? (dark.matches ? "dark" : "light")) === "dark" ? "Light" : "Dark";
  };
  button.addEventListener("click", () => {
    chosen = button.textContent.toLowerCase();
    draw();
  });
  dark.addEventListener("change", draw);
  draw();
}

byId("title").textContent = DATA.title;
byId("facts").append(...DATA.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
byId("remarks").append(...DATA.remarks.map((remark) => make("li", {}, remark)));
byId("about").textContent = DATA.about;
showTheme();
byId("all-columns").addEventListener("change", showFigures);
showFigures();
showDifferences();
showPhotos();
showClasses();
showHistograms();
showCurves();
