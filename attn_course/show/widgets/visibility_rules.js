// Lesson 03. Predicates over (query i, key j), composed as in attn_course.attention.visibility.

export const rules = {
  everything: () => () => true,
  causal: () => (i, j) => j <= i,
  window:
    ({ w }) =>
    (i, j) =>
      Math.abs(i - j) < w,
  sinks:
    ({ n_sinks }) =>
    (i, j) =>
      j < n_sinks,
  document:
    ({ ids }) =>
    (i, j) =>
      ids[i] === ids[j],
  padding:
    ({ keep }) =>
    (i, j) =>
      keep[j],
};
const names = {
  everything: () => "everything",
  causal: () => "causal",
  window: ({ w }) => `window(${w})`,
  sinks: ({ n_sinks }) => `sinks(${n_sinks})`,
  document: () => "document(ids)",
  padding: () => "padding(keep)",
};

// The rule and its code, built together, so that what is written is what is computed.
export function composed(state) {
  const local = ["window", "sinks"].filter((name) => state[name]);
  const active = [state.causal && "causal", ...local, state.document && "document", state.padding && "padding"].filter(
    Boolean,
  );
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
    active,
    either,
    rule: state.invert ? (i, j) => !inner(i, j) : inner,
    code: state.invert ? `~${compound ? `(${joined})` : joined}` : joined,
  };
}

export function compute(state) {
  const n_key = state.n_tokens;
  const n_query = Math.min(state.n_query ?? n_key, n_key);
  const first = n_key - n_query; // the queries are the last ones
  const { rule, code, active, either } = composed(state);
  const matrix = Array.from({ length: n_query }, (_, row) =>
    Array.from({ length: n_key }, (_, j) => rule(first + row, j)),
  );
  const blind = matrix.flatMap((cells, row) => (cells.some(Boolean) ? [] : [first + row]));
  return { matrix, code, active, either, blind, first, n_query, n_key, ...blocks(matrix, state.block) };
}

function blocks(matrix, side) {
  const [rows, columns] = [matrix.length, matrix[0].length].map((n) => Math.ceil(n / side));
  const kinds = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => {
      const cells = matrix.slice(r * side, (r + 1) * side).flatMap((row) => row.slice(c * side, (c + 1) * side));
      return Number(cells.some(Boolean)) + Number(cells.every(Boolean));
    }),
  );
  const count = [0, 1, 2].map((kind) => kinds.flat().filter((k) => k === kind).length);
  return { kinds, count, computed: (count[1] + count[2]) / (rows * columns) };
}
