// ---- one small chart a curve: all share the steps, each has its own axis. Drawn once a width; a step moves the cursor

const HIGH = 92;
const [LEFT, RIGHT, TOP, BELOW] = [40, 9, 8, 18];

// A few round numbers from low to high.
function ticksOf(low, high, log) {
  if (log) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((last - first) / 3));
    const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i));
    if (powers.length > 2) return powers.filter((_, i) => i % every === 0);
    const decades = [10 ** (first - 1), ...powers];
    const between = decades.flatMap((power) => [1, 2, 5].map((times) => times * power));
    return between.filter((value) => value >= low && value <= high);
  }
  // The widest round steps of which two or more fit
  const power = 10 ** Math.floor(Math.log10(high - low));
  for (const step of [5, 2, 1, 0.5, 0.2].map((times) => times * power)) {
    const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
    if (last - first >= 1) return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  }
  return [low, high];
}
function tickName(value, ticks, log) {
  if (log) {
    if (value >= 0.00999 && value < 10000) return String(Number(value.toPrecision(1)));
    const [digit, power] = value.toExponential(0).split("e");
    return `${digit === "1" ? "" : `${digit}·`}10${raised(Number(power))}`;
  }
  const largest = Math.max(...ticks.map(Math.abs));
  if (Math.abs(value) < 1e-9 * largest) return "0";
  if (largest >= 1e5 || largest < 1e-3) return told(value);
  const apart = ticks.length > 1 ? ticks[1] - ticks[0] : largest;
  return minus(value.toFixed(clamp(Math.ceil(-Math.log10(apart) - 1e-9), 0, 5)));
}

// From the smallest to the largest number and the healthy band; zero is drawn in where it is near.
function rangeOf({ values, healthy, log }) {
  const every = [...values.flatMap((run) => run ?? []), ...(healthy ?? [])];
  const finite = every.filter((value) => Number.isFinite(value) && (!log || value > 0));
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
  // Where it is healthy; without a bound, as far as the axis goes.
  const band = () => {
    const [from, to] = [healthy[0] ?? low, healthy[1] ?? high].map((value) => y(clamp(value, low, high)));
    return { y: to, height: Math.max(1, from - to) };
  };
  const redraw = () => {
    node.setAttribute("viewBox", `0 0 ${wide} ${TOP + HIGH + BELOW}`);
    const ticks = ticksOf(low, high, log);
    const lines = values.flatMap((run, i) => {
      const attributes = { d: path(run ?? []), class: `r-line r-run${i}`, style: `--hue:${hues[i]}` };
      return run ? [svg("path", attributes), end(run, hues[i])] : [];
    });
    const names = [first, last].filter((step, i) => i === 0 || step > first);
    const across = { x: LEFT, width: wide - LEFT - RIGHT };
    still.replaceChildren(
      ...(healthy ? [svg("rect", { ...across, ...band(), class: "r-band" })] : []),
      ...(healthy && band().height > 16 ? [text(LEFT + 4, band().y + 12, "healthy", { class: "soft" })] : []),
      ...ticks.flatMap((value) => [
        line(LEFT, y(value), wide - RIGHT, y(value), { class: "grid" }),
        text(LEFT - 6, y(value) + 4, tickName(value, ticks, log), { class: "soft", "text-anchor": "end" }),
      ]),
      line(LEFT, TOP + HIGH, wide - RIGHT, TOP + HIGH, { class: "axis" }),
      ...marks.map(([step]) => line(x(step), TOP - 3, x(step), TOP + HIGH, { class: "r-mark" })),
      ...names.map((step, i) =>
        text(x(step), TOP + HIGH + 14, String(step), { class: "soft", "text-anchor": i ? "end" : "start" }),
      ),
      ...lines.filter(Boolean),
    );
  };

  const now = html("span", { class: "r-now" });
  const measure = html("span", { class: "soft" }, [unit, log ? "log" : ""].filter(Boolean).join(", "));
  const title = html("div", { class: "r-name" }, html("span", {}, html("b", {}, curve.name), " ", measure), now);
  const box = html("div", { class: "r-curve" }, title, node);
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
    const words = ({ value, diverged }) => (value !== null ? told(value) : diverged ? "diverged" : "–");
    const values = found.map((each, run) => each && html("b", { style: `--hue:${hues[run]}` }, words(each)));
    now.replaceChildren(...values.filter(Boolean));
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
