"""What the learner has tried, passed and asked for, in one small JSON file outside the course.

It lies in the user's data directory; the environment variable ATTN_COURSE_HOME names another folder. Nothing here is
ever fatal: what cannot be saved is said in one sentence and remembered until the process ends.
Only ids in the catalogue count; another id raises `catalogue.UnknownExercise`.
"""

import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from attn_course.coach.catalogue import exercises, find

LOCK_SECONDS = 5


@dataclass
class Record:
    """One exercise: how many tries, whether one passed, how many hints, and how often which mistake was named."""

    tries: int = 0
    passed: bool = False
    hints: int = 0
    mistakes: dict[str, int] = field(default_factory=dict)


Records = dict[str, Record]
Change = Callable[[Record], None]
_pending: list[tuple[str, Change]] = []  # what could not be written yet; this process goes on with it
_said: set[str] = set()


def folder() -> Path:
    """Where progress is kept."""
    if os.environ.get("ATTN_COURSE_HOME"):
        return Path(os.environ["ATTN_COURSE_HOME"]).expanduser()
    from platformdirs import user_data_path  # 30 ms that only this line needs

    return user_data_path("attn_course", appauthor=False)


def file() -> Path:
    return folder() / "progress.json"


def record_try(id: str, passed: bool, mistake: str | None = None) -> None:
    """Count one try. A pass is never taken back by a later failure."""

    def change(record: Record) -> None:
        record.tries += 1
        record.passed = record.passed or bool(passed)
        if mistake is not None:
            record.mistakes[mistake] = record.mistakes.get(mistake, 0) + 1

    _change(id, change)


def take_hint(id: str) -> int:
    """Count one more hint, up to as many as there are; returns how many have been taken now."""
    most = len(find(id).hints)

    def change(record: Record) -> None:
        record.hints = min(record.hints + 1, most)

    return _change(id, change).hints


def tries(id: str) -> int:
    return _record(id).tries


def passed(id: str) -> bool:
    return _record(id).passed


def hints_taken(id: str) -> int:
    return _record(id).hints


def summary() -> Records:
    """Every exercise of the catalogue in reading order, with its record."""
    known = _read()
    return {id: known.get(id, Record()) for id in exercises()}


def reset(id: str | None = None) -> Path | None:
    """Forget one exercise, or all. Returns the backup that was made first, None if there was nothing to forget.

    Raises OSError, with everything as it was, when the backup or the new file cannot be written.
    """
    if id is not None:
        find(id)
    with _locked():
        records = _with_pending(_read_file())
        if not (records if id is None else id in records):
            return None
        _write(records)  # the backup holds what was pending too
        backup = _free_name("backup")
        shutil.copy2(file(), backup)
        _write({key: record for key, record in records.items() if id is not None and key != id})
        _pending.clear()
    return backup


def _record(id: str) -> Record:
    find(id)
    return _read().get(id, Record())


def _change(id: str, change: Change) -> Record:
    """Read, change and write under a lock, so that two notebooks do not lose each other's tries."""
    find(id)
    _pending.append((id, change))
    try:
        with _locked():
            records = _with_pending(_read_file())
            _write(records)
            _pending.clear()
    except OSError as error:
        _say(f"Progress could not be saved in {folder()} ({reason(error)}); it is kept until this session ends.")
        records = _read()
    return records[id]


def _with_pending(records: Records) -> Records:
    for id, change in _pending:
        change(records.setdefault(id, Record()))
    return records


def _read() -> Records:
    """The file and what is pending, without the lock: the file is only ever replaced whole."""
    try:
        return _with_pending(_parse(file().read_bytes()))
    except FileNotFoundError:
        return _with_pending({})
    except OSError as error:
        _say(f"Progress could not be read from {file()} ({reason(error)}).")
        return _with_pending({})
    except ValueError:
        pass
    try:
        with _locked():
            return _with_pending(_read_file())
    except OSError as error:
        _say(f"{file()} is damaged and could not be set aside ({reason(error)}); it was left as it is.")
        return _with_pending({})


def _read_file() -> Records:
    """The file, for who holds the lock: a damaged one is renamed, never overwritten. Raises OSError."""
    try:
        return _parse(file().read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        aside = _free_name("damaged")
        file().rename(aside)
        _say(f"The progress file was damaged; it was set aside as {aside}, and counting starts anew.")
        return {}


def _parse(text: bytes) -> Records:
    """ValueError for anything that this module would not have written."""
    try:
        entries = json.loads(text)["exercises"]
        records = {id: Record(**entry) for id, entry in entries.items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a progress file") from error
    if not all(_sound(record) for record in records.values()):
        raise ValueError("not a progress file")
    return records


def _sound(record: Record) -> bool:
    if type(record.passed) is not bool or type(record.mistakes) is not dict:
        return False
    counts = [record.tries, record.hints, *record.mistakes.values()]
    return all(type(count) is int and count >= 0 for count in counts)


def _write(records: Records) -> None:
    """All or nothing: a crash halfway leaves the old file."""
    text = json.dumps({"exercises": {id: asdict(record) for id, record in records.items()}}, indent=1)
    write_whole(file(), text.encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there, so that no half of it is ever seen. Raises OSError.

    A link stays a link, and its target is what is written; a file that was there keeps its permissions, a new one has
    those that new files have (umask). A pipe or a device cannot be moved to, so it is written into.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = Path(os.path.realpath(path))
    new = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with open(new, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            os.chmod(new, stat.S_IMODE(path.stat().st_mode))
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


@contextmanager
def _locked() -> Iterator[None]:
    from filelock import FileLock  # 80 ms that `attn-course list` need not wait for

    folder().mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder() / ".lock", timeout=LOCK_SECONDS).acquire()
    except NotImplementedError:  # some network drives know no locks; better a small risk than no progress
        yield
        return
    with lock:
        yield


def _free_name(kind: str) -> Path:
    """A name that no file has: progress.backup-20260131-142530.json."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    path, count = folder() / f"progress.{kind}-{stamp}.json", 1
    while path.exists():
        count += 1
        path = folder() / f"progress.{kind}-{stamp}-{count}.json"
    return path


def reason(error: OSError) -> str:
    """An operating system's complaint as a few words: "no space left on device"."""
    words = error.strerror or str(error) or type(error).__name__
    return words[:1].lower() + words[1:]


def _say(sentence: str) -> None:
    if sentence not in _said:  # once is enough
        _said.add(sentence)
        print(sentence)
