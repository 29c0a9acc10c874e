// Lesson 11: the plane with the tokens, and what is left of their differences by layer.

const PLANE = 300;
const REACH = 2.4; // root mean square lengths from the middle to the edge

function plane(points, layer) {
  const node = picture(PLANE, PLANE + 18, `The tokens after layer ${layer}, in the plane`);
  const at = (value) => PLANE / 2 + (clamp(value, -REACH, REACH) / REACH) * (PLANE / 2 - 8);
  const below = 18;
  node.append(
    text(0, 10, layer ? `tokens after layer ${layer}` : "the tokens as they are", { class: "title" }),
    svg("rect", { x: 0.5, y: below, width: PLANE - 1, height: PLANE - 1, class: "c-plane" }),
    line(0, below + PLANE / 2, PLANE, below + PLANE / 2, { class: "grid" }),
    line(PLANE / 2, below, PLANE / 2, below + PLANE, { class: "grid" }),
    ...drawnAt(points).map(([x, y], i) =>
      svg("circle", {
        cx: at(x),
        cy: below + PLANE - at(y),
        r: 6.5,
        class: "c-token",
        style: `fill:${rgb(cividis(i / (points.length - 1)))}`,
      }),
    ),
  );
  return node;
}

const [CW, CH, CX, CY] = [390, 262, 46, 26];
const LOWEST = -17;

function depthChart({ residuals }, at) {
  const last = residuals.length - 1;
  const x = (layer) => CX + (layer / last) * (CW - CX - 12);
  const y = (value) => CY + (Math.max(LOWEST, value > 0 ? Math.log10(value) : LOWEST) / LOWEST) * (CH - CY);
  const node = picture(CW, CH + 40, "What is left of the tokens’ differences, by layer");
  const ticks = [0, -4, -8, -12, -16].flatMap((power) => [
    line(CX, y(10 ** power), CW, y(10 ** power), { class: power === 0 ? "axis" : "grid" }),
    text(CX - 6, y(10 ** power) + 4, power ? `10${superscript(power)}` : "1", { class: "soft", "text-anchor": "end" }),
  ]);
  const path = residuals.map((value, layer) => `${layer ? "L" : "M"}${x(layer)} ${y(value)}`).join("");
  node.append(
    text(0, 10, "what is left of the differences", { class: "title" }),
    ...ticks,
    ...[0, 4, 8, 12].map((layer) =>
      text(x(layer), CH + 16, String(layer), { class: "soft", "text-anchor": "middle" }),
    ),
    text((CX + CW) / 2, CH + 34, "layer", { class: "soft", "text-anchor": "middle" }),
    text(CX + 6, y(10 ** -16) - 5, "rounding", { class: "soft" }),
    svg("path", { d: path, class: "c-left" }),
    ...residuals.map((value, layer) => svg("circle", { cx: x(layer), cy: y(value), r: 3, class: "c-dot" })),
    line(x(at), CY, x(at), CH, { class: "c-at" }),
    svg("circle", { cx: x(at), cy: y(residuals[at]), r: 6, class: "c-now" }),
  );
  return node;
}

const superscript = (n) => [...String(n)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
