// Lesson 07: its pictures. The map keeps its cells and only repaints them; the chart is drawn anew.

const NAMES = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"];
const CELL = 10.6;
const EDGE = 17;

function rowMap(ask) {
  const side = READ * CELL;
  const node = picture(EDGE + side + 3, EDGE + side + 3, "Weights of this head: a row for each token that asks");
  node.setAttribute("role", "img");
  const at = (i) => EDGE + i * CELL;
  const cells = upTo(READ).map((i) =>
    upTo(i + 1).map((j) => svg("rect", { x: at(j), y: at(i), width: CELL - 0.6, height: CELL - 0.6 })),
  );
  const names = upTo(READ).map((i) => [
    text(EDGE - 5, at(i) + CELL - 2.2, "", { "text-anchor": "end" }),
    text(at(i) + CELL / 2, EDGE - 5, "", { "text-anchor": "middle" }),
  ]);
  const rounds = svg("g", { class: "i-round" });
  const frames = svg("path", { class: "i-frame" });
  const asking = svg("rect", { x: EDGE - 1.5, height: CELL + 2, class: "i-asks" });
  node.append(...cells.flat(), rounds, frames, asking, ...names.flat());
  node.addEventListener("click", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
    ask(clamp(Math.floor((point.y - EDGE) / CELL), 0, READ - 1));
  });
  const draw = ({ tokens, map }, { period, place, framed }) => {
    map.forEach((row, i) => row.forEach((weight, j) => cells[i][j].setAttribute("fill", rgb(cividis(weight)))));
    names.forEach((pair, i) =>
      pair.forEach((name) => {
        name.textContent = NAMES[tokens[i]];
        name.setAttribute("class", i === place ? "i-name i-bold" : "i-name");
      }),
    );
    const starts = upTo(READ).filter((i) => i > 0 && i % period === 0);
    rounds.replaceChildren(
      ...starts.flatMap((i) => [
        line(at(i) - 0.3, EDGE - 14, at(i) - 0.3, at(READ)),
        line(2, at(i) - 0.3, at(READ), at(i) - 0.3),
      ]),
    );
    const wanted = upTo(READ).map((i) => (framed === "next" ? followers(tokens, i) : i ? [i - 1] : []));
    const frame = (i, j) => `M${at(j)} ${at(i)}h${CELL - 0.6}v${CELL - 0.6}h${0.6 - CELL}z`;
    frames.setAttribute("d", wanted.flatMap((keys, i) => keys.map((j) => frame(i, j))).join(""));
    asking.setAttribute("y", at(place) - 1.3);
    asking.setAttribute("width", (place + 1) * CELL + 2);
  };
  return { node, draw };
}

// ---- one button a head, with its two scores as bars

function headButtons(model) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const made = upTo(LAYERS).map((layer) =>
    upTo(HEADS).map((head) => {
      const bars = [html("i", { class: "i-before" }), html("i", { class: "i-next" })];
      const node = html(
        "button",
        {
          type: "button",
          onclick: () => commit(model, { layer, head }),
          onkeydown: (event) => {
            if (!(event.key in steps)) return;
            event.preventDefault();
            const [down, along] = steps[event.key];
            const [l, h] = [clamp(layer + down, 0, LAYERS - 1), clamp(head + along, 0, HEADS - 1)];
            commit(model, { layer: l, head: h });
            made[l][h].node.focus();
          },
        },
        ...bars,
      );
      return { node, bars };
    }),
  );
  const node = html("div", { class: "i-heads", role: "group", "aria-label": "The heads: a row for each layer" });
  node.append(
    html("span", {}),
    ...upTo(HEADS).map((head) => html("span", { class: "soft" }, `head ${head}`)),
    ...made.flatMap((row, layer) => [
      html("span", { class: "soft" }, `${LAYER_NAMES[layer]} layer`),
      ...row.map((each) => each.node),
    ]),
  );
  const draw = ({ before, next }, { layer, head }) =>
    made.forEach((row, l) =>
      row.forEach(({ node: each, bars }, h) => {
        const here = l === layer && h === head;
        [before[l][h], next[l][h]].forEach((score, b) => bars[b].style.setProperty("--share", `${100 * score}%`));
        each.setAttribute("tabindex", here ? 0 : -1);
        each.setAttribute("aria-pressed", here);
        const words = `${fixed(before[l][h])} on the token before, ${fixed(next[l][h])} on what came next`;
        each.setAttribute("aria-label", `${LAYER_NAMES[l]} layer, head ${h}: ${words}`);
        each.setAttribute("title", words);
      }),
    );
  return { node, draw };
}

