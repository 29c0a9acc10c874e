// What was found, the grave first; and what looks like a fault and is none.

const GRADES = { fault: "Fault", look: "Look at this" };
const SURE = {
  strong: ["follows from what was measured", 3],
  likely: ["likely", 2],
  hint: ["a hint: other causes look alike", 1],
};
const MOST_PLACES = 10;

function findings(data, go) {
  const items = data.faults.map((each) => finding(data, each, go));
  const none = html("p", { class: "lead" }, "Nothing was found that asks for a remedy.");
  return html(
    "section",
    { "aria-labelledby": "found" },
    html("h2", { id: "found" }, "What was found"),
    items.length ? html("ol", { class: "findings" }, ...items) : none,
    data.normal.length ? normal(data, go) : null,
  );
}

function finding(data, { title, severity, sure, measured, where, evidence, remedy }, go) {
  const [words, bars] = SURE[sure] ?? [sure, 0];
  const meter = html(
    "span",
    { class: "sure", "aria-hidden": "true" },
    ...upTo(3).map((i) => html("i", { class: i < bars ? "full" : "" })),
  );
  return html(
    "li",
    { class: `finding ${severity}` },
    html("header", {}, html("span", { class: "grade" }, GRADES[severity] ?? severity), html("h3", {}, title)),
    list("", [
      ["where", places(data, where, go)],
      ["evidence", evidence],
      ["measured", measured],
      ["how sure", html("span", {}, meter, words)],
      ["remedy", remedy],
    ]),
  );
}

function normal(data, go) {
  const items = data.normal.map(({ title, where, evidence, remedy }) =>
    html(
      "li",
      {},
      html("strong", {}, `${title}. `),
      `${evidence} `,
      html("span", { class: "soft" }, "To do: "),
      `${remedy} `,
      where.length ? places(data, where, go) : null,
    ),
  );
  return html("div", { class: "normal" }, html("h3", {}, "Looks like a fault and is none"), html("ul", {}, ...items));
}

function places(data, where, go) {
  const there = where.length ? where : [{}];
  const node = html("span", { class: "places" });
  const some = (few) => there.slice(0, few).map((place) => placeButton(data, place, go));
  const rest = there.length - MOST_PLACES;
  const more = html("button", { type: "button", class: "place away" }, `and ${rest} more`);
  more.addEventListener("click", () => {
    node.replaceChildren(...some(there.length));
    node.children[MOST_PLACES].focus();
  });
  node.append(...some(MOST_PLACES), ...(rest > 0 ? [more] : []));
  return node;
}

function placeButton(data, place, go) {
  const name = placeName(place);
  const there =
    known(place.layer) && place.layer < data.layers.length && (place.head ?? 0) < data.layers[place.layer].heads;
  if (!there) return html("span", {}, name);
  return html("button", { type: "button", class: "place", onclick: () => go(place.layer, place.head ?? 0) }, name);
}
