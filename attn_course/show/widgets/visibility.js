// Lesson 03. Predicates over (query i, key j), composed as in attn_course.attention.visibility.

export const rules = {
  everything: () => () => true,
  causal: () => (i, j) => j <= i,
  window: ({ w }) => (i, j) => Math.abs(i - j) < w,
  sinks: ({ n_sinks }) => (i, j) => j < n_sinks,
  document: ({ ids }) => (i, j) => ids[i] === ids[j],
  padding: ({ keep }) => (i, j) => keep[j],
};
const names = {
  everything: () => "everything", causal: () => "causal", window: ({ w }) => `window(${w})`,
  sinks: ({ n_sinks }) => `sinks(${n_sinks})`, document: () => "document(ids)", padding: () => "padding(keep)",
};

// The rule and its code, built together, so that what is written is what is computed.
export function composed(state) {
  const local = ["window", "sinks"].filter((name) => state[name]);
  const active = [state.causal && "causal", ...local, state.document && "document", state.padding && "padding"].filter(Boolean);
  if (!active.length) active.push("everything");
  const either = local.length === 2 && state.join === "|";
  const rule = Object.fromEntries(active.map((name) => [name, rules[name](state)]));
  const each = active.filter((name) => !(either && local.includes(name)));
  const inner = (i, j) => each.every((name) => rule[name](i, j)) && (!either || local.some((name) => rule[name](i, j)));

  const code = active.map((name) => names[name](state));
  if (either) {
    const pair = code.splice(active.indexOf("window"), 2).join(" | ");
    code.splice(active.indexOf("window"), 0, active.length > 2 ? `(${pair})` : pair);
  }
  const joined = code.join(" & ");
  const compound = active.length > 1;
  return {
    active, either,
    rule: state.invert ? (i, j) => !inner(i, j) : inner,
    code: state.invert ? `~${compound ? `(${joined})` : joined}` : joined,
  };
}

export function compute(state) {
  const n_key = state.n_tokens;
  const n_query = Math.min(state.n_query ?? n_key, n_key);
  const first = n_key - n_query; // the queries are the last ones
  const { rule, code, active, either } = composed(state);
  const matrix = Array.from({ length: n_query }, (_, row) => Array.from({ length: n_key }, (_, j) => rule(first + row, j)));
  const blind = matrix.flatMap((cells, row) => (cells.some(Boolean) ? [] : [first + row]));
  return { matrix, code, active, either, blind, first, n_query, n_key, ...blocks(matrix, state.block) };
}

function blocks(matrix, side) {
  const [rows, columns] = [matrix.length, matrix[0].length].map((n) => Math.ceil(n / side));
  const kinds = Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => {
    const cells = matrix.slice(r * side, (r + 1) * side).flatMap((row) => row.slice(c * side, (c + 1) * side));
    return Number(cells.some(Boolean)) + Number(cells.every(Boolean));
  }));
  const count = [0, 1, 2].map((kind) => kinds.flat().filter((k) => k === kind).length);
  return { kinds, count, computed: (count[1] + count[2]) / (rows * columns) };
}

// ---- pictures

const SIDE = 290;
const MARGIN = 26;
const range = (n) => Array.from({ length: n }, (_, i) => i);
const every = (n) => (n <= 12 ? 1 : 4); // label each position, or each fourth

function axes(node, { n_query, n_key, first }, cell, top) {
  const down = range(n_query).filter((row) => (first + row) % every(n_key) === 0);
  const along = range(n_key).filter((j) => j % every(n_key) === 0);
  node.append(
    ...along.map((j) => text(MARGIN + (j + 0.5) * cell, top - 5, String(j), { class: "soft", "text-anchor": "middle" })),
    ...down.map((row) => text(MARGIN - 6, top + (row + 0.5) * cell + 4, String(first + row), { class: "soft", "text-anchor": "end" })));
}

const squares = (places, cell, gap) => places.map(([row, j]) => `M${MARGIN + j * cell} ${row * cell}h${cell - gap}v${cell - gap}h${gap - cell}z`).join("");

