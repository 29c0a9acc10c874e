// ---- one small chart a curve: all share the steps, each has its own axis. Drawn once a width; a step moves the cursor

const HIGH = 92;
const [LEFT, RIGHT, TOP, BELOW] = [40, 9, 8, 18];

// A few round numbers from low to high.
function ticksOf(low, high, log) {
  if (log) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((last - first) / 3));
    return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => 10 ** (first + i * every));
  }
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(i * step);
  return ticks;
}
function tickName(value, ticks, log) {
  if (log) {
    const power = Math.round(Math.log10(value));
    return power >= -2 && power <= 3 ? String(Number(value.toPrecision(1))) : `10${raised(power)}`;
  }
  const largest = Math.max(...ticks.map(Math.abs));
  if (largest >= 1e5 || largest < 1e-3) return value === 0 ? "0" : told(value);
  const apart = ticks.length > 1 ? ticks[1] - ticks[0] : largest;
  return minus(value.toFixed(clamp(Math.ceil(-Math.log10(apart) - 1e-9), 0, 5)));
}

// From the smallest to the largest number and the healthy band; zero is drawn in where it is near.
function rangeOf({ values, healthy, log }) {
  const finite = [...values.flatMap((run) => (run ?? []).filter(Number.isFinite)), ...(healthy ?? [])].filter(
    (value) => !log || value > 0,
  );
  if (!finite.length) return [0, 1];
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (log) return high > low ? [low / 1.2, high * 1.2] : [low / 3, high * 3];
  if (low > 0 && low < 0.5 * high) low = 0;
  if (high === low) [low, high] = low === 0 ? [0, 1] : [low - 0.5 * Math.abs(low), high + 0.5 * Math.abs(high)];
  return [low, high];
}

function lineChart(curve, { steps, name, marks, hues, choose }) {
  const { values, unit, healthy, log } = curve;
  const [low, high] = rangeOf(curve);
  const scale = log ? Math.log10 : (value) => value;
  const y = (value) => TOP + (1 - (scale(value) - scale(low)) / (scale(high) - scale(low))) * HIGH;
  const [first, last] = [steps[0], steps.at(-1)];
  let wide = 0;
  const x = (step) => LEFT + (last > first ? (step - first) / (last - first) : 0.5) * (wide - LEFT - RIGHT);

  const node = svg("svg", { role: "img", "aria-label": `${curve.name}, curve over the ${name}s`, class: "r-chart" });
  const still = svg("g", {});
  const cursor = line(0, TOP - 3, 0, TOP + HIGH, { class: "r-cursor" });
  const dots = values.map((_, run) => svg("circle", { r: 4.5, class: "r-dot", style: `--hue:${hues[run]}` }));
  node.append(still, cursor, ...dots);

  const path = (run) => {
    let [d, pen] = ["", "M"];
    run.forEach((value, i) => {
      if (Number.isFinite(value) && (!log || value > 0)) {
        d += `${pen}${x(steps[i]).toFixed(2)} ${y(value).toFixed(3)}`;
        if (!Number.isFinite(run[i + 1]) && pen === "M") d += "h0.01"; // a number between two gaps is a dot
        pen = "L";
      } else pen = "M";
    });
    return d;
  };
  const end = (run, hue) => {
    const at = run.findLastIndex(Number.isFinite);
    if (at < 0 || at === run.length - 1) return null;
    const [cx, cy] = [x(steps[at]), y(run[at])];
    return svg("path", { d: `M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8`, class: "r-end", style: `--hue:${hue}` });
  };
  const redraw = () => {
    node.setAttribute("viewBox", `0 0 ${wide} ${TOP + HIGH + BELOW}`);
    const ticks = ticksOf(low, high, log);
    const names = [first, last].filter((step, i) => i === 0 || step > first);
    const band = healthy && [Math.max(TOP, y(healthy[1])), Math.min(TOP + HIGH, y(Math.max(healthy[0], log ? low : -Infinity)))];
    still.replaceChildren(
      ...(band
        ? [svg("rect", { x: LEFT, width: wide - LEFT - RIGHT, y: band[0], height: Math.max(1, band[1] - band[0]), class: "r-band" })]
        : []),
      ...ticks.flatMap((value) => [
        line(LEFT, y(value), wide - RIGHT, y(value), { class: "grid" }),
        text(LEFT - 6, y(value) + 4, tickName(value, ticks, log), { class: "soft", "text-anchor": "end" }),
      ]),
      line(LEFT, TOP + HIGH, wide - RIGHT, TOP + HIGH, { class: "axis" }),
      ...marks.map(([step]) => line(x(step), TOP - 3, x(step), TOP + HIGH, { class: "r-mark" })),
      ...names.map((step, i) =>
        text(x(step), TOP + HIGH + 14, String(step), { class: "soft", "text-anchor": i ? "end" : "start" }),
      ),
      ...values.flatMap((run, i) =>
        run ? [svg("path", { d: path(run), class: `r-line r-run${i}`, style: `--hue:${hues[i]}` }), end(run, hues[i])] : [],
      ).filter(Boolean),
    );
  };

  const [now, title] = [html("span", { class: "r-now" }), html("div", { class: "r-name" })];
  title.append(html("b", {}, curve.name), " ", html("span", { class: "soft" }, [unit, log ? "log" : ""].filter(Boolean).join(", ")));
  const box = html("div", { class: "r-curve" }, title, now, node);
  const nearest = (event) => {
    const bounds = node.getBoundingClientRect();
    const place = ((event.clientX - bounds.left) / bounds.width) * wide;
    const off = steps.map((step) => Math.abs(x(step) - place));
    choose(off.indexOf(Math.min(...off)));
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture?.(event.pointerId);
    nearest(event);
  });
  node.addEventListener("pointermove", (event) => event.buttons && nearest(event));

  let shown = 0;
  const move = (at, found) => {
    shown = at;
    cursor.setAttribute("x1", x(steps[at]));
    cursor.setAttribute("x2", x(steps[at]));
    dots.forEach((dot, run) => {
      const there = found[run] && found[run].value !== null && (!log || found[run].value > 0);
      dot.setAttribute("visibility", there ? "visible" : "hidden");
      if (!there) return;
      dot.setAttribute("cx", x(steps[at]));
      dot.setAttribute("cy", y(found[run].value));
    });
    now.replaceChildren(
      ...found.flatMap((each, run) =>
        each === null ? [] : [html("b", { style: `--hue:${hues[run]}` }, each.value !== null ? told(each.value) : each.diverged ? "diverged" : "–")],
      ),
    );
  };
  const fit = (found) => {
    const width = Math.round(node.clientWidth) || 220;
    if (width === wide) return;
    wide = width;
    redraw();
    move(shown, found());
  };
  return { node: box, move, fit };
}
