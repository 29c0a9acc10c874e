// Lesson 07. An induction head as it forms: the widget.

const LAYER_NAMES = ["first", "second"];
const TRAINED = { random: "rows that repeat after 4 to 16 tokens", fixed: "rows that always repeat after 16" };

// What the head chosen does, and whether that would do for copying
function sayHead({ layer, head, period }, { next, before, favourite: { back, share } }) {
  const name = `${LAYER_NAMES[layer]} layer, head ${head}`;
  const both =
    `${name[0].toUpperCase()}${name.slice(1)} gives ${fixed(next[layer][head])} of its attention to what came next, ` +
    `${fixed(before[layer][head])} to the token before.`;
  if (share < 0.4) return next[layer][head] > 0.5 ? both : `${both} It keeps to no distance.`;
  const where = back === 0 ? "at the token that asks itself" : `${back} ${back === 1 ? "place" : "places"} back`;
  const keeps = `${both} It looks mostly ${where} (${fixed(share)})`;
  if (back <= 1) return `${keeps}.`;
  if ((back + 1) % period === 0) return `${keeps}, which is where the continuation of this row stands.`;
  return `${keeps}. In this row the continuation stands ${period - 1} back: it does not read, it counts.`;
}

function say(state, shown) {
  const { place, period } = state;
  const { row, map, said, places, right, loss } = shown;
  const top = map[place].indexOf(Math.max(...map[place]));
  const name = (token) => `“${NAMES[token]}”`;
  const asks =
    place < period
      ? `${name(row[place])} at place ${place} is new, so nothing follows from it.`
      : `${name(row[place])} at place ${place} looks mostly at ${name(row[top])} at place ${top} ` +
        `(${fixed(map[place][top])}); next comes ${name(row[place + 1])}, the model says ${name(said[place])}.`;
  return (
    `Step ${state.step} of the model that learns from ${TRAINED[state.trained]}. This row repeats after ${period}: ` +
    `where the next token can be known, it is named in ${right} of ${places} places, with a loss of ${fixed(loss)} nats ` +
    `(guessing: ${fixed(GUESSING)}). ${sayHead(state, shown)} ${asks}`
  );
}

function render({ model, el }) {
  const traits = ["record", "trained", "step", "period", "row", "layer", "head", "place", "framed"];
  const read = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const { steps, periods } = model.get("record");
  const step = slider({
    label: "training step",
    min: 0,
    max: steps.length - 1,
    get: () => steps.indexOf(model.get("step")),
    set: (index) => commit(model, { step: steps[index] }),
    show: (index) => String(steps[index]),
  });
  const trained = select({
    label: "trained on rows of",
    options: [
      ["random", "periods from 4 to 16"],
      ["fixed", "period 16 alone"],
    ],
    ...link("trained"),
  });
  const period = slider({
    label: "this row’s period",
    min: periods[0],
    max: periods.at(-1),
    ...link("period"),
  });
  const place = slider({
    label: "asking place",
    min: 0,
    max: READ - 1,
    ...link("place"),
    show: (i) => `${i}, “${NAMES[rowOf(model.get("row"), model.get("period"))[i]]}”`,
  });
  const framed = select({
    label: "framed",
    options: [
      ["next", "what came next"],
      ["before", "the token before"],
    ],
    ...link("framed"),
  });
  const another = button({ label: "another row", press: () => commit(model, { row: model.get("row") + 1 }) });
  const follow = button({
    label: "its best head: the one that looks most at what is framed",
    words: "its best head",
    press: () => {
      const state = read();
      const scores = compute(state)[state.framed];
      const best = Math.max(...scores.flat());
      const layer = scores.findIndex((heads) => heads.includes(best));
      commit(model, { layer, head: scores[layer].indexOf(best) });
    },
  });
  const map = rowMap((index) => commit(model, { place: index }));
  const heads = headButtons(model);
  const [chart, name] = [html("div", { class: "i-chart" }), html("div", { class: "attn-title" })];
  const key = html(
    "div",
    { class: "i-key" },
    html("span", { class: "i-before" }, "on the token before (in the curves: first layer)"),
    html("span", { class: "i-next" }, "on what came next (second layer)"),
  );
  const body = [
    html("div", { class: "attn-controls i-controls" }, step.node, trained.node, period.node, place.node),
    html(
      "div",
      { class: "i-body" },
      html(
        "div",
        {},
        html("div", { class: "i-over" }, name, another.node),
        map.node,
        html("div", { class: "i-under" }, framed.node, follow.node),
      ),
      html(
        "div",
        {},
        html("div", { class: "attn-title" }, "all heads on this row"),
        heads.node,
        key,
        chart,
      ),
    ),
  ];
  const draw = (root) => {
    const state = read();
    const shown = compute(state);
    name.textContent = `${LAYER_NAMES[state.layer]} layer, head ${state.head}`;
    map.draw(shown, state);
    heads.draw(shown, state);
    chart.replaceChildren(curves(state));
    for (const each of ["row", "map", "next", "before", "loss", "right", "places", "said", "favourite"])
      root.dataset[each] = JSON.stringify(shown[each]);
    return say(state, shown);
  };
  return view({
    model,
    el,
    title: "An induction head forms",
    body,
    controls: [step, trained, period, place, framed, follow, another],
    traits,
    draw,
  });
}

export default { render };
