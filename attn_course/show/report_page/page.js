// The whole page, from the report that stands in it.

const MOST_TOKENS = 1000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const toView = (node, block) => node.scrollIntoView({ block, behavior: calm.matches ? "auto" : "smooth" });

function nearView(title) {
  const { top, bottom } = title.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight - 160) toView(title.closest(".panel"), "start");
}

function draw(data) {
  const { report } = data;
  const one = panel(data, { back: () => cells.focus(), colour: (name) => cells.colour(name) });
  const cells = grid(data, {
    open: (l, h, by) => {
      one.show(l, h);
      if (by === "keyboard") one.title.focus();
      if (by === "keyboard" || by === "pointer") nearView(one.title);
    },
  });
  const go = (l, h) => {
    cells.choose(l, h, "link");
    toView(heads, "start");
    one.title.focus({ preventScroll: true });
  };
  const there = data.layers.some((layer) => layer.heads > 0);
  const heads = html(
    "section",
    { "aria-labelledby": "heads" },
    html("h2", { id: "heads" }, "Head by head"),
    cells.node,
    one.node,
  );
  const main = document.getElementById("page");
  main.append(
    masthead(data),
    findings(data, go),
    ...(there ? [heads] : []),
    ...lines(data.blocks, report.blocks ?? [], "The stream of tokens, block by block", "block"),
    ...lines(data.gradients, report.gradients ?? [], "Gradients, layer by layer", "layer"),
    howTaken(data),
  );
  if (!there) return;
  narrow.addEventListener("change", () => one.again());
  cells.colour(data.measures[0].name);
  const places = [...data.faults, ...data.normal].flatMap(({ where }) => where);
  const first = places.find(({ layer, head }) => known(layer) && (head ?? 0) < (data.layers[layer]?.heads ?? 0));
  cells.choose(first?.layer ?? 0, first?.head ?? 0, "start");
}

function masthead({ report, texts, layers, faults, normal }) {
  const { date, ...about } = report.about;
  const shape = [...new Set(layers.map((layer) => layer.heads))];
  const facts = [
    ["attention layers", String(layers.length)],
    ["heads in each", shape.length > 2 ? `${Math.min(...shape)} to ${Math.max(...shape)}` : shape.join(" or ")],
    ...Object.entries(about).map(([name, value]) => [name.replaceAll("_", " "), known(value) ? String(value) : "–"]),
    ...(date ? [["date", String(date)]] : []),
  ];
  return html(
    "header",
    {},
    html("p", { class: "eyebrow" }, "Doctor’s report"),
    html("h1", {}, clip(word(report.model), 200)),
    html(
      "dl",
      { class: "facts" },
      ...facts.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value))),
    ),
    html("p", { class: "verdict" }, verdict(faults, normal)),
    ...texts.slice(0, 1).map(running),
    ...(texts.length > 1 ? [html("p", { class: "soft small" }, `The first of ${texts.length} texts.`)] : []),
  );
}

// The text as it was read: tokens apart, or, where they are single characters, as running text.
function running(tokens) {
  const words = tokens.slice(0, MOST_TOKENS).map(word);
  const letters = words.filter((each) => [...each].length === 1).length > 0.8 * words.length && words.length > 8;
  const shown = letters ? [words.join("")] : words.flatMap((each) => [html("span", {}, each), " "]);
  const rest = tokens.length > MOST_TOKENS ? ` and ${count(tokens.length - MOST_TOKENS, "token")} more` : "";
  const name = {
    class: letters ? "text letters" : "text",
    tabindex: "0",
    role: "group",
    "aria-label": "The text, as it was read",
  };
  return html("div", name, ...shown, rest);
}

function verdict(faults, normal) {
  const n = faults.filter(({ severity }) => severity === "fault").length;
  const said = [
    n ? `${count(n, "fault")} to mend` : "no fault",
    ...(faults.length > n ? [`${count(faults.length - n, "thing")} to look at`] : []),
    ...(normal.length
      ? [`${count(normal.length, "thing")} that only ${normal.length === 1 ? "looks" : "look"} like a fault`]
      : []),
  ].join(", ");
  return `${said[0].toUpperCase()}${said.slice(1)}.`;
}

// Small charts, one a measure, along the depth of the model.
function lines(measures, places, heading, what) {
  if (!measures.length) return [];
  const bad = places.flatMap((each, i) => (each.finite === false ? [i] : []));
  const bounded = measures.some(({ low, high }) => known(low) || known(high));
  const shaded = bounded
    ? html("p", { class: "soft small shaded" }, "Shaded, where it is near: the usual range.")
    : null;
  const broken = bad.length
    ? html("p", { class: "lead" }, `Not finite after ${what} ${bad.join(", ")} (crosses).`)
    : null;
  const figures = measures.map((measure) => alongDepth(measure, places, what));
  const [id, charts] = [what === "block" ? "stream" : "gradients", html("div", { class: "charts" }, ...figures)];
  return [html("section", { "aria-labelledby": id }, html("h2", { id }, heading), shaded, broken, charts)];
}

function alongDepth(measure, places, what) {
  const words = (value, x) => `${what} ${x}: ${pointWords(value, places[x], measure)}`;
  const points = measure.values.map((value, x) => ({ x, value, words: words(value, x) }));
  const ends = [`${what} 0`, `${what} ${places.length - 1}`];
  const { node, note } = chart(points, { ...measure, title: label(measure), ends });
  const unit = measure.unit === "–" ? null : html("span", { class: "soft" }, ` (${measure.unit})`);
  const usual = measure.usual.startsWith("No range") ? "" : ` ${sentence(measure.usual)}`;
  const about = html("p", { class: "soft small" }, measure.meaning, usual);
  return html("div", {}, html("h3", { class: "name" }, measure.title, unit, note), node, about);
}

function pointWords(value, place, { name }) {
  if (!known(value)) return "no finite number";
  if (name !== "largest" || !place.largest_at) return short(value);
  const [token, feature] = place.largest_at;
  const at = known(place.largest_token) ? quoted(place.largest_token) : `token ${token}`;
  return `${short(value)} at ${at}, feature ${feature}`;
}

function howTaken(data) {
  const all = [...data.measures, ...data.blocks, ...data.gradients];
  const rows = all.map((measure) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, label(measure)),
      html("td", { "data-what": "taken" }, taken(data, measure)),
      html("td", { "data-what": "usual" }, range(measure) || "–"),
      html("td", { "data-what": "source" }, measure.source),
    ),
  );
  const head = ["measure", "how it was taken", "usual", "source"].map((words) => html("th", { scope: "col" }, words));
  const notes = [...(data.report.notes ?? []), ...(data.given ?? [])];
  return html(
    "section",
    { "aria-labelledby": "how" },
    html("h2", { id: "how" }, "How the numbers were taken"),
    ...(notes.length ? [html("ul", { class: "notes" }, ...notes.map((note) => html("li", {}, note)))] : []),
    html("table", { class: "vitals taken" }, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows)),
  );
}

draw(read(JSON.parse(document.getElementById("report").textContent)));
