"""Measurements that take longer than a lesson may: each a module in `training/experiments/`, its result a file.

`recorded("depth")` reads one. `python -m attn_course.training.recorded depth` measures it anew.
"""

import argparse
import json
import time
from datetime import date
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import torch

FOLDER = Path(__file__).parents[1] / "recorded"
COMMAND = "python -m attn_course.training.recorded"


def names() -> list[str]:
    """What can be measured."""
    from attn_course.training import experiments

    return sorted(module.name for module in iter_modules(experiments.__path__))


def recorded(name: str, folder: Path = FOLDER) -> dict:
    """What was measured: the experiment's own result, and "command", "date", "torch", "threads" and "seconds" with it.

    Raises FileNotFoundError with one sentence if nothing of this name was recorded.
    """
    file = folder / f"{name}.json"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.json")))
        raise FileNotFoundError(f"Nothing was recorded as {name!r}. There are: {known}. Measure it: {COMMAND} {name}")
    return json.loads(file.read_text(encoding="utf-8"))


def record(name: str, folder: Path = FOLDER) -> dict:
    """Run the experiment on one thread and write its result."""
    experiment = import_module(f"attn_course.training.experiments.{name}")
    torch.set_num_threads(1)
    began = time.perf_counter()
    result = experiment.measure()
    about = {
        "command": f"{COMMAND} {name}",
        "date": date.today().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "threads": 1,
        "seconds": round(time.perf_counter() - began),
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(about | result, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return about | result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure experiments of the course anew.")
    parser.add_argument("names", nargs="+", metavar="NAME", choices=names(), help=", ".join(names()))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: the package's own)")
    options = parser.parse_args(arguments)
    for name in options.names:
        print(f"{name}: {record(name, options.folder)['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
