// Lesson 04. All heads of a model on a sentence: weights, and how well each head follows a fixed rule.

// Weights between tokens; with wordsOnly, what goes to [CLS], [SEP] and punctuation is shared among the words.
function mapOf(sentence, layer, head, wordsOnly) {
  return sentence.weights[layer][head].map((row) => {
    const kept = row.map((thousandths, j) => (wordsOnly && sentence.special[j] ? 0 : thousandths));
    const total = kept.reduce((a, b) => a + b, 0);
    return kept.map((value) => (total > 0 ? value / total : 0));
  });
}

// The key that the rule names for each query, or null where it names none.
function targets(sentence, { rule, distance, words_only }) {
  const n = sentence.tokens.length;
  const counts = (place) => place >= 0 && place < n && !(words_only && sentence.special[place]);
  return sentence.tokens.map((_, i) => {
    const key = rule === "first" ? 0 : i + distance;
    return counts(i) && counts(key) ? key : null;
  });
}

// The mean weight on the rule's key, over the queries for which it names one.
function agreement(map, wanted) {
  const asked = wanted.map((key, i) => [i, key]).filter(([, key]) => key !== null);
  return asked.length ? asked.reduce((sum, [i, key]) => sum + map[i][key], 0) / asked.length : 0;
}

function compute(state) {
  const sentence = state.sentences[state.sentence];
  const wanted = targets(sentence, state);
  const maps = sentence.weights.map((heads, layer) =>
    heads.map((_, head) => mapOf(sentence, layer, head, state.words_only)),
  );
  const scores = maps.map((heads) => heads.map((map) => agreement(map, wanted)));
  let best = [0, 0];
  scores.forEach((row, layer) =>
    row.forEach((score, head) => {
      if (score > scores[best[0]][best[1]]) best = [layer, head];
    }),
  );
  return { sentence, wanted, scores, best, map: maps[state.layer][state.head] };
}
