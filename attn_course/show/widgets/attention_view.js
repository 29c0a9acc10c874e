// ---- all heads: tiny maps, or one number a head; filled in between frames, a head at a time

const MEASURES = {
  maps: "a small map of each",
  special: "share on the special tokens",
  entropy: "entropy, of the most possible",
  distance: "mean distance, of the text’s length",
};

function overviewBox(model, text, reader) {
  const [layers, heads] = [text.layers.length, text.layers[0].length];
  const grid = headGrid({ layers, heads, choose: (layer, head) => commit(model, { layer, head }) });
  const vitals = grid.buttons.map((row) => row.map(() => null));
  const canvases = grid.buttons.map((row) => row.map(() => html("canvas", { class: "a-pixels" })));
  grid.buttons.forEach((row, l) => row.forEach((each, h) => each.append(canvases[l][h])));
  const share = ({ entropy, special, distance }) => ({ entropy, special, distance: distance / reader.n });
  const dress = (l, h) => {
    const [button, found, which] = [grid.buttons[l][h], vitals[l][h], model.get("overview")];
    const number = found && which !== "maps" ? share(found)[which] : null;
    canvases[l][h].hidden = which !== "maps";
    button.style.background = number === null ? "" : rgb(cividis(number));
    const said = number === null ? "" : `: ${which === "distance" ? fixed(found.distance, 1) : fixed(number)}`;
    button.setAttribute("aria-label", `layer ${l}, head ${h}${said}`);
    button.setAttribute("title", `layer ${l}, head ${h}${said}`);
  };
  const places = grid.buttons.flatMap((row, l) => row.map((_, h) => [l, h]));
  const later = window.requestIdleCallback ?? ((work) => setTimeout(work, 0));
  let stopped = false;
  const next = (at) => {
    const start = performance.now();
    while (!stopped && at < places.length && performance.now() - start < 12) {
      const [l, h] = places[at++];
      const [map, seen] = [reader.whole(l, h), reader.seen(l, h)];
      vitals[l][h] = vitalsOf(map, seen, text.special, reader.n);
      paint(canvases[l][h], map, reader.n, 48, seen);
      dress(l, h);
    }
    if (!stopped && at < places.length) later(() => next(at));
  };
  later(() => next(0));
  let worn = null;
  const draw = ({ layer, head, overview }) => {
    grid.mark(layer, head);
    if (worn !== overview) places.forEach(([l, h]) => dress(l, h));
    worn = overview;
  };
  return { node: grid.node, draw, stop: () => (stopped = true) };
}

// ---- words

