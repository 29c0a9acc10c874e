// Lesson 05. The map, the curve, the controls.

const SIDE = 300;
const LEFT = 26;

// ---- the map: one pixel a pair of places

function pixels(map, [low, high]) {
  const canvas = html("canvas", { width: PLACES, height: PLACES });
  const context = canvas.getContext("2d");
  const image = context.createImageData(PLACES, PLACES);
  map.flat().forEach((value, at) => {
    if (value === null) return; // stays transparent
    image.data.set([...cividis((value - low) / (high - low)), 255], 4 * at);
  });
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function mapPicture(model, { map, range }, { query }) {
  const cell = SIDE / PLACES;
  const node = picture(LEFT + SIDE + 4, SIDE + 22, "How alike two places are: a row for each query");
  node.setAttribute("role", "img");
  node.append(
    svg("image", { x: LEFT, y: 0, width: SIDE, height: SIDE, href: pixels(map, range), class: "o-map" }),
    svg("rect", { x: LEFT - 1, y: query * cell - 1, width: SIDE + 2, height: cell + 2, class: "o-row" }),
    ...[0, 16, 32, 48].flatMap((place) => [
      text(LEFT + (place + 0.5) * cell, SIDE + 14, String(place), { class: "soft", "text-anchor": "middle" }),
      text(LEFT - 5, (place + 0.5) * cell + 4, String(place), { class: "soft", "text-anchor": "end" }),
    ]),
    text(LEFT + SIDE, SIDE + 14, "key", { class: "soft", "text-anchor": "end" }),
  );
  node.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
    commit(model, { query: clamp(Math.floor(at.y / cell), 0, PLACES - 1) });
  });
  return node;
}

// ---- the curve: the query's row

const UNIT = {
  alibi: "what a weight is multiplied by",
  relative: "number of the bucket",
  learned: "cosine of the two vectors",
  sinusoidal: "cosine of the two vectors",
  rotary: "q·k, its largest = 1",
  none: "nothing tells places apart",
};

function curvePicture({ row, range: [low, high] }, { query, encoding }) {
  const [width, height, left, top] = [352, 250, 34, 12];
  const x = (place) => left + (place / (PLACES - 1)) * (width - left - 8);
  const y = (value) => top + (1 - (value - low) / (high - low)) * (height - top);
  const node = picture(width, height + 34, "The row of the query, as a curve over the keys");
  node.setAttribute("role", "img");
  const seen = row.map((value, place) => [place, value]).filter(([, value]) => value !== null);
  const path = seen.map(([place, value], at) => `${at ? "L" : "M"}${x(place)} ${y(value)}`).join("");
  const marks = encoding === "relative" ? [low, Math.round(high / 2), high] : low < -0.08 ? [low, 0, 1] : [0, 0.5, 1];
  node.append(
    ...marks.flatMap((value) => [
      line(left, y(value), width - 8, y(value), { class: value === 0 ? "axis" : "grid" }),
      text(left - 6, y(value) + 4, encoding === "relative" ? String(value) : fixed(value, 1), {
        class: "soft",
        "text-anchor": "end",
      }),
    ]),
    line(x(query), top, x(query), height, { class: "o-query" }),
    svg("path", { d: path, class: "o-curve" }),
    ...[0, 16, 32, 48, 63].map((place) =>
      text(x(place), height + 16, String(place), { class: "soft", "text-anchor": "middle" }),
    ),
    text(width - 8, height + 32, "place of the key", { class: "soft", "text-anchor": "end" }),
  );
  return node;
}

// ---- the widget

const NAMES = {
  sinusoidal: "Sinusoidal",
  rotary: "Rotary",
  alibi: "ALiBi",
  relative: "Relative bias",
  learned: "Learned",
  none: "None",
};
const thousands = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

function settings({ encoding, d, base, pairs, heads, head, buckets, farthest }) {
  const waves = `d = ${d}, base ${thousands(base)}, waves from 6 to ${thousands(2 * Math.PI * base ** (1 - 2 / d))} tokens long`;
  return {
    sinusoidal: waves,
    rotary: `${waves}, ${pairs === "mixed" ? "queries in halves and keys interleaved" : pairs}`,
    alibi: `head ${head} of ${heads}, slope ${fixed(slopes(heads)[head], 4)}`,
    relative: `${buckets} numbers, distances from ${farthest} on share the last`,
    learned: "one vector a place",
    none: "every place is like every other",
  }[encoding];
}

