// Lesson 07. A model of two attention layers and nothing else, run in the browser: the same arithmetic as
// attn_course.models.attention_only with Rotary positions and norms without parameters, in float64.

const [WIDTH, READ, HEADS, LAYERS] = [32, 32, 4, 2];
const EACH = WIDTH / HEADS; // features of a head
const GUESSING = Math.log(32);
const upTo = (n) => Array.from({ length: n }, (_, i) => i);

// ---- the row: `period` different tokens of 32, then the same again. One token more than is read: the last answer.

function rowOf(seed, period) {
  let state = (seed + 1) * 0x9e3779b9;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0; // mulberry32
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const order = upTo(32);
  for (let i = 31; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return upTo(READ + 1).map((i) => order[i % period]);
}

// ---- the model

const unpacked = new Map(); // a moment's weights are unpacked once
function matricesOf({ weights, scales }) {
  if (!unpacked.has(weights)) {
    const whole = Int8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
    const size = WIDTH * WIDTH;
    const found = scales.map((scale, m) => Float64Array.from(whole.subarray(m * size, (m + 1) * size), (w) => w * scale));
    unpacked.set(weights, found);
  }
  const [token, ...rest] = unpacked.get(weights);
  return { token, layers: upTo(LAYERS).map((layer) => rest.slice(4 * layer, 4 * layer + 4)), head: rest.at(-1) };
}

function times(matrix, x) {
  const y = new Float64Array(WIDTH);
  for (let o = 0; o < WIDTH; o++) for (let i = 0; i < WIDTH; i++) y[o] += matrix[o * WIDTH + i] * x[i];
  return y;
}

function normed(x) {
  const mean = x.reduce((a, b) => a + b, 0) / WIDTH;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / WIDTH;
  return x.map((value) => (value - mean) / Math.sqrt(variance + 1e-5));
}

// Each head's pairs (i, i + d/2), turned by an angle that grows with the place
function turned(x, place) {
  const y = Float64Array.from(x);
  const half = EACH / 2;
  for (let start = 0; start < WIDTH; start += EACH)
    for (let i = 0; i < half; i++) {
      const angle = place * 10000 ** ((-2 * i) / EACH);
      const [a, b] = [x[start + i], x[start + i + half]];
      y[start + i] = a * Math.cos(angle) - b * Math.sin(angle);
      y[start + i + half] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  return y;
}

// One layer: maps of its heads (head, query, key), the future left out, and what it adds to the stream
function attend(stream, [wq, wk, wv, wo]) {
  const calm = stream.map(normed);
  const q = calm.map((x, i) => turned(times(wq, x), i));
  const k = calm.map((x, i) => turned(times(wk, x), i));
  const v = calm.map((x) => times(wv, x));
  const joined = stream.map(() => new Float64Array(WIDTH));
  const maps = upTo(HEADS).map((head) =>
    upTo(stream.length).map((i) => {
      const [start, end] = [head * EACH, (head + 1) * EACH];
      const scores = upTo(i + 1).map((j) => {
        let sum = 0;
        for (let f = start; f < end; f++) sum += q[i][f] * k[j][f];
        return sum / Math.sqrt(EACH);
      });
      const weights = softmax(scores);
      weights.forEach((weight, j) => {
        for (let f = start; f < end; f++) joined[i][f] += weight * v[j][f];
      });
      return weights;
    }),
  );
  return { maps, added: joined.map((x) => times(wo, x)) };
}

function runModel(moment, tokens) {
  const { token, layers, head } = matricesOf(moment);
  let stream = tokens.map((t) => token.slice(t * WIDTH, (t + 1) * WIDTH));
  const maps = layers.map((layer) => {
    const { maps: found, added } = attend(stream, layer);
    stream = stream.map((x, i) => x.map((value, f) => value + added[i][f]));
    return found;
  });
  return { maps, scores: stream.map((x) => Array.from(times(head, normed(x)))) };
}

// ---- what is measured on it

// Where a token that came before was followed by something: the places after its earlier occurrences
const followers = (tokens, i) => upTo(i + 1).filter((j) => j > 0 && tokens[j - 1] === tokens[i]);
const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : 0);

// Share of attention on what came next, over the places from `period` on: as tasks.induction.prefix_match
const nextScore = (map, tokens, period) =>
  mean(
    upTo(READ)
      .slice(period)
      .map((i) => followers(tokens, i).reduce((sum, j) => sum + map[i][j], 0)),
  );
const beforeScore = (map) => mean(upTo(READ - 1).map((i) => map[i + 1][i]));

// The distance at which most of the attention lies, from the places where the next token can be known
function favourite(map, period) {
  const places = upTo(READ).slice(period);
  const shares = upTo(READ).map((back) => mean(places.map((i) => (back <= i ? map[i][i - back] : 0))));
  const back = shares.indexOf(Math.max(...shares));
  return { back, share: shares[back] };
}

function compute(state) {
  const { record, trained, step, period } = state;
  const row = rowOf(state.row, period);
  const tokens = row.slice(0, READ);
  const { maps, scores } = runModel(record.models[trained].moments[record.steps.indexOf(step)], tokens);
  const known = upTo(READ).slice(period);
  const said = scores.map((each) => each.indexOf(Math.max(...each)));
  const map = maps[state.layer][state.head];
  return {
    row,
    tokens,
    map,
    said,
    places: known.length,
    right: known.filter((i) => said[i] === row[i + 1]).length,
    loss: mean(known.map((i) => -Math.log(softmax(scores[i])[row[i + 1]]))),
    next: maps.map((heads) => heads.map((each) => nextScore(each, tokens, period))),
    before: maps.map((heads) => heads.map(beforeScore)),
    favourite: favourite(map, period),
  };
}
