// Lesson 06. Where a translator looks as it writes, against the links that a person drew.

// For each target word the weights over the source words: of one head, or the mean of all (head −1).
// Row t writes word t; read late, word t gets the row of the step after it.
function rowsOf({ weights, target }, head, late) {
  const chosen = head < 0 ? weights : [weights[head]];
  return target.map((_, t) => {
    const rows = chosen.map((steps) => steps[t + (late ? 1 : 0)]);
    return rows[0].map((_, s) => rows.reduce((sum, row) => sum + row[s], 0) / rows.length / 1000);
  });
}

const has = (links, t, s) => links.some(([a, b]) => a === t && b === s);
const largest = (row) => row.indexOf(Math.max(...row));

// AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|), each word linked to where it looks most.
function compute(state) {
  const readings = state.numbers[state.number];
  const reading = readings[state.doubles && readings.length > 1 ? 1 : 0];
  const rows = rowsOf(reading, state.head, state.late);
  const looks = rows.map(largest);
  const count = (links) => looks.filter((s, t) => has(links, t, s)).length;
  const allowed = count(reading.possible);
  const error = 1 - (count(reading.sure) + allowed) / (looks.length + reading.sure.length);
  return { reading, rows, looks, allowed, error };
}
