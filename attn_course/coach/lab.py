"""Lessons and exercises on the learner's disk.

In a checkout the lessons lie there already. An installed course carries them inside; `lay_out` copies lessons and
exercises (not solutions) into the learner's folder, and on an upgrade renews only what the learner never changed.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from attn_course import __version__
from attn_course.coach.progress import reason, write_whole

MANIFEST = ".attn_course.json"  # what was laid out: path → SHA-256 of the newest version offered
LAID_OUT = ("notebooks", "exercises")


class LabError(Exception):
    """Something the learner can put right; the message is the one sentence that says how."""


@dataclass(frozen=True)
class Report:
    """What `lay_out` did, as paths such as "exercises/01_formula.ipynb". `kept`: changed by the learner, so left alone
    although there is a newer version. `broken`: left alone too, and no complete notebook any more."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        said = []
        if self.added:
            said.append(f"Copied {_count(self.added)} here, into {' and '.join(f'{name}/' for name in LAID_OUT)}.")
        if self.updated:
            said.append(f"Updated {_count(self.updated)} that you had not changed: {', '.join(self.updated)}.")
        if self.kept:
            said.append(
                f"Kept {_count(self.kept)} as you left {'it' if len(self.kept) == 1 else 'them'}: "
                f"{', '.join(self.kept)}. For the new version beside yours: attn-course lab --fresh {self.kept[0]}"
            )
        for name in self.broken:
            said.append(
                f"{name} is no complete notebook (edited or saved halfway?); it was kept as it is. "
                f"For a whole one beside it: attn-course lab --fresh {name}"
            )
        return said


def checkout() -> Path | None:
    """The folder of the source checkout that this package runs from; None when it is installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def course() -> Path:
    """The course's own notebooks/, exercises/ and solutions/: the checkout's, or those inside the installed package."""
    return checkout() or Path(__file__).resolve().parents[1] / "course"


def learner_folder(here: Path) -> Path | None:
    """Where the learner's notebooks are: the checkout, or the laid-out folder at or above `here`; None if neither."""
    laid_out = (folder for folder in (here, *here.parents) if (folder / MANIFEST).is_file())
    return checkout() or next(laid_out, None)


def lay_out(folder: Path) -> Report:
    """Bring the folder up to date with the course, touching nothing that the learner changed or made.

    Raises LabError with one sentence when the folder cannot be written. What was copied until then stays.
    """
    known, offered = _manifest(folder), {}
    added, updated, kept, broken = [], [], [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in _shipped().items():
            content, target = source.read_bytes(), folder / name
            offered[name] = _digest(content)
            if not os.path.lexists(target):
                _write(target, content)
                added.append(name)
                continue
            yours = _digest(target.read_bytes()) if target.is_file() else None
            if yours == offered[name]:
                continue
            if yours is not None and yours == known.get(name):
                _write(target, content)
                updated.append(name)
            elif not is_notebook(target):
                broken.append(name)
            elif offered[name] != known.get(name):  # said once for each new version
                kept.append(name)
        if offered != known:
            write_whole(folder / MANIFEST, json.dumps({"version": __version__, "files": offered}, indent=1).encode())
    except OSError as error:
        raise LabError(
            f"The course could not be copied to {folder}: {reason(error)}. Make room, or start in another folder; "
            "nothing of yours was changed."
        ) from error
    return Report(tuple(added), tuple(updated), tuple(kept), tuple(broken))


def fresh(folder: Path, name: str) -> list[Path]:
    """Write the course's version of NAME beside the learner's: 01_formula.new.ipynb. Returns what was written.

    `name` is a path ("exercises/01_formula.ipynb") or a lesson's name ("01_formula": lesson and exercises).
    """
    wanted = Path(name).with_suffix(".ipynb").as_posix().removeprefix("./")
    found = {path: source for path, source in _shipped().items() if wanted in (path, Path(path).name)}
    if not found:
        raise LabError(f"The course has no {name}. It has: {', '.join(_shipped())}.")
    written = []
    for path, source in found.items():
        target = _new_name(folder / path)
        try:
            _write(target, source.read_bytes())
        except OSError as error:
            raise LabError(f"{target} could not be written: {reason(error)}.") from error
        written.append(target)
    return written


def _shipped() -> dict[str, Path]:
    """Every lesson and exercise notebook that the course carries, by its path below the learner's folder."""
    files = (path for part in LAID_OUT for path in sorted((course() / part).glob("*.ipynb")))
    return {path.relative_to(course()).as_posix(): path for path in files}


def _manifest(folder: Path) -> dict[str, str]:
    """What was offered before. With a damaged manifest nothing is known, and so every file is the learner's."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_notebook(path: Path) -> bool:
    """Whether the file is whole: JSON with a list of cells."""
    try:
        return isinstance(json.loads(path.read_bytes())["cells"], list)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _new_name(path: Path) -> Path:
    count, new = 1, path.with_suffix(".new.ipynb")
    while os.path.lexists(new):
        count += 1
        new = path.with_suffix(f".new{count}.ipynb")
    return new


def _count(names: tuple[str, ...]) -> str:
    return f"{len(names)} notebook{'' if len(names) == 1 else 's'}"
