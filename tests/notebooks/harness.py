"""Negative controls: run a lesson, and beside every claim a copy of the lesson in which its experiment is broken.

A control is Python that runs in the lesson's namespace just before the cell of its claim. The claim must then raise
ClaimFailed. The copy is a fork of the process, so that a control may change anything, in place too, and the lesson
goes on untouched. Run as `python -m tests.notebooks.harness LESSON CONTROLS`, which prints findings as JSON.
"""

import io
import json
import linecache
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from tools.claims import LINE, claims_printed
from tools.normalise import read
from tools.notebooks import ROOT, SECONDS, quiet_environment

CONTROL_SECONDS = 60


def findings(lesson: Path, controls: Path) -> list[str]:
    """What is wrong with a lesson's claims and their controls, as sentences; run in a process of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        done = subprocess.run(
            [sys.executable, "-m", "tests.notebooks.harness", str(lesson), str(controls)],
            cwd=ROOT,
            env=quiet_environment(home) | {"MPLBACKEND": "Agg"},
            capture_output=True,
            text=True,
            timeout=5 * SECONDS,
        )
    if done.returncode != 0:
        return [
            f"The controls of {lesson.name} could not be run: {(done.stderr.strip() or 'no reason').splitlines()[-1]}"
        ]
    return json.loads(done.stdout)


def examine(lesson: Path, controls: Path) -> list[str]:
    """Run the lesson's cells in this process, and each claim's control in a fork before its cell."""
    broken_by = runpy.run_path(str(controls))["CONTROLS"] if controls.exists() else {}
    cells = [cell for cell in read(lesson).cells if cell.cell_type == "code" and cell.source.strip()]
    stated = [id for cell in cells for id in claims_printed(cell)]
    wrong = [f"The claim {id} has no control in {controls.name}." for id in stated if id not in broken_by]
    wrong += [f"The control {id} in {controls.name} belongs to no claim." for id in broken_by if id not in stated]
    if wrong:
        return wrong
    namespace = {"__name__": "__main__", "display": lambda *objects, **options: None}
    os.chdir(lesson.parent)
    for cell in cells:
        ids = list(claims_printed(cell))
        for id in ids:
            if id in broken_by:
                wrong += _in_a_fork(lambda id=id, cell=cell: _with_control(namespace, id, broken_by[id], cell.source))
        said = _run(cell.source, namespace, f"<cell {cell.id}>")
        printed = [match["id"] for match in LINE.finditer(said)]
        wrong += [f"Without a control {id} was not printed." for id in ids if id not in printed]
    return wrong


def _with_control(namespace: dict, id: str, control: str, source: str) -> list[str]:
    """Break the experiment, then run the claim's cell: an empty list if the claim raised, else what came instead."""
    from attn_course.coach import ClaimFailed

    try:
        _run(control, namespace, f"<control of {id}>")
    except Exception as error:
        return [f"The control of {id} itself failed with {type(error).__name__}: {error}."]
    _hear_only(id, namespace)
    try:
        _run(source, namespace, f"<cell of {id}>")
    except ClaimFailed as error:
        raised = str(error).split()[0]
        return [] if raised == id else [f"The control of {id} made {raised} fail."]
    except Exception as error:
        return [f"Under its control the cell of {id} failed with {type(error).__name__}, not with its claim: {error}."]
    return [f"The claim {id} still holds under its control, so it can hardly fail."]


def _hear_only(id: str, namespace: dict) -> None:
    """Let the other claims of a cell pass: what breaks one experiment often breaks its neighbours' claims first."""
    from attn_course.coach import claim

    def only(stated, *rest, **named):
        if stated == id:
            claim(stated, *rest, **named)

    namespace.update({name: only for name, value in namespace.items() if value is claim})


def _run(source: str, namespace: dict, name: str) -> str:
    """Execute a cell and return what it printed. Its lines are kept for whoever asks for a function's source."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        exec(compile(source, name, "exec"), namespace)
    return printed.getvalue()


def _in_a_fork(work: Callable[[], list[str]]) -> list[str]:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(work()))
    process.start()
    sender.close()
    try:
        if not receiver.poll(CONTROL_SECONDS):
            return [f"A control was still running after {CONTROL_SECONDS} seconds."]
        return receiver.recv()
    except EOFError:
        return ["A control ended its process before its claim was reached."]
    finally:
        process.kill()
        process.join()


if __name__ == "__main__":
    print(json.dumps(examine(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())))
