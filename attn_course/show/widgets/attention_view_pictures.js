// ---- words and pieces: as they are written, and whether they hang on the word before

const nameOf = (token) => token.replace(/^[Ġ▁]+/, "").replace(/^Ċ+/, "↵") || "␣";
function spelled(tokens) {
  const marked = tokens.some((token) => /^[Ġ▁]/.test(token)); // then a piece without a mark continues a word
  return tokens.map((token, i) => {
    if (marked) return { word: nameOf(token), joined: i === 0 || !/^[Ġ▁Ċ]/.test(token) };
    const before = tokens[i - 1] ?? "";
    const joined = /^(##|[.,;:!?)\]%’'”-]$)/.test(token) || /^[([‘“'-]$/.test(before);
    return { word: token.replace(/^##/, ""), joined };
  });
}
const amount = (weight) => fixed(weight, weight > 0 && weight < 0.0995 ? 3 : 2);

// ---- the text: blue behind what the token looks at, an orange line under what looks at it

function textBox(tokens, { peek, choose }) {
  const node = html("div", {
    class: "a-text",
    role: "listbox",
    "aria-label": "The text: choose the token that asks",
    "aria-orientation": "horizontal",
  });
  const chips = spelled(tokens).map(({ word }, i) =>
    html("span", { role: "option", class: "a-token", "data-i": i, "aria-selected": false, tabindex: -1 }, word),
  );
  spelled(tokens).forEach(({ joined }, i) => node.append(...(joined ? [chips[i]] : [" ", chips[i]])));
  chips.forEach((chip, i) => chip.setAttribute("aria-label", `${nameOf(tokens[i])}, token ${i}`));
  const at = (event) => event.target.closest?.("[data-i]");
  node.addEventListener("pointerover", (event) => at(event) && peek(Number(at(event).dataset.i)));
  node.addEventListener("pointerleave", () => peek(null));
  node.addEventListener("click", (event) => at(event) && choose(Number(at(event).dataset.i)));
  node.addEventListener("keydown", (event) => {
    const chip = at(event);
    if (!chip) return;
    const go = (next) => {
      choose(next);
      chips[next].focus({ preventScroll: true });
    };
    const line = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!line) return rove(event, Number(chip.dataset.i), tokens.length, go);
    event.preventDefault();
    go(neighbour(chip, line));
  });

  // The token nearest to this one in the next line, or in the one before.
  const neighbour = (chip, way) => {
    const middle = (each) => each.offsetLeft + each.offsetWidth / 2;
    const beyond = chips.filter((each) => way * (each.offsetTop - chip.offsetTop) > 4);
    if (!beyond.length) return Number(chip.dataset.i);
    const line = way * Math.min(...beyond.map((each) => way * each.offsetTop));
    const off = (each) => Math.abs(each.offsetTop - line) * 1000 + Math.abs(middle(each) - middle(chip));
    return chips.indexOf(beyond.reduce((best, each) => (off(each) < off(best) ? each : best)));
  };

  const drawn = chips.map(() => ""); // what each wears now: only what changes is touched
  const thinned = (hue, of48) => `color-mix(in srgb, var(${hue}) ${((100 * of48) / 48).toFixed(1)}%, transparent)`;
  let [chosen, asking] = [-1, -1];
  // From nothing at an equal share, 1/n, to full at the largest; by the root, so that the small ones can be told apart.
  const equal = 1 / tokens.length;
  const shade = (weight, top) => (weight > equal ? Math.round(48 * Math.sqrt((weight - equal) / (top - equal))) : 0);
  const draw = ({ row, column, top }, token, { token: kept, received }) => {
    for (let j = 0; j < chips.length; j++) {
      const [looks, looked] = [shade(row[j], top.row), received ? shade(column[j], top.column) : 0];
      const wears = `${looks} ${looked}`;
      if (drawn[j] === wears) continue;
      drawn[j] = wears;
      chips[j].style.backgroundColor = looks ? thinned("--query", 0.62 * looks) : "";
      chips[j].style.boxShadow = looked ? `inset 0 -3px ${thinned("--key", looked)}` : "";
    }
    if (asking !== token) {
      chips[asking]?.classList.remove("a-asks");
      chips[token].classList.add("a-asks");
      asking = token;
    }
    if (chosen !== kept) {
      chips[chosen]?.setAttribute("tabindex", -1);
      chips[chosen]?.setAttribute("aria-selected", false);
      chips[kept].setAttribute("tabindex", 0);
      chips[kept].setAttribute("aria-selected", true);
      inSight(chips[kept]);
      chosen = kept;
    }
  };
  // Scrolls the box, never the page.
  const inSight = (chip) => {
    const [upper, lower] = [chip.offsetTop - 8, chip.offsetTop + chip.offsetHeight + 8 - node.clientHeight];
    if (node.scrollTop > upper) node.scrollTop = upper;
    else if (node.scrollTop < lower) node.scrollTop = lower;
  };
  const dim = (places) => chips.forEach((chip, i) => chip.classList.toggle("a-out", places.includes(i)));
  return { node, draw, dim };
}

// ---- pictures of a map, of at most `side` pixels: of the weights that share a pixel, the largest; colour by its root

const SHADES = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  const [r, g, b] = cividis(i / 255);
  SHADES[i] = (255 << 24) | (b << 16) | (g << 8) | r;
}
function paint(canvas, map, n, side, seen) {
  const many = Math.ceil(n / side); // tokens to a pixel
  const size = Math.ceil(n / many);
  const pixels = new Float32Array(size * size).fill(-1); // −1: may not look, left empty
  for (let i = 0; i < n; i++) {
    const line = Math.floor(i / many) * size;
    for (let j = 0; j < n; j++) {
      if (seen && !seen[i * n + j]) continue;
      const place = line + Math.floor(j / many);
      if (map[i * n + j] > pixels[place]) pixels[place] = map[i * n + j];
    }
  }
  canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  const colours = new Uint32Array(image.data.buffer);
  pixels.forEach((weight, place) => (colours[place] = weight < 0 ? 0 : SHADES[Math.round(255 * Math.sqrt(weight))]));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const SPAN = 300; // the map's side in the marks' own units
function mapBox(n, { peek, choose }) {
  const canvas = html("canvas", {});
  const frame = (name) => svg("rect", { class: name, rx: 1.5 });
  const [row, column] = [frame("a-row"), frame("a-column")];
  const [from, to] = [svg("path", { class: "a-from" }), svg("path", { class: "a-to" })];
  const place = `-9 -9 ${SPAN + 12} ${SPAN + 12}`;
  const marks = svg("svg", { viewBox: place, "aria-hidden": "true" }, row, column, from, to);
  const node = html("div", { class: "a-map", role: "img" }, canvas, marks);
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].map((share) =>
      clamp(Math.floor(share * n), 0, n - 1),
    );
  };
  node.addEventListener("pointermove", (event) => peek(...at(event)));
  node.addEventListener("pointerleave", () => peek(null));
  node.addEventListener("click", (event) => choose(at(event)[0]));
  const cell = SPAN / n;
  const mark = (token, received) => {
    const [start, middle, wide] = [token * cell - 1.5, (token + 0.5) * cell, cell + 3];
    fill(row, { x: -1.5, y: start, width: SPAN + 3, height: wide }, []);
    fill(column, { x: start, y: -1.5, width: wide, height: SPAN + 3 }, []);
    from.setAttribute("d", `M-9 ${middle - 5}l7 5l-7 5z`);
    to.setAttribute("d", `M${middle - 5} -9l5 7l5 -7z`);
    for (const part of [column, to]) part.setAttribute("visibility", received ? "visible" : "hidden");
  };
  const draw = (map, seen, words) => {
    paint(canvas, map, n, SPAN * Math.ceil(window.devicePixelRatio || 1), seen);
    canvas.classList.toggle("a-pixels", n < SPAN);
    node.setAttribute("aria-label", words);
  };
  return { node, draw, mark };
}

