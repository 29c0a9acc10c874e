// Numbers as words, and words that came from a model as harmless text.

const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const known = (x) => x !== null && x !== undefined;

// Four characters or so: what fits a cell.
function short(x) {
  if (!known(x)) return "–";
  const size = Math.abs(x);
  if (size === 0) return "0";
  if (size >= 99999.5) return minus(x.toExponential(0).replace("e+", "e"));
  if (size >= 99.95) return minus(x.toFixed(0));
  if (size >= 9.995) return minus(x.toFixed(1));
  if (size >= 0.00995) return minus(x.toFixed(2));
  return size >= 0.00095 ? minus(x.toFixed(3)) : minus(x.toExponential(0));
}
const withError = (x, error) => short(x) + (known(x) && error > 0 ? ` ± ${short(error)}` : "");
const percent = (x) => (x > 0 && x < 0.005 ? "under 1 %" : `${Math.round(100 * x)} %`);
const extent = (values) => [Math.min(...values), Math.max(...values)];
const sentence = (words) => (/[.:;]$/.test(words) ? words : `${words}.`);
const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;

// Black or white, whichever stands out more: by the luminance of WCAG 2, at least 4.58 to 1 on any colour.
function inkFor(colour) {
  const parts = colour.map((c) => (c <= 10 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] > 0.179 ? "#000" : "#fff";
}

// A token as a reader should see it: byte-pair marks for spaces gone, and no character that hides or turns others.
const SEEN = { "\n": "⏎", "\r": "⏎", "\t": "⇥" };
function word(token) {
  const spaced = String(token)
    .replace(/[\u0120\u2581]/g, " ")
    .replace(/\u010a/g, "\n");
  const plain = harmless(spaced, SEEN);
  return plain.length > 1 ? plain.replace(/^ /, "") : plain;
}
const clip = (words, most) =>
  [...String(words)].length > most ? `${[...words].slice(0, most - 1).join("")}…` : String(words);
const quoted = (token) => `“${clip(word(token), 40)}”`;

// Where a number stands to the usual range: "below", "above", "" (within, or there is none).
function stands(x, { low, high }) {
  if (!known(x)) return "";
  if (known(low) && x < low) return "below";
  return known(high) && x > high ? "above" : "";
}
function range({ low, high }) {
  if (known(low) && known(high)) return `${short(low)} to ${short(high)}`;
  if (known(low)) return `≥\u00a0${short(low)}`;
  return known(high) ? `≤\u00a0${short(high)}` : "";
}