function say(state, { row, spread }) {
  const [query, encoding] = [state.query, state.encoding];
  const back = [1, 4, 16].filter((steps) => query - steps >= 0);
  const digits = encoding === "relative" ? 0 : 2;
  const words = back
    .map((steps) => `${fixed(row[query - steps], digits)} ${steps === 1 ? "one step back" : `at ${steps}`}`)
    .join(", ");
  const kinds = { alibi: "a weight is multiplied by", relative: "the bucket is" };
  const law =
    spread < 1e-9
      ? "Only the distance counts."
      : `The same distance gives different numbers at different places, up to ${fixed(spread)} apart.`;
  const kind = kinds[encoding] ?? "the likeness is";
  const near = encoding === "none" || !back.length ? "" : ` From place ${query} ${kind} ${words}.`;
  return `${NAMES[encoding]} (${settings(state)}).${near} ${law}`;
}

function render({ model, el }) {
  const traits = [
    "encoding",
    "query",
    "d",
    "base",
    "pairs",
    "content",
    "heads",
    "head",
    "buckets",
    "farthest",
    "alike",
    "vector",
  ];
  const read = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const encoding = select({ label: "encoding", options: Object.entries(NAMES), ...link("encoding") });
  const query = slider({ label: "query at place", min: 0, max: PLACES - 1, ...link("query") });
  const d = slider({
    label: "d",
    min: 2,
    max: 6,
    get: () => Math.log2(model.get("d")),
    set: (power) => commit(model, { d: 2 ** power }),
    show: (power) => String(2 ** power),
  });
  const base = slider({
    label: "base",
    min: 1,
    max: 6,
    step: 0.5,
    get: () => Math.log10(model.get("base")),
    set: (power) => commit(model, { base: 10 ** power }),
    show: (power) => thousands(10 ** power),
  });
  const pairs = select({
    label: "pairs",
    options: [
      ["halves", "halves"],
      ["interleaved", "interleaved"],
      ["mixed", "mixed up: q halves, k interleaved"],
    ],
    ...link("pairs"),
  });
  const content = select({
    label: "query and key",
    options: [
      ["even", "all features 1"],
      ["random", "random features"],
    ],
    ...link("content"),
  });
  const heads = slider({
    label: "heads",
    min: 1,
    max: 16,
    get: () => model.get("heads"),
    set: (count) => commit(model, { head: Math.min(model.get("head"), count - 1), heads: count }),
  });
  const head = slider({ label: "head", min: 0, max: () => model.get("heads") - 1, ...link("head") });
  const buckets = slider({ label: "numbers", min: 4, max: 32, step: 2, ...link("buckets") });
  const farthest = slider({ label: "last from distance", min: 20, max: 128, step: 4, ...link("farthest") });
  const own = {
    sinusoidal: [d, base],
    rotary: [d, base, pairs, content],
    alibi: [heads, head],
    relative: [buckets, farthest],
  };
  const parts = [d, base, pairs, content, heads, head, buckets, farthest];
  const [map, curve, unit] = [html("div", { class: "o-left" }), html("div"), html("div", { class: "attn-title" })];
  const body = [
    html("div", { class: "attn-controls" }, encoding.node, ...parts.map((part) => part.node), query.node),
    html(
      "div",
      { class: "o-body" },
      html("div", {}, html("div", { class: "attn-title" }, "queries down, keys across"), map),
      html("div", {}, unit, curve),
    ),
  ];
  const draw = (root) => {
    const state = read();
    const shown = compute(state);
    parts.forEach((part) => (part.node.hidden = !(own[state.encoding] ?? []).includes(part)));
    map.replaceChildren(mapPicture(model, shown, state));
    unit.textContent = `query at ${state.query}: ${UNIT[state.encoding]}`;
    curve.replaceChildren(curvePicture(shown, state));
    Object.assign(root.dataset, { row: JSON.stringify(shown.row), spread: shown.spread });
    return say(state, shown);
  };
  return view({
    model,
    el,
    title: "Which places are alike",
    body,
    controls: [encoding, query, ...parts],
    traits,
    draw,
  });
}

export default { render };
