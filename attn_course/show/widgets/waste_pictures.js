// Lesson 14: the map with holes, and three curves over ε.

const SHOWN = [
  ["below", "of the weights lie below ε", "var(--query)"],
  ["mass", "of the attention lies in them", "var(--key)"],
  ["moved", "change of the output without them", "var(--value)"],
];

// Kept weights in cividis, by their root; taken out: left blank. Hidden from the query: nothing at all.
function paintLeft(canvas, { head, left }) {
  const { n, seen } = head;
  canvas.width = canvas.height = n;
  const image = new ImageData(n, n);
  for (let place = 0; place < n * n; place++) {
    if (!sees(seen, place)) continue;
    const taken = left[place] < 0;
    const [r, g, b] = taken ? [128, 128, 128] : cividis(Math.sqrt(Math.min(1, left[place])));
    image.data.set([r, g, b, taken ? 40 : 255], 4 * place);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const [WW, WH, WX, WY] = [360, 236, 40, 26];
const written = (exponent) => {
  const value = 10 ** exponent;
  return value >= 0.995 ? fixed(value, 1) : minus(value.toPrecision(2).replace(/\.?0+$/, ""));
};

function wasteChart({ curves, head, below, mass, moved: change }, { exponent, even }) {
  const [low, high] = RANGE[even];
  const x = (at) => WX + ((at - low) / (high - low)) * (WW - WX - 8);
  const y = (share) => WY + (1 - Math.min(share, 1)) * (WH - WY);
  const node = picture(WW, WH + 40, "What lies below ε, what it holds, and what its loss does to the output");
  const now = { below, mass, moved: change };
  const one = even ? 0 : -Math.log10(head.n);
  node.append(
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
      line(WX, y(share), WW - 8, y(share), { class: share ? "grid" : "axis" }),
      text(WX - 6, y(share) + 4, `${100 * share} %`, { class: "soft", "text-anchor": "end" }),
    ]),
    ...Array.from({ length: high - low + 1 }, (_, i) => low + i).map((at) =>
      text(x(at), WH + 16, written(at), { class: "soft", "text-anchor": "middle" }),
    ),
    text((WX + WW) / 2, WH + 34, even ? "ε, in even shares (1/n)" : "ε", { class: "soft", "text-anchor": "middle" }),
    line(x(one), WY, x(one), WH, { class: "w-even" }),
    text(x(one) + 4, WY - 6, "1/n", { class: "soft" }),
    ...SHOWN.map(([name, , hue]) =>
      svg("path", {
        class: "w-curve",
        style: `stroke:${hue}`,
        d: curves
          .map((point, i) => `${i ? "L" : "M"}${x(point.exponent).toFixed(1)} ${y(point[name]).toFixed(1)}`)
          .join(""),
      }),
    ),
    line(x(exponent), WY, x(exponent), WH, { class: "w-at" }),
    ...SHOWN.map(([name, , hue]) =>
      svg("circle", { cx: x(exponent), cy: y(now[name]), r: 5.5, class: "w-now", style: `fill:${hue}` }),
    ),
  );
  return node;
}

const percent = (share) => {
  const of = 100 * share;
  if (of > 0 && of < 0.1) return "below 0.1 %";
  return `${fixed(of, of < 9.95 || (of > 99 && of < 99.95) ? 1 : 0)} %`;
};

function wasteNumbers(numbers) {
  return SHOWN.map(([name, words, hue]) =>
    html("li", {}, html("i", { style: `background:${hue}` }), html("b", {}, percent(numbers[name])), ` ${words}`),
  );
}
