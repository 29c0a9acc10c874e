// Lesson 15: a sentence with its weights behind the words, the model's answers, and the four groups.

const MOST = 0.3; // the weight that has the last colour
const isStamp = (state, i) => state.stamp !== "none" && i === state.now.at;

// The sentence's tokens with the stamp at its place, and a weight for each: what is looked at, or who looks.
function weighed({ sentences, sentence, stamp, view, answers, remedy }) {
  const { words, at } = sentences[sentence];
  const tokens = stamp === "none" ? words : [...words.slice(0, at), stamp, ...words.slice(at)];
  const { cls, stamp: given } = answers[remedy][stamp][sentence];
  if (view === "stamp") return { tokens, at, weights: given };
  if (view !== "mean") return { tokens, at, weights: cls[Number(view)] };
  return { tokens, at, weights: cls[0].map((weight, i) => (weight + cls[1][i]) / 2) };
}

function chips(state) {
  const { tokens, weights } = state.now;
  return tokens.map((token, i) => {
    const weight = weights ? weights[i] : null;
    const shade = weight === null ? null : cividis(weight / MOST);
    const colours = shade ? `background:${rgb(shade)};color:${inkOn(shade)}` : "";
    return html(
      "span",
      { class: isStamp(state, i) ? "s-chip s-stamp" : "s-chip", style: colours },
      html("b", {}, token),
      html("small", {}, weight === null ? "–" : fixed(weight)),
    );
  });
}

const [SW, ROW, SX] = [330, 30, 74];

// What the model says with either stamp and with none: the probability of the second label, as a bar from the middle.
function answersChart(state) {
  const { labels, stamps } = state.names;
  const node = picture(SW, 3 * ROW + 40, "What the model says with either stamp, and with none");
  const x = (p) => SX + p * (SW - SX - 6);
  node.append(
    text(0, 11, "what it says", { class: "title" }),
    text(x(0), 30, `← ${labels[0]}`, { class: "soft" }),
    text(x(1), 30, `${labels[1]} →`, { class: "soft", "text-anchor": "end" }),
  );
  stamps.forEach((stamp, i) => {
    const p = state.answers[state.remedy][stamp][state.sentence].p;
    const y = 40 + i * ROW;
    const right = p >= 0.5 === (state.sentences[state.sentence].label === 1);
    const now = stamp === state.stamp;
    node.append(
      text(0, y + 15, stamp === "none" ? "no stamp" : stamp, { class: now ? "title" : "" }),
      svg("rect", { x: x(0), y, width: x(1) - x(0), height: 20, class: "s-track" }),
      svg("rect", {
        x: Math.min(x(p), x(0.5)),
        y,
        width: Math.abs(x(p) - x(0.5)),
        height: 20,
        class: right ? "s-right" : "s-wrong",
      }),
      text(p >= 0.5 ? x(0.5) - 5 : x(0.5) + 5, y + 14, `${fixed(Math.max(p, 1 - p))} ${right ? "right" : "wrong"}`, {
        "text-anchor": p >= 0.5 ? "end" : "start",
      }),
    );
  });
  node.append(line(x(0.5), 36, x(0.5), 40 + 3 * ROW - 8, { class: "axis" }));
  return node;
}

const GX = 160;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const worstOf = (seeds) => mean(seeds.map((four) => Math.min(...four)));
const byGroup = (seeds) => seeds[0].map((_, group) => seeds.map((four) => four[group]));

// Accuracy in each group: a dot a seed, a bar for the mean, an open ring for the model without a remedy.
function groupsChart(state) {
  const node = picture(SW, 4 * ROW + 62, "Accuracy of the four groups, five seeds");
  const x = (share) => GX + share * (SW - GX - 12);
  const [ours, plain] = [byGroup(state.groups[state.remedy]), state.groups.plain && byGroup(state.groups.plain)];
  node.append(text(0, 11, "accuracy by group, five seeds", { class: "title" }));
  for (const share of [0, 0.5, 1])
    node.append(
      line(x(share), 24, x(share), 24 + 4 * ROW, { class: share === 0.5 ? "s-half" : "grid" }),
      text(x(share), 40 + 4 * ROW, fixed(share, share === 0.5 ? 1 : 0), { class: "soft", "text-anchor": "middle" }),
    );
  ours.forEach((values, group) => {
    const y = 24 + ROW * (group + 0.5);
    const all = mean(values);
    node.append(
      text(0, y + 4, state.names.groups[group], {}),
      line(x(Math.min(...values)), y, x(Math.max(...values)), y, { class: "s-reach" }),
      ...values.map((value) => svg("circle", { cx: x(value), cy: y, r: 3, class: "s-seed" })),
      line(x(all), y - 8, x(all), y + 8, { class: "s-mean" }),
    );
    if (plain && state.remedy !== "plain")
      node.append(svg("circle", { cx: x(mean(plain[group])), cy: y, r: 6, class: "s-plain" }));
  });
  const key = state.remedy === "plain" ? "line: mean; dashed: guessing" : "line: mean; ring: plain; dashed: guessing";
  node.append(text(SW, 56 + 4 * ROW, key, { class: "soft", "text-anchor": "end" }));
  return node;
}
