"""The package's own code in a lesson's page, so that the text and the code cannot drift apart."""

import ast
import inspect
import textwrap

from IPython.display import display


def source(*objects, docstrings: bool = False) -> None:
    """Display the source of functions or classes as code; their docstrings are left out unless asked for."""
    text = "\n\n".join(source_of(thing, docstrings) for thing in objects)
    display({"text/markdown": f"```python\n{text}\n```", "text/plain": text}, raw=True)


def source_of(thing, docstrings: bool = False) -> str:
    """The source of one function or class, as it stands in its file."""
    code = textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))
    return code.rstrip() if docstrings else _without_docstrings(code).rstrip()


def _without_docstrings(code: str) -> str:
    lines = code.splitlines()
    drop: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(node) is not None
            and len(node.body) > 1
        ):
            first, last = node.body[0].lineno, node.body[0].end_lineno
            drop.update(range(first, last + 1))
            if last < len(lines) and not lines[last].strip():
                drop.add(last + 1)
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in drop)
