// Part II. A recording out of few bytes, and what can be said of one of its steps.

// Codes of one or two bytes a value; the largest code is no number. → values between low and high
function levels(base64, bits) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bits === 16 ? new Uint16Array(bytes.buffer) : bytes;
}
const shareOf = (code, bits) => (code === 2 ** bits - 1 ? NaN : code / (2 ** bits - 2));

// One map of one step, as shares of the range: (query, key), row after row.
function mapAt(codes, { queries, keys, bits }, at) {
  const size = queries * keys;
  return Float64Array.from(codes.subarray(at * size, (at + 1) * size), (code) => shareOf(code, bits));
}
function pointsAt(codes, count, { corner, side }, at) {
  return Array.from({ length: count }, (_, i) =>
    corner.map((low, axis) => low + side * shareOf(codes[(at * count + i) * 2 + axis], 16)),
  );
}

// ---- numbers in words

const raised = (n) => [...String(n)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
function told(x) {
  if (!Number.isFinite(x)) return "no number";
  const size = Math.abs(x);
  if (size === 0) return "0";
  if (size >= 99995 || size < 0.0005) {
    const [digits, power] = x.toExponential(1).split("e");
    return `${minus(digits)}·10${raised(Number(power))}`;
  }
  return minus(x.toFixed(clamp(2 - Math.floor(Math.log10(size)), 0, 3)));
}

// As it was packed: null is NaN, words are infinite.
const numbersIn = (values) => values && values.map((value) => (value === null ? NaN : Number(value.replace?.("inf", "Infinity") ?? value)));

// What a curve does at a step: its value, and how far it has come since the first number.
function curveAt(values, at) {
  const value = values[at];
  const first = values.findIndex(Number.isFinite);
  if (!Number.isFinite(value)) {
    const over = !values.slice(at).some(Number.isFinite);
    const last = values.slice(0, at).findLastIndex(Number.isFinite);
    return { value: null, diverged: first >= 0 && (over || !Number.isNaN(value)), last };
  }
  return { value, diverged: false, change: value - values[first], ratio: value / values[first], first };
}

const withUnit = (words, unit) => (unit ? `${words} ${unit}` : words);
function sayCurve({ name, unit, healthy, log }, found, span, steps) {
  if (found === null) return null;
  if (found.value === null) {
    if (!found.diverged) return `${name} has no number here`;
    return `${name} diverged${found.last >= 0 ? `: its last number is of ${steps.name} ${steps.at[found.last]}` : ""}`;
  }
  const { value, change, ratio } = found;
  const factor = ratio > 1 ? ratio : 1 / ratio;
  const by = log && factor >= 2 ? `to ${ratio > 1 ? `${told(factor)} times` : `1/${told(factor)} of`} what it was` : told(Math.abs(change));
  const since =
    Math.abs(change) < 0.01 * span && !(log && factor >= 2)
      ? "as at the start"
      : `${change > 0 ? "risen" : "fallen"} ${log && factor >= 2 ? by : `by ${by}`}`;
  const range = healthy && `${told(healthy[0])} to ${told(healthy[1])}`;
  const where = !healthy ? "" : value < healthy[0] ? `, below its healthy ${range}` : value > healthy[1] ? `, above its healthy ${range}` : `, within its healthy ${range}`;
  return `${withUnit(`${name} ${told(value)}`, unit)}, ${since}${where}`;
}
