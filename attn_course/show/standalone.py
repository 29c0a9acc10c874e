"""A page that needs nothing but itself: no network, no other file, no server. The doctor's report is one, an audit too.

What comes in is data: the page carries it as JSON in which no tag can begin or end, and its script writes it as text.
The page's content security policy lets no script run but its own, and nothing be fetched.
"""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template

from attn_course.show import palette

HERE = Path(__file__).parent
BASE = "standalone_page"
HUES = ("QUERY", "KEY", "VALUE", "OUTPUT", "FAULT")
TALL = 760  # px


def written(folder: str, styles: Sequence[str], scripts: Sequence[str], *, title: str, words: str, data: dict) -> str:
    """One HTML page; the same input gives the same page.

    folder   where its own sheets of style and scripts lie, beside this file: "report_page". Its script finds `data`, as
             JSON, in the element whose id is the folder's name without "_page"
    words    what stands there where no script runs
    """
    style, script = _style(folder, tuple(styles)), _script(folder, tuple(scripts))
    parts = {
        "title": html.escape(printable(title)),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "words": html.escape(printable(words)),
        "name": folder.removesuffix("_page"),
        "data": _json(data),
    }
    return Template(_read(BASE, "page.html")).substitute(parts)


def framed(page: str, *, title: str, words: str, may: str = "allow-scripts") -> str:
    """The page in a frame of its own, for a notebook; `words` are seen only where frames are not.

    may   what the frame is allowed to do (the attribute `sandbox`), and no more
    """
    # In single quotes the JSON's double ones can stay as they are.
    inside = page.replace("&", "&amp;").replace("'", "&#39;")
    style = f"width: 100%; height: {TALL}px; border: 1px solid #8884; border-radius: 8px"
    head = f'<iframe title="{html.escape(printable(title))}" sandbox="{may}" style="{style}"'
    return f"{head} srcdoc='{inside}'><pre>{html.escape(printable(words))}</pre></iframe>"


def printable(text: str) -> str:
    """The same without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _json(value) -> str:
    """JSON that can stand inside a script element: no `<`, `>` or `&` in it, and nothing but ASCII."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _read(folder: str, name: str) -> str:
    return (HERE / folder / name).read_text(encoding="utf-8")


@cache
def _style(folder: str, names: tuple[str, ...]) -> str:
    hues = "".join(f"  --hue-{hue.lower()}: {getattr(palette, hue)};\n" for hue in HUES)
    own = "\n".join(_read(folder, f"{name}.css") for name in names)
    return f":root {{\n{hues}}}\n{_read(BASE, 'base.css')}\n{own}"


@cache
def _script(folder: str, names: tuple[str, ...]) -> str:
    kit = _read("widgets", "kit.js") + _read(BASE, "base.js")
    own = "\n".join(_read(folder, f"{name}.js") for name in names)
    return f'(() => {{\n"use strict";\n{kit}\n{own}\n}})();\n'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
