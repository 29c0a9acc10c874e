"""`attn-course doctor`: have a model read some texts, and say what is right and wrong with it.

All that can be refused is refused before the long part: what cannot be read, what cannot be written, what does not fit.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from attn_course.coach.doctor_models import DoctorError, loaded
from attn_course.coach.progress import reason, write_whole

TERMINAL_SECONDS = 0.5
QUIET_SECONDS = 10  # into a file or a pipe, progress is told only of a run that takes longer


def doctor(
    model: str | None,
    texts: list[str],
    json: str | None = None,
    html: str | None = None,
    max_tokens: int | None = None,
    rows: int = 64,
) -> int:
    """Run one examination and print it; returns the exit code: 0 examined, 1 not possible (with a sentence)."""
    try:
        _check_counts(max_tokens, rows)
        written = [Path(path) for path in (json, html) if path is not None]
        _check_outputs(written, [Path(path) for path in texts])
        _check_order(model, texts)
        named = {path: _read(Path(path)) for path in texts}
        report = _examined(model, named, max_tokens, rows)
        # Files first: whoever reads along may go before the last line, and the disk behind stdout may be full.
        if json is not None:
            _write(Path(json), _as_json(report))
        if html is not None:
            from attn_course.show.report import page

            _write(Path(html), page(report))
        _print(report.to_text(_width(), colour=_in_colour()), *(f"Wrote {path}.\n" for path in written))
    except DoctorError as error:
        _print(f"{error}\n", instead=str(error))
        return 1
    return 0


def _check_counts(max_tokens: int | None, rows: int) -> None:
    for option, value in {"--max-tokens": max_tokens, "--rows": rows}.items():
        if value is not None and value < 1:
            raise DoctorError(f"{option} counts, so it is a whole number from 1 up; got {value}.")


def _check_outputs(written: list[Path], read: list[Path]) -> None:
    """Better now than after the examination."""
    if len(written) == 2 and _same(*written):
        raise DoctorError(f"--json and --html both name {written[0]}: give them two names.")
    for path in written:
        if str(path) == "-":
            raise DoctorError("A report is written into a file, and - is none: name one.")
        if path.is_dir():
            raise DoctorError(f"{path} is a folder: name a file to write.")
        if any(_same(path, each) for each in read):
            raise DoctorError(f"{path} is one of the texts to read, and would be overwritten: name another file.")
        if path.exists() and not path.is_file():
            continue  # a pipe or a device, which is written into
        try:
            tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent).close()
        except OSError as error:
            raise DoctorError(f"{path} cannot be written: {reason(error)}.") from error


def _same(one: Path, other: Path) -> bool:
    """One file, be it by two names."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    return one.is_file() and other.is_file() and one.samefile(other)


def _check_order(model: str | None, texts: list[str]) -> None:
    """`--text a.txt language` would take the model for a text."""
    if model is None and len(texts) > 1 and not Path(texts[-1]).is_file():
        raise DoctorError(f"{texts[-1]} is no file of text: if it is the model, name it before --text.")


def _read(path: Path) -> str:
    if path.is_dir():
        raise DoctorError(f"{path} is a folder: name a file of text.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DoctorError(f"{path} is not text: it is not encoded in UTF-8 (byte {error.start}).") from error
    except OSError as error:
        raise DoctorError(f"{path} cannot be read: {reason(error)}.") from error
    if "\0" in text:
        raise DoctorError(f"{path} is not text: it holds a zero byte.")
    return text


def _examined(name: str | None, texts: dict[str, str], max_tokens: int | None, rows: int):
    """The report. What the floors below refuse with a sentence is passed on."""
    from attn_course.diagnosis.readers import reader
    from attn_course.diagnosis.run import OWN_TEXT, examine

    try:
        model = loaded(name)
        if not texts:
            texts = {"the course's text": OWN_TEXT.read_text(encoding="utf-8")}
            max_tokens = max_tokens or reader(model).most
        with _progress() as progress:
            return examine(model, texts, max_tokens, rows, progress)
    except (ValueError, TypeError, OSError) as error:
        raise DoctorError(" ".join(str(error).split())) from error


class _progress:
    """A bar on stderr: on a terminal at once, else only for a run that takes long."""

    def __enter__(self) -> Callable[[int, int], None]:
        from tqdm import tqdm

        nobody = sys.stderr is None  # it was closed
        delay = TERMINAL_SECONDS if not nobody and sys.stderr.isatty() else QUIET_SECONDS
        self.bar = tqdm(unit="layer", desc="Reading", delay=delay, leave=False, file=sys.stderr, disable=nobody)
        return self.step

    def step(self, done: int, in_all: int) -> None:
        self.bar.total = in_all
        self.bar.update(done - self.bar.n)

    def __exit__(self, *_) -> None:
        self.bar.close()


def _as_json(report) -> str:
    from json import dumps

    return dumps(report.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path.absolute(), text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise DoctorError(f"{path} cannot be written: {reason(error)}.") from error


def _print(*texts: str, instead: str | None = None) -> None:
    """All of it now. If that fails, `instead`, or why it fails, goes to stderr; of a closed pipe `cli` takes care."""
    if sys.stdout is None:
        raise SystemExit(instead or "The report cannot be printed: standard output is closed.")
    try:
        print(*texts, sep="", end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again as it ends
        raise SystemExit(instead or f"The report cannot be printed: {reason(error)}.") from error


def _width() -> int:
    return min(120, shutil.get_terminal_size((100, 24)).columns)


def _in_colour() -> bool:
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
