const SPACE = 12;
const wide = (word) => 7.4 * word.length + 14;
// Places of words in a line, centred in `width`: [left, width] each.
function laid(words, width) {
  const total = words.reduce((sum, word) => sum + wide(word), SPACE * (words.length - 1));
  let x = (width - total) / 2;
  return words.map((word) => {
    const place = [x, wide(word)];
    x += wide(word) + SPACE;
    return place;
  });
}

// ---- one step: the English words above, the German ones below, and the looks of the one that is written

function stepPicture(model, { reading, rows }, { step }) {
  const { source, target, possible } = reading;
  const total = (words) => words.reduce((sum, word) => sum + wide(word) + SPACE, 0);
  const width = Math.max(420, total(source), total(target));
  const [above, below, high] = [laid(source, width), laid(target, width), 24];
  const [top, bottom] = [high + 4, 122];
  const whole = picture(width, bottom + high + 2, "This step: English words above, German words below");
  whole.style.maxWidth = `${1.15 * width}px`;
  const middle = ([x, w]) => x + w / 2;
  whole.append(
    ...rows[step].map((weight, s) => {
      const [from, to] = [middle(below[step]), middle(above[s])];
      return svg("path", {
        d: `M${from} ${bottom} C${from} ${bottom - 44} ${to} ${top + 44} ${to} ${top}`,
        class: "t-look",
        "stroke-width": 0.4 + 9 * weight,
        "stroke-opacity": 0.25 + 0.75 * weight,
      });
    }),
    ...source.flatMap((word, s) => {
      const [x, w] = above[s];
      const colour = cividis(rows[step][s]);
      const gold = has(possible, step, s);
      return [
        svg("rect", { x, y: 2, width: w, height: high, rx: 4, fill: rgb(colour), class: gold ? "t-gold" : "t-word" }),
        text(x + w / 2, 18, word, { "text-anchor": "middle", style: `fill:${inkOn(colour)}` }),
      ];
    }),
    ...target.flatMap((word, t) => {
      const [x, w] = below[t];
      const kind = t === step ? "t-now" : t < step ? "t-done" : "t-later";
      const node = svg(
        "g",
        { class: kind, onclick: () => commit(model, { step: t }) },
        svg("rect", { x, y: bottom, width: w, height: high, rx: 4 }),
        text(x + w / 2, bottom + 16, word, { "text-anchor": "middle" }),
      );
      return [node];
    }),
  );
  return whole;
}

// ---- all steps: a row for each German word, gold links framed

function mapPicture(model, { reading, rows }, { step }) {
  const { source, target, possible } = reading;
  const cell = 22;
  const gap = 7.2 * Math.max(...target.map((word) => word.length)) + 12;
  const [across, down] = [source.length * cell, target.length * cell];
  const above = 6.2 * Math.max(...source.map((word) => word.length)) + 12;
  const whole = picture(gap + across + 40, above + down + 4, "All steps: a row for each German word");
  whole.setAttribute("role", "img");
  whole.setAttribute("viewBox", `0 ${-above} ${gap + across + 40} ${above + down + 4}`);
  whole.style.maxWidth = `${gap + across + 40}px`;
  const frame = (t, s) => ({ x: gap + s * cell + 1, y: t * cell + 1, width: cell - 3, height: cell - 3 });
  whole.append(
    ...source.map((word, s) =>
      svg("g", { transform: `translate(${gap + (s + 0.5) * cell} -6) rotate(-55)` }, text(0, 0, word)),
    ),
    ...target.map((word, t) =>
      text(gap - 6, (t + 0.5) * cell + 4, word, { "text-anchor": "end", class: t === step ? "t-asks" : "" }),
    ),
    ...rows.flatMap((row, t) =>
      row.map((weight, s) =>
        svg("rect", { x: gap + s * cell, y: t * cell, width: cell - 1, height: cell - 1, fill: rgb(cividis(weight)) }),
      ),
    ),
    ...possible.map(([t, s]) => svg("rect", { ...frame(t, s), class: "t-gold", fill: "none" })),
    svg("rect", { x: gap - 2, y: step * cell - 2, width: across + 3, height: cell + 3, class: "t-row" }),
  );
  whole.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(whole.getScreenCTM().inverse());
    commit(model, { step: clamp(Math.floor(at.y / cell), 0, target.length - 1) });
  });
  return whole;
}

