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

// points: [{x, value, words}]. options: title, unit, low, high (usual range), from0, bars, ends: [left, right].
function chart(points, { title, low, high, from0 = false, bars = false, ends, width: W = 340 }) {
  const [H, L, T, B] = [118, 44, 12, 20];
  const values = points.map(({ value }) => value).filter(known);
  const bounds = [low, high].filter(known);
  let [bottom, top] = values.length ? extent([...values, ...near(values, bounds)]) : [0, 1];
  const log = !from0 && bottom > 0 && top / bottom > 1000;
  if (from0 || (!log && bottom >= 0 && bottom < top / 3)) bottom = 0;
  if (bottom === top) [bottom, top] = bottom === 0 ? [0, 1] : [bottom - Math.abs(bottom) / 2, top + Math.abs(top) / 2];
  const scale = log ? Math.log : (x) => x;
  const y = (value) => T + (H - T - B) * (1 - (scale(value) - scale(bottom)) / (scale(top) - scale(bottom)));
  const last = Math.max(1, ...points.map(({ x }) => x));
  const width = (W - L - 4) / (last + (bars ? 1 : 0));
  const x = (place) => (points.length === 1 && !bars ? (L + W) / 2 : L + width * (place + (bars ? 0.5 : 0)));
  const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img" });
  const within = (value) => known(value) && value >= bottom && value <= top;
  node.append(
    ...(within(low) ? [svg("rect", { class: "band", x: L, width: W - L, y: T, height: y(low) - T })] : []),
    ...(within(high) ? [svg("rect", { class: "band", x: L, width: W - L, y: y(high), height: H - B - y(high) })] : []),
    ...[bottom, top].flatMap((value) => [
      line(L, y(value), W, y(value), { class: "axis" }),
      text(L - 6, y(value) + 4, short(value), { "text-anchor": "end" }),
    ]),
    text(L, H - 4, ends[0], {}),
    ...(points.length > 1 ? [text(W, H - 4, ends[1], { "text-anchor": "end" })] : []),
  );
  if (bars)
    node.append(
      ...points
        .filter(({ value }) => known(value))
        .map((each) => {
          const tall = Math.max(0.8, y(bottom) - y(each.value));
          const wide = Math.max(0.8, width * (each.wide ?? 1) - (width > 4 ? 1 : 0));
          return svg("rect", { class: "bar", x: x(each.x) - width / 2, y: y(bottom) - tall, width: wide, height: tall });
        }),
    );
  else {
    let pen = "M";
    const path = points.map((each) => {
      if (!known(each.value)) return (pen = "M"), "";
      const to = `${pen}${x(each.x).toFixed(1)} ${y(each.value).toFixed(1)}`;
      return (pen = "L"), to;
    });
    node.append(svg("path", { class: "line", d: path.join("") }));
    for (const each of points.length <= 64 ? points : [])
      node.append(
        known(each.value)
          ? svg("circle", { class: "dot", cx: x(each.x), cy: y(each.value), r: points.length > 30 ? 1.6 : 2.6 })
          : cross(x(each.x), H - B),
      );
  }
  const mark = line(0, T - 4, 0, H - B, { class: "mark", visibility: "hidden" });
  node.append(mark);
  const out = html("p", { class: "readout", "aria-live": "polite" });
  if (points.length) {
    const place = (share) => {
      const wanted = (share * W - L) / width - (bars ? 0.5 : 0);
      const far = points.map((each) => Math.abs(each.x + ((each.wide ?? 1) - 1) / 2 - wanted));
      return far.indexOf(Math.min(...far));
    };
    readable(node, out, {
      first: 0,
      at: place,
      step: (i, key) => along(i, key, points.length),
      show: (i) => {
        mark.setAttribute("visibility", "visible");
        mark.setAttribute("x1", x(points[i].x));
        mark.setAttribute("x2", x(points[i].x));
        return points[i].words;
      },
    });
  }
  node.setAttribute("aria-label", `${title}. ${summary(points)}${points.length ? " Arrow keys read the points." : ""}`);
  const note = log ? html("span", { class: "soft" }, " logarithmic") : null;
  return { node: html("div", {}, node, out), note };
}

// A bound far away would flatten the line: it is drawn only where it is near.
function near(values, bounds) {
  const [bottom, top] = extent(values);
  return bounds.filter((bound) => bound > bottom - (top - bottom) * 2 - 1e-9 && bound < top + (top - bottom) * 2 + 1e-9);
}

const cross = (x, y) => svg("path", { class: "bad", d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` });

function summary(points) {
  const there = points.filter(({ value }) => known(value));
  if (!there.length) return "No finite number.";
  const by = (better) => there.reduce((best, each) => (better(each.value, best.value) ? each : best));
  const [least, most] = [by((a, b) => a < b), by((a, b) => a > b)];
  const gone = points.length - there.length;
  return `Least: ${least.words}. Greatest: ${most.words}.${gone ? ` ${count(gone, "point")} without a finite number.` : ""}`;
}
