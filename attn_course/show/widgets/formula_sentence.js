// ---- the sentence

function sentenceView(model) {
  const words = html("div", {
    class: "f-tokens",
    role: "listbox",
    "aria-label": "The sentence: choose the token that asks",
    "aria-orientation": "horizontal",
  });
  const map = html("div", { class: "f-map" });
  const scale = html("div", { class: "f-scale" });
  const node = html("div", { class: "f-sentence" }, words, html("div", { class: "f-below" }, map, scale));
  const choose = (index) => commit(model, { token: index });
  let shown = null;
  let chips = [];
  let marker = null;
  let cell = 0; // the side of one place in the map

  const rebuild = (head, rows) => {
    const focused = chips.includes(document.activeElement);
    chips = head.tokens.map((token, i) =>
      html(
        "div",
        {
          role: "option",
          class: "f-token",
          onclick: () => choose(i),
          onkeydown: (event) =>
            rove(event, i, head.tokens.length, (next) => {
              choose(next);
              chips[next].focus();
            }),
        },
        html("span", { class: "f-word" }, token),
        html("span", { class: "f-share" }),
      ),
    );
    words.replaceChildren(...chips);
    if (focused) chips[model.get("token")].focus();
    map.replaceChildren(heatmap(head.tokens, rows));
    shown = head;
  };

  const heatmap = (tokens, rows) => {
    cell = clamp(Math.floor(400 / tokens.length), 15, 28);
    const side = tokens.length * cell;
    const gap = 7 * Math.max(...tokens.map((token) => token.length)) + 8;
    const cells = rows.flatMap((row, i) =>
      row.map((weight, j) =>
        svg("rect", {
          x: gap + j * cell,
          y: i * cell,
          width: cell - 1,
          height: cell - 1,
          fill: rgb(cividis(weight)),
        }),
      ),
    );
    const names = tokens.flatMap((token, i) => [
      text(gap - 6, (i + 0.5) * cell + 4, token, { "text-anchor": "end" }),
      svg("g", { transform: `translate(${gap + (i + 0.5) * cell + 3} -6) rotate(-55)` }, text(0, 0, token)),
    ]);
    marker = svg("rect", { x: gap - 2, width: side + 3, height: cell + 3, class: "f-marker" });
    const above = gap * 0.8;
    const whole = picture(
      gap + side + 30,
      side + 2,
      "All weights of this head: a row for each query, a column for each key",
    );
    whole.setAttribute("role", "img");
    whole.setAttribute("viewBox", `0 ${-above} ${gap + side + 30} ${above + side + 3}`);
    whole.style.width = `min(100%, ${gap + side + 30}px)`;
    whole.addEventListener("click", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(whole.getScreenCTM().inverse());
      choose(clamp(Math.floor(at.y / cell), 0, tokens.length - 1));
    });
    whole.append(...names, ...cells, marker);
    return whole;
  };

  const draw = ({ weights, rows }) => {
    const head = model.get("heads")[model.get("head")];
    const token = clamp(model.get("token"), 0, head.tokens.length - 1);
    if (shown !== head) rebuild(head, rows);
    const top = Math.max(...weights);
    chips.forEach((chip, j) => {
      const colour = cividis(weights[j]);
      chip.style.background = rgb(colour);
      chip.style.color = inkOn(colour);
      chip.setAttribute("aria-selected", j === token);
      chip.setAttribute("tabindex", j === token ? 0 : -1);
      chip.setAttribute(
        "aria-label",
        `${head.tokens[j]}, token ${j + 1}: weight ${fixed(weights[j])}${j === token ? ", asks" : ""}`,
      );
      chip.lastChild.textContent = fixed(weights[j]);
    });
    marker.setAttribute("y", token * cell - 2);
    scale.replaceChildren(
      html("div", { class: "attn-title" }, "weight"),
      html("i", { style: cividisBar() }),
      html("span", {}, "0"),
      html("span", {}, "1"),
      html(
        "p",
        { class: "soft" },
        "Each row is one token asking; the framed row is the sentence above. Click a row, or choose a token and use the arrow keys.",
      ),
    );
    const order = weights
      .map((_, i) => i)
      .sort((a, b) => weights[b] - weights[a])
      .slice(0, 3);
    const most = order.map((j) => `“${head.tokens[j]}” ${fixed(weights[j])}`).join(", ");
    return `In ${head.label}, “${head.tokens[token]}” looks mostly at ${most}. Highest weight ${fixed(top)}; all ${weights.length} sum to one.`;
  };
  return { node, draw };
}
