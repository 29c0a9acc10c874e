// Lesson 14: take heads or layers out of a model; the loss without them was recorded.

const millions = (count) => (count >= 1e6 ? `${fixed(count / 1e6)} million` : `${fixed(count / 1e3, 0)} thousand`);
const signed = (x) => (x > 0 ? `+${fixed(x, 3)}` : fixed(x, 3));

function sayPruned(state, found) {
  const { model, whole, removed, loss, parameters } = found;
  const heads = state.what === "heads";
  const most = heads ? model.orders.ablation.length : model.saved.blocks.length;
  const things = heads ? "heads" : IN_WORDS[state.what];
  const way = !removed ? "" : heads ? `, in the order “${found.order}”` : ` (${found.gone.join(", ")})`;
  const said =
    `${model.name[0].toUpperCase()}${model.name.slice(1)} without ${removed} of its ${most} ${things}${way}: ` +
    `loss ${fixed(loss)} ${model.units.loss}, ${fixed(whole)} with all; drift ${fixed(found.drift)}. ` +
    `${millions(parameters)} of ${millions(model.parameters)} parameters are left.`;
  if (!heads) return said;
  const { cost, drift, importance } = model.measures;
  const of = (table) => table[state.layer]?.[state.head];
  const rank = importance.flat().filter((value) => value > of(importance)).length + 1;
  return (
    `${said} Layer ${state.layer}, head ${state.head}, taken out alone: loss ${signed(of(cost))}, drift ` +
    `${of(drift).toPrecision(2)}; by importance it is number ${rank} of ${most}.`
  );
}

function render({ model, el }) {
  const traits = ["models", "model", "what", "order", "point", "gone", "layer", "head", "figure", "shade"];
  const read = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const models = model.get("models");
  const current = () => models[model.get("model")];
  const which = select({
    label: "model",
    options: models.map((each, i) => [String(i), each.name]),
    get: () => String(model.get("model")),
    set: (i) => commit(model, { model: Number(i), point: 0, gone: [], layer: 0, head: 0 }),
  });
  const same = (name) => [name, name];
  const what = select({ label: "take out", options: [same("heads"), ...Object.entries(IN_WORDS)], ...link("what") });
  const orders = [...new Set(models.flatMap((each) => Object.keys(each.orders)))];
  const order = select({
    label: "in the order of",
    options: orders.map(same),
    get: () => has(current(), model.get("order")),
    set: link("order").set,
  });
  const curve = () => current().curves[has(current(), model.get("order"))];
  const point = slider({
    label: "heads gone",
    min: 0,
    max: () => curve().removed.length - 1,
    ...link("point"),
    show: (at) => String(curve().removed[Math.min(at, curve().removed.length - 1)]),
  });
  const shade = select({ label: "colour", options: ["drift", "cost", "importance"].map(same), ...link("shade") });
  const figure = select({ label: "curve", options: ["loss", "drift"].map(same), ...link("figure") });
  const controls = [which, what, order, point, figure, shade];
  const bar = html("div", { class: "attn-controls" }, ...controls.map(({ node }) => node));
  const left = html("div", {});
  const chart = html("div", {});
  const names = html("div", { class: "p-legend" });
  const body = html("div", { class: "p-body" }, left, html("div", {}, chart, names));
  const title = html("div", { class: "attn-title" });
  const grids = models.map((each) => {
    const table = each.measures.cost;
    const choose = (layer, head) => commit(model, { layer, head });
    const grid = headGrid({ layers: table.length, heads: table[0].length, choose });
    grid.buttons.forEach((row, l) => row.forEach((one, h) => one.setAttribute("aria-label", `layer ${l}, head ${h}`)));
    return grid;
  });
  const toggles = models.map((each) =>
    each.saved.blocks.map((_, layer) =>
      html("button", {
        type: "button",
        class: "p-layer",
        "aria-label": `layer ${layer}`,
        onclick: () => {
          const gone = model.get("gone");
          commit(model, { gone: gone.includes(layer) ? gone.filter((one) => one !== layer) : [...gone, layer] });
        },
      }),
    ),
  );
  const stacks = toggles.map((all) => html("div", { class: "p-stack" }, ...[...all].reverse()));
  left.append(title, ...grids.map(({ node }) => node), ...stacks);

  const drawHeads = (state, { gone, model: now }) => {
    const table = now.measures[state.shade];
    const most = Math.max(...table.flat());
    const out = new Set(gone.map(String));
    grids[state.model].mark(state.layer, state.head);
    grids[state.model].buttons.forEach((row, l) =>
      row.forEach((each, h) => {
        const away = out.has(`${l},${h}`);
        each.style.background = away ? "" : rgb(cividis(Math.sqrt(Math.max(0, table[l][h]) / most)));
        each.classList.toggle("p-gone", away);
        const value = minus(table[l][h].toPrecision(2));
        const said = `layer ${l}, head ${h}${away ? ", taken out" : ""}: ${state.shade} ${value}`;
        each.setAttribute("aria-label", said);
        each.setAttribute("title", said);
      }),
    );
  };
  const drawLayers = (state, { gone, model: now }) =>
    toggles[state.model].forEach((each, layer) => {
      const away = gone.includes(layer);
      const alone = without(now, state.what, [layer]).loss - without(now, state.what, []).loss;
      const influence = now.influence[state.what]?.[layer];
      each.setAttribute("aria-pressed", away);
      each.setAttribute("aria-label", `layer ${layer}${away ? ", taken out" : ""}`);
      const more = influence === undefined ? "" : `, influence ${fixed(influence)}`;
      const said = away ? "taken out" : `alone ${signed(alone)}${more}`;
      each.replaceChildren(html("b", {}, `layer ${layer}`), html("span", {}, said));
    });

  const draw = (root) => {
    const state = read();
    const found = pruned(state);
    const heads = state.what === "heads";
    for (const control of [order, point, shade]) control.node.hidden = !heads;
    grids.forEach(({ node }, i) => (node.hidden = !heads || i !== state.model));
    stacks.forEach((node, i) => (node.hidden = heads || i !== state.model));
    title.textContent = heads ? `the heads, by ${state.shade}` : "press a layer to take it out";
    (heads ? drawHeads : drawLayers)(state, found);
    chart.replaceChildren(pruningChart(found, state));
    names.replaceChildren(...legend(found, state));
    for (const name of ["loss", "drift", "parameters", "removed", "gone"])
      root.dataset[name] = JSON.stringify(found[name]);
    return sayPruned(state, found);
  };
  return view({
    model,
    el,
    title: "Taken out",
    body: [bar, body],
    controls,
    traits,
    draw,
  });
}

export default { render };
