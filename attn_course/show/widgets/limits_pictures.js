// Lesson 13: what stands at each token near the picked place, and how far the logit moves by length.

const superscript = (n) => [...String(n)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
// Few digits, and a power of ten where it takes one.
const short = (value) => {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e4)) return minus(String(Number(value.toPrecision(3))));
  const power = Math.floor(Math.log10(size));
  return `${fixed(value / 10 ** power, 2)}·10${superscript(power)}`;
};

const [TW, CELL, SHOWN] = [400, 24, 12];

// The tokens that are drawn: as many as there is room for, around the place in question.
function shown(count, about) {
  const start = clamp(about - Math.floor(SHOWN / 2), 0, Math.max(0, count - SHOWN));
  return Array.from({ length: Math.min(SHOWN, count) }, (_, i) => start + i);
}

function tokenRows({ bits, weights, picks, values, ones }, state) {
  const parity = state.question === "parity";
  const count = bits.length + 1;
  const place = parity ? ones : 0;
  const at = shown(count, place);
  const heads = parity
    ? ["looks at even places", "looks at odd places"]
    : ["looks for the first bit"];
  const height = 96 + heads.length * 86;
  const node = picture(TW, height, "The tokens near the place that counts, and what [CLS] gives them");
  const x = (i) => 78 + (i - at[0]) * (CELL + 2.4);
  const name = (i) => (i === bits.length ? "CLS" : String(bits[i]));
  const rowLabel = (y, words) => text(0, y, words, { class: "soft" });
  node.append(text(0, 10, parity ? `layer 1: pick place k = ${ones}` : "layer 1: mark a first bit that is 1", { class: "title" }));
  node.append(rowLabel(36, "token"), rowLabel(62, "place"));
  for (const i of at) {
    const chosen = parity ? i === place : i === 0;
    node.append(
      svg("rect", { x: x(i), y: 20, width: CELL, height: CELL, rx: 3, class: chosen ? "l-cell l-chosen" : "l-cell" }),
      text(x(i) + CELL / 2, 36, name(i), { "text-anchor": "middle", class: i === bits.length ? "soft" : "" }),
      text(x(i) + CELL / 2, 62, String(i), { "text-anchor": "middle", class: "soft" }),
    );
  }
  if (at[0] > 0) node.append(text(x(at[0]) - 6, 36, "…", { "text-anchor": "end", class: "soft" }));
  if (at[at.length - 1] < count - 1) node.append(text(x(at[at.length - 1] + 1) + 2, 36, "…", { class: "soft" }));
  const mark = parity ? picks[place] : values[0];
  node.append(
    text(0, 84, parity ? `it carries ${short(mark)}, all others 0` : `its value is ${short(mark)}, all others’ 0`, {
      class: "soft",
    }),
  );
  heads.forEach((words, head) => {
    const top = 112 + head * 86;
    const most = Math.max(...weights[head]);
    node.append(
      text(0, top, heads.length > 1 ? `layer 2, head ${head} ${words}` : `layer 2, its head ${words}`, { class: "title" }),
      rowLabel(top + 44, "weight"),
      line(x(at[0]), top + 54, x(at[at.length - 1]) + CELL, top + 54, { class: "axis" }),
    );
    for (const i of at) {
      const tall = (weights[head][i] / most) * 44;
      const chosen = i === place;
      node.append(
        svg("rect", {
          x: x(i),
          y: top + 54 - tall,
          width: CELL,
          height: tall,
          class: chosen ? "l-weight l-chosen" : "l-weight",
        }),
      );
    }
    node.append(
      text(x(place) + CELL / 2, top + 69, short(weights[head][place]), {
        class: "soft",
        "text-anchor": place - at[0] < 2 ? "start" : place - at[0] > 9 ? "end" : "middle",
      }),
    );
  });
  return node;
}

const [MW, MH, MX, MY] = [300, 236, 44, 40];
const [LOW, HIGH] = [-7, 1]; // powers of ten
const FIRST_N = 8;

function moveChart({ curve, bits }, { measured }) {
  const x = (n) => MX + (Math.log(n / FIRST_N) / Math.log(2048 / FIRST_N)) * (MW - MX - 8);
  const y = (value) => MY + ((HIGH - clamp(Math.log10(value || 1e-300), LOW, HIGH)) / (HIGH - LOW)) * (MH - MY);
  const node = picture(MW, MH + 36, "How far one flipped bit moves the answer, by length, both logarithmic");
  const path = (points) => points.map(([n, value], i) => `${i ? "L" : "M"}${x(n)} ${y(value)}`).join("");
  for (const power of [0, -2, -4, -6])
    node.append(
      line(MX, y(10 ** power), MW, y(10 ** power), { class: "grid" }),
      text(MX - 6, y(10 ** power) + 4, power ? `10${superscript(power)}` : "1", { class: "soft", "text-anchor": "end" }),
    );
  for (const n of [10, 100, 1000])
    node.append(text(x(n), MH + 16, n.toLocaleString("en"), { class: "soft", "text-anchor": "middle" }));
  const now = curve.find(([n]) => n === bits.length);
  node.append(
    text(0, 10, "flip the first bit:", { class: "title" }),
    text(0, 26, "how far does the logit move?", { class: "title" }),
    line(MX, MH, MW, MH, { class: "axis" }),
    text((MX + MW) / 2, MH + 32, "bits in the string", { class: "soft", "text-anchor": "middle" }),
    svg("path", { d: path(measured), class: "l-measured" }),
    text(x(16) + 2, y(measured[0][1]) - 8, "untrained encoder: 1/n", { class: "soft" }),
    svg("path", { d: path(curve), class: "l-curve" }),
    ...curve.map(([n, value]) => svg("circle", { cx: x(n), cy: y(value), r: 2.6, class: "l-dot" })),
    svg("circle", { cx: x(now[0]), cy: y(now[1]), r: 6, class: "l-now" }),
  );
  return node;
}
