// Part II. A recorded training under one slider: the widget.

const HUES = {
  1: ["var(--query)"],
  2: ["var(--fault)", "var(--query)"],
  3: ["var(--fault)", "var(--query)", "var(--value)"],
  4: ["var(--fault)", "var(--query)", "var(--value)", "var(--key)"],
};
const upper = (words) => words[0].toUpperCase() + words.slice(1);

function player(count, { get, set, name }) {
  let timer = null;
  const wait = clamp(6000 / count, 70, 500);
  const playing = () => timer !== null;
  const stop = () => {
    clearTimeout(timer);
    timer = null;
  };
  const next = () => {
    timer = get() < count - 1 ? setTimeout(next, wait) : null;
    if (playing()) set(get() + 1);
    else node.dispatchEvent(new Event("attn:changed", { bubbles: true }));
  };
  const press = () => {
    if (playing()) stop();
    else {
      if (get() === count - 1) set(0);
      timer = setTimeout(next, wait);
    }
    node.dispatchEvent(new Event("attn:changed", { bubbles: true }));
  };
  const node = html("button", { type: "button", class: "r-play", onclick: press });
  // Who asked for less motion drags by hand.
  node.hidden = count < 2 || window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const refresh = () => {
    node.textContent = playing() ? "pause" : "play";
    node.setAttribute("aria-label", `${playing() ? "pause" : "play"} all ${name}s`);
  };
  return { node, refresh, stop, playing };
}

function render({ model, el }) {
  const { steps, step_name, marks, tokens, runs, maps, points, ...packed } = model.get("recording");
  const curves = packed.curves.map((curve) => ({ ...curve, values: curve.values.map(numbersIn) }));
  const count = steps.length;
  const hues = HUES[runs.length];
  const several = runs.length > 1;
  const go = (at) => at !== model.get("at") && commit(model, { at });
  const byHand = (at) => {
    play.stop();
    go(at);
  };
  const often = (token) => tokens.indexOf(token) !== tokens.lastIndexOf(token);
  const names = (i) => (!tokens ? String(i) : often(tokens[i]) ? `“${tokens[i]}” (${i})` : `“${tokens[i]}”`);
  const step = slider({
    label: step_name,
    min: 0,
    max: count - 1,
    get: () => model.get("at"),
    set: byHand,
    show: (at) => `${steps[at]} of ${steps.at(-1)}`,
  });
  const play = player(count, { get: () => model.get("at"), set: go, name: step_name });

  const charts = curves.map((curve) => lineChart(curve, { steps, name: step_name, marks, hues, choose: byHand }));
  const foundIn = (at) => curves.map(({ values }) => values.map((run) => run && curveAt(run, at)));
  const spans = curves.map(({ values }) => {
    const finite = values.flatMap((run) => (run ?? []).filter(Number.isFinite));
    return Math.max(...finite) - Math.min(...finite);
  });

  let hovered = null; // what the pointer is over: [query, key], or a token; shown, not kept
  const peek = (now) => {
    if (String(now) === String(hovered)) return;
    hovered = now;
    grid.dispatchEvent(new Event("attn:changed", { bubbles: true }));
  };
  const choose = (cell) => commit(model, { cell });
  const chooseToken = (token) => {
    hovered = token;
    grid.dispatchEvent(new Event("attn:changed", { bubbles: true }));
  };
  const fields = maps.names.length ? maps.queries * maps.keys : 0;
  const title = (run, name) => (several ? `${runs[run]}: ${name}` : name);
  const pictures = runs.map((_, run) => [
    ...maps.names
      .filter((name) => name in maps.runs[run])
      .map((name) => {
        const codes = levels(maps.runs[run][name], maps.bits);
        const box = mapBox(name, title(run, name), maps, names, { peek, choose });
        return { node: box.node, draw: (at, cell) => box.draw(mapAt(codes, maps, at), cell) };
      }),
    ...points.names
      .filter((name) => name in points.runs[run])
      .map((name) => {
        const codes = levels(points.runs[run][name], 16);
        const many = codes.length / 2 / count;
        const square = points.squares[name];
        const box = cloudBox(name, title(run, name), square, many, names, { peek, choose: chooseToken });
        return { node: box.node, draw: (at, cell, token) => box.draw(pointsAt(codes, many, square, at), token) };
      }),
  ]);
  const heading = (run) => html("div", { class: "r-run", style: `--hue:${hues[run]}` }, html("i", {}), runs[run]);
  const grid = html(
    "div",
    { class: several ? "r-several" : "" },
    ...pictures.map((own, run) =>
      html("div", {}, several ? heading(run) : null, html("div", { class: "r-pictures" }, ...own.map(({ node }) => node))),
    ),
  );
  grid.style.setProperty("--runs", runs.length);
  const scale = html(
    "div",
    { class: "r-scale soft" },
    html("span", {}, fields ? told(maps.low) : ""),
    html("i", { style: cividisBar() }),
    html("span", {}, fields ? told(maps.high) : ""),
    html("span", {}, maps.weights ? "weight, coloured by its root; a row for each query, a column for each key" : "a row for each query, a column for each key"),
  );
  scale.hidden = !fields;
  const mark = html("p", { class: "r-said" });
  mark.hidden = !marks.length;
  const body = [
    html("div", { class: "r-top" }, step.node, play.node),
    mark,
    html("div", { class: "r-curves" }, ...charts.map(({ node }) => node)),
    grid,
    scale,
  ];

  const say = (at, found) => {
    const named = { name: step_name, at: steps };
    const lines = runs.map((name, run) => {
      const said = curves.map((curve, c) => sayCurve(curve, found[c][run] ?? null, spans[c], named)).filter(Boolean);
      return said.length ? `${several ? `${upper(name)}: ` : ""}${several ? said.join("; ") : upper(said.join("; "))}.` : "";
    });
    const label = marks.filter(([step]) => step === steps[at]).map(([, words]) => `: ${words}`)[0] ?? "";
    const first = `${upper(step_name)} ${steps[at]} of ${steps.at(-1)}${label}.`;
    return [first, ...lines].filter(Boolean).join(" ");
  };
  const draw = (root) => {
    const at = model.get("at");
    const found = foundIn(at);
    charts.forEach((chart, c) => chart.move(at, found[c]));
    const kept = model.get("cell");
    const cell = Array.isArray(hovered) ? hovered : hovered === null && kept.length ? kept : null;
    const token = typeof hovered === "number" ? hovered : cell ? cell[0] : null;
    pictures.flat().forEach((each) => each.draw(at, cell, token));
    const latest = marks.filter(([step]) => step <= steps[at]).at(-1);
    mark.textContent = latest ? `${step_name} ${latest[0]}: ${latest[1]}` : " ";
    root.querySelector(".attn-words").setAttribute("aria-live", play.playing() ? "off" : "polite");
    root.dataset.curves = JSON.stringify(found);
    return say(at, found);
  };
  const end = view({
    model,
    el,
    title: "A recording, to drag through",
    body,
    controls: [step, play],
    traits: ["at", "cell"],
    draw,
  });
  const fit = () => charts.forEach((chart, c) => chart.fit(() => foundIn(model.get("at"))[c]));
  const watcher = new ResizeObserver(fit);
  watcher.observe(el);
  fit();
  return () => {
    watcher.disconnect();
    play.stop();
    end();
  };
}

export default { render };
