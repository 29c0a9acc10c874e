"""The other side of `attn-course check`: run the learner's cells, then check the answer. A process of its own.

Reads a program (see `attn_course.coach.answers`) as JSON from standard input; exits 0 for a pass, 1 otherwise.
"""

import contextlib
import io
import json
import linecache
import sys
import traceback


def main() -> int:
    program = json.load(sys.stdin)
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    *before, last = program["cells"]
    # An earlier exercise may be unfinished; that only matters if this answer turns out to need it.
    earlier = [complaint for cell in before if (complaint := _run(cell, space))]
    complaint = _run(last, space)
    if complaint is None:
        answer, complaint = _take(program["answer"], space)
    if complaint is not None:
        print(" ".join([complaint, *earlier[:1]]))
        return 1

    from attn_course.coach import check

    result = check(program["id"], answer)
    print(result)
    return 0 if result.passed else 1


def _run(cell: dict, space: dict) -> str | None:
    """Execute one cell; what went wrong, in a sentence, or None. What it prints is dropped: it is not the verdict."""
    name, source = cell["name"], cell["source"]
    # Where tracebacks and inspect.getsource look for code that is in no file of its own.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        code = compile(source, name, "exec")
    except (SyntaxError, ValueError) as error:
        return f"Python cannot read {name}: {error.args[0]}{_line(getattr(error, 'lineno', None))}."
    try:
        with contextlib.redirect_stdout(_Nowhere()):
            exec(code, space)
    except NotImplementedError:
        return f"There is no answer in {name} yet: write it where the cell says raise NotImplementedError()."
    except SystemExit:
        return f"Running {name} calls exit(), which would end the notebook: take that line out."
    except BaseException as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        words = f": {error}" if str(error) else ""
        return f"Running {name} stopped with {type(error).__name__}{words}{_line(lines[-1] if lines else None)}."
    return None


def _take(answer: str, space: dict):
    """The answer and None, or None and a sentence."""
    try:
        return eval(answer, space), None
    except NameError:
        return None, f"There is no {answer} to check: its cell must define {answer}."
    except Exception as error:
        return None, f"{answer} could not be evaluated: {type(error).__name__}: {error}."


def _line(number: int | None) -> str:
    return f" (line {number})" if number else ""


class _Nowhere(io.TextIOBase):
    """Takes any amount of print and keeps none."""

    def write(self, text: str) -> int:
        return len(text)


if __name__ == "__main__":
    sys.exit(main())