const quoted = (token) => `“${nameOf(token)}”`;
const joinedUp = (words) => [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");
const specialNames = ({ tokens, special }) => {
  const name = (i) => (/^[[<]/.test(tokens[i]) ? tokens[i] : i === 0 ? "the first token" : quoted(tokens[i]));
  const names = [...new Set(special.map(name))];
  return names.length > 4 ? `${names.length} special tokens` : joinedUp(names);
};

function vitalsLine({ text, layer, head }, { entropy, special, distance, key, share }) {
  const on = text.special.length ? `, ${fixed(special)} on ${specialNames(text)}` : "";
  return (
    `Layer ${layer}, head ${head} as a whole: entropy ${fixed(entropy)} of the most possible${on}, ` +
    `${fixed(distance, 1)} tokens away on average, strongest key ${quoted(text.tokens[key])} (${key}) ` +
    `with ${fixed(share)} of all attention.`
  );
}

function say({ text, layer, head, hide, received }, { row, column, taken }, token, { looks, looked }) {
  const tokens = text.tokens;
  const often = (token) => tokens.indexOf(token) !== tokens.lastIndexOf(token);
  const named = (j) => (often(tokens[j]) ? `${quoted(tokens[j])} (${j})` : quoted(tokens[j]));
  const list = (places, values) => places.map((j) => `${named(j)} ${amount(values[j])}`).join(", ");
  const left = hide
    ? ` Without ${specialNames(text)}, which take ${amount(taken)} of its row, and with the rest scaled up to one, it`
    : "";
  const looking = looks.length ? `looks at ${list(looks, row)}` : "looks at nothing that is shown";
  const spent = row.reduce((sum, weight) => sum + weight, 0);
  const lost = spent > 0 && spent < 0.995 ? `; ${amount(1 - spent)} of its row goes to no token` : "";
  const from = looked.length ? `It is looked at most by ${list(looked, column)}.` : "No token looks at it.";
  const who = `Layer ${layer}, head ${head}: ${quoted(tokens[token])}, token ${token}${hide ? "." : ","}`;
  return `${who}${left} ${looking}${lost}.${received ? ` ${from}` : ""}`;
}

const NO_PROOF =
  "A map is no proof. It shows what a head reads, not what the answer depends on: a large weight may carry " +
  "a value that changes nothing. Erase, patch or silence, and see.";

// ---- the widget

function render({ model, el }) {
  const traits = ["layer", "head", "token", "hide", "received", "overview"];
  const read = () => ({ text, ...Object.fromEntries(traits.map((trait) => [trait, model.get(trait)])) });
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const text = model.get("text");
  const { tokens, layers } = text;
  const reader = readerOf(text);
  const numbered = (label, trait, count) =>
    select({
      label,
      options: Array.from({ length: count }, (_, i) => [String(i), String(i)]),
      get: () => String(model.get(trait)),
      set: (value) => commit(model, { [trait]: Number(value) }),
    });
  const layer = numbered("layer", "layer", layers.length);
  const head = numbered("head", "head", layers[0].length);
  const hide = checkbox({ label: `leave out ${specialNames(text)}`, ...link("hide") });
  const received = checkbox({ label: "who looks at it", ...link("received") });
  const measure = select({ label: "all heads", options: Object.entries(MEASURES), ...link("overview") });
  hide.node.hidden = text.special.length === 0;

  let hovered = null; // [token that asks, key under the pointer]: shown, not kept
  const peek = (token, key = null) => {
    const now = token === null ? null : [token, key];
    if (String(now) === String(hovered)) return;
    hovered = now;
    box.node.dispatchEvent(new Event("attn:changed", { bubbles: true }));
  };
  const choose = (token) => commit(model, { token });
  const box = textBox(tokens, { peek, choose });
  const map = mapBox(tokens.length, { peek, choose });
  const [out, by] = [fiveBox("a-looks", { choose }), fiveBox("a-looked", { choose })];
  const overview = overviewBox(model, text, reader);
  const [vitals, readout] = [html("p", { class: "a-vitals" }), html("p", { class: "a-readout soft" })];
  const [most, mostBack] = [html("span", {}), html("span", {})];
  const equal = 1 / tokens.length;
  const span = (top) =>
    top > equal
      ? `from an equal share, ${amount(equal)}, to ${amount(top)}`
      : `no more than an equal share, ${amount(equal)}`;
  const key = html(
    "p",
    { class: "a-key soft" },
    html("span", {}, html("i", { class: "a-blue" }), most),
    " ",
    html("span", {}, html("i", { class: "a-orange" }), mostBack),
  );
  const scale = (low, high) => html("div", { class: "a-scale soft" }, low, html("i", { style: cividisBar() }), high);
  const numbers = scale("0", "1");
  const body = [
    html(
      "div",
      { class: "a-top" },
      html("div", {}, overview.node, numbers),
      html(
        "div",
        { class: "a-choose" },
        html("div", { class: "a-pair" }, layer.node, head.node),
        measure.node,
        hide.node,
        received.node,
      ),
    ),
    vitals,
    html(
      "div",
      { class: tokens.length > 150 ? "a-body a-long" : "a-body" },
      html("div", { class: "a-read" }, box.node, key),
      html("div", { class: "a-side" }, map.node, scale("weight 0", "1 (by its root)"), readout),
      html("div", { class: "a-fives" }, out.node, by.node),
    ),
    html("p", { class: "a-proof soft" }, NO_PROOF),
  ];

  let worn = ""; // the head that the map and its line show
  const draw = (root) => {
    const state = read();
    const token = hovered ? hovered[0] : state.token;
    const shown = compute(state, reader, token);
    const { row, column } = shown;
    shown.top = { row: Math.max(...row), column: Math.max(...column) };
    const five = { looks: strongest(row, 5), looked: strongest(column, 5) };
    const name = `${state.layer} ${state.head} ${state.hide}`;
    if (worn !== name) {
      worn = name;
      const found = reader.vitals(state.layer, state.head);
      vitals.textContent = vitalsLine(state, found);
      const words = `layer ${state.layer}, head ${state.head}: a row for each token that asks, a column for each key`;
      map.draw(shown.map, reader.seen(state.layer, state.head), words);
      box.dim(state.hide ? text.special : []);
      root.dataset.vitals = JSON.stringify(found);
    }
    overview.draw(state);
    numbers.hidden = state.overview === "maps";
    box.draw(shown, token, state);
    map.mark(token, state.received);
    out.draw(`${quoted(tokens[token])} looks at`, tokens, row, five.looks);
    by.draw(`who looks at ${quoted(tokens[token])}`, tokens, column, five.looked);
    by.node.hidden = key.lastChild.hidden = !state.received;
    most.textContent = `it looks at: ${span(shown.top.row)}`;
    mostBack.textContent = `looks at it: ${span(shown.top.column)}`;
    const [i, j] = hovered?.[1] == null ? [token, five.looks[0] ?? token] : hovered;
    const weight = amount(shown.map[i * reader.n + j]);
    readout.textContent = `${quoted(tokens[i])} (${i}) looks at ${quoted(tokens[j])} (${j}): ${weight}`;
    root.dataset.row = JSON.stringify(Array.from(row, (weight) => Math.round(1e6 * weight) / 1e6));
    root.dataset.column = JSON.stringify(Array.from(column, (weight) => Math.round(1e6 * weight) / 1e6));
    return say(state, shown, token, five);
  };
  const stop = view({
    model,
    el,
    title: "A text under one head",
    body,
    controls: [layer, head, hide, received, measure],
    traits,
    draw,
  });
  return () => {
    overview.stop();
    stop();
  };
}

export default { render };
