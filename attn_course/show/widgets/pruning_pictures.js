// Lesson 14: what is left of a model, as a number and on a curve.

const IN_WORDS = { blocks: "blocks", attention: "attention layers", "feed-forward": "feed-forward networks" };
const isChance = (order) => order.startsWith("random");
const has = (model, order) => (model.orders[order] ? order : "ablation"); // greedy is known of the small model alone

// The state in numbers: what is gone, the loss without it, the parameters that are left.
function pruned(state) {
  const model = state.models[state.model];
  const whole = model.subsets.blocks[0][1].loss;
  if (state.what === "heads") {
    const order = has(model, state.order);
    const curve = model.curves[order];
    const point = clamp(state.point, 0, curve.removed.length - 1);
    return {
      model,
      whole,
      order,
      point,
      gone: model.orders[order].slice(0, curve.removed[point]),
      removed: curve.removed[point],
      loss: curve.loss[point],
      drift: curve.drift[point],
      parameters: curve.parameters[point],
    };
  }
  const gone = [...new Set(state.gone)].filter((layer) => layer in model.saved.blocks).sort((a, b) => a - b);
  const { loss, drift } = without(model, state.what, gone);
  const saved = gone.reduce((sum, layer) => sum + model.saved[state.what][layer], 0);
  return { model, whole, gone, removed: gone.length, loss, drift, parameters: model.parameters - saved };
}

// The layers in the order of their influence, the smallest first: the figures after each.
function byInfluence(model, what) {
  const values = model.influence[what];
  if (!values) return null;
  const order = values.map((_, layer) => layer).sort((a, b) => values[a] - values[b]);
  return [...order, null].map((_, count) => without(model, what, order.slice(0, count)));
}
function without(model, what, gone) {
  const sorted = String([...gone].sort((a, b) => a - b));
  return model.subsets[what].find(([some]) => String(some) === sorted)[1];
}

const [PW, PH, PX, PY] = [390, 250, 40, 26];

function pruningChart(found, { what, figure }) {
  const { model, order } = found;
  const heads = what === "heads";
  const points = heads
    ? Object.values(model.curves).flatMap((curve) => curve[figure])
    : model.subsets[what].map(([, row]) => row[figure]);
  const [low, high] = [Math.min(...points), Math.max(...points)];
  const most = heads ? model.orders.ablation.length : model.saved.blocks.length;
  const x = (count) => PX + (count / most) * (PW - PX - 12);
  const y = (value) => PH - ((value - low) / (high - low)) * (PH - PY - 6);
  const way = (counts, values) =>
    values.map((value, i) => `${i ? "L" : "M"}${x(counts[i]).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const whole = model.subsets.blocks[0][1][figure];
  const counts = Array.from({ length: most + 1 }, (_, i) => i);
  const things = heads ? "heads" : IN_WORDS[what];
  const title = figure === "loss" ? "loss on held-out text" : "drift from the whole model";
  const node = picture(PW, PH + 40, `The ${title}, by how many ${things} are gone`);
  const step = (high - low) / 4;
  const ticks = [0, 1, 2, 3, 4].map((i) => low + i * step);
  const every = most > 12 ? most / 6 : most > 6 ? 3 : 1;
  node.append(
    text(0, 10, `${title}, ${model.units[figure]}`, { class: "title" }),
    ...ticks.flatMap((value) => [
      line(PX, y(value), PW - 12, y(value), { class: "grid" }),
      text(PX - 6, y(value) + 4, fixed(value), { class: "soft", "text-anchor": "end" }),
    ]),
    ...counts
      .filter((count) => count % every === 0)
      .map((count) => text(x(count), PH + 18, String(count), { class: "soft", "text-anchor": "middle" })),
    text((PX + PW) / 2, PH + 36, `${things} gone`, { class: "soft", "text-anchor": "middle" }),
    line(PX, y(whole), PW - 12, y(whole), { class: "p-whole" }),
  );
  if (heads) {
    const others = Object.keys(model.curves).filter((name) => name !== order);
    for (const name of [...others, order]) {
      const { removed, [figure]: values } = model.curves[name];
      const kind = name === order ? "p-chosen" : isChance(name) ? "p-chance" : "p-other";
      node.append(svg("path", { d: way(removed, values), class: kind }, svg("title", {}, name)));
    }
  } else {
    const influence = byInfluence(model, what);
    const best = model.best[figure][what].map((gone) => without(model, what, gone));
    node.append(
      ...model.subsets[what].map(([gone, row]) =>
        svg("circle", { cx: x(gone.length), cy: y(row[figure]), r: 2.6, class: "p-subset" }),
      ),
      svg("path", { d: way(counts, best.map((row) => row[figure])), class: "p-chosen" }),
    );
    if (influence)
      node.append(svg("path", { d: way(counts, influence.map((row) => row[figure])), class: "p-influence" }));
  }
  node.append(svg("circle", { cx: x(found.removed), cy: y(found[figure]), r: 6, class: "p-now" }));
  return node;
}

// What the lines are.
function legend({ model, order }, { what }) {
  const entries =
    what === "heads"
      ? [
          ["p-chosen", order],
          ["p-chance", "at random, five times"],
          ["p-other", "the other orders"],
        ]
      : [
          ["p-chosen", "best on the text chosen by"],
          ...(model.influence[what] ? [["p-influence", "smallest influence first"]] : []),
          ["p-subset", "every subset"],
        ];
  return entries.map(([kind, words]) => {
    const mark = svg("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" });
    mark.append(
      kind === "p-subset"
        ? svg("circle", { cx: 11, cy: 4, r: 2.6, class: kind })
        : svg("path", { d: "M0 4L22 4", class: kind }),
    );
    return html("span", {}, mark, words);
  });
}
