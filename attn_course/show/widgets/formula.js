// Lesson 01. A query and keys in one plane, values and output in another; or a head's weights over a sentence.

const LIMIT = 2; // the planes reach from −2 to 2
const SIZE = 240;
const UNIT = SIZE / (2 * LIMIT + 0.5);
const MORE_KEYS = [
  [1.1, 1.3],
  [-1.5, -0.6],
];
const MORE_VALUES = [
  [1.3, 1.4],
  [-1.4, 1.3],
];

export function compute(state) {
  if (state.mode === "sentence") {
    const { q, k, scale } = state.heads[state.head];
    const rows = q.map((query) => softmax(k.map((key) => dot(query, key) * scale)));
    const scores = k.map((key) => dot(q[state.token], key) * scale);
    return { scores, weights: rows[state.token], rows };
  }
  const query = state.q;
  const count = Math.min(state.k.length, state.v.length); // Python may have set one before the other
  const [keys, values] = [state.k.slice(0, count), state.v.slice(0, count)];
  const scores = keys.map((key) => dot(query, key) / Math.SQRT2);
  const weights = softmax(scores);
  const output = [0, 1].map((c) =>
    dot(
      weights,
      values.map((value) => value[c]),
    ),
  );
  return { scores, weights, output, query, keys, values };
}

// ---- both

function render({ model, el }) {
  const heads = model.get("heads");
  const plane = planeView(model);
  const sentence = heads.length ? sentenceView(model) : null;
  const tabs = ["plane", "sentence"].map((mode) =>
    button({
      label: mode === "plane" ? "In the plane" : "On a real sentence",
      press: () => commit(model, { mode }),
      pressed: () => model.get("mode") === mode,
    }),
  );
  const count = slider({
    label: "keys",
    min: 3,
    max: 5,
    get: () => model.get("k").length,
    set: (n) =>
      commit(
        model,
        Object.fromEntries(
          [
            ["k", MORE_KEYS],
            ["v", MORE_VALUES],
          ].map(([trait, more]) => {
            const old = model.get(trait);
            return [trait, [...old, ...more.slice(Math.max(0, old.length - 3))].slice(0, n)];
          }),
        ),
      ),
  });
  const start = Object.fromEntries(["q", "k", "v"].map((trait) => [trait, model.get(trait)]));
  const again = button({ label: "Start again", press: () => commit(model, start) });
  const menu = select({
    label: "head",
    options: heads.map((head, i) => [i, head.label]),
    get: () => model.get("head"),
    set: (head) =>
      commit(model, { head: Number(head), token: Math.min(model.get("token"), heads[head].tokens.length - 1) }),
  });
  const modes = html(
    "div",
    { class: "f-modes", role: "group", "aria-label": "What to look at" },
    ...tabs.map((tab) => tab.node),
  );
  const bar = html("div", { class: "attn-controls" }, sentence && modes, count.node, again.node, menu.node);

  const draw = (root) => {
    const mode = model.get("mode");
    const traits = ["mode", "q", "k", "v", "heads", "head", "token"];
    const numbers = compute(Object.fromEntries(traits.map((trait) => [trait, model.get(trait)])));
    plane.node.hidden = count.node.hidden = again.node.hidden = mode !== "plane";
    menu.node.hidden = mode !== "sentence";
    if (sentence) sentence.node.hidden = mode !== "sentence";
    root.dataset.weights = JSON.stringify(numbers.weights);
    root.dataset.output = JSON.stringify(numbers.output ?? null);
    return (mode === "sentence" ? sentence : plane).draw(numbers);
  };
  return view({
    model,
    el,
    title: "Attention by hand",
    body: [bar, plane.node, sentence?.node].filter(Boolean),
    controls: [...tabs, count, menu],
    traits: ["mode", "q", "k", "v", "head", "token"],
    draw,
  });
}

export default { render };
