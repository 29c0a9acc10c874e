"""Trained models that come with the course: small files, each with the command that made it and its hash.

`trained("translation")` loads one. `python -m attn_course.training.checkpoints translation` trains it anew.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import torch
from torch import nn

from attn_course.training.files import load_weights, save_weights
from attn_course.training.history import History

FOLDER = Path(__file__).parents[1] / "checkpoints"
COMMAND = "python -m attn_course.training.checkpoints"


@dataclass(frozen=True)
class Recipe:
    """How a shipped model is made. Each file in `training/recipes/` holds some, by name, in RECIPES."""

    make: Callable[[], nn.Module]  # the model before its training
    fit: Callable[[nn.Module], History]  # trains it in place
    figures: Callable[[nn.Module], dict[str, float]]  # what it can do, measured on data it has not seen


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    from attn_course.training import recipes as folder

    found: dict[str, Recipe] = {}
    for module in iter_modules(folder.__path__):
        found |= import_module(f"{folder.__name__}.{module.name}").RECIPES
    return found


def trained(name: str, folder: Path = FOLDER) -> nn.Module:
    """The shipped model of this name, in evaluation mode.

    Raises KeyError, FileNotFoundError or ValueError with one sentence if there is none, or if its file is missing, cut
    short, or not the one that was shipped.
    """
    recipe, file = find(name), folder / f"{name}.safetensors"
    again = f"Install the course again, or train it: {COMMAND} {name}"
    if not file.is_file():
        raise FileNotFoundError(f"{file.name} is missing from {file.parent}. {again}")
    expected, found = index(folder).get(name, {}).get("sha256", "none"), sha256(file)
    if found != expected:
        raise ValueError(
            f"{file} is not the file that was shipped (SHA-256 {found[:12]}…, expected {expected[:12]}…), so it is not "
            f"loaded. {again}"
        )
    return load_weights(recipe.make(), file)


def find(name: str) -> Recipe:
    """The recipe of this name; KeyError with one sentence if there is none."""
    if name not in recipes():
        raise UnknownRecipe(f"There is no recipe {name!r}. There are: {', '.join(sorted(recipes()))}.")
    return recipes()[name]


class UnknownRecipe(KeyError):
    """Raised for a name that no recipe has; says which there are."""

    def __str__(self) -> str:
        return self.args[0]


def make(name: str, folder: Path = FOLDER) -> dict:
    """Train the model of this name from its beginning, write it and its entry in the index, and return the entry."""
    recipe = find(name)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    began = time.perf_counter()
    model = recipe.make()
    history = recipe.fit(model)
    seconds = time.perf_counter() - began
    file = folder / f"{name}.safetensors"
    save_weights(model, file)
    entry = {
        "command": f"{COMMAND} {name}",
        "steps": len(history),
        "seconds": round(seconds),
        "torch": torch.__version__.split("+")[0],
        "bytes": file.stat().st_size,
        "sha256": sha256(file),
        "figures": {key: round(value, 4) for key, value in recipe.figures(model.eval()).items()},
    }
    entries = index(folder) | {name: entry}
    text = json.dumps(dict(sorted(entries.items())), indent=2, ensure_ascii=False)
    (folder / "index.json").write_text(text + "\n", encoding="utf-8")
    return entry


def index(folder: Path = FOLDER) -> dict[str, dict]:
    """What is known of each shipped file, by name: command, steps, seconds, torch, bytes, sha256, figures."""
    file = folder / "index.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Train models of the course anew.")
    parser.add_argument("names", nargs="+", metavar="NAME", help=", ".join(sorted(recipes())))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: the package's own)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in recipes()]
    if unknown:
        parser.error(f"there is no recipe {unknown[0]!r}")
    for name in options.names:
        entry = make(name, options.folder)
        figures = ", ".join(f"{key} {value:g}" for key, value in entry["figures"].items())
        print(f"{name}: {entry['steps']} steps, {entry['seconds']} s, {entry['bytes']:,} bytes; {figures}", flush=True)


if __name__ == "__main__":
    main()
