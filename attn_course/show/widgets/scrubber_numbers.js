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

// A bound that somebody chose: as many digits as it needs.
const plainly = (x) => (/·/.test(told(x)) ? told(x) : minus(String(Number(x.toPrecision(3)))));

// As it was packed: null is NaN, words are infinite.
const numbersIn = (values) =>
  values && values.map((value) => (value === null ? NaN : Number(String(value).replace("inf", "Infinity"))));

// What a curve does at a step: its value, and how far it has come since the first number.
function curveAt(values, at) {
  const value = values[at];
  const first = values.findIndex(Number.isFinite);
  const start = values[first];
  if (Number.isFinite(value)) return { value, diverged: false, change: value - start, ratio: value / start };
  const over = !values.slice(at).some(Number.isFinite);
  const last = values.slice(0, at).findLastIndex(Number.isFinite);
  return { value: null, diverged: !Number.isNaN(value) || (over && first >= 0), last };
}

// Healthy: [low, high]; null is no bound.
function sayHealthy(value, [low, high]) {
  const range = low === null ? `at most ${plainly(high)}` : high === null ? `at least ${plainly(low)}` : null;
  const where = low !== null && value < low ? "below" : high !== null && value > high ? "above" : "within";
  if (!range) return `${where} its healthy range, ${plainly(low)} to ${plainly(high)}`;
  return where === "within" ? `healthy (${range})` : `${where} what is healthy, ${range}`;
}

// How far from the start. Of the curve's span, a hundredth is no change; in a logarithmic curve twice is far.
function sayChange({ change, ratio }, log, span) {
  if (log && ratio <= 0.1) return `1/${told(1 / ratio)} of what it was`;
  if (log && (ratio <= 0.5 || ratio >= 2)) return `${told(ratio)} times what it was`;
  if (Math.abs(change) <= 0.01 * span) return "as at the start";
  return `${change > 0 ? "up" : "down"} ${told(Math.abs(change))}`;
}

// All curves of one run: [curve, what was found, span of the curve] each; one that the run lacks is null.
function sayRun(parts, steps) {
  const there = parts.filter(([, found]) => found !== null);
  const over = there.filter(([, found]) => found.diverged);
  const one = over.every(([, found]) => found.last === over[0][1].last);
  if (there.length > 1 && over.length === there.length && one) return `all curves ${sayEnd(over[0][1], steps)}`;
  return there.map(([curve, found, span]) => sayCurve(curve, found, span, steps)).join("; ");
}
const sayEnd = ({ last }, steps) => `diverged${last >= 0 ? ` after ${steps.name} ${steps.at[last]}` : ""}`;

function sayCurve({ name, unit, healthy, log }, found, span, steps) {
  if (found.value === null) return found.diverged ? `${name} ${sayEnd(found, steps)}` : `${name} has no number here`;
  const said = [`${name} ${told(found.value)}${unit ? ` ${unit}` : ""}`, sayChange(found, log, span)];
  if (healthy) said.push(sayHealthy(found.value, healthy));
  return said.join(", ");
}
