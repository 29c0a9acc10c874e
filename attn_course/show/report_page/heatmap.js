// The sampled rows of one head: a canvas with one pixel a weight, its tokens beside it, and a frame that reads it.
// Colour goes by the square root of a weight: beside a sink, all else would be one dark field.

function heatmap(data, maps, h, cross) {
  const weights = maps.weights[h];
  const [rows, columns] = [maps.rows.length, maps.columns.length - 1];
  const top = Math.max(1e-9, ...weights.flat().filter(known));
  const wide = (c) => maps.columns[c + 1] - maps.columns[c];
  // Where no head of the layer gives a later token anything, none may look there, and the map has no such half.
  const backward = (row, r) => row.every((w, c) => !w || maps.columns[c] <= maps.rows[r]);
  const later = !cross && maps.weights.every((head) => head.every(backward));
  const canvas = html("canvas", { width: columns, height: rows, "aria-hidden": "true" });
  const paint = canvas.getContext("2d");
  const image = paint.createImageData(columns, rows);
  weights.forEach((row, r) =>
    row.forEach((weight, c) => {
      const hidden = !known(weight) || (later && maps.columns[c] > maps.rows[r]);
      image.data.set([...cividis(Math.sqrt((weight ?? 0) / top)), hidden ? 0 : 255], 4 * (r * columns + c));
    }),
  );
  paint.putImageData(image, 0, 0);

  const tall = clamp(Math.floor(400 / rows), 4, 16);
  const cell = clamp(Math.floor(420 / columns), 2, 22);
  const keyName = (c) => {
    const [from, to] = [maps.columns[c], maps.columns[c + 1] - 1];
    if (from === to) return cross ? `key ${from}` : data.at(from);
    return cross ? `keys ${from} to ${to}` : `tokens ${from} to ${to}, from ${data.token(from)} on`;
  };
  const rowName = (r) => data.at(maps.rows[r]);
  const say = ([r, c]) => {
    const weight = weights[r][c];
    return `${rowName(r)} gives ${keyName(c)} ${known(weight) ? short(weight) : "no finite number"}`;
  };
  const frame = html("div", { class: "frame", hidden: true });
  const field = html("div", { class: "field", role: "img", "aria-label": describe() }, canvas, frame);
  field.style.width = `${columns * cell}px`;
  field.style.maxWidth = "100%";
  field.style.height = `${rows * tall}px`;
  const out = html("p", { class: "readout", "aria-live": "polite" }, "Point at a weight, or use the arrow keys.");
  readable(field, out, {
    first: [rows - 1, 0],
    at: (x, y) => [clamp(Math.floor(y * rows), 0, rows - 1), clamp(Math.floor(x * columns), 0, columns - 1)],
    step: ([r, c], key) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
      if (by) return [clamp(r + by[0], 0, rows - 1), clamp(c + by[1], 0, columns - 1)];
      return { Home: [r, 0], End: [r, columns - 1] }[key];
    },
    show: ([r, c]) => {
      frame.hidden = false;
      Object.assign(frame.style, {
        left: `${(100 * c) / columns}%`,
        top: `${(100 * r) / rows}%`,
        width: `${100 / columns}%`,
        height: `${100 / rows}%`,
      });
      return say([r, c]);
    },
  });

  function describe() {
    const best = weights.map((row) => row.reduce((most, w, c) => ((w ?? -1) > (row[most] ?? -1) ? c : most), 0));
    const order = upTo(rows).sort((a, b) => (weights[b][best[b]] ?? -1) - (weights[a][best[a]] ?? -1));
    const strongest = order.slice(0, 3).map((r) => say([r, best[r]]));
    return `Weights of ${count(rows, "row")} on ${count(columns, "column")}. Strongest: ${strongest.join("; ")}. Arrow keys read single weights.`;
  }

  const named = tall >= 11;
  const names = named ? upTo(rows).map((r) => clip(data.tokens[maps.rows[r]] ? word(data.tokens[maps.rows[r]]) : maps.rows[r], 10)) : [];
  const edge = named ? 8 + 6.4 * Math.max(1, ...names.map((name) => [...String(name)].length)) : 0;
  const left = svg("svg", { width: edge, height: rows * tall, "aria-hidden": "true" });
  left.append(...names.map((name, r) => text(edge - 6, (r + 0.5) * tall + 3.5, String(name), { "text-anchor": "end" })));
  const flat = !cross && cell >= 11 && upTo(columns).every((c) => wide(c) === 1);
  const keys = flat ? upTo(columns).map((c) => clip(data.tokens[maps.columns[c]] ? word(data.tokens[maps.columns[c]]) : maps.columns[c], 10)) : [];
  const deep = flat ? 10 + 4.9 * Math.max(1, ...keys.map((name) => [...String(name)].length)) : 16;
  const below = svg("svg", { width: "100%", height: deep, viewBox: `0 0 ${columns * cell} ${deep}`, "aria-hidden": "true", preserveAspectRatio: "xMidYMin meet" });
  if (flat)
    below.append(
      ...keys.map((name, c) =>
        svg("g", { transform: `translate(${(c + 0.7) * cell} 11) rotate(-52)` }, text(0, 0, String(name), { "text-anchor": "end" })),
      ),
    );
  else {
    const end = maps.columns[columns];
    below.append(text(0, 12, cross ? "key 0" : "token 0", {}), text(columns * cell, 12, String(end - 1), { "text-anchor": "end" }));
  }
  below.style.maxWidth = `${columns * cell}px`;
  const legend = html(
    "div",
    { class: "scale soft" },
    html("span", {}, "0", ramp(), short(top)),
    html("span", {}, `the middle colour is ${short(top / 4)}`),
    ...(weights.flat().every(known) ? [] : [html("span", {}, "a blank row holds no finite number")]),
    ...(later ? [html("span", {}, "blank: later tokens, which no head of this layer looks at")] : []),
  );
  return html("div", {}, html("div", { class: "map" }, left, field, html("span"), below), out, legend);
}

function ramp() {
  const node = html("i", { class: "ramp", "aria-hidden": "true" });
  const steps = upTo(11).map((i) => `${rgb(cividis(i / 10))} ${i * 10}%`);
  node.style.background = `linear-gradient(90deg, ${steps.join(", ")})`;
  return node;
}
