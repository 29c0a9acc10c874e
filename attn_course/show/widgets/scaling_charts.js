// Lesson 02: its pictures.

// ---- three charts over the keys

const WIDE = 430;
const LEFT = 44;
const HIGH = 84;

const scoreRange = (scores) =>
  [2, 3, 5, 10, 20, 50, 100, 200].find((bound) => scores.every((s) => Math.abs(s) <= bound)) ?? 500;

function chart({ title, note, low, high, ticks, marks }) {
  const node = picture(WIDE, HIGH + 24, title);
  const y = (value) => 18 + ((high - value) / (high - low)) * HIGH;
  const rules = ticks.flatMap(([value, words]) => [
    line(LEFT, y(value), WIDE, y(value), { class: value === 0 ? "axis" : "grid" }),
    text(LEFT - 6, y(value) + 4, words, { class: "soft", "text-anchor": "end" }),
  ]);
  node.append(
    text(LEFT, 10, title, { class: "title" }),
    text(WIDE, 10, note, { class: "soft", "text-anchor": "end" }),
    ...rules,
    ...marks(y),
  );
  return node;
}

function columns(values, kind, y) {
  const step = (WIDE - LEFT) / values.length;
  const thick = Math.min(18, step * 0.66);
  return values.map((value, j) => {
    const middle = LEFT + (j + 0.5) * step;
    const top = Math.min(y(value), y(0));
    return svg("rect", {
      x: middle - thick / 2,
      width: thick,
      y: top,
      height: Math.max(0.8, y(0) - top),
      class: kind,
      rx: 1.5,
    });
  });
}

function scoreChart(scores, expected) {
  const bound = scoreRange(scores);
  const step = (WIDE - LEFT) / scores.length;
  return chart({
    title: "scores",
    note: "band: −1 to 1",
    low: -bound,
    high: bound,
    ticks: [
      [bound, `${bound}`],
      [0, "0"],
      [-bound, `−${bound}`],
    ],
    marks: (y) => [
      svg("rect", { x: LEFT, width: WIDE - LEFT, y: y(1), height: y(-1) - y(1), class: "s-band" }),
      ...scores.flatMap((score, j) => {
        const x = LEFT + (j + 0.5) * step;
        return [
          line(x, y(0), x, y(score), { class: "s-stem" }),
          svg("circle", { cx: x, cy: y(score), r: 4.2, class: "s-score" }),
        ];
      }),
    ],
  });
}

function share(title, note, values, high, uniform, kind, ticks) {
  return chart({
    title,
    note,
    low: 0,
    high,
    ticks,
    marks: (y) => [...columns(values, kind, y), line(LEFT, y(uniform), WIDE, y(uniform), { class: "s-uniform" })],
  });
}

// ---- the curve over d_k

const [CW, CH, CX, CY] = [262, 236, 34, 26];

function curveChart(state, { here, paper }) {
  const high = state.measure === "gradient" ? 0.4 : 1;
  const x = (power) => CX + (power / 9) * (CW - CX - 10);
  const y = (value) => CY + (1 - value / high) * (CH - CY);
  const path = (values) => values.map((value, power) => `${power ? "L" : "M"}${x(power)} ${y(value)}`).join("");
  const at = Math.log2(state.d_k);
  const title = state.measure === "gradient" ? "size of the softmax’s gradient" : "entropy, share of the most";
  const node = picture(CW, CH + 38, `${title}, against d_k`);
  const ticks = [0, high / 4, high / 2, (3 * high) / 4, high].flatMap((value) => [
    line(CX, y(value), CW, y(value), { class: value ? "grid" : "axis" }),
    text(CX - 5, y(value) + 4, value.toFixed(high === 1 ? 2 : 1).replace(/(\.\d)0$/, "$1"), {
      class: "soft",
      "text-anchor": "end",
    }),
  ]);
  const names = [0, 3, 6, 9].map((power) =>
    text(x(power), CH + 16, String(2 ** power), { class: "soft", "text-anchor": "middle" }),
  );
  node.append(
    text(0, 10, title, { class: "title" }),
    ...ticks,
    ...names,
    text((CX + CW) / 2, CH + 33, "d_k", { class: "soft", "text-anchor": "middle" }),
    svg("path", { d: path(paper), class: "s-paper" }),
    svg("path", { d: path(here), class: "s-here" }),
    line(x(at), CY, x(at), CH, { class: "s-at" }),
    svg("circle", { cx: x(at), cy: y(here[at]), r: 5.5, class: "s-now" }),
  );
  if (Math.abs(state.exponent - 0.5) > 0.01) {
    const apart = y(here[9]) < y(paper[9]) ? [-8, 16] : [-8, 16].reverse();
    node.append(
      text(CW - 10, y(paper[9]) + apart[1], "a = ½", { class: "soft", "text-anchor": "end" }),
      text(CW - 10, y(here[9]) + apart[0], `a = ${fixed(state.exponent)}`, { class: "title", "text-anchor": "end" }),
    );
  } else node.append(text(CW - 10, y(here[9]) - 10, "a = ½", { class: "title", "text-anchor": "end" }));
  return node;
}