function matrixPicture(shown, top) {
  const { matrix, n_query, n_key, first, blind } = shown;
  const cell = SIDE / n_key;
  const node = picture(MARGIN + SIDE + 4, top + n_query * cell + 2, "The matrix: a row for each query, a column for each key");
  const of = (wanted) => matrix.flatMap((row, i) => row.flatMap((seen, j) => (seen === wanted ? [[i, j]] : [])));
  axes(node, shown, cell, top);
  node.append(svg("g", { transform: `translate(0 ${top})` },
    svg("path", { d: squares(of(false), cell, 1.5), class: "v-hidden" }), svg("path", { d: squares(of(true), cell, 1.5), class: "v-visible" }),
    ...blind.map((i) => {
      const y = (i - first) * cell;
      return svg("g", { class: "v-blind" }, svg("rect", { x: MARGIN - 1, y: y - 0.5, width: SIDE + 1, height: cell }),
        text(MARGIN + SIDE / 2, y + cell / 2 + 4, cell > 12 ? "∅ sees nothing" : "∅", { "text-anchor": "middle" }));
    })));
  return node;
}

function blockPicture(shown, side, top) {
  const { kinds, n_query, n_key } = shown;
  const cell = SIDE / n_key;
  const id = `attn-hatch-${++serial}`;
  const hatch = svg("pattern", { id, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 7, height: 7, class: "v-under" }), svg("rect", { width: 3.2, height: 7, class: "v-stripe" }));
  const node = picture(MARGIN + SIDE + 4, top + n_query * cell + 2, "The blocks: hidden, partial, full");
  axes(node, shown, cell, top);
  const tiles = kinds.flatMap((row, r) => row.map((kind, c) => {
    const [x, y] = [c * side, r * side];
    const [w, h] = [Math.min(side, n_key - x), Math.min(side, n_query - y)].map((n) => n * cell - 2);
    return svg("rect", { x: MARGIN + x * cell, y: top + y * cell, width: w, height: h, rx: 2, class: ["v-none", "v-part", "v-full"][kind],
      fill: kind === 1 ? `url(#${id})` : undefined });
  }));
  node.append(svg("defs", {}, hatch), ...tiles);
  return node;
}

// ---- one entry a token: where a document begins, which tokens are kept

function strip({ label, model, say, toggle }) {
  const node = html("div", { class: "v-strip", role: "toolbar", "aria-label": label });
  const buttons = range(24).map((t) => html("button", {
    type: "button", onclick: () => { hold(t); toggle(t); }, onkeydown: (event) => rove(event, t, model.get("n_tokens"), (next) => { hold(next); buttons[next].focus(); }) }));
  const hold = (at) => buttons.forEach((each, t) => each.setAttribute("tabindex", t === at ? 0 : -1));
  hold(0);
  node.append(html("span", { class: "soft" }, label), html("div", {}, ...buttons));
  const refresh = () => buttons.forEach((each, t) => {
    const { sign, words, pressed } = say(t);
    each.hidden = t >= model.get("n_tokens");
    each.textContent = sign;
    each.setAttribute("aria-label", words);
    each.setAttribute("aria-pressed", pressed);
  });
  return { node, refresh };
}

function documentStrip(model) {
  const begins = (ids, t) => t === 0 || ids[t] !== ids[t - 1];
  return strip({
    label: "ids: press where a document begins", model,
    say: (t) => {
      const ids = model.get("ids");
      return { sign: String(ids[t]), words: `token ${t}: document ${ids[t]}`, pressed: begins(ids, t) };
    },
    toggle: (t) => {
      const old = model.get("ids");
      const starts = old.map((_, at) => (at === t ? t > 0 && !begins(old, t) : at > 0 && begins(old, at)));
      let id = 0;
      commit(model, { ids: starts.map((start) => (id += Number(start))) });
    } });
}

function paddingStrip(model) {
  return strip({
    label: "keep: press to keep or to drop a token", model,
    say: (t) => ({ sign: model.get("keep")[t] ? "1" : "0", words: `token ${t}: ${model.get("keep")[t] ? "kept" : "filler"}`, pressed: model.get("keep")[t] }),
    toggle: (t) => commit(model, { keep: model.get("keep").map((kept, at) => (at === t ? !kept : kept)) }) });
}

// ---- the widget

function say({ code, blind, n_query, n_key, matrix, count, computed }) {
  const seen = matrix.flat().filter(Boolean).length;
  const rows = blind.length === 0 ? "Every query sees something." : blind.length === 1 ? `Query ${blind[0]} sees nothing: its output is zeros.`
    : `${blind.length} queries (${blind.slice(0, 6).join(", ")}${blind.length > 6 ? ", …" : ""}) see nothing: their output is zeros.`;
  return `${code}: ${n_query} queries may look at ${seen} of ${n_query * n_key} places. ${rows} ` +
    `Blocks: ${count[0]} hidden, ${count[1]} partial, ${count[2]} full; ${Math.round(computed * 100)} % are computed.`;
}

