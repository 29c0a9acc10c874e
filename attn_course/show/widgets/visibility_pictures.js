// ---- pictures

const SIDE = 290;
const MARGIN = 26;
const range = (n) => Array.from({ length: n }, (_, i) => i);
const every = (n) => (n <= 12 ? 1 : 4); // label each position, or each fourth

function axes(node, { n_query, n_key, first }, cell, top) {
  const down = range(n_query).filter((row) => (first + row) % every(n_key) === 0);
  const along = range(n_key).filter((j) => j % every(n_key) === 0);
  node.append(
    ...along.map((j) =>
      text(MARGIN + (j + 0.5) * cell, top - 5, String(j), { class: "soft", "text-anchor": "middle" }),
    ),
    ...down.map((row) =>
      text(MARGIN - 6, top + (row + 0.5) * cell + 4, String(first + row), { class: "soft", "text-anchor": "end" }),
    ),
  );
}

const squares = (places, cell, gap) =>
  places.map(([row, j]) => `M${MARGIN + j * cell} ${row * cell}h${cell - gap}v${cell - gap}h${gap - cell}z`).join("");

// [3, 4, 5, 9] → [[3, 5], [9, 9]]
function runs(places) {
  const found = [];
  for (const place of places) {
    if (found.length && found.at(-1)[1] === place - 1) found.at(-1)[1] = place;
    else found.push([place, place]);
  }
  return found;
}

function matrixPicture(shown, top) {
  const { matrix, n_query, n_key, first, blind } = shown;
  const cell = SIDE / n_key;
  const node = picture(
    MARGIN + SIDE + 4,
    top + n_query * cell + 2,
    "The matrix: a row for each query, a column for each key",
  );
  const of = (wanted) => matrix.flatMap((row, i) => row.flatMap((seen, j) => (seen === wanted ? [[i, j]] : [])));
  axes(node, shown, cell, top);
  node.append(
    svg(
      "g",
      { transform: `translate(0 ${top})` },
      svg("path", { d: squares(of(false), cell, 1.5), class: "v-hidden" }),
      svg("path", { d: squares(of(true), cell, 1.5), class: "v-visible" }),
      ...runs(blind).map(([from, to]) => {
        const [y, height] = [(from - first) * cell, (to - from + 1) * cell];
        return svg(
          "g",
          { class: "v-blind" },
          svg("rect", { x: MARGIN - 1, y: y - 0.5, width: SIDE + 1, height }),
          text(MARGIN + SIDE / 2, y + height / 2 + 4, from === to ? "∅ sees nothing" : "∅ these see nothing", {
            "text-anchor": "middle",
          }),
        );
      }),
    ),
  );
  return node;
}

function blockPicture(shown, side, top) {
  const { kinds, n_query, n_key } = shown;
  const cell = SIDE / n_key;
  const id = `attn-hatch-${++serial}`;
  const hatch = svg(
    "pattern",
    { id, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 7, height: 7, class: "v-under" }),
    svg("rect", { width: 3.2, height: 7, class: "v-stripe" }),
  );
  const node = picture(MARGIN + SIDE + 4, top + n_query * cell + 2, "The blocks: hidden, partial, full");
  axes(node, shown, cell, top);
  const tiles = kinds.flatMap((row, r) =>
    row.map((kind, c) => {
      const [x, y] = [c * side, r * side];
      const [w, h] = [Math.min(side, n_key - x), Math.min(side, n_query - y)].map((n) => n * cell - 2);
      return svg("rect", {
        x: MARGIN + x * cell,
        y: top + y * cell,
        width: w,
        height: h,
        rx: 2,
        class: ["v-none", "v-part", "v-full"][kind],
        fill: kind === 1 ? `url(#${id})` : undefined,
      });
    }),
  );
  node.append(svg("defs", {}, hatch), ...tiles);
  return node;
}
