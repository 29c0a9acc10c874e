// One head: what it does in words, its vitals, what its keys receive, and its sampled rows.

const narrow = matchMedia("(max-width: 620px)"); // a chart's letters keep their size: it is drawn for its room

function panel(data, { back, colour }) {
  let shown = [0, 0];
  const title = html("h3", { tabindex: "-1" });
  const body = html("div");
  const away = html("button", { type: "button", class: "away", onclick: back }, "back to the grid");
  const node = html(
    "div",
    { class: "panel", role: "region", "aria-label": "One head" },
    html("header", {}, title, away),
    body,
  );
  node.addEventListener("keydown", (event) => event.key === "Escape" && back());
  const show = (l, h) => {
    const layer = data.layers[l];
    title.textContent = `Layer ${l}, head ${h}`;
    const other = layer.kind === "self" ? "" : `, ${layer.kind} attention`;
    const seen = layer.maps
      ? pictures(data, layer, h)
      : [html("p", { class: "soft small" }, "No rows were kept to look at.")];
    body.replaceChildren(
      html("p", { class: "soft small" }, `${layer.name}${other}, ${count(layer.calls, "call")}`),
      html("p", { class: "lead" }, habit(data, l, h)),
      html("div", { class: "two" }, vitals(data, l, h, colour), html("div", {}, ...seen)),
    );
    node.dataset.head = `${l},${h}`;
    shown = [l, h];
  };
  return { node, show, title, again: () => show(...shown) };
}

function vitals(data, l, h, colour) {
  const rows = data.measures
    .filter((measure) => known(measure.values[l][h]) || measure.name === "entropy")
    .map((measure) => {
      const x = measure.values[l][h];
      const how = stands(x, measure);
      const name = html(
        "button",
        { type: "button", class: "measure", onclick: () => colour(measure.name) },
        measure.title,
      );
      name.setAttribute("aria-label", `Colour the grid by ${measure.label}`);
      return html(
        "tr",
        { class: how && "outside" },
        html(
          "th",
          { scope: "row" },
          name,
          html("span", { class: "unit" }, measure.unit === "–" ? "" : ` ${measure.unit}`),
        ),
        html(
          "td",
          { class: "number" },
          how && html("i", { class: `tip ${how}`, "aria-hidden": "true" }),
          withError(x, measure.errors[l][h]),
        ),
        html("td", { class: "among" }, among(measure, x)),
        html("td", { class: "range" }, how ? `${range(measure)} (${how})` : range(measure) || "–"),
      );
    });
  const head = ["measure", "this head", "among all heads", "usual"].map((words, i) =>
    html("th", { scope: "col", class: ["", "number", "among", "range"][i] }, words),
  );
  return html("table", { class: "vitals" }, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
}

// Where this head stands: a line from the least to the greatest of all heads, a tick at the middle one, a dot for it.
function among(measure, x) {
  const there = measure.values.flat().filter(known);
  if (!known(x) || there.length < 2) return "";
  const [least, greatest] = extent(there);
  const place = spacing(least, greatest);
  const at = (value) => 5 + 80 * place(value);
  const said = `${short(least)} to ${short(greatest)} over all heads, the middle one ${short(middle(there))}`;
  return svg(
    "svg",
    { viewBox: "0 0 90 14", width: 90, height: 14, role: "img", "aria-label": said, class: "chart" },
    svg("title", {}, said),
    line(5, 7, 85, 7, { class: "axis" }),
    line(at(middle(there)), 3, at(middle(there)), 11, { class: "middle" }),
    svg("circle", { class: "dot", cx: at(x), cy: 7, r: 3.6 }),
  );
}

function pictures(data, { maps, kind }, h) {
  const cross = kind !== "self";
  const wide = Math.max(...maps.columns.slice(1).map((end, c) => end - maps.columns[c]));
  const pooled = wide > 1 ? ` A column holds up to ${wide} keys, added up.` : "";
  const first = data.texts.length > 1 ? " of the first text" : "";
  const width = narrow.matches ? 300 : 500;
  const name = (i, other) => (other ? `key ${i}` : clip(data.token(i), 14));
  const keyEnds = [0, maps.columns.length - 2].map((c) => name(maps.columns[c], cross));
  const rowEnds = [maps.rows[0], maps.rows.at(-1)].map((i) => name(i, false));
  const received = { title: "What each key receives", from0: true, bars: true, ends: keyEnds, width };
  const entropy = { title: "Entropy of the kept rows", from0: true, ends: rowEnds, width };
  const asOne = pooled ? ", a column counted as one key" : "";
  return [
    html("h4", {}, `What each key${first} receives, as a share of all`),
    chart(receivedPoints(data, maps, h, cross), received).node,
    html("h4", {}, `Entropy along the text, in nats, on the kept rows${asOne}`),
    chart(entropyPoints(data, maps, h), entropy).node,
    html("h4", {}, `${count(maps.rows.length, "row")}${first}: who looks (down) at whom (across)`),
    html("p", { class: "soft small" }, `Colour goes by the square root, so that small weights are seen.${pooled}`),
    heatmap(data, maps, h, cross),
  ];
}

function receivedPoints(data, { received, columns }, h, cross) {
  return received[h].map((value, c) => {
    const [from, to] = [columns[c], columns[c + 1] - 1];
    const key = from < to ? `${cross ? "keys" : "tokens"} ${from} to ${to}` : cross ? `key ${from}` : data.at(from);
    return { x: c, value, words: `${key} ${known(value) ? percent(value) : "no finite number"}` };
  });
}

function entropyPoints(data, { weights, rows }, h) {
  return weights[h].map((row, r) => {
    const value = row.every(known) ? row.reduce((sum, w) => sum - (w > 0 ? w * Math.log(w) : 0), 0) : null;
    const said = known(value) ? `${short(value)} nats` : "no finite number";
    return { x: rows[r] - rows[0], value, words: `${data.at(rows[r])} ${said}` };
  });
}
