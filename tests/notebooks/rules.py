"""What every notebook in the course must be like. A rule takes a notebook and returns its complaints, as sentences."""

import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator

from nbformat import NotebookNode

from tools.normalise import KERNEL, WIDGET_VIEW, normalised, text

Rule = Callable[[NotebookNode], list[str]]
MOST_OUTPUT = 300_000  # bytes of stored output in one notebook
MOST_LINES = 12  # of code in a cell of a lesson
MOST_FIGURE_LINES = 20  # of code that draws a figure, folded away (tag hide-input)
LEAST_ALT = 20  # characters: fewer cannot say what a picture shows

UNSAID = (
    r"crucial(ly)?|powerful(ly)?|delv(e|es|ed|ing)|div(e|es|ed|ing)|simply|obviously"
    r"|it is important to note|in conclusion|as we can see"
)
EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u2712\u2714-\u2716\u2718-\u27bf\u2b00-\u2bff\ufe0f]"
)  # ✓ and ✗ are allowed
NETWORK = (
    r"^\s*[%!]\s*(pip|conda|mamba)\b|\bpip install\b|^\s*!.*\b(wget|curl|git)\b|https?://|\burllib\b|\burlopen\b"
    r"|\brequests\b|\bhttpx\b|\bsocket\b|\btorch\.hub\b|\bhf_hub_download\b|\bsnapshot_download\b|\bload_dataset\b"
)
INTERACT = r"\binteract(ive(_output)?|_manual)?\b|\bOutput\b"


def kernel_is_python3(nb: NotebookNode) -> list[str]:
    name = nb.metadata.get("kernelspec", {}).get("name")
    return [] if name == KERNEL["name"] else [f"the kernel is {name!r}, not 'python3'"]


def ids_are_stable_and_unique(nb: NotebookNode) -> list[str]:
    ids = [cell.get("id", "") for cell in nb.cells]
    twice = [f"the cell id {id!r} is used {n} times" for id, n in Counter(ids).items() if n > 1]
    # Normalising gives a name to what has none, so an id that it would change is missing, random or used twice.
    kept = [cell.id for cell in normalised(nb, "cell").cells]
    changed = [id for id, new in zip(ids, kept, strict=True) if id != new]
    return twice + [f"the cell id {id!r} is not a stable name" for id in changed]


def is_normalised(nb: NotebookNode) -> list[str]:
    return [] if text(nb) == text(normalised(nb, "cell")) else ["it is not stored normalised; run `make notebooks`"]


def executed_in_order(nb: NotebookNode) -> list[str]:
    counts = [cell.execution_count for cell in _code(nb)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"executions are numbered {counts}, not 1, 2, 3 …"]


def never_executed(nb: NotebookNode) -> list[str]:
    ran = [cell for cell in _code(nb) if cell.outputs or cell.execution_count is not None]
    return [f"cell {cell.id} has been run; exercises are stored without outputs" for cell in ran]


def no_errors(nb: NotebookNode) -> list[str]:
    return [f"cell {c.id} ended in {o.ename}" for c, o in _outputs(nb) if o.output_type == "error"]


def no_stderr(nb: NotebookNode) -> list[str]:
    found = [(c, o) for c, o in _outputs(nb) if o.output_type == "stream" and o.name == "stderr"]
    return [f"cell {c.id} wrote to stderr: {o.text.strip().splitlines()[0]}" for c, o in found]


def no_widget_state(nb: NotebookNode) -> list[str]:
    views = [f"cell {c.id} stores a widget's view" for c, o in _outputs(nb) if WIDGET_VIEW in o.get("data", {})]
    return views + (["the notebook stores widget state"] if "widgets" in nb.metadata else [])


def outputs_are_small(nb: NotebookNode) -> list[str]:
    size = sum(len(json.dumps(output, ensure_ascii=False).encode()) for _, output in _outputs(nb))
    return [] if size <= MOST_OUTPUT else [f"its outputs take {size:,} bytes; {MOST_OUTPUT:,} are allowed"]


