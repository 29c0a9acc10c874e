"""Small notebooks with one widget each, written by the tests that need a page to look at."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

WIDGETS = {
    "translation": "TranslationWidget()",
    "formula": "FormulaWidget()",
    "scaling": "ScalingWidget()",
    "visibility": "VisibilityWidget()",
    "heads": "HeadsWidget()",
    "order": "OrderWidget()",
    "induction": "InductionWidget()",
    "attention_view": "AttentionViewWidget()",
    "scrubber": "ScrubberWidget()",
    "collapse": "CollapseWidget(layer=1)",
    "limits": "LimitsWidget()",
    "waste": "WasteWidget()",
    "pruning": "PruningWidget()",
    "shortcut": "ShortcutWidget()",
}
FIGURE = """import matplotlib.pyplot as plt
from IPython.display import display
from IPython.core.pylabtools import print_figure
from base64 import b64encode
plt.ioff()
fig, ax = plt.subplots(figsize=(3, 2))
ax.plot([1, 4, 9])
png = b64encode(print_figure(fig, "png")).decode()
plt.close(fig)
alt = "A line that rises ever faster"
display({"image/png": png, "text/plain": alt}, raw=True, metadata={"image/png": {"alt": alt}})"""


def write(folder: Path) -> Path:
    """One notebook for each widget, with mathematics, and in the first a figure that has an alt text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, call in WIDGETS.items():
        text = f"# The {name} widget\n\nWeights are $\\mathrm{{softmax}}(q k^\\top / \\sqrt{{d_k}})$."
        code = f"from attn_course.show.widgets import {call.split('(')[0]}\n\n{call}"
        cells = [new_markdown_cell(text), new_code_cell(code)]
        if name == "formula":
            cells.append(new_code_cell(FIGURE))
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")
    return folder
