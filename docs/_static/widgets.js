// Brings a page's widgets to life with no kernel and no network: each carries its own module in the page's state.
(() => {
  const STATE = "application/vnd.jupyter.widget-state+json";
  const VIEW = "application/vnd.jupyter.widget-view+json";

  // What a widget's module asks of a model, without a kernel behind it.
  class Model {
    constructor(state) {
      this.state = state;
      this.listeners = {};
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
      this.state[name] = value;
      for (const event of [`change:${name}`, "change"]) {
        for (const listener of this.listeners[event] ?? []) listener(this, value);
      }
    }
    on(event, listener) {
      (this.listeners[event] ??= []).push(listener);
    }
    off(event, listener) {
      this.listeners[event] = (this.listeners[event] ?? []).filter((each) => listener && each !== listener);
    }
    save_changes() {}
    send() {}
  }

  const models = {};
  const styled = new Set();

  function style(css) {
    if (!css || styled.has(css)) return;
    styled.add(css);
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  }

  async function load(source) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    try {
      const module = await import(url);
      return typeof module.default === "function" ? await module.default() : module.default;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  async function show(script) {
    const { model_id } = JSON.parse(script.textContent);
    const model = models[model_id];
    if (!model || !model.get("_esm")) return;
    const place = document.createElement("div");
    place.className = "course-widget";
    script.after(place);
    try {
      style(model.get("_css"));
      const widget = await load(model.get("_esm"));
      await widget.initialize?.({ model });
      await widget.render({ model, el: place });
    } catch (error) {
      place.textContent = `This widget could not start in this browser (${error.message}). It needs a browser of 2023 or later.`;
      throw error;
    }
  }

  async function start() {
    for (const script of document.querySelectorAll(`script[type="${STATE}"]`)) {
      for (const [id, { state }] of Object.entries(JSON.parse(script.textContent).state)) models[id] = new Model(state);
    }
    await Promise.all([...document.querySelectorAll(`script[type="${VIEW}"]`)].map(show));
  }

  window.course = { models };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