def images_have_alt_text(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell, output in _outputs(nb):
        for mime in output.get("data", {}):
            if mime.startswith("image/"):
                alt = output.metadata.get(mime, {}).get("alt", "")
                plain = output.data.get("text/plain", "")
                if len(alt) < LEAST_ALT or len(plain) < LEAST_ALT or plain.startswith("<"):
                    complaints.append(f"cell {cell.id} shows an {mime} without alt text; use show(fig, alt=…)")
    return complaints


def html_images_have_alt_text(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell, source in [*_prose(nb), *((c, o.data.get("text/html", "")) for c, o in _outputs(nb) if "data" in o)]:
        tags = re.findall(r"<img\b[^>]*>", source, re.IGNORECASE)
        bare = [tag for tag in tags if not re.search(r"\balt\s*=\s*(\"[^\"]|'[^'])", tag)]
        bare += re.findall(r"!\[\s*\]\(", source) if cell.cell_type == "markdown" else []
        complaints += [f"cell {cell.id} has a picture without alt text: {tag[:60]}" for tag in bare]
    return complaints


def no_interact_or_output_widget(nb: NotebookNode) -> list[str]:
    return _in_code(nb, INTERACT, "uses {}, which breaks strict comparison; use a widget from attn_course.show")


def no_network(nb: NotebookNode) -> list[str]:
    return _in_code(nb, NETWORK, "reaches out with {}; lessons run with no network")


def no_magics(nb: NotebookNode) -> list[str]:
    return _in_code(nb, r"^\s*[%!]+\w+", "uses the magic {}; plain Python runs everywhere")


def code_cells_are_short(nb: NotebookNode) -> list[str]:
    found = []
    for cell in _code(nb):
        n = len(cell.source.strip().splitlines())
        most = MOST_FIGURE_LINES if "hide-input" in cell.metadata.get("tags", []) else MOST_LINES
        if n > most:
            found.append(f"cell {cell.id} has {n} lines; {most} are allowed")
    return found


def ends_with_a_card(nb: NotebookNode) -> list[str]:
    last = nb.cells[-1] if nb.cells else None
    if last is not None and last.cell_type == "markdown" and "card" in last.metadata.get("tags", []):
        return []
    return ["its last cell is not a markdown cell with the tag 'card'"]


def nothing_goes_unsaid(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell, source in _prose(nb):
        prose = words_of(source)
        found = [m.group() for m in re.finditer(rf"\b({UNSAID})\b", " ".join(prose.split()), re.IGNORECASE)]
        found += EMOJI.findall(source) + re.findall(r"\S*!", prose)
        complaints += [f"cell {cell.id} says {word!r}, which the course does not" for word in found]
    return complaints


def words_of(markdown: str) -> str:
    """The prose of a markdown cell: no code, formulas, tags, link targets or `[!NOTE]` markers."""
    for pattern in (
        r"(?ms)^(```|~~~).*?^\1",  # fenced code
        r"(`+).+?\1",
        r"(?s)\$\$.*?\$\$",
        r"\$[^$\n]+\$",
        r"(?s)<!--.*?-->",
        r"<[^>\n]+>",
        r"\[![A-Z]+\]",
        r"!(?=\[)",  # the mark that makes a link an image
        r"(?<=\])\([^)\n]*\)",
    ):
        markdown = re.sub(pattern, " ", markdown)
    return markdown


def _code(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def _prose(nb: NotebookNode) -> list[tuple[NotebookNode, str]]:
    return [(cell, cell.source) for cell in nb.cells if cell.cell_type == "markdown"]


def _outputs(nb: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    return ((cell, output) for cell in _code(nb) for output in cell.outputs)


def _in_code(nb: NotebookNode, pattern: str, complaint: str) -> list[str]:
    found = [(c, re.search(pattern, _without_comments(c.source), re.MULTILINE)) for c in _code(nb)]
    return [f"cell {cell.id} " + complaint.format(repr(m.group().strip())) for cell, m in found if m]


def _without_comments(source: str) -> str:
    """Code less its comments, which may cite a paper's address; all of it where it is no plain Python."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return source
    lines = source.splitlines()
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(lines)


EVERYWHERE: tuple[Rule, ...] = (
    kernel_is_python3,
    ids_are_stable_and_unique,
    is_normalised,
    no_errors,
    no_stderr,
    no_widget_state,
    outputs_are_small,
    images_have_alt_text,
    html_images_have_alt_text,
    no_interact_or_output_widget,
    no_network,
    no_magics,
    nothing_goes_unsaid,
)
RULES: dict[str, tuple[Rule, ...]] = {
    "notebooks": (*EVERYWHERE, executed_in_order, code_cells_are_short, ends_with_a_card),
    "solutions": (*EVERYWHERE, executed_in_order),
    "exercises": (*EVERYWHERE, never_executed),
}
