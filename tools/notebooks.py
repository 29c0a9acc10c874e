"""Run lessons and solutions from a fresh kernel and store them normalised: `python tools/notebooks.py [file …]`.

With --check nothing is run: it says which stored files normalising would change. Running twice changes no byte.
A notebook in which a cell raises is left as it was.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a file, too

from tools.kernels import with_a_kernel
from tools.normalise import read, stored_text, write_if_changed

ROOT = Path(__file__).parents[1]
FOLDERS = ("notebooks", "solutions")
SECONDS = 120  # a lesson should take 20; a cold disk or a busy machine may take longer


class Failed(Exception):
    """A notebook did not run to its end; the message says which cell and why."""


def course_notebooks(folders: tuple[str, ...] = FOLDERS) -> list[Path]:
    """The course's notebooks in reading order, folder by folder."""
    return [path for folder in folders for path in sorted((ROOT / folder).glob("[0-9]*.ipynb"))]


def quiet_environment(home: str) -> dict[str, str]:
    """The environment in which every run is the same: one thread, one hash seed, none of the user's settings.

    home  an empty folder, for what a kernel and the coach keep between runs
    """
    env = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "PYTHONSTARTUP")}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    folders = {"IPYTHONDIR": f"{home}/ipython", "ATTN_COURSE_HOME": f"{home}/course"}
    frozen = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "TQDM_DISABLE": "1"}  # no word on stderr about debuggers
    return env | threads | offline | folders | frozen | {"PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""}


def execute(path: Path, seconds: float = SECONDS) -> NotebookNode:
    """The notebook at `path`, run from its own folder in a fresh kernel of this Python. Raises Failed."""
    return with_a_kernel(lambda: _attempt(path, seconds))


def _attempt(path: Path, seconds: float) -> NotebookNode:
    nb = read(path)
    begun: list[NotebookNode] = []
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    deadline = time.monotonic() + seconds
    # No folders to look in: "python3" is then the interpreter that runs this, whatever the user has installed.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        nb,
        km=manager,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors, no advice
        timeout_func=lambda cell: max(1, int(deadline - time.monotonic())),
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        on_cell_execute=lambda cell, cell_index: begun.append(cell),
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        try:
            client.execute(env=quiet_environment(home), cleanup_kc=True)  # the manager is ours, so the client asks
        except CellExecutionError as error:
            why = f"{error.ename}: {error.evalue}".strip().splitlines()[0].rstrip(".")
            raise Failed(f"{_where(path, begun)} raised {why}.") from error
        except CellTimeoutError as error:
            raise Failed(f"{_where(path, begun)} was still running when {seconds:g} seconds had passed.") from error
        except DeadKernelError as error:
            raise Failed(f"{_where(path, begun)} ended the kernel; did it run out of memory?") from error
    return nb


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tools/notebooks.py", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="notebooks to run (default: all lessons and solutions)")
    parser.add_argument("--check", action="store_true", help="run nothing; fail if a stored file is not normalised")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"limit for one notebook (default {SECONDS})")
    options = parser.parse_args(arguments)
    files = [path.resolve() for path in options.files] or course_notebooks()
    missing = [str(path) for path in files if not path.is_file()]
    if missing or not files:
        print(f"There is no notebook {' or '.join(missing) or 'in notebooks/ or solutions/'}.", file=sys.stderr)
        return 2
    work = _check if options.check else lambda path: _run(path, options.seconds)
    return 1 if any([not work(path) for path in files]) else 0


def _run(path: Path, seconds: float) -> bool:
    start = time.monotonic()
    before = path.read_bytes()
    try:
        text = stored_text(execute(path, seconds), path)
        if path.read_bytes() != before:
            raise Failed(f"{_short(path)} was edited while it ran; run it again.")
        changed = write_if_changed(path, text)
    except (Failed, ValueError) as error:
        print(f"{error} The file was left as it was.", file=sys.stderr)
        return False
    print(f"{_short(path)}: {'written' if changed else 'unchanged'}, {time.monotonic() - start:.1f} s", flush=True)
    return True


def _check(path: Path) -> bool:
    try:
        as_it_should = stored_text(read(path), path)
    except ValueError as error:
        print(error, file=sys.stderr)
        return False
    if path.read_bytes() == as_it_should.encode():
        return True
    print(f"{_short(path)} is not stored normalised; run `make notebooks`.", file=sys.stderr)
    return False


def _where(path: Path, begun: list[NotebookNode]) -> str:
    """The cell at which a run stopped."""
    if not begun:
        return f"The kernel for {_short(path)}"
    first = begun[-1].source.strip().splitlines()[0]
    return f"{_short(path)}, cell {begun[-1].get('id', '?')} (`{first}`)"


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
