// ---- the grid: one button a head

function scoreGrid(model, { sentences }) {
  const [layers, heads] = [sentences[0].weights.length, sentences[0].weights[0].length];
  const { node, buttons, mark } = headGrid({ layers, heads, choose: (layer, head) => commit(model, { layer, head }) });
  const draw = ({ scores }, { layer, head }) => {
    mark(layer, head);
    buttons.forEach((row, l) =>
      row.forEach((each, h) => {
        each.style.background = rgb(cividis(scores[l][h]));
        each.setAttribute("aria-label", `layer ${l}, head ${h}: ${fixed(scores[l][h])} on the rule`);
        each.setAttribute("title", `(${l}, ${h}) ${fixed(scores[l][h])}`);
      }),
    );
  };
  return { node, draw };
}

// ---- the map of one head, with the rule's keys framed

function headMap(model, { sentence, wanted, map }, { token }) {
  const tokens = sentence.tokens;
  const cell = clamp(Math.floor(300 / tokens.length), 12, 26);
  const side = tokens.length * cell;
  const gap = 6.6 * Math.max(...tokens.map((each) => each.length)) + 10;
  const above = gap * 0.82;
  const name = (each, i) => ({ class: i === token ? "h-asks" : sentence.special[i] ? "soft" : "" });
  const whole = picture(gap + side + 34, above + side + 4, "Weights of this head: a row for each query");
  whole.setAttribute("role", "img");
  whole.setAttribute("viewBox", `0 ${-above} ${gap + side + 34} ${above + side + 4}`);
  whole.style.maxWidth = `${gap + side + 34}px`;
  whole.append(
    ...tokens.flatMap((each, i) => [
      text(gap - 6, (i + 0.5) * cell + 4, each, { "text-anchor": "end", ...name(each, i) }),
      svg(
        "g",
        { transform: `translate(${gap + (i + 0.5) * cell + 3} -6) rotate(-55)` },
        text(0, 0, each, name(each, i)),
      ),
    ]),
    ...map.flatMap((row, i) =>
      row.map((weight, j) =>
        svg("rect", {
          x: gap + j * cell,
          y: i * cell,
          width: cell - 1,
          height: cell - 1,
          fill: rgb(cividis(weight)),
        }),
      ),
    ),
    ...wanted.flatMap((key, i) =>
      key === null
        ? []
        : [
            svg("rect", {
              x: gap + key * cell + 0.5,
              y: i * cell + 0.5,
              width: cell - 2,
              height: cell - 2,
              class: "h-rule",
            }),
          ],
    ),
    svg("rect", { x: gap - 2, y: token * cell - 2, width: side + 3, height: cell + 3, class: "h-row" }),
  );
  whole.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(whole.getScreenCTM().inverse());
    commit(model, { token: clamp(Math.floor(at.y / cell), 0, tokens.length - 1) });
  });
  return whole;
}

// ---- the widget

const rows = (n) => Array.from({ length: n }, (_, i) => i);
const ruleName = ({ rule, distance }) => {
  if (rule === "first") return "the first token";
  if (distance === 0) return "itself";
  if (Math.abs(distance) === 1) return distance < 0 ? "the token before" : "the token after";
  return `${Math.abs(distance)} tokens ${distance < 0 ? "back" : "on"}`;
};

function say(state, { sentence, map, scores, best }) {
  const row = map[state.token];
  const top = rows(row.length)
    .sort((a, b) => row[b] - row[a])
    .slice(0, 3)
    .map((j) => `“${sentence.tokens[j]}” ${fixed(row[j])}`);
  const asks = row.some((weight) => weight > 0) ? `looks mostly at ${top.join(", ")}` : "looks at no word";
  return (
    `Layer ${state.layer}, head ${state.head}: “${sentence.tokens[state.token]}” ${asks}. ` +
    `${fixed(scores[state.layer][state.head])} of this head’s attention follows the rule “${ruleName(state)}”; ` +
    `the head that follows it best is layer ${best[0]}, head ${best[1]}, with ${fixed(scores[best[0]][best[1]])}.`
  );
}

function render({ model, el }) {
  const traits = ["sentences", "sentence", "layer", "head", "token", "rule", "distance", "words_only"];
  const read = () => Object.fromEntries(traits.map((trait) => [trait, model.get(trait)]));
  const link = (trait) => ({ get: () => model.get(trait), set: (value) => commit(model, { [trait]: value }) });
  const plain = (tokens) => tokens.filter((each) => !/^[[<]/.test(each)).join(" ");
  const sentence = select({
    label: "sentence",
    options: model.get("sentences").map((each, i) => [String(i), plain(each.tokens)]),
    get: () => String(model.get("sentence")),
    set: (index) => {
      const n = model.get("sentences")[Number(index)].tokens.length;
      commit(model, { sentence: Number(index), token: Math.min(model.get("token"), n - 1) });
    },
  });
  const rule = select({
    label: "rule",
    options: [
      ["distance", "a fixed distance"],
      ["first", "the first token"],
    ],
    ...link("rule"),
  });
  const distance = slider({
    label: "distance",
    min: -8,
    max: 8,
    ...link("distance"),
    show: () => ruleName({ rule: "distance", distance: model.get("distance") }),
  });
  const token = slider({
    label: "token that asks",
    min: 0,
    max: () => model.get("sentences")[model.get("sentence")].tokens.length - 1,
    ...link("token"),
    show: (i) => `“${model.get("sentences")[model.get("sentence")].tokens[i]}”`,
  });
  const words = checkbox({ label: "words only: no [CLS], [SEP], full stop", ...link("words_only") });
  const grid = scoreGrid(model, read());
  const [map, name] = [html("div", { class: "h-map" }), html("div", { class: "attn-title" })];
  const follow = button({
    label: "show the head that follows the rule best",
    press: () => {
      const [layer, head] = compute(read()).best;
      commit(model, { layer, head });
    },
  });
  const scale = html(
    "div",
    { class: "h-scale soft" },
    "0",
    html("i", { style: cividisBar() }),
    "1",
  );
  const body = [
    html("div", { class: "attn-controls h-controls" }, sentence.node, rule.node, distance.node, token.node, words.node),
    html(
      "div",
      { class: "h-body" },
      html(
        "div",
        {},
        html("div", { class: "attn-title" }, "how much follows the rule, head by head"),
        grid.node,
        scale,
        follow.node,
      ),
      html("div", {}, name, map),
    ),
  ];
  const draw = (root) => {
    const state = read();
    const shown = compute(state);
    distance.node.hidden = state.rule !== "distance";
    grid.draw(shown, state);
    name.textContent = `layer ${state.layer}, head ${state.head}; framed: the rule`;
    map.replaceChildren(headMap(model, shown, state));
    Object.assign(root.dataset, {
      scores: JSON.stringify(shown.scores),
      best: JSON.stringify(shown.best),
      map: JSON.stringify(shown.map),
      wanted: JSON.stringify(shown.wanted),
    });
    return say(state, shown);
  };
  return view({
    model,
    el,
    title: "All heads of a model",
    body,
    controls: [sentence, rule, distance, token, words, follow],
    traits,
    draw,
  });
}

export default { render };
