"""From key to picture: how long a widget takes, in a real JupyterLab and on the static page.

Measured in the browser, from the key event's own time stamp to the first animation frame after the picture changed.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]

from chromium import CHROMIUM, FLAGS  # noqa: E402
from jupyter_lab import jupyter_lab, run_all  # noqa: E402
from tiny_lessons import WIDGETS  # noqa: E402

from tools.site import build  # noqa: E402

# widget: (its title, the control that has the focus, the keys that are pressed in turn, or the tokens hovered over)
PRESSED = {
    "translation": ("A translator at work", "step", ("ArrowRight", "ArrowLeft")),
    "formula": ("Attention by hand", "query at", ("ArrowUp", "ArrowDown")),
    "scaling": ("Scaling", "d_k", ("ArrowRight", "ArrowLeft")),
    "visibility": ("Who may look at whom", "tokens (keys)", ("ArrowRight", "ArrowLeft")),
    "heads": ("All heads of a model", "distance", ("ArrowRight", "ArrowLeft")),
    "order": ("Which places are alike", "query at place", ("ArrowRight", "ArrowLeft")),
    "induction": ("An induction head forms", "training step", ("ArrowRight", "ArrowLeft")),
    "collapse": ("Tokens that fall together", "layer", ("ArrowRight", "ArrowLeft")),
    "limits": ("Two questions, by hand", "length", ("ArrowRight", "ArrowLeft")),
    "waste": ("A head without its small weights", "ε", ("ArrowRight", "ArrowLeft")),
    "pruning": ("Taken out", "heads gone", ("ArrowRight", "ArrowLeft")),
    "shortcut": ("A clean map, and the model behind it", "sentence", ("ArrowRight", "ArrowLeft")),
    "scrubber": ("A recording, to drag through", "layer", ("ArrowRight", "ArrowLeft")),
    "a token": ("A text under one head", "token 1", ("ArrowRight", "ArrowLeft")),
    "a token, hovered": ("A text under one head", "token 1", tuple(f"hover {i}" for i in range(20, 200, 9))),
    "a head's map": ("A text under one head", "layer 0, head 0", ("ArrowRight",) * 11 + ("ArrowLeft",) * 11),
}
# The view of a text is measured at the length it is made for: 512 tokens under MiniLM's 72 heads.
CALLS = {**WIDGETS, "attention_view": "attention_view(load().read(' '.join((SEA * 64)[:510])))"}
SETUP = """from attn_course.models.pretrained import load
SEA = "the river carries the mountain to the sea".split()"""
WATCH = """root => {
  window.watcher?.disconnect();
  window.latencies = [];
  let pressed = null;
  for (const kind of ["keydown", "pointerover"])
    root.addEventListener(kind, (event) => (pressed = event.timeStamp), true);
  window.watcher = new MutationObserver(() => {
    if (pressed === null) return;
    const since = pressed;
    pressed = null;
    requestAnimationFrame(() => window.latencies.push(performance.now() - since));
  });
  window.watcher.observe(root.querySelector("svg").parentNode, { subtree: true, childList: true, attributes: true });
}"""


def measure(page, name: str, presses: int) -> list[float]:
    """Milliseconds from key to picture, one for each press."""
    title, label, keys = PRESSED[name]
    root = page.locator(f".attn[aria-label='{title}']").first
    root.wait_for()
    control = root.get_by_label(label).first
    control.scroll_into_view_if_needed()
    control.focus()
    root.evaluate(WATCH)
    for press in range(presses):
        key = keys[press % len(keys)]
        if key.startswith("hover "):
            root.locator(f"[data-i='{key.split()[1]}']").hover()
        else:
            page.keyboard.press(key)
        page.wait_for_function("count => window.latencies.length > count", arg=press)
        page.wait_for_timeout(60)
    return page.evaluate("window.latencies")


def report(where: str, page, presses: int) -> None:
    for name in PRESSED:
        times = measure(page, name, presses)
        low, middle, high = min(times), statistics.median(times), max(times)
        print(f"{where:12} {name:16} {low:5.1f} {middle:7.1f} {high:5.1f}   ({len(times)} presses)", flush=True)


def write(folder: Path) -> Path:
    """One notebook with all the widgets."""
    names = sorted(call.split("(")[0] for call in CALLS.values())
    cells = [
        new_markdown_cell("# Widgets"),
        new_code_cell(f"from attn_course.show.widgets import {', '.join(names)}"),
        new_code_cell(SETUP),
        *(new_code_cell(call) for call in CALLS.values()),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder.mkdir()
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "widgets.ipynb")
    return folder


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presses", type=int, default=40, help="key presses for each widget")
    presses = parser.parse_args().presses
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        notebooks = write(scratch / "notebooks")
        (scratch / "home").mkdir()
        print("key to picture, ms             min  median   max")
        with jupyter_lab(notebooks, scratch / "home") as address:
            page = browser.new_page(viewport={"width": 1280, "height": 2400})
            run_all(page, address.format("widgets.ipynb"))
            report("JupyterLab", page, presses)
            page.close()
        build(notebooks, scratch / "html")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((scratch / "html" / "notebooks" / "widgets.html").as_uri())
        report("static page", page, presses)


if __name__ == "__main__":
    main()