// ---- the strongest five, in words and numbers

function fiveBox(name, { choose }) {
  const title = html("div", { class: "attn-title" });
  const lines = Array.from({ length: 5 }, () => {
    const [word, place, bar, value] = ["span", "small", "i", "b"].map((tag) => html(tag, {}));
    const attributes = { type: "button", "aria-label": "nothing", onclick: () => choose(line.place) };
    const press = html("button", attributes, word, place, bar, value);
    const line = { press, word, placed: place, bar, value, place: 0 };
    return line;
  });
  const list = html("ol", { class: "a-five" }, ...lines.map(({ press }) => html("li", {}, press)));
  const node = html("div", { class: name }, title, list);
  const draw = (heading, tokens, values, places) => {
    title.textContent = heading;
    lines.forEach((line, rank) => {
      const place = places[rank];
      line.press.parentNode.hidden = place === undefined;
      if (place === undefined) return;
      line.place = place;
      line.word.textContent = nameOf(tokens[place]);
      line.placed.textContent = place;
      line.bar.style.setProperty("--share", `${100 * values[place]}%`);
      line.value.textContent = amount(values[place]);
      line.press.setAttribute("aria-label", `${nameOf(tokens[place])}, token ${place}: ${amount(values[place])}`);
    });
  };
  return { node, draw };
}
