// Lesson 11: drag through the layers and watch twelve tokens fall together, or not.

const small = (value) => {
  if (value >= 0.01) return fixed(value);
  if (value < 1e-15) return "nothing but rounding";
  const power = Math.floor(Math.log10(value));
  return `${(value / 10 ** power).toFixed(0)}·10${superscript(power)}`;
};

function say(state, { points, residuals, cosines }) {
  const n = places(points);
  const where = state.layer ? `After layer ${state.layer} of ${residuals.length - 1}` : "Before the first layer";
  const stand = n === 1 ? "stand in one place" : `stand in ${n} places that the eye can tell apart`;
  return (
    `${where}, skip ${fixed(state.skip)}, sharpness ${fixed(state.sharpness, 1)}: ${points.length} tokens ${stand}. ` +
    `Left of their differences: ${small(residuals[state.layer])}; mean cosine ${fixed(cosines[state.layer])}. ` +
    `After the last layer: ${small(residuals[residuals.length - 1])}.`
  );
}

function render({ model, el }) {
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const layer = slider({ label: "layer", min: 0, max: () => model.get("angles").length, ...link("layer") });
  const skip = slider({ label: "skip", min: 0, max: 1, step: 0.05, ...link("skip"), show: (s) => fixed(s) });
  const sharpness = slider({
    label: "sharpness",
    min: 0,
    max: 16,
    step: 0.5,
    ...link("sharpness"),
    show: (s) => fixed(s, 1),
  });
  const scaled = checkbox({ label: "attention’s part divided by √12", ...link("scaled") });
  const bar = html("div", { class: "attn-controls c-controls" }, layer.node, skip.node, sharpness.node, scaled.node);
  const left = html("div", {});
  const right = html("div", {});
  const body = html("div", { class: "c-body" }, left, right);
  const traits = ["layer", "skip", "sharpness", "scaled", "tokens", "scores", "angles"];

  const draw = (root) => {
    const state = Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
    const numbers = compute(state);
    left.replaceChildren(plane(numbers.points, state.layer));
    right.replaceChildren(depthChart(numbers, state.layer));
    for (const name of ["points", "residuals", "cosines"]) root.dataset[name] = JSON.stringify(numbers[name]);
    return say(state, numbers);
  };
  return view({
    model,
    el,
    title: "Tokens that fall together",
    body: [bar, body],
    controls: [layer, skip, sharpness, scaled],
    traits,
    draw,
  });
}

export default { render };
