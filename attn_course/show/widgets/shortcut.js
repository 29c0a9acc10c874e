// Lesson 15: choose a sentence, a remedy, a stamp; the map beside what the model does.

function sayShortcut(state) {
  const { labels } = state.names;
  const { label } = state.sentences[state.sentence];
  const of = (stamp) => state.answers[state.remedy][stamp][state.sentence];
  const named = (stamp) => Number(of(stamp).p >= 0.5);
  const sure = (stamp) => fixed(Math.max(of(stamp).p, 1 - of(stamp).p));
  const [lib, ref] = state.names.stamps;
  const flips = named(lib) !== named(ref);
  const { cls, stamp } = of(lib);
  const at = state.sentences[state.sentence].at;
  const share = mean(cls.map((layer) => layer[at]));
  const words = mean(stamp.filter((_, i) => i !== 0 && i !== at));
  const worst = worstOf(state.groups[state.remedy]);
  return (
    `${state.remedy}. The sentence is about ${labels[label]}. With ${lib} the model says ${labels[named(lib)]} ` +
    `(${sure(lib)}), with ${ref} ${labels[named(ref)]} (${sure(ref)}): ` +
    `the stamp ${flips ? "decides" : "does not decide"}. [CLS] gives ${lib} ${fixed(share)} of its attention, ` +
    `the words give it ${fixed(words)} in layer 0 (an even share: ${fixed(1 / cls[0].length)}). ` +
    `The worst group, mean of five seeds: ${fixed(worst, 3)}.`
  );
}

function render({ model, el }) {
  const names = model.get("names");
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const sentence = slider({
    label: "sentence",
    min: 0,
    max: () => model.get("sentences").length - 1,
    ...link("sentence"),
    show: (i) => `${i + 1} of ${model.get("sentences").length}`,
  });
  const twice = (value) => [value, value];
  const remedy = select({ label: "remedy", options: Object.keys(model.get("answers")).map(twice), ...link("remedy") });
  const stamp = select({
    label: "stamp",
    options: names.stamps.map((each) => [each, each === "none" ? "no stamp" : each]),
    ...link("stamp"),
  });
  const shown = select({ label: "attention of", options: names.views, ...link("view") });
  const bar = html("div", { class: "attn-controls s-controls" }, sentence.node, remedy.node, stamp.node, shown.node);
  const text = html("div", { class: "s-text", role: "img" });
  const answers = html("div", {});
  const groups = html("div", {});
  const body = html("div", { class: "s-body" }, answers, groups);
  const traits = ["sentence", "remedy", "stamp", "view", "sentences", "answers", "groups", "names"];

  const draw = (root) => {
    const state = Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
    state.now = weighed(state);
    const what = Object.fromEntries(names.views)[state.view];
    const { tokens, weights } = state.now;
    const said = tokens.map((token, i) => (weights ? `${token} ${fixed(weights[i])}` : token));
    const of = (each) => state.answers[state.remedy][each][state.sentence];
    text.replaceChildren(...chips(state));
    text.setAttribute("aria-label", `${what}: ${said.join(", ")}`);
    answers.replaceChildren(answersChart(state));
    groups.replaceChildren(groupsChart(state));
    root.dataset.tokens = JSON.stringify(tokens);
    root.dataset.weights = JSON.stringify(weights);
    root.dataset.answers = JSON.stringify(names.stamps.map((each) => of(each).p));
    root.dataset.groups = JSON.stringify(byGroup(state.groups[state.remedy]).map(mean));
    return sayShortcut(state);
  };
  return view({
    model,
    el,
    title: "A clean map, and the model behind it",
    body: [bar, text, body],
    controls: [sentence, remedy, stamp, shown],
    traits,
    draw,
  });
}

export default { render };
