"""Build the static site: `python -m tools.site [--notebooks folder] [--output folder]`.

The notebooks are copied and run, so that the pages carry their widgets' state; the course's own files stay as they
are. A notebook in which a cell raises stops the build. Nothing that the pages need lies outside the output folder.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools.kernels import with_a_kernel

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 300


def build(notebooks: Path, output: Path, workers: int = 2) -> None:
    """Run the notebooks' copies and write the pages to `output`. Raises SystemExit with one sentence on failure."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        lay_out(notebooks, source)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, sorted(source.glob("notebooks/*.ipynb"))))
        command = [sys.executable, "-m", "sphinx", "-q", "-E", "-a", "-b", "html"]  # nothing left from an earlier build
        if the_courses_own(notebooks):
            command += ["-W", "--keep-going"]  # a warning, of a link to nowhere, say, is an error
        done = subprocess.run([*command, str(source), str(output)], check=False)
        if done.returncode:
            raise SystemExit("Sphinx could not build the site without warnings; they stand above.")


def the_courses_own(notebooks: Path) -> bool:
    return notebooks.resolve() == ROOT / "notebooks"


def lay_out(notebooks: Path, source: Path) -> None:
    """What Sphinx reads, in one folder, each file where the course has it, so that links between them hold."""
    lessons = sorted(notebooks.glob("*.ipynb"))
    if not lessons:
        raise SystemExit(f"There are no notebooks in {notebooks}, so there is no site to build.")
    shutil.copytree(ROOT / "docs" / "_static", source / "_static")
    for name in ("conf.py", "index.md"):
        shutil.copy(ROOT / "docs" / name, source / name)
    (source / "notebooks").mkdir()
    for lesson in lessons:
        shutil.copy(lesson, source / "notebooks" / lesson.name)
    if the_courses_own(notebooks):  # what speaks of the course's lessons comes with them
        (source / "docs").mkdir()
        for name in ("claims.md", "doctor.md"):
            shutil.copy(ROOT / "docs" / name, source / "docs" / name)
        shutil.copytree(ROOT / "exercises", source / "exercises")  # as they are, not run
    (source / "_static" / "mathjax").mkdir()
    shutil.copy(mathjax(), source / "_static" / "mathjax" / "tex-svg.js")


def mathjax() -> Path:
    """MathJax 3 in one file, from the package that carries it: readers fetch nothing from elsewhere."""
    carrier = importlib.util.find_spec("sphinx-mathjax-offline")
    if carrier is None:
        raise SystemExit("The site needs MathJax from a package: pip install 'attn-course[site]'.")
    return Path(carrier.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg.js"


def run(path: Path) -> None:
    """Run one notebook in its place and keep the state of its widgets."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        own = {"IPYTHONDIR": f"{home}/ipython", "ATTN_COURSE_HOME": f"{home}/course", "OMP_NUM_THREADS": "1"}
        own["TQDM_DISABLE"] = "1"  # a progress bar is a widget, and of no use on a page
        try:
            with_a_kernel(lambda: _client(notebook, path).execute(env=os.environ | own))
        except CellExecutionError as error:
            raise SystemExit(f"{path.name} raised {error.ename}: {error.evalue}. The site was not built.") from error
    nbformat.write(notebook, path)


def _client(notebook: nbformat.NotebookNode, path: Path) -> NotebookClient:
    return NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors, no advice
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notebooks", type=Path, default=ROOT / "notebooks", help="folder of lessons")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "_build" / "html", help="where the pages go")
    arguments = parser.parse_args()
    build(arguments.notebooks, arguments.output)
    print(f"The site is in {arguments.output}; open index.html.")


if __name__ == "__main__":
    main()
