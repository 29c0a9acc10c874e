"""Pages that carry widgets, and what the browser tests ask of them. No kernel, no network: the site's own host."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOST = ROOT / "docs" / "_static" / "widgets.js"


def watch(page, local=("blob:", "data:", "about:")) -> list[str]:
    """Errors of the page and requests that leave it, collected as they happen."""
    wrong = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda note: note.type == "error" and wrong.append(f"console: {note.text}"))
    page.on("request", lambda request: request.url.startswith(local) or wrong.append(f"request: {request.url}"))
    return wrong


def document(*widgets, style: str = "") -> str:
    """A page with these widgets' state and views, as a notebook's page carries them."""
    state = {widget.model_id: {"state": plain(widget)} for widget in widgets}
    views = "".join(
        script("view", {"model_id": widget.model_id, "version_major": 2, "version_minor": 0}) for widget in widgets
    )
    head = f"<meta charset=utf-8><style>body {{ margin: 12px }} {style}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{script('state', {'state': state})}{views}"


def script(kind: str, content: dict) -> str:
    body = json.dumps(content).replace("</", "<\\/")
    return f'<script type="application/vnd.jupyter.widget-{kind}+json">{body}</script>'


def plain(widget) -> dict:
    """The widget's state as the kernel sends it, without what belongs to the layout."""
    return {name: value for name, value in widget.get_state().items() if name not in ("layout", "tabbable", "tooltip")}


class Mounted:
    """One widget on a page: its traits, what it computed, its controls."""

    def __init__(self, page, widget):
        self.page, self.id = page, widget.model_id
        page.set_content(document(widget))
        page.evaluate(HOST.read_text(encoding="utf-8"))
        self.root = page.locator(".attn")
        self.root.wait_for()

    def set(self, **traits) -> None:
        """As when Python sets a trait."""
        change = "([id, traits]) => { for (const t in traits) course.models[id].set(t, traits[t]) }"
        self.page.evaluate(change, [self.id, traits])

    def get(self, trait: str):
        return self.page.evaluate("([id, t]) => course.models[id].get(t)", [self.id, trait])

    def shown(self, name: str):
        """A computed number or list that the picture was drawn from."""
        return json.loads(self.root.get_attribute(f"data-{name}"))

    def words(self) -> str:
        return self.root.locator("[aria-live]").inner_text()

    def control(self, label: str):
        return self.root.get_by_label(label, exact=True)

    def press(self, label: str, key: str) -> None:
        self.control(label).focus()
        self.page.keyboard.press(key)
