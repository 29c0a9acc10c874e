// Lessons 08 and 09. Heads out of few bytes (packing.py): weights computed here, and what can be said of a whole head.

function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

// Whole numbers, feature after feature, each with its own count of bits → (token, feature), row after row.
function unpacked({ bits, codes }, n) {
  const [bytes, d, out] = [bytesOf(codes), bits.length, new Float32Array(n * bits.length)];
  let [at, held, have] = [0, 0, 0]; // the next byte, bits that wait, and how many
  for (let c = 0; c < d; c++) {
    if (bits[c] === 0) continue;
    const zero = 2 ** (bits[c] - 1);
    for (let i = 0; i < n; i++) {
      while (have < bits[c]) {
        held = (held << 8) | bytes[at++];
        have += 8;
      }
      have -= bits[c];
      out[i * d + c] = (held >>> have) - zero;
      held &= 2 ** have - 1;
    }
  }
  return out;
}

// Who may look at whom, as 0 and 1; null: everybody at everybody.
function maskOf(packed, n) {
  if (packed === undefined) return null;
  const seen = new Uint8Array(n * n);
  if (packed === "causal") {
    for (let i = 0; i < n; i++) seen.fill(1, i * n, i * n + i + 1);
    return seen;
  }
  const bytes = bytesOf(packed);
  return seen.map((_, place) => (bytes[place >> 3] >> (7 - (place & 7))) & 1);
}

// softmax(step² · q kᵀ) where it may look; a row that sees nothing is zeros. (query, key), row after row.
function mapOf(head, seen, n) {
  if (head.weights) return unpacked(head.weights, n).map((code) => code * head.step);
  const [q, k, d] = [unpacked(head.q, n), unpacked(head.k, n), head.q.bits.length];
  const [map, scale, scores] = [new Float32Array(n * n), head.step ** 2, new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    const row = i * n;
    let top = -Infinity;
    for (let j = 0; j < n; j++) {
      if (seen && !seen[row + j]) continue;
      let sum = 0;
      for (let c = 0, a = i * d, b = j * d; c < d; c++) sum += q[a + c] * k[b + c];
      scores[j] = sum * scale;
      if (scores[j] > top) top = scores[j];
    }
    let total = 0;
    for (let j = 0; j < n; j++) {
      scores[j] = seen && !seen[row + j] ? 0 : Math.exp(scores[j] - top);
      total += scores[j];
    }
    for (let j = 0; j < n; j++) map[row + j] = total > 0 ? scores[j] / total : 0;
  }
  return map;
}

// The map without some keys: what is left of each row sums to one again.
function without(map, keys, n) {
  const rest = Float32Array.from(map);
  for (let row = 0; row < n * n; row += n) {
    for (const key of keys) rest[row + key] = 0;
    let total = 0;
    for (let j = 0; j < n; j++) total += rest[row + j];
    if (total > 0) for (let j = 0; j < n; j++) rest[row + j] /= total;
  }
  return rest;
}

// One head in five numbers; means are over the queries that see a key (for the entropy: two).
function vitalsOf(map, seen, special, n) {
  const received = new Float64Array(n);
  let [entropy, choosing, distance, asking, all] = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    let [h, count] = [0, 0];
    for (let j = 0; j < n; j++) {
      const weight = map[i * n + j];
      count += seen ? seen[i * n + j] : 1;
      if (weight === 0) continue;
      h -= weight * Math.log(weight);
      distance += weight * Math.abs(i - j);
      received[j] += weight;
      all += weight;
    }
    asking += count > 0;
    choosing += count > 1;
    entropy += count > 1 ? h / Math.log(count) : 0;
  }
  const key = received.indexOf(Math.max(...received));
  const on = special.reduce((sum, j) => sum + received[j], 0);
  const mean = (sum, count) => (count ? sum / count : 0);
  return {
    entropy: mean(entropy, choosing), // of the logarithm of the keys that a query sees
    special: mean(on, asking),
    distance: mean(distance, asking), // tokens
    key,
    share: mean(received[key], all), // of all that the head spends
  };
}

// The largest few, first the largest; none that would be written as 0.000.
function strongest(values, count) {
  const places = [];
  for (let j = 0; j < values.length; j++) {
    if (values[j] < 0.0005) continue;
    let place = places.length;
    while (place > 0 && values[places[place - 1]] < values[j]) place--;
    if (place < count) places.splice(place, 0, j);
    if (places.length > count) places.pop();
  }
  return places;
}

// A text's heads, computed when asked for. The last few maps are kept: each is 1 MB at 512 tokens.
function readerOf(text) {
  const n = text.tokens.length;
  const masks = text.masks.map((packed) => maskOf(packed, n));
  const kept = new Map();
  const seen = (layer, head) => masks[text.layers[layer][head].mask] ?? null;
  const keep = (name, make) => {
    const map = kept.get(name) ?? make();
    kept.delete(name);
    kept.set(name, map);
    if (kept.size > 6) kept.delete(kept.keys().next().value);
    return map;
  };
  const whole = (layer, head) => mapOf(text.layers[layer][head], seen(layer, head), n);
  const map = (layer, head) => keep(`${layer} ${head}`, () => whole(layer, head));
  const rest = (layer, head) => keep(`${layer} ${head} rest`, () => without(map(layer, head), text.special, n));
  const vitals = (layer, head) => vitalsOf(map(layer, head), seen(layer, head), text.special, n);
  return { n, seen, whole, map, rest, vitals };
}

// What one token's picture is drawn from.
function compute({ text, layer, head, hide }, reader, token) {
  const n = reader.n;
  const map = hide ? reader.rest(layer, head) : reader.map(layer, head);
  const row = map.subarray(token * n, (token + 1) * n);
  const column = Float32Array.from({ length: n }, (_, i) => map[i * n + token]);
  const whole = reader.map(layer, head);
  const taken = hide ? text.special.reduce((sum, j) => sum + whole[token * n + j], 0) : 0;
  return { map, row, column, taken };
}
