// The sampled rows of one head: a canvas with one pixel a weight, its tokens beside it, and a frame that reads it.
// Colour goes by the square root of a weight: beside a sink, all else would be one dark field.

const [ROWS_TALL, COLUMNS_WIDE] = [400, 420]; // px, at most

function heatmap(data, maps, h, cross) {
  const weights = maps.weights[h];
  const map = { weights, rows: maps.rows.length, columns: maps.columns.length - 1, maps, cross };
  map.top = Math.max(1e-9, ...weights.flat().filter(known));
  map.later = !cross && looksBack(maps);
  map.tall = clamp(Math.floor(ROWS_TALL / map.rows), 4, 16);
  map.wide = clamp(Math.floor(COLUMNS_WIDE / map.columns), 2, 22);
  const frame = html("div", { class: "frame", hidden: true });
  const field = html("div", { class: "field", role: "img" }, painted(map), frame);
  Object.assign(field.style, { width: `${map.columns * map.wide}px`, height: `${map.rows * map.tall}px` });
  const out = html("p", { class: "readout", "aria-live": "polite" }, "Point at a weight, or use the arrow keys.");
  const say = sayer(data, map);
  field.setAttribute("aria-label", strongest(map, say));
  readWeights(field, frame, out, map, say);
  const node = html("div", { class: "map" }, rowNames(data, map), field, html("span"), keyNames(data, map));
  return html("div", {}, node, out, weightsLegend(map));
}

// Where no head of the layer gives a later token anything, none may look there, and the map has no such half.
function looksBack({ weights, rows, columns }) {
  return weights.every((head) => head.every((row, r) => row.every((w, c) => !w || columns[c] <= rows[r])));
}

function painted({ weights, rows, columns, maps, later, top }) {
  const canvas = html("canvas", { width: columns, height: rows, "aria-hidden": "true" });
  const paint = canvas.getContext("2d");
  const image = paint.createImageData(columns, rows);
  weights.forEach((row, r) =>
    row.forEach((weight, c) => {
      const blank = !known(weight) || (later && maps.columns[c] > maps.rows[r]);
      const colour = cividis(Math.sqrt((weight ?? 0) / top));
      image.data.set([...colour, blank ? 0 : 255], 4 * (r * columns + c));
    }),
  );
  paint.putImageData(image, 0, 0);
  return canvas;
}

// One weight in words: who gives whom how much.
function sayer(data, { weights, maps, cross }) {
  return ([r, c]) => {
    const weight = weights[r][c];
    const gives = known(weight) ? short(weight) : "no finite number";
    return `${data.at(maps.rows[r])} gives ${keyName(data, maps, c, cross)} ${gives}`;
  };
}

function keyName(data, { columns }, c, cross) {
  const [from, to] = [columns[c], columns[c + 1] - 1];
  if (from === to) return cross ? `key ${from}` : data.at(from);
  return cross ? `keys ${from} to ${to}` : `tokens ${from} to ${to}, from ${data.token(from)} on`;
}

function strongest({ weights, rows, columns }, say) {
  const best = weights.map((row) => row.reduce((most, w, c) => ((w ?? -1) > (row[most] ?? -1) ? c : most), 0));
  const order = upTo(rows).sort((a, b) => (weights[b][best[b]] ?? -1) - (weights[a][best[a]] ?? -1));
  const three = order.slice(0, 3).map((r) => say([r, best[r]]));
  const size = `${count(rows, "row")} on ${count(columns, "column")}`;
  return `Weights of ${size}. Strongest: ${three.join("; ")}. Arrow keys read single weights.`;
}

function readWeights(field, frame, out, { rows, columns }, say) {
  const within = (r, c) => [clamp(r, 0, rows - 1), clamp(c, 0, columns - 1)];
  readable(field, out, {
    first: [rows - 1, 0],
    at: (x, y) => within(Math.floor(y * rows), Math.floor(x * columns)),
    step: ([r, c], key) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
      if (by) return within(r + by[0], c + by[1]);
      return { Home: [r, 0], End: [r, columns - 1] }[key];
    },
    show: ([r, c]) => {
      const share = (part, whole) => `${(100 * part) / whole}%`;
      const [left, top, width, height] = [share(c, columns), share(r, rows), share(1, columns), share(1, rows)];
      frame.hidden = false;
      Object.assign(frame.style, { left, top, width, height });
      return say([r, c]);
    },
  });
}

const nameAt = (data, place) => clip(data.tokens[place] ? word(data.tokens[place]) : place, 10);
const longest = (names) => Math.max(1, ...names.map((name) => [...name].length));

// The tokens that ask, left of their rows, where there is room for letters.
function rowNames(data, { rows, tall, maps }) {
  const names = tall < 11 ? [] : upTo(rows).map((r) => nameAt(data, maps.rows[r]));
  const edge = names.length ? 8 + 6.4 * longest(names) : 0;
  const name = (words, r) => text(edge - 6, (r + 0.5) * tall + 3.5, words, { "text-anchor": "end" });
  return svg("svg", { width: edge, height: rows * tall, "aria-hidden": "true" }, ...names.map(name));
}

// The keys below their columns, if each column is one token and wide enough; else where the text begins and ends.
function keyNames(data, { columns, wide, maps, cross }) {
  const across = columns * wide;
  const last = String(maps.columns[columns] - 1);
  const ends = [cross ? "key 0" : "token 0", last].map((words) => html("span", {}, words));
  const node = html("div", { class: "below", "aria-hidden": "true" });
  node.style.maxWidth = `${across}px`;
  if (cross || wide < 11 || maps.columns[columns] > columns) return fill(node, {}, ends);
  const names = upTo(columns).map((c) => nameAt(data, maps.columns[c]));
  const slanted = (words, c) => {
    const place = `translate(${(c + 0.7) * wide} 11) rotate(-52)`;
    return svg("g", { transform: place }, text(0, 0, words, { "text-anchor": "end" }));
  };
  return fill(node, {}, [svg("svg", { viewBox: `0 0 ${across} ${10 + 4.9 * longest(names)}` }, ...names.map(slanted))]);
}

function weightsLegend({ weights, top, later }) {
  return html(
    "div",
    { class: "scale soft" },
    html("span", {}, "0", ramp(), short(top)),
    html("span", {}, `the middle colour is ${short(top / 4)}`),
    weights.flat().every(known) ? null : html("span", {}, "a blank row holds no finite number"),
    later ? html("span", {}, "blank: later tokens, which no head of this layer looks at") : null,
  );
}

function ramp() {
  const node = html("i", { class: "ramp", "aria-hidden": "true" });
  const steps = upTo(11).map((i) => `${rgb(cividis(i / 10))} ${i * 10}%`);
  node.style.background = `linear-gradient(90deg, ${steps.join(", ")})`;
  return node;
}
