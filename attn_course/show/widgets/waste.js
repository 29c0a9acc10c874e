// Lesson 14: take the small weights out of a real head, and watch how little or how much goes with them.

function sayWaste(state, numbers) {
  const { name, heads } = state.texts[state.text];
  const { head, below, mass, kept, coverage } = numbers;
  const called = heads[state.head].name;
  const at = `${written(state.exponent)}${state.even ? " even shares" : ""}`;
  const rest = state.rescale ? ", the rest scaled up," : "";
  return (
    `${called[0].toUpperCase()}${called.slice(1)}, ${name}: ${percent(below)} of the weights lie below ε = ${at} and hold ` +
    `${percent(mass)} of the attention. Without them${rest} the output changes by ${percent(numbers.moved)} of its ` +
    `size; a query keeps ${fixed(kept, 1)} of ${head.seen ? "the keys it sees" : `${head.n} keys`}. ` +
    `To hold 96 % of a row takes ${percent(coverage)} of its keys.`
  );
}

function render({ model, el }) {
  const texts = model.get("texts");
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const among = (trait) => ({
    get: () => String(model.get(trait)),
    set: (value) => commit(model, { [trait]: Number(value) }),
  });
  const numbered = (each, i) => [String(i), each.name];
  const chosen = select({ label: "text", options: texts.map(numbered), ...among("text") });
  const head = select({ label: "head", options: texts[0].heads.map(numbered), ...among("head") });
  const range = () => RANGE[model.get("even")];
  const epsilon = slider({
    label: "ε",
    min: () => range()[0],
    max: () => range()[1],
    step: 0.05,
    ...link("exponent"),
    show: (at) => `${written(at)}${model.get("even") ? "/n" : ""}`,
  });
  const even = checkbox({
    label: "ε in even shares, 1/n",
    get: () => model.get("even"),
    set: (on) => {
      // the same ε, said the other way
      const n = texts[model.get("text")].tokens.length;
      const at = model.get("exponent") + (on ? 1 : -1) * Math.log10(n);
      commit(model, { even: on, exponent: clamp(at, ...RANGE[on]) });
    },
  });
  const rescale = checkbox({ label: "scale up what is left", ...link("rescale") });
  const checks = html("div", { class: "w-checks" }, even.node, rescale.node);
  const bar = html("div", { class: "attn-controls" }, chosen.node, head.node, epsilon.node, checks);
  const canvas = html("canvas", { class: "w-map", role: "img" });
  const left = html("div", {}, html("div", { class: "attn-title" }, "what is left of the map"), canvas);
  const list = html("ul", { class: "w-numbers" });
  const chart = html("div", {});
  const body = html("div", { class: "w-body" }, left, html("div", {}, chart, list));
  const traits = ["texts", "text", "head", "exponent", "even", "rescale"];
  const reckon = reckonerOf();

  const draw = (root) => {
    const state = Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
    state.exponent = clamp(state.exponent, ...RANGE[state.even]);
    const numbers = reckon(state);
    paintLeft(canvas, numbers);
    canvas.setAttribute("aria-label", `The map of ${state.texts[state.text].heads[state.head].name}, with blank holes`);
    chart.replaceChildren(wasteChart(numbers, state));
    list.replaceChildren(...wasteNumbers(numbers));
    for (const name of ["below", "mass", "kept", "moved", "coverage"])
      root.dataset[name] = JSON.stringify(numbers[name]);
    root.dataset.left = JSON.stringify([...numbers.left.slice(0, 4096)].map((x) => Math.round(1e5 * x) / 1e5));
    return sayWaste(state, numbers);
  };
  return view({
    model,
    el,
    title: "A head without its small weights",
    body: [bar, body],
    controls: [chosen, head, epsilon, even, rescale],
    traits,
    draw,
  });
}

export default { render };
