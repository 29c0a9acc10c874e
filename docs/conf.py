"""The static site: lessons as they ran, widgets alive, nothing fetched from anywhere at reading time.

Built by tools/site.py, which runs the notebooks first; see there.
"""

import hashlib
import json
from base64 import b64decode
from pathlib import Path

from docutils import nodes

project = "attn_course"
copyright = "the attn_course authors"
author = "The attn_course authors"
extensions = ["myst_nb", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Attention, and how it fails"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_js_files = ["widgets.js"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}
pygments_style = "default"
pygments_dark_style = "github-dark"

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # they have been run already
nb_ipywidgets_js = {}  # widgets.js instead of requirejs and ipywidgets from elsewhere
nb_merge_streams = True

mathjax_path = "mathjax/tex-svg.js"  # put there by tools/site.py: one file, no fonts beside it
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would fetch more files


def alt_texts(notebook: Path) -> dict[str, str]:
    """{name that myst-nb gives an image: its alt text}, from the outputs' metadata, else their plain text."""
    found = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" not in data:
                continue
            png = b64decode("".join(data["image/png"]))
            name = hashlib.sha256(png).hexdigest() + ".png"
            alt = output["metadata"].get("image/png", {}).get("alt")
            found[name] = alt or found.get(name) or "".join(data.get("text/plain", ""))
    return found


def give_alt_texts(app, doctree) -> None:
    """myst-nb drops the alt text of a figure: put it back."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    known = alt_texts(source)
    for image in doctree.findall(nodes.image):
        name = Path(image["uri"]).name
        if not image.get("alt") and name in known:
            image["alt"] = known[name]


def setup(app):
    app.connect("doctree-read", give_alt_texts)
