"""Run every notebook and compare: `python tools/check_notebooks.py`.

Lessons and solutions must give the outputs that they are stored with (`pytest --nbval`); exercises, which hold no
outputs, must run from their first cell to their last (`pytest --nbval-lax`). One thread a notebook, two at a time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a file, too

from tools.notebooks import ROOT, SECONDS, quiet_environment

STRICT, LAX = ("notebooks", "solutions"), ("exercises",)


def command(root: Path, files: list[Path], strict: bool, workers: int = 2) -> list[str]:
    """The pytest call for these notebooks; the plugin mends what nbval does otherwise.

    The root must hold them all: outside it, pytest names files without their folder, and of two namesakes runs one.
    """
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={root}"),
        *(f"--nbval{'' if strict else '-lax'}", "--nbval-current-env", "-p", "tools.nbval_as_jupyter"),
        *("-p", "nbval.plugin", "-p", "xdist.plugin"),
        *(f"--nbval-cell-timeout={SECONDS}", "-n", str(workers), "--dist", "loadfile"),
        *map(str, files),
    ]


def run(root: Path, folders: tuple[str, ...], strict: bool) -> int:
    """pytest's exit status for the notebooks in these folders; 2, with a sentence, if a folder has none."""
    found = {folder: sorted((root / folder).glob("[0-9]*.ipynb")) for folder in folders}
    empty = [f"{folder}/" for folder, files in found.items() if not files]
    if empty:
        print(f"There is no notebook in {' and '.join(empty)}, so there is nothing to check.", file=sys.stderr)
        return 2
    files = [path for group in found.values() for path in group]
    print(f"{'Strict' if strict else 'Lax'}: {len(files)} notebooks in {' and '.join(folders)}", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        # Plugins that notebooks have no use for take seconds to load, in every worker.
        env = quiet_environment(home) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(command(root, files, strict), cwd=ROOT, env=env).returncode


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tools/check_notebooks.py", description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the course's folder (default: this one)")
    root = parser.parse_args(arguments).root.resolve()
    start = time.monotonic()
    failed = [run(root, folders, strict) for folders, strict in ((STRICT, True), (LAX, False))]
    print(f"All notebooks: {time.monotonic() - start:.0f} s")
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
