// Words that came from a model or a label as a reader should see them: no character that hides others or turns them
// round. Each such character is named by its number, or as `names` says.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;
const harmless = (words, names = {}) =>
  String(words).replace(
    UNSEEN,
    (c) => names[c] ?? `<${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`,
  );
