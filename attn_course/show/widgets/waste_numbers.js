// Lesson 14: a head without its small weights. Shares are means over the queries that see a key.

function headOf({ tokens, heads }, number) {
  const [head, n] = [heads[number], tokens.length];
  const seen = maskOf(head.mask ?? undefined, n);
  const values = unpacked(head.v, n).map((code) => code * head.v.step);
  const map = mapOf(head, seen, n);
  return { n, d: head.v.bits.length, seen, map, values, output: mixed(map, values, n, head.v.bits.length) };
}

const sees = (seen, place) => !seen || seen[place] === 1;
const visibleIn = ({ seen, n }, i) => {
  if (!seen) return n;
  let count = 0;
  for (let j = 0; j < n; j++) count += seen[i * n + j];
  return count;
};
// ε of a row: a weight, or so many even shares of what its query can see.
const limitOf = (exponent, even, visible) => 10 ** exponent / (even ? Math.max(visible, 1) : 1);

function mixed(map, values, n, d) {
  const output = new Float64Array(n * d);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const weight = map[i * n + j];
      if (weight === 0) continue;
      for (let c = 0; c < d; c++) output[i * d + c] += weight * values[j * d + c];
    }
  return output;
}

// The map without weights below ε; a row keeps its largest. −1 in `left`: taken out.
function takenOut(head, { exponent, even, rescale }) {
  const { n, seen, map } = head;
  const left = new Float32Array(n * n);
  let [rows, below, mass, kept] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const visible = visibleIn(head, i);
    if (visible === 0) continue;
    rows++;
    const limit = limitOf(exponent, even, visible);
    let largest = i * n;
    for (let place = i * n; place < (i + 1) * n; place++) if (map[place] > map[largest]) largest = place;
    let [small, count, total, held] = [0, 0, 0, 0];
    for (let place = i * n; place < (i + 1) * n; place++) {
      if (!sees(seen, place)) continue;
      total += map[place];
      if (map[place] < limit) small++;
      if (map[place] < limit && place !== largest) {
        left[place] = -1;
        continue;
      }
      left[place] = map[place];
      held += map[place];
      count++;
    }
    below += small / visible;
    mass += total > 0 ? 1 - held / total : 0;
    kept += count;
    if (rescale && held > 0)
      for (let place = i * n; place < (i + 1) * n; place++) if (left[place] > 0) left[place] *= total / held;
  }
  const mean = (sum) => (rows ? sum / rows : 0);
  return { left, below: mean(below), mass: mean(mass), kept: mean(kept) };
}

// ‖O − O′‖ / ‖O‖ of the head's output, all tokens together.
function moved(head, left) {
  const without = mixed(left.map((weight) => Math.max(weight, 0)), head.values, head.n, head.d);
  let [off, whole] = [0, 0];
  head.output.forEach((x, place) => {
    off += (x - without[place]) ** 2;
    whole += x ** 2;
  });
  return whole > 0 ? Math.sqrt(off / whole) : 0;
}

// The fewest keys that hold 96 % of a row, as a share of those it can see.
function coverageOf(head) {
  const { n, map } = head;
  let [rows, share] = [0, 0];
  for (let i = 0; i < n; i++) {
    const visible = visibleIn(head, i);
    if (visible === 0) continue;
    const row = Float64Array.from(map.subarray(i * n, (i + 1) * n)).sort().reverse();
    const enough = 0.96 * row.reduce((sum, weight) => sum + weight, 0) * (1 - 1e-6);
    let [held, count] = [0, 0];
    while (held < enough && count < n) held += row[count++];
    rows++;
    share += count / visible;
  }
  return rows ? share / rows : 0;
}

const RANGE = { false: [-4, 0], true: [-2, 1] }; // of log₁₀ ε: as a weight, in even shares
const POINTS = 41;

// What is shown at this ε, and the curves over all of them; the curves are kept as long as only ε moves.
function reckonerOf() {
  let [known, head, curves, coverage] = [null, null, null, 0];
  return (state) => {
    const name = [state.text, state.head, state.even, state.rescale].join(" ");
    if (name !== known) {
      head = headOf(state.texts[state.text], state.head);
      const [low, high] = RANGE[state.even];
      curves = Array.from({ length: POINTS }, (_, i) => {
        const exponent = low + ((high - low) * i) / (POINTS - 1);
        const { left, below, mass } = takenOut(head, { ...state, exponent });
        return { exponent, below, mass, moved: moved(head, left) };
      });
      coverage = coverageOf(head);
      known = name;
    }
    const now = takenOut(head, state);
    return { head, curves, ...now, moved: moved(head, now.left), coverage };
  };
}
