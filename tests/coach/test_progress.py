"""Progress counts what was tried, survives damage and full disks, and two writers do not lose each other's tries."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from attn_course.coach import progress
from attn_course.coach.catalogue import UnknownExercise, exercises

ID = "formula.scores"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTN_COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "_pending", [])
    monkeypatch.setattr(progress, "_said", set())
    return tmp_path / "home"


def test_counts_tries_mistakes_and_the_pass():
    progress.record_try(ID, False, "scaled_by_d")
    progress.record_try(ID, False, "scaled_by_d")
    progress.record_try(ID, True)
    progress.record_try(ID, False)
    assert progress.tries(ID) == 4
    assert progress.passed(ID)  # a pass is never taken back
    assert progress.summary()[ID].mistakes == {"scaled_by_d": 2}
    assert progress.tries("formula.softmax") == 0


def test_hints_stop_at_the_last():
    assert [progress.take_hint(ID) for _ in range(5)] == [1, 2, 3, 3, 3]
    assert progress.hints_taken(ID) == 3


def test_summary_is_the_catalogue_in_reading_order():
    assert list(progress.summary()) == list(exercises())


def test_unknown_ids_do_not_count(home):
    for call in (progress.tries, progress.passed, progress.hints_taken, progress.take_hint, progress.reset):
        with pytest.raises(UnknownExercise, match=r"Did you mean formula\.scores"):
            call("formula.score")
    with pytest.raises(UnknownExercise):
        progress.record_try("formula.score", True)
    assert not home.exists()


def test_an_entry_that_the_catalogue_no_longer_has_is_kept_but_not_counted(home):
    home.mkdir()
    (home / "progress.json").write_text('{"exercises": {"old.one": {"tries": 2}}}')
    progress.record_try(ID, True)
    assert "old.one" not in progress.summary()
    assert json.loads((home / "progress.json").read_text())["exercises"]["old.one"]["tries"] == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'{"exercises": {"formula.sco',
        b"\xff\xfe\x00",
        b"[]",
        b'{"exercises": []}',
        b'{"exercises": {"formula.scores": 3}}',
        b'{"exercises": {"formula.scores": {"tries": "many"}}}',
        b'{"exercises": {"formula.scores": {"tries": -1}}}',
        b'{"exercises": {"formula.scores": {"mistakes": []}}}',
        b'{"exercises": {"formula.scores": {"passed": "yes"}}}',
    ],
)
def test_a_damaged_file_is_set_aside_and_said(home, capsys, text):
    home.mkdir()
    (home / "progress.json").write_bytes(text)
    assert progress.tries(ID) == 0
    (aside,) = home.glob("progress.damaged-*.json")
    assert aside.read_bytes() == text
    assert capsys.readouterr().out.splitlines() == [
        f"The progress file was damaged; it was set aside as {aside}, and counting starts anew."
    ]
    progress.record_try(ID, True)
    assert progress.passed(ID)


def test_a_full_disk_is_said_once_and_nothing_is_forgotten(home, capsys, monkeypatch):
    progress.record_try(ID, False)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        progress.record_try(ID, True, None)
        progress.take_hint(ID)
    assert capsys.readouterr().out.splitlines() == [
        f"Progress could not be saved in {home} (no space left on device); it is kept until this session ends."
    ]
    assert progress.tries(ID) == 2 and progress.passed(ID) and progress.hints_taken(ID) == 1
    on_disk = json.loads((home / "progress.json").read_text())["exercises"][ID]
    assert on_disk["tries"] == 1 and not on_disk["passed"]  # the old file is whole
    assert {path.name for path in home.iterdir()} <= {".lock", "progress.json"}  # nothing half-written is left

    progress.record_try("formula.softmax", False)  # there is room again: what was pending is written too
    on_disk = json.loads((home / "progress.json").read_text())["exercises"]
    assert on_disk[ID] == {"tries": 2, "passed": True, "hints": 1, "mistakes": {}}


def test_a_folder_that_cannot_be_made_is_said(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ATTN_COURSE_HOME", str(tmp_path / "file" / "home"))
    progress.record_try(ID, True)
    assert progress.passed(ID)
    assert "could not be saved" in capsys.readouterr().out


def test_two_processes_keep_each_others_tries(home):
    code = f"from attn_course.coach import progress\nfor _ in range(25): progress.record_try({ID!r}, False, 'x')"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert progress.tries(ID) == 75


def test_reset_keeps_a_backup():
    assert progress.reset() is None
    progress.record_try(ID, True)
    progress.record_try("formula.softmax", False)
    assert progress.reset("formula.attention") is None
    backup = progress.reset(ID)
    assert not progress.passed(ID) and progress.tries("formula.softmax") == 1
    assert json.loads(backup.read_text())["exercises"][ID]["passed"]
    second = progress.reset()
    assert second != backup and backup.exists()
    assert all(record == progress.Record() for record in progress.summary().values())


def test_reset_without_room_for_a_backup_changes_nothing(monkeypatch):
    progress.record_try(ID, True)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(progress.shutil, "copy2", full)
    with pytest.raises(OSError, match="No space"):
        progress.reset()
    assert progress.passed(ID)


def test_the_default_place_is_the_users_data_folder(monkeypatch):
    monkeypatch.delenv("ATTN_COURSE_HOME")
    assert progress.folder().name == "attn_course"


# ---- a file, whole ----


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_text("old")
    link, loose = tmp_path / "link", tmp_path / "loose"
    link.symlink_to(tmp_path / "far" / "file")
    loose.symlink_to("far/new")
    for path in (link, loose):
        progress.write_whole(path, b"new")
        assert path.is_symlink() and path.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path / "far")) == ["file", "new"]


def test_a_pipe_is_written_into_and_not_replaced(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    progress.write_whole(pipe, b"all of it")
    reader.join(10)
    assert read == [b"all of it"] and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_permissions_are_those_of_new_files_or_of_the_old_one(tmp_path):
    def mode(path):
        return stat.S_IMODE(path.stat().st_mode)

    (tmp_path / "mine").write_text("")
    (tmp_path / "mine").chmod(0o640)
    before = os.umask(0o077)
    try:
        for name in ("mine", "new"):
            progress.write_whole(tmp_path / name, b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "mine") == 0o640 and mode(tmp_path / "new") == 0o600
