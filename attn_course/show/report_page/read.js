// From the report to what is drawn: measures with a grid of numbers, heads, series by block.

function read({ report, measures, given }) {
  const texts = report.tokens ?? [];
  const tokens = texts[0] ?? [];
  const layers = report.layers;
  const gradients = Object.fromEntries((report.gradients ?? []).map((each) => [each.name, each]));
  const empty = (layer) => upTo(layer.heads).map(() => null);
  const grid = (take) => layers.map((layer) => take(layer) ?? empty(layer));
  const importance = (layer) => gradients[layer.name]?.importance;
  const ofHeads = measures
    .filter((measure) => measure.of === "head")
    .map((measure) => ({
      ...measure,
      values: grid((layer) => (measure.name === "importance" ? importance(layer) : layer.values[measure.name])),
      errors: grid((layer) => layer.errors[measure.name]),
      sampled: layers.some((layer) => layer.errors[measure.name]),
    }));
  const declared = [...new Set(layers.flatMap((layer) => Object.keys(layer.sets)))].map((name) => ({
    name: `set ${name}`,
    title: `on ${name}`,
    unit: "share of attention",
    meaning: `What the keys declared as ${name} take together, mean over queries.`,
    usual: "No range: it is your own set. An even spread would give it as large a share as it has of the keys.",
    source: "by definition",
    values: grid((layer) => layer.sets[name]),
    errors: grid(() => null),
    sampled: false,
  }));
  const shown = [...ofHeads, ...declared].filter((measure) => measure.values.flat().some(known));
  // A report in which nothing is finite still has a grid to show: it says so cell by cell.
  const heads = shown.length ? shown : ofHeads.slice(0, 1);
  const series = (of, list) =>
    measures
      .filter((measure) => measure.of === of)
      .map((measure) => ({ ...measure, values: list.map((each) => each.values[measure.name] ?? null) }))
      .filter(({ values }) => values.some(known));
  return {
    report,
    given,
    tokens,
    texts,
    layers,
    measures: heads.map((measure) => ({ ...measure, label: label(measure) })),
    blocks: series("block", report.blocks ?? []),
    gradients: series("layer", report.gradients ?? []),
    faults: report.findings.filter(({ severity }) => severity !== "normal"),
    normal: report.findings.filter(({ severity }) => severity === "normal"),
    named: namedBy(report.findings),
    token: (i) => (i in tokens ? quoted(tokens[i]) : `token ${i}`),
    at: (i) => (i in tokens ? `${quoted(tokens[i])} (token ${i})` : `token ${i}`),
  };
}

// "layer,head" → the titles of the faults, and of what deserves a look, that name this head.
function namedBy(findings) {
  const named = {};
  for (const { severity, where, title } of findings)
    for (const { layer, head } of severity === "normal" ? [] : where)
      if (known(layer) && known(head)) (named[`${layer},${head}`] ??= []).push(title);
  return named;
}

const label = ({ title, unit }) => (unit && unit !== "–" ? `${title} (${unit})` : title);

function placeName({ layer, head, block }) {
  if (known(block)) return `block ${block}`;
  if (!known(layer)) return "the whole model";
  return known(head) ? `layer ${layer}, head ${head}` : `layer ${layer}`;
}

// What a head does, in a few sentences from its numbers alone.
function habit(data, l, h) {
  const layer = data.layers[l];
  const value = (name) => layer.values[name]?.[h];
  const said = [];
  const [share, strength, place] = [value("strongest_share"), value("strongest_value"), layer.strongest[h]];
  if (known(share) && known(place)) {
    const name = layer.strongest_token[h];
    const key = known(name) ? `${quoted(name)} (token ${place})` : `token ${place}`;
    said.push(`The key that receives most is ${key}, with ${percent(share)} of this head’s attention.`);
    if (known(strength) && strength < 0.5 && share > 0.3)
      said.push(
        `Its value has ${short(strength)} of the usual length, so attention to it adds little: a place to rest.`,
      );
    else if (known(strength)) said.push(`Its value has ${short(strength)} times the usual length.`);
  }
  const before = value("previous_token");
  if (before > 0.5) said.push(`${percent(before)} goes to the token before: it keeps the order.`);
  const entropy = value("entropy");
  if (entropy > 0.9) said.push("It spreads its attention nearly evenly.");
  else if (known(entropy) && entropy < 0.1) said.push("Nearly every query picks a single key.");
  const [distance, window] = [value("distance"), value("window")];
  if (known(distance))
    said.push(
      `It looks ${short(distance)} tokens away on average` +
        (known(window) ? `, with 96 % of a row within ${short(window)}.` : "."),
    );
  const [nearest, apart] = [layer.nearest[h], value("divergence")];
  if (known(nearest) && known(apart))
    said.push(`The head most like it is head ${nearest} (${short(apart)} bits apart).`);
  const missing = data.measures.filter((measure) => !known(measure.values[l][h])).map(({ title }) => title);
  const names = missing.slice(0, 5).join("; ") + (missing.length > 5 ? "; and more" : "");
  if (!known(entropy)) said.push(`Not measured, or not a finite number: ${names}.`);
  return said.join(" ");
}