// ---- the curves over the training

const [WIDE, LEFT, RIGHT] = [330, 26, 8];
const numbersOf = (words) => words.split(" ").map(Number);

function panel({ top, high, title, low = 0, highest, ticks, lines, x }) {
  const y = (value) => top + 16 + (1 - (value - low) / (highest - low)) * high;
  const path = (values, at) => values.map((value, i) => `${i ? "L" : "M"}${x(at[i])} ${y(value)}`).join("");
  return [
    text(0, top + 5, title, { class: "i-title" }),
    ...ticks.flatMap(([value, words]) => [
      line(LEFT, y(value), WIDE - RIGHT, y(value), { class: value === low ? "axis" : "grid" }),
      text(LEFT - 5, y(value) + 4, words, { class: "soft", "text-anchor": "end" }),
    ]),
    ...lines.flatMap(({ values, at, kind, dot }) => [
      svg("path", { d: path(values, at), class: `i-line ${kind}` }),
      dot === undefined ? null : svg("circle", { cx: x(at[dot]), cy: y(values[dot]), r: 4.5, class: `i-dot ${kind}` }),
    ]),
  ];
}

function curves({ record, trained, step, period }) {
  const at = numbersOf(record.measured_at);
  const told = (name) => numbersOf(record.models[trained].curves[name][record.periods.indexOf(period)]);
  const x = (value) => LEFT + (value / at.at(-1)) * (WIDE - LEFT - RIGHT);
  const dot = at.indexOf(step);
  const loss = told("loss");
  const highest = Math.max(4, Math.ceil(Math.max(...loss)));
  const node = picture(WIDE, 262, "Curves over the training, on 64 rows of this period");
  node.setAttribute("role", "img");
  const marks = record.steps.map((each) => line(x(each), 225, x(each), 230, { class: "axis" }));
  node.append(
    ...marks,
    line(x(step), 22, x(step), 92, { class: "i-now" }),
    line(x(step), 132, x(step), 230, { class: "i-now" }),
    text(WIDE - RIGHT, 17 + 70 * (1 - GUESSING / highest) + 15, "guessing", { class: "soft", "text-anchor": "end" }),
    ...panel({
      top: 6,
      high: 70,
      title: "loss where the next token can be known (nats)",
      highest,
      ticks: [
        [0, "0"],
        [highest, String(highest)],
      ],
      lines: [
        { values: [GUESSING, GUESSING], at: [0, at.at(-1)], kind: "i-guess" },
        { values: loss, at, kind: "i-loss", dot },
      ],
      x,
    }),
    ...panel({
      top: 116,
      high: 93,
      title: "attention of the best head",
      highest: 1,
      ticks: [
        [0, "0"],
        [0.5, "½"],
        [1, "1"],
      ],
      lines: [
        { values: told("previous_token"), at, kind: "i-before", dot },
        { values: told("prefix_match"), at, kind: "i-next", dot },
      ],
      x,
    }).filter(Boolean),
    ...[0, 200, 400, 600, 800].map((each) =>
      text(x(each), 243, String(each), { class: "soft", "text-anchor": "middle" }),
    ),
    text((LEFT + WIDE) / 2, 258, "training step", { class: "soft", "text-anchor": "middle" }),
  );
  return node;
}
