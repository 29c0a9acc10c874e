// Lesson 13: turn a bit over, make the string longer, and see what is left of a right answer.

function say(state, found) {
  const { bits, ones, right, margin, lost, probability: p, logit, picks, weights, curve } = found;
  const n = bits.length.toLocaleString("en");
  const norm = state.norm === "none" ? "Without layer norm" : `With layer norm, ε = ${state.norm},`;
  const truth =
    state.question === "parity"
      ? `${ones} ones in ${n} bits: ${right ? "odd" : "even"}. Place ${ones} is picked; head 0 gives it ` +
        `${short(weights[0][ones])}, head 1 ${short(weights[1][ones])}, of the ${short(picks[ones])} that it carries.`
      : `The first of ${n} bits is ${bits[0]}; it gets ${short(weights[0][0])} of the row.`;
  const answer = margin > 0 ? "right" : margin < 0 ? "wrong" : "undecided";
  const [, far] = curve.find(([length]) => length === bits.length);
  return (
    `${truth} ${norm} the logit is ${short(logit)}: ${answer}, at a probability of ${fixed(100 * p, p > 0.6 ? 1 : 4)} % ` +
    `for the right answer, which costs ${fixed(lost, lost > 0.99 ? 7 : 4)} bits where a coin costs 1. ` +
    `Flip the first bit, and the logit moves by ${short(far)}; ` +
    (found.slope > -0.05 ? "it does so at any length." : `by length, that goes like n to the power of ${fixed(found.slope)}.`)
  );
}

function render({ model, el }) {
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const question = select({
    label: "question",
    options: [
      ["parity", "PARITY: are the ones odd?"],
      ["first", "FIRST: is the first bit 1?"],
    ],
    ...link("question"),
  });
  const lengths = () => {
    const least = model.get("bits").length;
    return [...new Set([least, ...LENGTHS.filter((n) => n > least)])];
  };
  const nearest = () => lengths().reduce((best, n, i, all) => (n <= model.get("length") ? i : best), 0);
  const length = slider({
    label: "length",
    min: 0,
    max: () => lengths().length - 1,
    get: nearest,
    set: (i) => commit(model, { length: lengths()[i] }),
    show: () => `${model.get("length").toLocaleString("en")} bits`,
  });
  const norm = select({
    label: "layer norm",
    options: [
      ["none", "none"],
      ["0", "ε = 0"],
      ["1e-5", "ε = 1e-5"],
    ],
    ...link("norm"),
  });
  const logN = checkbox({ label: "scores × log n", ...link("log_n") });
  const bar = html("div", { class: "attn-controls l-controls" }, question.node, length.node, norm.node, logN.node);

  // The bits: one Tab stop, arrow keys walk, Enter or Space turns one over.
  const row = html("div", { class: "l-bits", role: "group", "aria-label": "The first bits of the string" });
  let stop = 0;
  const flip = (at) => commit(model, { bits: model.get("bits").map((bit, i) => (i === at ? 1 - bit : bit)) });
  const buttons = [];
  const walk = (event, at) =>
    rove(event, at, buttons.length, (to) => {
      stop = to;
      refresh();
      buttons[to].focus();
    });
  const refresh = () => {
    const bits = model.get("bits");
    while (buttons.length < bits.length) {
      const at = buttons.length;
      buttons.push(
        html("button", {
          type: "button",
          "aria-label": `bit ${at}`,
          onclick: () => ((stop = at), flip(at)),
          onkeydown: (event) => walk(event, at),
        }),
      );
      row.insertBefore(buttons[at], more);
    }
    while (buttons.length > bits.length) buttons.pop().remove();
    stop = Math.min(stop, bits.length - 1);
    buttons.forEach((each, at) => {
      each.textContent = bits[at];
      each.setAttribute("aria-pressed", bits[at] === 1);
      each.setAttribute("tabindex", at === stop ? 0 : -1);
    });
    const rest = Math.max(model.get("length"), bits.length) - bits.length;
    more.textContent = rest ? `… and ${rest.toLocaleString("en")} more, drawn once` : "";
  };
  const more = html("span", { class: "soft" });
  row.append(more);

  const left = html("div", {});
  const right = html("div", {});
  const body = html("div", { class: "l-body" }, left, right);
  const traits = ["question", "bits", "length", "norm", "log_n", "padding", "measured"];
  const draw = (root) => {
    const state = Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
    const found = compute(state);
    left.replaceChildren(tokenRows(found, state));
    right.replaceChildren(moveChart(found, state));
    for (const name of ["logit", "lost", "probability", "curve", "slope", "scores", "weights", "picks"])
      root.dataset[name] = JSON.stringify(found[name]);
    return say(state, found);
  };
  return view({
    model,
    el,
    title: "Two questions, by hand",
    body: [bar, row, body],
    controls: [question, length, norm, logN, { refresh }],
    traits,
    draw,
  });
}

export default { render };
