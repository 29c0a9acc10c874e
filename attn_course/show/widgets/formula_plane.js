// ---- the plane

const across = (point) => SIZE / 2 + point[0] * UNIT;
const down = (point) => SIZE / 2 - point[1] * UNIT;
const place = (point) => `(${fixed(point[0], 1)}, ${fixed(point[1], 1)})`;

function arrow(from, to, kind, width = 2.5) {
  const [x1, y1, x2, y2] = [across(from), down(from), across(to), down(to)];
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 1) return null;
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const tip = Math.min(9, length);
  const [bx, by] = [x2 - ux * tip, y2 - uy * tip];
  const head = `${x2},${y2} ${bx - uy * tip * 0.45},${by + ux * tip * 0.45} ${bx + uy * tip * 0.45},${by - ux * tip * 0.45}`;
  return svg("g", { class: kind }, line(x1, y1, bx, by, { "stroke-width": width }), svg("polygon", { points: head }));
}

// The corners of the smallest area that holds all points, in order: a weighted average cannot leave it.
function hull(points) {
  const sorted = points.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  const turns = ([ax, ay], [bx, by], [cx, cy]) => (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
  const half = (side) =>
    side.reduce((corners, point) => {
      while (corners.length > 1 && turns(corners.at(-2), corners.at(-1), point) <= 0) corners.pop();
      return [...corners, point];
    }, []);
  return [...half(sorted).slice(0, -1), ...half(sorted.toReversed()).slice(0, -1)];
}

function grid() {
  const lines = [];
  for (let at = -LIMIT; at <= LIMIT; at++) {
    const [near, far] = [SIZE / 2 - LIMIT * UNIT, SIZE / 2 + LIMIT * UNIT];
    const kind = at === 0 ? "axis" : "grid";
    lines.push(line(across([at, 0]), near, across([at, 0]), far, { class: kind }));
    lines.push(line(near, down([0, at]), far, down([0, at]), { class: kind }));
  }
  return svg("g", {}, ...lines);
}

// A point that the pointer drags and the arrow keys move. `get` and `set` speak in the plane's coordinates.
function handle({ label, name, kind, plane, get, set }) {
  const word = text(0, 0, label, { class: "label" });
  const node = svg(
    "g",
    { class: `handle ${kind}`, tabindex: 0, role: "button", "aria-roledescription": "movable point" },
    svg("circle", { r: 13, class: "grip" }),
    svg("circle", { r: 5.5 }),
    word,
  );
  const put = (x, y) => set([x, y].map((c) => Math.round(clamp(c, -LIMIT, LIMIT) * 100) / 100));
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    node.focus();
    event.preventDefault();
  });
  node.addEventListener("pointermove", (event) => {
    if (!node.hasPointerCapture(event.pointerId)) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plane.getScreenCTM().inverse());
    put((at.x - SIZE / 2) / UNIT, (SIZE / 2 - at.y) / UNIT);
  });
  node.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    const step = event.shiftKey ? 0.5 : 0.1;
    put(get()[0] + way[0] * step, get()[1] + way[1] * step);
  });
  const refresh = () => {
    const [x, y] = [across(get()), down(get())];
    const far = Math.hypot(...get()) || 1;
    node.setAttribute("transform", `translate(${x} ${y})`);
    word.setAttribute("x", (get()[0] / far) * 15);
    word.setAttribute("y", (-get()[1] / far) * 15 + 4);
    node.setAttribute("aria-label", `${name} at ${place(get())}; arrow keys move it`);
  };
  return { node, refresh };
}

