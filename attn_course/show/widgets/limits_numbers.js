// Lesson 13: the two models that were set by hand, as in attn_course/models/parity.py and first.py, in float64.

const relu = (x) => Math.max(x, 0);

// Tokens are changed in place, a thousand of them for each of a dozen lengths: a new one a step would be slow.

// Layer norm of (x, −x): the mean is 0, and the mean square that of x. `eps` null: no layer norm.
function normalise(x, features, eps) {
  if (eps === null) return;
  let squares = 0;
  for (const name of features) squares += x[name] * x[name];
  const root = Math.sqrt(squares / features.length + eps);
  for (const name of features) x[name] = root > 0 ? x[name] / root : 0;
}

const MODELS = {
  parity: {
    features: ["zero", "one", "cls", "place", "sign", "share", "unit", "pick", "out", "free"],
    heads: 2,
    marks: (i, n) => ({ place: i / n, sign: i % 2 ? -1 : 1 }),
    // Layer 1, attention: an even average over all tokens.
    average: (tokens) => {
      const mean = (name) => tokens.reduce((sum, x) => sum + x[name], 0) / tokens.length;
      return { share: mean("one"), unit: mean("cls") };
    },
    // Layer 1, feed-forward: a tent over place − share, which is 0 but at place k.
    pick: ({ share, place, unit }) => relu(share - place - unit) - 2 * relu(share - place) + relu(share - place + unit),
    keys: [(x) => x.sign, (x) => -x.sign],
    value: (x) => x.pick,
    signs: [-1, 1],
  },
  first: {
    features: ["zero", "one", "cls", "first", "pick", "out"],
    heads: 1,
    marks: (i) => ({ first: i === 0 ? 1 : 0 }),
    average: () => ({}),
    pick: ({ first, zero }) => relu(first - zero),
    keys: [(x) => x.first],
    value: (x) => x.pick - x.first / 2,
    signs: [1],
  },
};

function embedded(model, bits) {
  const n = bits.length + 1; // [CLS] stands behind the bits
  const empty = Object.fromEntries(model.features.map((name) => [name, 0]));
  return Array.from({ length: n }, (_, i) => {
    const x = { ...empty };
    x[i === bits.length ? "cls" : ["zero", "one"][bits[i]]] = 1;
    return Object.assign(x, model.marks(i, n));
  });
}

export function run(question, bits, eps, logN) {
  const model = MODELS[question];
  const n = bits.length + 1;
  const width = (model.features.length * (eps === null ? 1 : 2)) / model.heads;
  const scale = logN ? Math.log(n) : 1 / Math.sqrt(width);
  const norm = (x) => normalise(x, model.features, eps);
  // layer 1: what it adds is written where there was nothing
  const tokens = embedded(model, bits);
  const average = model.average(tokens);
  for (const x of tokens) {
    Object.assign(x, average);
    norm(x);
    x.pick = model.pick(x);
    norm(x);
  }
  // layer 2, of which only the row of [CLS] is read
  const cls = tokens[n - 1];
  const scores = model.keys.map((key) => tokens.map((x) => cls.cls * key(x) * scale));
  const weights = scores.map(softmax);
  const values = tokens.map(model.value);
  const seen = weights.map((row) => dot(row, values));
  const picks = tokens.map((x) => x.pick);
  cls.out = dot(seen, model.signs);
  norm(cls);
  if (eps !== null) {
    // The feed-forward network takes away all but `out`, and the norm divides by what is left.
    for (const name of model.features) if (name !== "out") cls[name] = 0;
    norm(cls);
  }
  return { logit: cls.out, scores, weights, values, picks };
}

export const label = (question, bits) =>
  question === "parity" ? bits.reduce((sum, bit) => sum + bit, 0) % 2 : bits[0];

// −log₂ of the probability of the right answer, from how far the logit is on its side.
export const bitsLost = (margin) => Math.log1p(Math.exp(-Math.abs(margin))) / Math.LN2 + relu(-margin) / Math.LN2;
export const probability = (margin) => 1 / (1 + Math.exp(-margin));

export const NORM = { none: null, 0: 0, "1e-5": 1e-5 };
export const LENGTHS = [10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000];

export const stringOf = (state, length) => {
  const own = state.bits;
  const more = [...state.padding.slice(own.length, Math.max(length, own.length))].map(Number);
  return [...own, ...more];
};

// How far the logit moves when the bit at this place is flipped.
export function moved(state, length, at) {
  const bits = stringOf(state, length);
  const other = bits.map((bit, i) => (i === at ? 1 - bit : bit));
  const eps = NORM[state.norm];
  const logits = [bits, other].map((string) => run(state.question, string, eps, state.log_n).logit);
  return Math.abs(logits[0] - logits[1]);
}

// The power of n that the curve falls with: a straight line through the logarithms, by least squares.
export function slope(curve) {
  const [x, y] = [0, 1].map((c) => curve.map((point) => Math.log(Math.max(point[c], 1e-300))));
  const [a, b] = [x, y].map((all) => all.reduce((sum, value) => sum + value, 0) / all.length);
  const along = x.reduce((sum, value, i) => sum + (value - a) * (y[i] - b), 0);
  return along / x.reduce((sum, value) => sum + (value - a) ** 2, 0);
}

export function compute(state) {
  const bits = stringOf(state, state.length);
  const found = run(state.question, bits, NORM[state.norm], state.log_n);
  const right = label(state.question, bits);
  const margin = right ? found.logit : -found.logit;
  const lengths = [...new Set([...LENGTHS.filter((n) => n >= state.bits.length), bits.length])].sort((a, b) => a - b);
  const curve = lengths.map((n) => [n, moved(state, n, 0)]); // the first bit: the one that counts for both questions
  return {
    ...found,
    bits,
    right,
    margin,
    lost: bitsLost(margin),
    probability: probability(margin),
    ones: bits.reduce((sum, bit) => sum + bit, 0),
    curve,
    slope: slope(curve),
  };
}
