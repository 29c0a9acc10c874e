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
  const stroke = (run) => html("i", { class: `r-stroke r-run${run}` });
  const heading = (run) => html("div", { class: "r-run", style: `--hue:${hues[run]}` }, stroke(run), runs[run]);
  const most = Math.max(...pictures.map((own) => own.length));
  const picturesOf = (own) => html("div", { class: "r-pictures" }, ...own.map(({ node }) => node));
  const sides = pictures.map((own, run) => html("div", {}, several ? heading(run) : null, picturesOf(own)));
  const grid = html("div", { class: "r-grid" }, ...sides);
  // Runs of few pictures stand beside each other, others below.
  const beside = several && most * runs.length <= 4;
  grid.style.setProperty("--beside", beside ? runs.length : 1);
  grid.style.setProperty("--wide", clamp(most, 1, 4));
  const charted = html("div", { class: "r-curves" }, ...charts.map(({ node }) => node));
  charted.classList.toggle("r-of-runs", several);
  charted.style.setProperty("--wide", Math.ceil(charts.length / Math.ceil(charts.length / 4)) || 1);
  const bar = html("i", { style: cividisBar() });
  const scale = html(
    "div",
    { class: "r-scale soft" },
    ...(maps.names.length ? [html("span", {}, plainly(maps.low)), bar, html("span", {}, plainly(maps.high))] : []),
    ...(maps.names.length ? [html("span", {}, sayScale(maps))] : []),
  );
  scale.hidden = !maps.names.length;
  const mark = html("b", {});
  const keys = runs.map((name, run) => html("span", { class: "r-key", style: `--hue:${hues[run]}` }, stroke(run), name));
  const under = html("p", { class: "r-under" }, mark, ...(several ? keys : []));
  under.hidden = !marks.length && !several;
  const body = [
    html("div", { class: "r-top" }, step.node, play.node),
    under,
    charted,
    grid,
    scale,
  ];

  // Since the step before
  const isHere = (at) => ([step]) => step <= steps[at] && !(step <= steps[at - 1]);
  let tallest = 0; // the sentence: what stands below it should not jump
  const say = (at, found) => {
    const named = { name: step_name, at: steps };
    const lines = runs.map((name, run) => {
      const parts = curves.map((curve, c) => [curve, found[c][run], spans[c]]);
      const whole = sayRun(parts, named);
      return whole && (several ? `${name}: ${whole}.` : `${upper(whole)}.`);
    });
    const label = marks.filter(isHere(at)).map(([, words]) => ` (${words})`).join("");
    const since = at > 0 && curves.length ? `, compared with ${step_name} ${steps[0]}` : "";
    const first = `${upper(step_name)} ${steps[at]} of ${steps.at(-1)}${label}${since}.`;
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
    mark.textContent = latest ? `${step_name} ${latest[0]}: ${latest[1]}` : "";
    mark.hidden = !latest;
    const words = root.querySelector(".attn-words");
    words.setAttribute("aria-live", play.playing() ? "off" : "polite");
    tallest = Math.max(tallest, words.offsetHeight);
    words.style.minHeight = `${tallest}px`;
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
  const fit = () => {
    tallest = 0;
    charts.forEach((chart, c) => chart.fit(() => foundIn(model.get("at"))[c]));
  };
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
