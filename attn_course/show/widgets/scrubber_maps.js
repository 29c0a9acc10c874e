// ---- maps of one step: a pixel a cell, nothing interpolated; and points in a plane that stays

const SHADES = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  const [r, g, b] = cividis(i / 255);
  SHADES[i] = (255 << 24) | (b << 16) | (g << 8) | r;
}
// Weights are coloured by their root, so that the small ones can be told apart.
const shade = (share, weights) => SHADES[Math.round(255 * (weights ? Math.sqrt(share) : share))];

function mapBox(name, said, maps, names, { peek, choose }) {
  const { queries, keys, weights, past } = maps;
  const canvas = html("canvas", { width: keys, height: queries });
  const image = new ImageData(keys, queries);
  const colours = new Uint32Array(image.data.buffer);
  const frame = html("i", { class: "r-cell", hidden: true });
  const box = html("div", { class: "r-map", role: "application", tabindex: 0 }, canvas, frame);
  box.style.aspectRatio = `${keys} / ${queries}`;
  const caption = html("div", { class: "r-caption soft" });
  const node = html("div", {}, html("div", { class: "r-title" }, name), box, caption);
  const at = (event) => {
    const bounds = canvas.getBoundingClientRect();
    const place = (share, count) => clamp(Math.floor(share * count), 0, count - 1);
    const down = place((event.clientY - bounds.top) / bounds.height, queries);
    return [down, place((event.clientX - bounds.left) / bounds.width, keys)];
  };
  let shown = null;
  box.addEventListener("pointermove", (event) => peek(at(event)));
  box.addEventListener("pointerleave", () => peek(null));
  box.addEventListener("click", (event) => choose(at(event)));
  box.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === "Escape") choose([]);
    if (!(event.key in ways)) return;
    event.preventDefault();
    const [query, key] = shown ?? [0, 0];
    const [down, along] = shown ? ways[event.key] : [0, 0];
    choose([clamp(query + down, 0, queries - 1), clamp(key + along, 0, keys - 1)]);
  });

  const draw = (map, cell) => {
    for (let i = 0; i < map.length; i++) {
      const ahead = past && i % keys > Math.floor(i / keys);
      colours[i] = ahead || Number.isNaN(map[i]) ? 0 : shade(map[i], weights);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    shown = cell;
    frame.hidden = cell === null;
    if (cell !== null) {
      const place = { left: cell[1] / keys, top: cell[0] / queries, width: 1 / keys, height: 1 / queries };
      for (const [name, share] of Object.entries(place)) frame.style[name] = `${100 * share}%`;
    }
    const words = cell === null ? sayMap(map, maps, names) : sayCell(map, cell, maps, names);
    caption.textContent = words;
    box.setAttribute("aria-label", `${said}: ${words}. Arrow keys walk its cells`);
  };
  return { node, draw };
}

const realOf = (share, { low, high }) => low + share * (high - low);
// No more digits than one byte holds.
const numberIn = (share, maps) => (maps.weights && maps.bits === 8 ? fixed(share) : told(realOf(share, maps)));
const sayCell = (map, [query, key], maps, names) =>
  `${names(query)} → ${names(key)}: ${numberIn(map[query * maps.keys + key], maps)}`;
const sayScale = ({ weights, bits, low, high }) =>
  `${weights ? "weight, coloured by its root" : "value"}${bits === 8 ? `, to ${told((high - low) / 254)}` : ""}; ` +
  "a row for each query, a column for each key";

// Of weights: the key that takes most of all attention. Of anything else: the mean.
function sayMap(map, maps, names) {
  const { queries, keys, weights } = maps;
  const numbers = map.filter((share) => !Number.isNaN(share));
  if (!numbers.length) return "no number left";
  const all = numbers.reduce((sum, share) => sum + share, 0);
  if (!weights) return `mean ${told(realOf(all / numbers.length, maps))}`;
  const taken = Array.from({ length: keys }, (_, key) => {
    let sum = 0;
    for (let query = 0; query < queries; query++) sum += map[query * keys + key] || 0;
    return sum;
  });
  const most = taken.indexOf(Math.max(...taken));
  return all > 0 ? `most on ${names(most)}: ${fixed(taken[most] / all)} of all` : "looks at nothing";
}

// ---- points

const CLOUD = 200;
function cloudBox(name, said, { corner, side: span }, count, names, { peek, choose }) {
  const node = svg("svg", { viewBox: `-10 -10 ${CLOUD + 20} ${CLOUD + 20}`, class: "r-cloud" });
  const dots = Array.from({ length: count }, (_, i) =>
    svg("circle", { r: 4.6, fill: rgb(cividis(count > 1 ? i / (count - 1) : 0)), "data-i": i }),
  );
  const [ring, label] = [svg("circle", { r: 8, class: "r-ring" }), text(0, 0, "", { class: "r-label" })];
  const side = CLOUD + 20;
  const plate = svg("rect", { x: -10, y: -10, width: side, height: side, rx: 4, class: "r-plane" });
  node.append(plate, ...dots, ring, label);
  const caption = html("div", { class: "r-caption soft" });
  const plane = html("div", { class: "r-points", role: "application", tabindex: 0 }, node);
  const box = html("div", {}, html("div", { class: "r-title" }, name), plane, caption);
  let shown = null;
  const at = (event) => event.target.closest?.("[data-i]");
  plane.addEventListener("pointerover", (event) => peek(at(event) ? Number(at(event).dataset.i) : null));
  plane.addEventListener("pointerleave", () => peek(null));
  plane.addEventListener("click", (event) => at(event) && choose(Number(at(event).dataset.i)));
  plane.addEventListener("keydown", (event) => rove(event, shown ?? -1, count, choose));

  const draw = (places, token) => {
    const along = (place, axis) => ((place[axis] - corner[axis]) / span) * CLOUD;
    const drawn = places.map((place) => [along(place, 0), CLOUD - along(place, 1)]);
    drawn.forEach(([cx, cy], i) => {
      const there = Number.isFinite(cx) && Number.isFinite(cy);
      fill(dots[i], { visibility: there ? "visible" : "hidden", cx: there ? cx : 0, cy: there ? cy : 0 }, []);
    });
    shown = token;
    const there = token !== null && drawn[token].every(Number.isFinite);
    for (const part of [ring, label]) part.setAttribute("visibility", there ? "visible" : "hidden");
    if (there) {
      const [cx, cy] = drawn[token];
      fill(ring, { cx, cy }, []);
      const left = cx > CLOUD / 2;
      fill(label, { x: cx + (left ? -12 : 12), y: cy + 4, "text-anchor": left ? "end" : "start" }, []);
      label.textContent = names(token);
    }
    const words = sayCloud(places);
    caption.textContent = words;
    const which = there ? ` ${names(token)} at ${places[token].map(told).join(", ")}.` : "";
    plane.setAttribute("aria-label", `${said}: ${words}.${which} Arrow keys walk the points`);
  };
  return { node: box, draw };
}

function meanDistance(places) {
  const kept = places.filter((place) => place.every(Number.isFinite));
  let sum = 0;
  kept.forEach(([a, b], i) => kept.slice(0, i).forEach(([c, d]) => (sum += Math.hypot(a - c, b - d))));
  return kept.length > 1 ? sum / ((kept.length * (kept.length - 1)) / 2) : NaN;
}
const sayCloud = (places) => {
  const apart = meanDistance(places);
  return Number.isFinite(apart) ? `${told(apart)} apart on average` : "no number left";
};
