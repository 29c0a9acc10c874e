"""How long the course keeps its users waiting: the command line, JupyterLab, each lesson. `python tools/bench.py`.

Figures are seconds of wall clock on this machine, minimum, median and maximum over the runs; compare them with each
other, not with those of another machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]

from jupyter_lab import jupyter_lab  # noqa: E402

from tools.notebooks import course_notebooks, execute, quiet_environment  # noqa: E402


def seconds(work, runs: int) -> list[float]:
    """The wall-clock seconds of each run of `work`."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return taken


def command(*arguments: str):
    """A run of `attn-course` with a progress file of its own."""

    def work():
        with tempfile.TemporaryDirectory() as home:
            environment = os.environ | {"ATTN_COURSE_HOME": home}
            call = [sys.executable, "-m", "attn_course", *arguments]
            subprocess.run(call, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)

    return work


def lab_starts(runs: int) -> list[float]:
    """JupyterLab from its command to its server's first answer; the shutting down is not counted."""
    taken = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
            began = time.perf_counter()
            with jupyter_lab(Path(folder), Path(home)):
                taken.append(time.perf_counter() - began)
    return taken


def line(what: str, taken: list[float]) -> None:
    print(
        f"{what:32} {min(taken):6.2f} {statistics.median(taken):6.2f} {max(taken):6.2f}   {len(taken)} runs", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10, help="runs of the short ones; the long ones get a third")
    runs = parser.parse_args().runs
    few = max(1, runs // 3)
    print(f"{'seconds':32} {'min':>6} {'median':>6} {'max':>6}")
    line("attn-course list", seconds(command("list"), runs))
    line("attn-course --help", seconds(command("--help"), runs))
    line("JupyterLab, to its first answer", lab_starts(few))
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(quiet_environment(home))
        for path in course_notebooks():
            line(f"{path.parent.name}/{path.stem}", seconds(lambda path=path: execute(path), few))


if __name__ == "__main__":
    main()