function render({ model, el }) {
  const traits = ["causal", "window", "w", "sinks", "n_sinks", "join", "document", "ids", "padding", "keep", "invert", "n_tokens", "n_query", "block"];
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const on = Object.fromEntries([["causal", "causal"], ["window", "window(w)"], ["sinks", "sinks(n)"], ["document", "document(ids)"], ["padding", "padding(keep)"], ["invert", "~ (not) the whole"]]
    .map(([trait, label]) => [trait, checkbox({ label, code: trait !== "invert", ...link(trait) })]));
  const w = slider({ label: "w", min: 1, max: 24, ...link("w") });
  const n = slider({ label: "n", min: 0, max: 8, ...link("n_sinks") });
  const join = select({ label: "join by", options: [["|", "| (either)"], ["&", "& (both)"]], ...link("join") });
  const tokens = slider({ label: "tokens (keys)", min: 4, max: 24, ...link("n_tokens") });
  const queries = slider({
    label: "queries, the last", min: 1, max: () => model.get("n_tokens"), get: () => Math.min(model.get("n_query") ?? 24, model.get("n_tokens")),
    set: (count) => commit(model, { n_query: count === model.get("n_tokens") ? null : count }) });
  const side = slider({ label: "block", min: 1, max: 8, ...link("block") });
  const [ids, keep] = [documentStrip(model), paddingStrip(model)];

  const code = html("code", { class: "v-code" });
  const [matrix, layout] = [html("div"), html("div")];
  const legend = html("p", { class: "v-legend soft" });
  const source = html("div", { class: "v-source" });
  const body = [
    html("div", { class: "attn-controls v-predicates" }, on.causal.node, html("div", { class: "v-pair" }, on.window.node, w.node), html("div", { class: "v-pair" }, on.sinks.node, n.node),
      join.node, on.document.node, on.padding.node, on.invert.node),
    ids.node, keep.node,
    html("div", { class: "v-expression" }, html("span", { class: "soft" }, "visible ="), code),
    html("div", { class: "attn-controls" }, tokens.node, queries.node, side.node),
    html("div", { class: "v-pictures" }, html("div", {}, html("h4", {}, "who may look at whom"), matrix),
      html("div", {}, html("h4", {}, "blocks of a sparse kernel"), layout, legend)),
    source];

  let listed = null;
  const draw = (root) => {
    const state = Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
    const shown = compute(state);
    w.node.hidden = !state.window;
    n.node.hidden = !state.sinks;
    join.node.hidden = !(state.window && state.sinks);
    ids.node.hidden = !state.document;
    keep.node.hidden = !state.padding;
    code.textContent = shown.code;
    matrix.replaceChildren(matrixPicture(shown, 20));
    layout.replaceChildren(blockPicture(shown, state.block, 20));
    legend.replaceChildren(...[["v-none", "hidden"], ["v-part", "partial"], ["v-full", "full"]].flatMap(([kind, words], i) => [html("i", { class: `v-key ${kind}` }), `${words} ${shown.count[i]}`]),
      html("b", {}, `${Math.round(shown.computed * 100)} % computed`));
    const wanted = [...shown.active, ...(shown.active.length > (shown.either ? 2 : 1) ? ["&"] : []), ...(shown.either ? ["|"] : []), ...(state.invert ? ["~"] : [])];
    if (String(wanted) !== listed) {
      const texts = model.get("sources");
      source.replaceChildren(html("h4", {}, "the same, from attn_course/attention/visibility.py"), html("pre", { tabindex: 0, "aria-label": "Source of the predicates in use" }, wanted.map((name) => texts[name]).join("\n\n")));
      listed = String(wanted);
    }
    Object.assign(root.dataset, { code: shown.code, matrix: JSON.stringify(shown.matrix.map((row) => row.map(Number))), kinds: JSON.stringify(shown.kinds), computed: shown.computed });
    return say(shown);
  };
  return view({ model, el, title: "Who may look at whom", body, controls: [...Object.values(on), w, n, join, tokens, queries, side, ids, keep], traits, draw });
}

export default { render };
