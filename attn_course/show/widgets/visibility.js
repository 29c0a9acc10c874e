// Lesson 03. The controls and the view.

// ---- one entry a token: where a document begins, which tokens are kept

function strip({ label, model, say, toggle }) {
  const node = html("div", { class: "v-strip", role: "toolbar", "aria-label": label });
  const buttons = range(24).map((t) =>
    html("button", {
      type: "button",
      onclick: () => {
        hold(t);
        toggle(t);
      },
      onkeydown: (event) =>
        rove(event, t, model.get("n_tokens"), (next) => {
          hold(next);
          buttons[next].focus();
        }),
    }),
  );
  const hold = (at) => buttons.forEach((each, t) => each.setAttribute("tabindex", t === at ? 0 : -1));
  hold(0);
  node.append(html("span", { class: "soft" }, label), html("div", {}, ...buttons));
  const refresh = () =>
    buttons.forEach((each, t) => {
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
    label: "ids: press where a document begins",
    model,
    say: (t) => {
      const ids = model.get("ids");
      return { sign: String(ids[t]), words: `token ${t}: document ${ids[t]}`, pressed: begins(ids, t) };
    },
    toggle: (t) => {
      const old = model.get("ids");
      const starts = old.map((_, at) => (at === t ? t > 0 && !begins(old, t) : at > 0 && begins(old, at)));
      let id = 0;
      commit(model, { ids: starts.map((start) => (id += Number(start))) });
    },
  });
}

function paddingStrip(model) {
  return strip({
    label: "keep: press to keep or to drop a token",
    model,
    say: (t) => ({
      sign: model.get("keep")[t] ? "1" : "0",
      words: `token ${t}: ${model.get("keep")[t] ? "kept" : "filler"}`,
      pressed: model.get("keep")[t],
    }),
    toggle: (t) => commit(model, { keep: model.get("keep").map((kept, at) => (at === t ? !kept : kept)) }),
  });
}

// ---- the widget

function say({ code, blind, n_query, n_key, matrix, count, computed }) {
  const seen = matrix.flat().filter(Boolean).length;
  const rows =
    blind.length === 0
      ? "Every query sees something."
      : blind.length === 1
        ? `Query ${blind[0]} sees nothing: its output is zeros.`
        : `${blind.length} queries (${blind.slice(0, 6).join(", ")}${blind.length > 6 ? ", …" : ""}) see nothing: their output is zeros.`;
  return (
    `${code}: ${n_query} queries may look at ${seen} of ${n_query * n_key} places. ${rows} ` +
    `Blocks: ${count[0]} hidden, ${count[1]} partial, ${count[2]} full; ${Math.round(computed * 100)} % are computed.`
  );
}

function render({ model, el }) {
  const traits = [
    "causal",
    "window",
    "w",
    "sinks",
    "n_sinks",
    "join",
    "document",
    "ids",
    "padding",
    "keep",
    "invert",
    "n_tokens",
    "n_query",
    "block",
  ];
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const on = Object.fromEntries(
    [
      ["causal", "causal"],
      ["window", "window(w)"],
      ["sinks", "sinks(n)"],
      ["document", "document(ids)"],
      ["padding", "padding(keep)"],
      ["invert", "~ (not) the whole"],
    ].map(([trait, label]) => [trait, checkbox({ label, code: trait !== "invert", ...link(trait) })]),
  );
  const w = slider({ label: "w", min: 1, max: 24, ...link("w") });
  const n = slider({ label: "n", min: 0, max: 8, ...link("n_sinks") });
  const join = select({
    label: "join by",
    options: [
      ["|", "| (either)"],
      ["&", "& (both)"],
    ],
    ...link("join"),
  });
  const tokens = slider({ label: "tokens (keys)", min: 4, max: 24, ...link("n_tokens") });
  const queries = slider({
    label: "queries, the last",
    min: 1,
    max: () => model.get("n_tokens"),
    get: () => Math.min(model.get("n_query") ?? 24, model.get("n_tokens")),
    set: (count) => commit(model, { n_query: count === model.get("n_tokens") ? null : count }),
  });
  const side = slider({ label: "block", min: 1, max: 8, ...link("block") });
  const [ids, keep] = [documentStrip(model), paddingStrip(model)];

  const code = html("code", { class: "v-code" });
  const [matrix, layout] = [html("div"), html("div")];
  const part = html("span");
  const legend = html("p", { class: "v-legend soft" });
  const source = html("div", { class: "v-source" });
  const body = [
    html(
      "div",
      { class: "attn-controls v-predicates" },
      on.causal.node,
      html("div", { class: "v-pair" }, on.window.node, w.node),
      html("div", { class: "v-pair" }, on.sinks.node, n.node),
      join.node,
      on.document.node,
      on.padding.node,
      on.invert.node,
    ),
    ids.node,
    keep.node,
    html("div", { class: "v-expression" }, html("span", { class: "soft" }, "visible ="), code),
    html("div", { class: "attn-controls" }, tokens.node, queries.node, side.node),
    html(
      "div",
      { class: "v-pictures" },
      html("div", {}, html("div", { class: "attn-title" }, "who may look at whom"), matrix),
      html(
        "div",
        {},
        html("div", { class: "attn-title v-heading" }, "blocks of a sparse kernel", part),
        layout,
        legend,
      ),
    ),
    source,
  ];

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
    legend.replaceChildren(
      ...[
        ["v-none", "hidden"],
        ["v-part", "partial"],
        ["v-full", "full"],
      ].flatMap(([kind, words], i) => [html("i", { class: `v-key ${kind}` }), `${words} ${shown.count[i]}`]),
    );
    part.textContent = `${Math.round(shown.computed * 100)} % computed`;
    const wanted = [
      ...shown.active,
      ...(shown.active.length > (shown.either ? 2 : 1) ? ["&"] : []),
      ...(shown.either ? ["|"] : []),
      ...(state.invert ? ["~"] : []),
    ];
    if (String(wanted) !== listed) {
      const texts = model.get("sources");
      source.replaceChildren(
        html("div", { class: "attn-title" }, "the same, from attn_course/attention/visibility.py"),
        html(
          "pre",
          { tabindex: 0, "aria-label": "Source of the predicates in use" },
          wanted.map((name) => texts[name]).join("\n\n"),
        ),
      );
      listed = String(wanted);
    }
    Object.assign(root.dataset, {
      code: shown.code,
      matrix: JSON.stringify(shown.matrix.map((row) => row.map(Number))),
      kinds: JSON.stringify(shown.kinds),
      computed: shown.computed,
    });
    return say(shown);
  };
  return view({
    model,
    el,
    title: "Who may look at whom",
    body,
    controls: [...Object.values(on), w, n, join, tokens, queries, side, ids, keep],
    traits,
    draw,
  });
}

export default { render };
