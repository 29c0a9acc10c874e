// Line charts and bars that can be read point by point, with the pointer or the arrow keys.

// Makes a picture readable: `at(x, y)` gives the point under the pointer (shares of its box), `show(point)` marks it
// and returns the words; `step(point, key)` is where an arrow key leads.
function readable(node, out, { first, at, step, show }) {
  let point = first;
  const tell = (next) => {
    point = next;
    out.textContent = show(point);
  };
  node.setAttribute("tabindex", "0");
  node.classList.add("read");
  const under = ({ clientX, clientY }) => {
    const box = node.getBoundingClientRect();
    tell(at((clientX - box.left) / box.width, (clientY - box.top) / box.height));
  };
  node.addEventListener("pointermove", under);
  node.addEventListener("pointerdown", under);
  node.addEventListener("focus", () => node.matches(":focus-visible") && tell(point));
  node.addEventListener("keydown", (event) => {
    const next = step(point, event.key);
    if (next === undefined) return;
    event.preventDefault();
    tell(next);
  });
}

const along = (i, key, count) => {
  const to = { ArrowLeft: i - 1, ArrowRight: i + 1, ArrowUp: i + 1, ArrowDown: i - 1, Home: 0, End: count - 1 }[key];
  return to === undefined ? undefined : clamp(to, 0, count - 1);
};

// points: [{x, value, words}], x whole numbers from 0. low, high: the usual range. ends: words below the two ends.
function chart(points, { title, low, high, from0 = false, bars = false, ends, width = 340 }) {
  const room = { left: 44, right: bars ? width : width - 4, top: 12, bottom: 98, height: 118 };
  const across = acrossOf(points, room, bars);
  const up = upOf(points, { low, high, from0 }, room);
  const mark = line(0, room.top - 4, 0, room.bottom, { class: "mark", visibility: "hidden" });
  const node = svg(
    "svg",
    { viewBox: `0 0 ${width} ${room.height}`, class: "chart", role: "img" },
    ...usualBand({ low, high }, up, room),
    ...[up.least, up.greatest].flatMap((value) => [
      line(room.left, up(value), width, up(value), { class: "axis" }),
      text(room.left - 6, up(value) + 4, short(value), { "text-anchor": "end" }),
    ]),
    text(room.left, room.height - 4, ends[0], {}),
    ...(points.length > 1 ? [text(width, room.height - 4, ends[1], { "text-anchor": "end" })] : []),
    ...(bars ? barsOf(points, across, up) : lineOf(points, across, up, room)),
    mark,
  );
  const out = html("p", { class: "readout", "aria-live": "polite" });
  const how = points.length ? " Arrow keys read the points." : "";
  node.setAttribute("aria-label", `${title}. ${summary(points)}${how}`);
  if (points.length)
    readable(node, out, {
      first: 0,
      at: (share) => nearest(points, share * width, across),
      step: (i, key) => along(i, key, points.length),
      show: (i) => {
        const x = across(points[i].x);
        Object.entries({ x1: x, x2: x, visibility: "visible" }).forEach(([name, value]) =>
          mark.setAttribute(name, value),
        );
        return points[i].words;
      },
    });
  return { node: html("div", {}, node, out), note: up.log ? html("span", { class: "soft" }, " logarithmic") : null };
}

// Where a point stands from left to right: the middle of its bar, or its place on the line.
function acrossOf(points, { left, right }, bars) {
  const last = Math.max(...points.map(({ x }) => x), bars ? 0 : 1);
  const step = (right - left) / (last + (bars ? 1 : 0));
  const alone = points.length === 1 && !bars;
  return Object.assign((x) => (alone ? (left + right) / 2 : left + step * (x + (bars ? 0.5 : 0))), { step });
}

// How high a value stands: evenly, or by its logarithm where values differ more than a thousandfold.
function upOf(points, { low, high, from0 }, { top, bottom }) {
  const values = points.map(({ value }) => value).filter(known);
  let [least, greatest] = values.length ? extent([...values, ...near(values, [low, high].filter(known))]) : [0, 1];
  const log = !from0 && least > 0 && greatest / least > 1000;
  if (from0 || (!log && least >= 0 && least < greatest / 3)) least = 0;
  if (least === greatest)
    [least, greatest] = least === 0 ? [0, 1] : [least - Math.abs(least) / 2, greatest + Math.abs(greatest) / 2];
  const scale = log ? Math.log : (x) => x;
  const share = (value) => (scale(value) - scale(least)) / (scale(greatest) - scale(least));
  return Object.assign((value) => top + (bottom - top) * (1 - share(value)), { least, greatest, log });
}

// A bound far away would flatten the line: it is drawn only where it is near.
function near(values, bounds) {
  const [least, greatest] = extent(values);
  const far = 2 * (greatest - least);
  return bounds.filter((bound) => bound >= least - far && bound <= greatest + far);
}

function usualBand({ low, high }, up, { left, right, top, bottom }) {
  const seen = (bound) => known(bound) && bound >= up.least && bound <= up.greatest;
  if (!seen(low) && !seen(high)) return [];
  const [from, to] = [seen(high) ? up(high) : top, seen(low) ? up(low) : bottom];
  return [svg("rect", { class: "band", x: left, width: right - left, y: from, height: to - from })];
}

function barsOf(points, across, up) {
  const wide = Math.max(0.8, across.step - (across.step > 4 ? 1 : 0));
  return points
    .filter(({ value }) => known(value))
    .map(({ x, value }) => {
      const tall = Math.max(0.8, up(0) - up(value)); // what is next to nothing is still seen
      return svg("rect", { class: "bar", x: across(x) - across.step / 2, y: up(0) - tall, width: wide, height: tall });
    });
}

function lineOf(points, across, up, { bottom }) {
  let pen = "M";
  const path = points.map(({ x, value }) => {
    const to = known(value) ? `${pen}${across(x).toFixed(1)} ${up(value).toFixed(1)}` : "";
    pen = known(value) ? "L" : "M";
    return to;
  });
  const dot = ({ x, value }) =>
    known(value)
      ? svg("circle", { class: "dot", cx: across(x), cy: up(value), r: points.length > 30 ? 1.6 : 2.6 })
      : cross(across(x), bottom);
  return [svg("path", { class: "line", d: path.join("") }), ...(points.length <= 64 ? points.map(dot) : [])];
}

const cross = (x, y) => svg("path", { class: "bad", d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` });

function nearest(points, place, across) {
  const far = points.map(({ x }) => Math.abs(across(x) - place));
  return far.indexOf(Math.min(...far));
}

function summary(points) {
  const there = points.filter(({ value }) => known(value));
  if (!there.length) return "No finite number.";
  const [least, greatest] = extent(there.map(({ value }) => value));
  const at = (wanted) => there.find(({ value }) => value === wanted).words;
  const gone = points.length - there.length;
  const missing = gone ? ` ${count(gone, "point")} without a finite number.` : "";
  return `Least: ${at(least)}. Greatest: ${at(greatest)}.${missing}`;
}
