// Lesson 02. Scores, weights and gradient of one random query; and what the mean of 32 queries does over d_k.

const POWERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

export const perKey = (weights) => weights.map((p) => p * (1 - p)); // ∂ weight / ∂ its own score

// ‖diag(p) − ppᵀ‖, the softmax's Jacobian, by its squares: no need to build the matrix
export function gradientNorm(weights) {
  const sum = (power) => weights.reduce((total, p) => total + p ** power, 0);
  return Math.sqrt(Math.max(0, sum(2) - 2 * sum(3) + sum(2) ** 2));
}

export function entropyShare(weights) {
  const nats = weights.reduce((total, p) => total - (p > 0 ? p * Math.log(p) : 0), 0);
  return nats / Math.log(weights.length);
}

function scoresOf(state, power, query, exponent) {
  const scale = (2 ** power) ** -exponent;
  return state.products[power][query].slice(0, state.n_keys).map((product) => product * scale);
}

export function curve(state, exponent) {
  const measure = state.measure === "gradient" ? gradientNorm : entropyShare;
  return POWERS.map((power) => {
    const all = state.products[power].map((_, query) => measure(softmax(scoresOf(state, power, query, exponent))));
    return all.reduce((a, b) => a + b, 0) / all.length;
  });
}

export function compute(state) {
  const scores = scoresOf(state, Math.log2(state.d_k), state.query, state.exponent);
  const weights = softmax(scores);
  return {
    scores,
    weights,
    gradient: perKey(weights),
    norm: gradientNorm(weights),
    entropy: entropyShare(weights),
    here: curve(state, state.exponent),
    paper: curve(state, 0.5),
  };
}

// ---- the widget

const spread = (values) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
};

function say(state, { scores, weights, norm, entropy }) {
  const top = weights.indexOf(Math.max(...weights));
  const expected = state.d_k ** (0.5 - state.exponent);
  return (
    `d_k = ${state.d_k}, scores divided by d_k^${fixed(state.exponent)}: they spread by ${fixed(spread(scores))} ` +
    `(expected ${fixed(expected)}). Key ${top + 1} takes ${fixed(weights[top])} of the attention; the entropy is ${fixed(entropy)} of the most possible; ` +
    `the gradient’s size is ${norm < 0.005 ? norm.toExponential(0).replace("-", "−") : fixed(norm)}.`
  );
}

function render({ model, el }) {
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const width = slider({
    label: "d_k",
    min: 0,
    max: 9,
    get: () => Math.log2(model.get("d_k")),
    set: (power) => commit(model, { d_k: 2 ** power }),
    show: (power) => String(2 ** power),
  });
  const exponent = slider({
    label: "scale 1/d_kᵃ, a",
    min: 0,
    max: 1,
    step: 0.05,
    ...link("exponent"),
    show: (a) => fixed(a),
  });
  const keys = slider({ label: "keys", min: 2, max: 24, ...link("n_keys") });
  const query = slider({
    label: "random query",
    min: 0,
    max: 31,
    ...link("query"),
    show: (index) => `${index + 1} of 32`,
  });
  const measure = select({
    label: "curve",
    options: [
      ["gradient", "gradient"],
      ["entropy", "entropy"],
    ],
    ...link("measure"),
  });
  const marks = [
    [0, "0", "no scale"],
    [0.5, "½", "the paper"],
    [1, "1", "by d_k"],
  ].map(([a, sign, words]) =>
    button({
      label: `a = ${sign}, ${words}`,
      words: `${sign} ${words}`,
      press: () => commit(model, { exponent: a }),
      pressed: () => Math.abs(model.get("exponent") - a) < 0.01,
    }),
  );
  exponent.node.append(html("div", { class: "s-marks" }, ...marks.map((mark) => mark.node)));
  const bar = html(
    "div",
    { class: "attn-controls s-controls" },
    html("div", {}, width.node, query.node),
    html("div", { class: "s-scale" }, exponent.node),
    html("div", {}, keys.node, measure.node),
  );
  const left = html("div", { class: "s-keys" });
  const right = html("div", { class: "s-curve" });
  const body = html("div", { class: "s-body" }, left, right);
  const traits = ["d_k", "exponent", "n_keys", "query", "measure", "products"];

  const draw = (root) => {
    const state = Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
    const numbers = compute(state);
    const n = state.n_keys;
    left.replaceChildren(
      scoreChart(numbers.scores),
      share("weights", `dashed: 1/${n} each`, numbers.weights, 1, 1 / n, "s-weight", [
        [1, "1"],
        [0.5, "0.5"],
        [0, "0"],
      ]),
      share(
        "gradient: weight × (1 − weight)",
        "dashed: if equal",
        numbers.gradient,
        0.25,
        (1 / n) * (1 - 1 / n),
        "s-gradient",
        [
          [0.25, "¼"],
          [0, "0"],
        ],
      ),
    );
    right.replaceChildren(curveChart(state, numbers));
    for (const name of ["scores", "weights", "gradient", "norm", "entropy", "here"])
      root.dataset[name] = JSON.stringify(numbers[name]);
    return say(state, numbers);
  };
  return view({
    model,
    el,
    title: "Scaling",
    body: [bar, body],
    controls: [width, exponent, keys, query, measure, ...marks],
    traits,
    draw,
  });
}

export default { render };
