"""A notebook as it is stored: the same bytes whoever saved it, whenever it ran."""

import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CELL_METADATA = {"tags", "nbgrader", "editable", "deletable", "jupyter", "mystnb"}
STABLE_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}")


def read(path: Path) -> NotebookNode:
    """The notebook at `path`; ValueError with a sentence if the file holds none."""
    try:
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        why = (str(error).splitlines() or ["nothing is in it"])[0]
        raise ValueError(f"{path} is not a notebook that can be read: {why}") from error


def normalised(nb: NotebookNode, topic: str) -> NotebookNode:
    """A copy without noise: stable cell ids, one kernel name, executions numbered 1..n, no widget state."""
    new = nbformat.v4.new_notebook(metadata={"kernelspec": dict(KERNEL), "language_info": {"name": "python"}})
    ids = _stable_ids([cell.get("id", "") for cell in nb.cells], topic)
    count = 0
    for cell, id in zip(nb.cells, ids, strict=True):
        new_cell = NotebookNode(id=id, cell_type=cell.cell_type, source=cell.source.rstrip("\n"))
        new_cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if "attachments" in cell:
            new_cell.attachments = cell.attachments
        if cell.cell_type == "code":
            count += cell.execution_count is not None
            new_cell.execution_count = count if cell.execution_count is not None else None
            new_cell.outputs = _outputs(cell.outputs, new_cell.execution_count)
        new.cells.append(new_cell)
    new.nbformat_minor = 5
    return new


def text(nb: NotebookNode) -> str:
    """The file's content: sorted keys, one space of indent, one line per source line, a newline at the end."""
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def topic_of(path: Path) -> str:
    """What cell ids begin with: "formula" for notebooks/01_formula.ipynb."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower().lstrip("0123456789_-")).strip("-") or "cell"


def stored_text(nb: NotebookNode, path: Path) -> str:
    """What should stand in the file at `path` for this notebook."""
    return text(normalised(nb, topic_of(path)))


def write_if_changed(path: Path, content: str) -> bool:
    """Put `content` in place whole or not at all; True if the file changed."""
    if path.exists() and path.read_bytes() == content.encode():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as new:
            new.write(content.encode())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def _stable_ids(ids: list[str], topic: str) -> list[str]:
    """Keep the first use of every id that reads like a name; number the others by their place in the notebook."""
    kept = [id if _is_name(id) and id not in ids[:place] else "" for place, id in enumerate(ids)]
    taken = set(kept)
    for place, id in enumerate(kept):
        if not id:
            number = place + 1
            while (new := f"{topic}-{number:02d}") in taken:
                number += len(ids)
            kept[place] = new
            taken.add(new)
    return kept


def _is_name(id: str) -> bool:
    return len(id) <= 64 and bool(STABLE_ID.fullmatch(id)) and not RANDOM_ID.fullmatch(id)


def _outputs(outputs: list[NotebookNode], count: int | None) -> list[NotebookNode]:
    new: list[NotebookNode] = []
    for output in outputs:
        output = NotebookNode(output)
        if output.output_type == "execute_result":
            output.execution_count = count
        if "data" in output:
            output.data = NotebookNode({mime: data for mime, data in output.data.items() if mime != WIDGET_VIEW})
            if not output.data:
                continue
        if output.output_type == "stream" and new and _same_stream(new[-1], output):
            new[-1].text += output.text  # where a stream was cut into pieces is an accident of timing
            continue
        new.append(output)
    return new


def _same_stream(a: NotebookNode, b: NotebookNode) -> bool:
    return a.output_type == b.output_type == "stream" and a.name == b.name
