// Lesson 05. Which places an encoding makes alike: the same numbers as attn_course/attention/positions.py.

const PLACES = 64;
const places = Array.from({ length: PLACES }, (_, place) => place);

// Angles a place turns by, one for each pair of features.
const turns = (d, base) => Array.from({ length: d / 2 }, (_, i) => base ** ((-2 * i) / d));

function rotated(x, place, rates, layout) {
  const half = x.length / 2;
  const out = new Array(x.length);
  rates.forEach((rate, i) => {
    const [a, b] = layout === "halves" ? [i, i + half] : [2 * i, 2 * i + 1];
    const [cos, sin] = [Math.cos(place * rate), Math.sin(place * rate)];
    out[a] = x[a] * cos - x[b] * sin;
    out[b] = x[a] * sin + x[b] * cos;
  });
  return out;
}

function slopes(heads) {
  const lower = 2 ** Math.floor(Math.log2(heads));
  return [
    ...Array.from({ length: lower }, (_, n) => 2 ** ((-8 * (n + 1)) / lower)),
    ...Array.from({ length: heads - lower }, (_, n) => 2 ** ((-4 * (2 * n + 1)) / lower)),
  ];
}

// T5's buckets, looking back only.
function bucket(distance, buckets, farthest) {
  const exact = Math.floor(buckets / 2);
  if (distance < exact) return Math.max(distance, 0);
  const far = Math.trunc((Math.log(distance / exact) / Math.log(farthest / exact)) * (buckets - exact));
  return Math.min(exact + far, buckets - 1);
}

// (i, j) → how alike the two places are, or null where nothing is
function likeness(state) {
  const { encoding, d, base, pairs, content } = state;
  if (encoding === "sinusoidal") {
    const rates = turns(d, base);
    return (i, j) => rates.reduce((sum, rate) => sum + Math.cos((i - j) * rate), 0) / rates.length;
  }
  if (encoding === "rotary") {
    const x = content === "even" ? new Array(d).fill(1) : state.vector.slice(0, d);
    const rates = turns(d, base);
    const q = places.map((i) => rotated(x, i, rates, pairs === "mixed" ? "halves" : pairs));
    const k = places.map((j) => rotated(x, j, rates, pairs === "mixed" ? "interleaved" : pairs));
    const norm = dot(x, x);
    return (i, j) => dot(q[i], k[j]) / norm;
  }
  if (encoding === "alibi") {
    const slope = slopes(state.heads)[state.head];
    return (i, j) => Math.exp(-slope * Math.abs(i - j));
  }
  if (encoding === "relative") return (i, j) => (j > i ? null : bucket(i - j, state.buckets, state.farthest));
  if (encoding === "learned") return (i, j) => state.alike[i][j] / 1000;
  return () => 1;
}

function compute(state) {
  const of = likeness(state);
  const map = places.map((i) => places.map((j) => of(i, j)));
  return { map, row: map[state.query], spread: spread(map), range: range(state, map) };
}

// How much places at one distance differ from one another: 0 if the distance alone counts.
function spread(map) {
  let most = 0;
  for (let distance = 0; distance < PLACES; distance++) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = distance; i < PLACES; i++) {
      low = Math.min(low, map[i][i - distance]);
      high = Math.max(high, map[i][i - distance]);
    }
    most = Math.max(most, high - low);
  }
  return most;
}

// What the colours and the axis of the curve span.
function range({ encoding, buckets }, map) {
  if (encoding === "relative") return [0, buckets - 1];
  if (encoding === "alibi" || encoding === "none") return [0, 1];
  return [Math.min(0, ...map.map((row) => Math.min(...row))), 1];
}