// ---- the widget

const who = ({ head, numbers }) =>
  head >= 0 ? `head ${head}` : numbers[0][0].weights.length === 1 ? "the head" : "the heads together";

function say(state, { reading, rows, looks, allowed, error }) {
  const { source, target, possible } = reading;
  const [step, word] = [state.step, target[state.step]];
  const [best, next] = [looks[step], target[step + 1]];
  const read = step ? `“${target.slice(0, step).join(" ")}”` : "nothing yet";
  const gold = source.filter((_, s) => has(possible, step, s)).map((each) => `“${each}”`);
  const right = has(possible, step, best) ? "a person would link them" : `a person would link ${gold.join(" or ")}`;
  const when = state.late
    ? `Read one step late: with “${word}” already there, and ${next ? `“${next}” to write` : "the end to write"}`
    : `Step ${step + 1}, read so far: ${read}. To write “${word}”`;
  return (
    `${when}, ${who(state)} look${state.head >= 0 ? "s" : ""} most at “${source[best]}” ${fixed(rows[step][best])}; ` +
    `for “${word}” ${right}. In the whole number ${allowed} of ${looks.length} looks are right, ` +
    `an alignment error of ${fixed(error)}.`
  );
}

function render({ model, el }) {
  const traits = ["numbers", "number", "step", "head", "late", "doubles"];
  const read = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const numbers = model.get("numbers");
  const words = (name) => model.get("numbers")[model.get("number")][0][name];
  const number = select({
    label: "number",
    options: numbers.map(([plain], i) => [String(i), plain.source.join(" ")]),
    get: () => String(model.get("number")),
    set: (index) => {
      const last = numbers[Number(index)][0].target.length - 1;
      commit(model, { number: Number(index), step: Math.min(model.get("step"), last) });
    },
  });
  const heads = numbers[0][0].weights.map((_, i) => [String(i), `head ${i}`]);
  const head = select({
    label: "heads",
    options: [["-1", "all together"], ...heads],
    get: () => String(model.get("head")),
    set: (index) => commit(model, { head: Number(index) }),
  });
  const step = slider({
    label: "step",
    min: 0,
    max: () => words("target").length - 1,
    ...link("step"),
    show: (t) => `${t + 1}: “${words("target")[t]}”`,
  });
  const late = checkbox({ label: "read one step late", ...link("late") });
  const doubles = checkbox({ label: "doubles for English words", ...link("doubles") });
  const [one, all] = [html("div", { class: "t-step" }), html("div", { class: "t-map" })];
  const legend = html(
    "div",
    { class: "t-legend soft" },
    html("span", {}, "weight 0"),
    html("i", { style: cividisBar() }),
    html("span", {}, "1"),
    html("b", { class: "t-frame" }),
    html("span", {}, "a person’s link"),
  );
  const title = html("div", { class: "attn-title" });
  const body = [
    html("div", { class: "attn-controls" }, number.node, step.node, head.node, late.node, doubles.node),
    title,
    one,
    html("div", { class: "attn-title" }, "all steps"),
    all,
    legend,
  ];
  const draw = (root) => {
    const state = read();
    const shown = compute(state);
    doubles.node.hidden = state.numbers[state.number].length < 2;
    const word = shown.reading.target[state.step];
    title.textContent = state.late ? `one step late: “${word}” is already there` : `writing “${word}”`;
    one.replaceChildren(stepPicture(model, shown, state));
    all.replaceChildren(mapPicture(model, shown, state));
    Object.assign(root.dataset, {
      rows: JSON.stringify(shown.rows),
      looks: JSON.stringify(shown.looks),
      error: JSON.stringify(shown.error),
    });
    return say(state, shown);
  };
  return view({
    model,
    el,
    title: "A translator at work",
    body,
    controls: [number, step, head, late, doubles],
    traits,
    draw,
  });
}

export default { render };
