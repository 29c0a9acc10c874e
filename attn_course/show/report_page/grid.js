// Layers × heads: one cell a head, coloured by the measure that the reader chose, with its number in it.

function grid(data, { open }) {
  let [measure, at, stopped] = [data.measures[0], [0, 0], null]; // stopped: the one cell that Tab leads to
  const cells = data.layers.map((layer, l) =>
    upTo(layer.heads).map((h) => {
      const node = html("div", { class: "cell", role: "gridcell", tabindex: "-1" });
      node.addEventListener("click", () => choose(l, h, "pointer"));
      node.addEventListener("keydown", (event) => keyed(event, l, h));
      node.addEventListener("pointerenter", () => tell(l, h));
      node.addEventListener("focus", () => tell(l, h));
      return node;
    }),
  );
  const node = gridOf(data, cells);
  const scroll = html("div", { class: "scroll" }, node);
  const readout = html("p", { class: "readout", "aria-hidden": "true" });
  // One legend a measure, all in one place and one of them seen: so the page keeps its height when the reader chooses.
  const legends = data.measures.map((each) => html("div", {}, colours(data, each), ...aboutMeasure(data, each)));
  const select = html("select", { id: "measure", onchange: () => colour(select.value) });
  const chooser = html("div", { class: "chooser" }, html("label", { for: "measure" }, "Coloured by"), select);
  select.append(...data.measures.map(({ name, label }) => html("option", { value: name }, label)));

  const tell = (l, h) => (readout.textContent = cellWords(data, measure, l, h));
  const keyed = (event, l, h) => {
    const opens = event.key === "Enter" || event.key === " ";
    const to = goes(event, cells, l, h);
    if (opens || to) event.preventDefault();
    if (opens) choose(l, h, "keyboard");
    else if (to) focus(...to);
  };
  const stop = (l, h) => {
    stopped?.setAttribute("tabindex", "-1");
    stopped = cells[l][h];
    stopped.setAttribute("tabindex", "0");
  };
  const focus = (l, h) => {
    stop(l, h);
    cells[l][h].focus({ preventScroll: true });
    sideways(scroll, cells[l][h]);
    cells[l][h].scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const choose = (l, h, by) => {
    cells[at[0]]?.[at[1]]?.setAttribute("aria-selected", "false");
    at = [l, h];
    stop(l, h);
    cells[l][h].setAttribute("aria-selected", "true");
    sideways(scroll, cells[l][h]);
    tell(l, h);
    open(l, h, by);
  };
  const colour = (name) => {
    measure = data.measures.find((each) => each.name === name) ?? measure;
    select.value = measure.name;
    const spread = spacing(...bounds(measure));
    cells.forEach((row, l) => row.forEach((cell, h) => paintCell(cell, data, measure, spread, l, h)));
    node.setAttribute("aria-label", `${measure.label}, for each layer (rows) and head (columns). Enter opens a head.`);
    legends.forEach((each, i) => (each.className = data.measures[i] === measure ? "" : "unseen"));
    tell(...at);
  };

  const outer = html(
    "div",
    { class: cells.every((row) => row.length <= 16) ? "heads beside" : "heads" },
    html("div", {}, chooser, scroll, readout),
    html("div", { class: "legend" }, ...legends),
  );
  return { node: outer, choose, colour, focus: () => focus(...at) };
}

function gridOf({ layers }, cells) {
  const most = Math.max(1, ...cells.map((row) => row.length));
  const numbers = upTo(most).map((h) => html("span", { role: "columnheader" }, String(h)));
  const header = html("div", { role: "row" }, html("span", { role: "columnheader" }, "head"), ...numbers);
  const rows = cells.map((row, l) => {
    const kind = layers[l].kind === "self" ? "" : ` ${layers[l].kind}`;
    const title = `layer ${l}: ${layers[l].name} (${layers[l].kind})`;
    const name = html("span", { role: "rowheader", title, "aria-label": `layer ${l}${kind}` }, `${l}${kind}`);
    return html("div", { role: "row" }, name, ...row);
  });
  const node = html("div", { class: "grid", role: "grid", "aria-readonly": "true" }, header, ...rows);
  node.style.setProperty("--heads", most);
  node.style.setProperty("--edge", layers.some(({ kind }) => kind !== "self") ? "5em" : "3em");
  return node;
}

function cellWords({ named }, measure, l, h) {
  const x = measure.values[l][h];
  const how = stands(x, measure);
  const number = known(x) ? withError(x, measure.errors[l][h]) : "not measured, or not a finite number";
  const found = named[[l, h]]?.map((title) => `; found: ${title}`) ?? [];
  return `layer ${l}, head ${h}: ${measure.title} ${number}${how && `, ${how} the usual range`}${found.join("")}`;
}

function paintCell(cell, data, measure, spread, l, h) {
  const x = measure.values[l][h];
  const how = stands(x, measure);
  const paint = known(x) ? cividis(spread(x)) : null;
  cell.className = `cell ${known(x) ? how && `outside ${how}` : "nan"} ${data.named[[l, h]] ? "named" : ""}`;
  cell.style.background = paint ? rgb(paint) : "";
  cell.style.color = paint ? inkFor(paint) : "";
  cell.textContent = short(x);
  cell.setAttribute("aria-label", cellWords(data, measure, l, h));
}

// Where a key leads from this cell; undefined: nowhere.
function goes({ key, ctrlKey }, cells, l, h) {
  const [last, end] = [cells.length - 1, Infinity];
  const to = {
    ArrowUp: [l - 1, h],
    ArrowDown: [l + 1, h],
    ArrowLeft: [l, h - 1],
    ArrowRight: [l, h + 1],
    Home: [ctrlKey ? 0 : l, 0],
    End: [ctrlKey ? last : l, end],
    PageUp: [0, h],
    PageDown: [last, h],
  }[key];
  if (!to) return undefined;
  const row = clamp(to[0], 0, last);
  return [row, clamp(to[1], 0, cells[row].length - 1)];
}

// Brings a cell into view within the grid, beside the names of the layers, and leaves the page where it is.
function sideways(scroll, cell) {
  const [outer, inner] = [scroll.getBoundingClientRect(), cell.getBoundingClientRect()];
  const edge = cell.parentElement.firstChild.getBoundingClientRect().width + 6;
  if (inner.left < outer.left + edge) scroll.scrollLeft -= outer.left + edge - inner.left;
  if (inner.right > outer.right - 6) scroll.scrollLeft += inner.right - outer.right + 6;
}

function bounds({ values }) {
  const there = values.flat().filter(known);
  return there.length ? extent(there) : [0, 1];
}

// What the colours and the marks in the cells mean.
function colours(data, measure) {
  const [least, greatest] = bounds(measure);
  const found = measure.values.flat().map((x) => (known(x) ? stands(x, measure) : "unknown"));
  const many = (how) => found.filter((each) => each === how).length;
  const marks = ["above", "below"].map((how) => [how, html("i", { class: `tip ${how}` }), `${how} the usual range`]);
  marks.push(["unknown", html("i", { class: "swatch nan" }), "not measured, or not a finite number"]);
  return html(
    "div",
    { class: "scale soft" },
    html("span", {}, short(least), ramp(), short(greatest), spacing(least, greatest).log ? "by its logarithm" : ""),
    ...(Object.keys(data.named).length ? [html("span", {}, html("i", { class: "bar" }), "named by a finding")] : []),
    ...marks.filter(([how]) => many(how)).map(([how, mark, words]) => html("span", {}, mark, `${many(how)} ${words}`)),
  );
}

// Where numbers go in the colour map: evenly; or by their logarithm, when they are no shares and span a hundredfold.
function spacing(least, greatest) {
  const log = least > 0 && greatest > 2 && greatest / least > 100;
  const scale = log ? Math.log : (x) => x;
  const whole = scale(greatest) - scale(least);
  return Object.assign((x) => (whole > 0 ? (scale(x) - scale(least)) / whole : 0.5), { log });
}

function taken(data, { of, sampled, errors }) {
  if (of === "block") return "on every token";
  if (of === "layer") return "from the gradients of the loss given";
  const { about } = data.report;
  const all = errors.flat().filter((error) => known(error) && error > 0);
  if (!sampled || !all.length) return "on every row";
  const rows = about.sampled_rows ? `${about.sampled_rows} rows` : "some rows";
  return `on ${rows} drawn at random; standard error up to ${short(Math.max(...all))}`;
}

function aboutMeasure(data, measure) {
  const pairs = [
    ["usual", measure.usual],
    ["taken", taken(data, measure)],
    ["source", measure.source],
  ];
  return [html("p", {}, measure.meaning), list("how", pairs)];
}

const list = (name, pairs) =>
  html("dl", { class: name }, ...pairs.flatMap(([term, words]) => [html("dt", {}, term), html("dd", {}, words)]));