function planeView(model) {
  const asking = picture(SIZE, SIZE, "The plane of the query and the keys");
  const giving = picture(SIZE, SIZE, "The plane of the values and the output");
  const [under, chain] = [svg("g"), svg("g")];
  const [askingHandles, givingHandles] = [svg("g"), svg("g")];
  asking.append(grid(), under, askingHandles);
  giving.append(grid(), chain, givingHandles);
  const table = html("div", { class: "f-rows", role: "table", "aria-label": "Scores and weights" });
  const node = html(
    "div",
    { class: "f-plane" },
    html("div", { class: "f-asking" }, html("div", { class: "attn-title" }, "query and keys"), asking),
    html("div", { class: "f-table" }, table),
    html("div", { class: "f-giving" }, html("div", { class: "attn-title" }, "values and output"), giving),
  );

  const one = (trait, index) => ({
    get: () => model.get(trait)[index],
    set: (point) => commit(model, { [trait]: model.get(trait).map((old, i) => (i === index ? point : old)) }),
  });
  let handles = [];
  const rebuild = (count) => {
    const keys = Array.from({ length: count }, (_, i) =>
      handle({ label: `k${subscript(i + 1)}`, name: `key ${i + 1}`, kind: "key", plane: asking, ...one("k", i) }),
    );
    const values = keys.map((_, i) =>
      handle({ label: `v${subscript(i + 1)}`, name: `value ${i + 1}`, kind: "value", plane: giving, ...one("v", i) }),
    );
    const query = handle({
      label: "q",
      name: "query",
      kind: "query",
      plane: asking,
      get: () => model.get("q"),
      set: (point) => commit(model, { q: point }),
    });
    handles = [query, ...keys, ...values];
    askingHandles.replaceChildren(...keys.map((key) => key.node), query.node);
    askingHandles.prepend(query.node); // first to be reached by Tab
    givingHandles.replaceChildren(...values.map((value) => value.node));
  };

  const draw = ({ scores, weights, output, query, keys, values }) => {
    if (handles.length !== 1 + 2 * keys.length) rebuild(keys.length);
    handles.forEach((each) => each.refresh());
    const far = Math.hypot(...query);
    const shadow = keys.map((key) => {
      // where each key falls on the query's line: its dot product, by eye
      if (far < 0.05) return null;
      const foot = query.map((c) => (c * dot(query, key)) / (far * far));
      return line(across(key), down(key), across(foot), down(foot), { class: "drop" });
    });
    const ray = query.map((c) => (far < 0.05 ? 0 : (c / far) * 2.25));
    under.replaceChildren(
      line(across(ray.map((c) => -c)), down(ray.map((c) => -c)), across(ray), down(ray), { class: "ray" }),
      ...shadow.filter(Boolean),
      ...keys.map((key) => arrow([0, 0], key, "key", 2)).filter(Boolean),
      arrow([0, 0], query, "query", 3) ?? "",
    );
    let from = [0, 0];
    const links = values.map((value, j) => {
      const to = from.map((c, axis) => c + weights[j] * value[axis]);
      const link = line(across(from), down(from), across(to), down(to), { class: "link" });
      from = to;
      return link;
    });
    const within = hull(values).map((corner) => `${across(corner)},${down(corner)}`);
    chain.replaceChildren(
      svg("polygon", { points: within.join(" "), class: "hull" }),
      ...values.map((value) => line(across([0, 0]), down([0, 0]), across(value), down(value), { class: "reach" })),
      ...links,
      arrow([0, 0], output, "output", 4) ?? "",
      svg("circle", { cx: across(output), cy: down(output), r: 3, class: "output" }),
      text(across(output), down(output) + (output[1] < 0 ? 17 : -9), "output", {
        class: "halo",
        "text-anchor": "middle",
      }),
    );
    table.replaceChildren(...rows(scores, weights, output));
    const order = weights.map((_, i) => i).sort((a, b) => weights[b] - weights[a]);
    return (
      `The query at ${place(query)} gives ${fixed(weights[order[0]])} of its attention to key ${order[0] + 1} and ` +
      `${fixed(weights[order[1]])} to key ${order[1] + 1}. The output lies at (${fixed(output[0])}, ${fixed(output[1])}). ` +
      "Drag any point, or reach it with Tab and move it with the arrow keys."
    );
  };
  return { node, draw };
}

function rows(scores, weights, output) {
  const row = (kind, ...cells) => html("div", { role: "row", class: kind }, ...cells);
  const cell = (kind, ...words) => html("span", { role: "cell", class: kind }, ...words);
  const head = row("f-head", cell("", ""), cell("", "score q·k/√2"), cell("", "weight"));
  const body = scores.map((score, j) =>
    row(
      "f-row",
      cell("f-name", `k${subscript(j + 1)}`),
      cell("f-score", fixed(score)),
      cell("f-bar", html("i", { style: `width:${weights[j] * 100}%` })),
      cell("f-weight", fixed(weights[j])),
    ),
  );
  const total = weights.reduce((a, b) => a + b, 0);
  const sum = row("f-row f-sum", cell("", ""), cell("", ""), cell("soft", "sum"), cell("f-weight", fixed(total)));
  const terms = weights.flatMap((weight, j) => [
    j ? " + " : " = ",
    html("span", { class: "nowrap" }, `${fixed(weight)} v${subscript(j + 1)}`),
  ]);
  return [
    head,
    ...body,
    sum,
    html(
      "p",
      { class: "f-output" },
      html("b", {}, "output"),
      ...terms,
      " = ",
      html("b", { class: "nowrap" }, `(${fixed(output[0])}, ${fixed(output[1])})`),
    ),
  ];
}
