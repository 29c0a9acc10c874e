// The kit: what every widget of the course draws and computes with. Concatenated before the widget's own file.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const text = (x, y, words, attributes) => svg("text", { x, y, ...attributes }, words);
const line = (x1, y1, x2, y2, attributes) => svg("line", { x1, y1, x2, y2, ...attributes });
const picture = (width, height, label) =>
  svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });

// ---- numbers

function softmax(scores) {
  const top = Math.max(...scores);
  if (top === -Infinity) return scores.map(() => 0); // sees nothing: zeros, as in attn_course.attention
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const minus = (words) => words.replace("-", "−");
const fixed = (x, digits = 2) => minus((Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits));
const subscript = (n) => [...String(n)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");

const CIVIDIS = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [225, 204, 85],
  [254, 232, 56],
];
function cividis(share) {
  const place = clamp(share, 0, 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  return CIVIDIS[low].map((value, c) => Math.round(value + (place - low) * (CIVIDIS[low + 1][c] - value)));
}
const rgb = (colour) => `rgb(${colour.join(" ")})`;
const cividisBar = () => {
  const stops = Array.from({ length: 11 }, (_, i) => `${rgb(cividis(i / 10))} ${i * 10}%`).join(",");
  return `background:linear-gradient(90deg,${stops})`;
};
const inkOn = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 125 ? "#111" : "#fff");

// ---- controls: native ones, so that the keyboard and a screen reader know them

let serial = 0;
function commit(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

function slider({ label, min, max, step = 1, get, set, show = String }) {
  const id = `attn-${++serial}`;
  const value = html("output", { for: id });
  const input = html("input", { id, type: "range", step, oninput: () => set(Number(input.value)) });
  const node = html("div", { class: "attn-slider" }, html("label", { for: id }, label), value, input);
  const limit = (bound) => (typeof bound === "function" ? bound() : bound);
  const refresh = () => {
    input.min = limit(min);
    input.max = limit(max);
    input.value = get();
    input.style.setProperty("--share", `${(100 * (get() - input.min)) / (input.max - input.min || 1)}%`);
    value.textContent = show(get());
    input.setAttribute("aria-label", label);
    input.setAttribute("aria-valuetext", show(get()));
  };
  return { node, input, refresh };
}

function select({ label, options, get, set }) {
  const id = `attn-${++serial}`;
  const choices = options.map(([value, words]) => html("option", { value }, words));
  const input = html("select", { id, "aria-label": label, onchange: () => set(input.value) }, ...choices);
  const node = html("div", { class: "attn-select" }, html("label", { for: id }, label), input);
  return { node, input, refresh: () => (input.value = get()) };
}

function checkbox({ label, code = false, get, set }) {
  const input = html("input", { type: "checkbox", "aria-label": label, onchange: () => set(input.checked) });
  const node = html("label", { class: "attn-check" }, input, html(code ? "code" : "span", {}, label));
  return { node, input, refresh: () => (input.checked = get()) };
}

function button({ label, words = label, press, pressed }) {
  const node = html("button", { type: "button", "aria-label": label, onclick: press }, words);
  const refresh = () => pressed && node.setAttribute("aria-pressed", pressed());
  return { node, refresh };
}

// One Tab stop for a row of items; arrow keys move among them. `move(index)` is told the new place.
function rove(event, index, count, move) {
  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -count, End: count };
  if (!(event.key in steps)) return;
  event.preventDefault();
  move(clamp(index + steps[event.key], 0, count - 1));
}

// One button a head, a row for each layer. One Tab stop; the arrow keys walk, and choose.
function headGrid({ layers, heads, choose }) {
  const node = html("div", { class: "attn-heads", role: "group", "aria-label": "All heads: a row for each layer" });
  node.style.setProperty("--heads", heads);
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const walk = (event, layer, head) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [down, along] = steps[event.key];
    const [l, h] = [clamp(layer + down, 0, layers - 1), clamp(head + along, 0, heads - 1)];
    choose(l, h);
    buttons[l][h].focus();
  };
  const buttons = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (_, head) =>
      html("button", {
        type: "button",
        onclick: () => choose(layer, head),
        onkeydown: (event) => walk(event, layer, head),
      }),
    ),
  );
  const number = (n) => html("span", { class: "soft" }, String(n));
  node.append(
    number(""),
    ...buttons[0].map((_, head) => number(head)),
    ...buttons.flatMap((row, layer) => [number(layer), ...row]),
  );
  const mark = (layer, head) =>
    buttons.forEach((row, l) =>
      row.forEach((each, h) => {
        each.setAttribute("tabindex", l === layer && h === head ? 0 : -1);
        each.setAttribute("aria-pressed", l === layer && h === head);
      }),
    );
  return { node, buttons, mark };
}

// ---- a view: draws now and at every change, and says in words what it shows

function view({ model, el, title, body, controls, traits, draw }) {
  const words = html("p", { class: "attn-words", "aria-live": "polite" });
  const root = html("section", { class: "attn", "aria-label": title }, ...body, words);
  // JupyterLab takes arrows and letters for shortcuts, unless the very element that has the focus says no.
  root.addEventListener("focusin", ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true"));
  let waiting = false;
  const update = () => {
    waiting = false;
    controls.forEach((control) => control.refresh());
    const said = draw(root);
    if (words.textContent !== said) words.textContent = said;
  };
  el.append(root);
  // Several traits may change at once: one drawing for all, before the next frame.
  const changed = () => {
    if (!waiting) queueMicrotask(update);
    waiting = true;
  };
  traits.forEach((trait) => model.on(`change:${trait}`, changed));
  root.addEventListener("attn:changed", changed); // what is no trait: a token that the pointer is over
  update();
  return () => traits.forEach((trait) => model.off(`change:${trait}`, changed));
}
