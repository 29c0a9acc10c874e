"""Laying the course out: new files are added, unchanged ones renewed, and what the learner changed is never touched."""

import errno
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from small_course import write_course

from attn_course.coach import jupyter, lab
from attn_course.coach.lab import LabError, lay_out

LESSON, EXERCISES = "notebooks/01_formula.ipynb", "exercises/01_formula.ipynb"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An installed course that the test may upgrade by writing it anew."""
    folder = write_course(tmp_path / "installed")
    monkeypatch.setattr(lab, "course", lambda: folder)
    monkeypatch.setattr(lab, "checkout", lambda: None)
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "mine"


def test_an_empty_folder_gets_lessons_and_exercises_but_no_solutions(course, mine):
    report = lay_out(mine)
    assert report == lab.Report(added=(LESSON, EXERCISES))
    assert (mine / LESSON).read_bytes() == (course / LESSON).read_bytes()
    assert not (mine / "solutions").exists()
    assert report.sentences() == ["Copied 2 notebooks here, into notebooks/ and exercises/."]
    assert lay_out(mine) == lab.Report()


def test_an_upgrade_renews_only_what_was_not_changed(course, mine):
    lay_out(mine)
    learners = (mine / EXERCISES).read_text().replace("raise NotImplementedError()", "return q")
    (mine / EXERCISES).write_text(learners)
    (mine / "notebooks/my_notes.ipynb").write_text("{}")
    write_course(course, lesson="Lesson one, second edition.")
    (course / EXERCISES).write_text((course / EXERCISES).read_text() + "\n")
    (course / "notebooks/02_scaling.ipynb").write_text((course / LESSON).read_text())

    report = lay_out(mine)
    assert report == lab.Report(("notebooks/02_scaling.ipynb",), (LESSON,), (EXERCISES,))
    assert "second edition" in (mine / LESSON).read_text()
    assert (mine / EXERCISES).read_text() == learners
    assert (mine / "notebooks/my_notes.ipynb").read_text() == "{}"
    assert report.sentences()[-1] == (
        f"Kept 1 notebook as you left it: {EXERCISES}. "
        f"For the new version beside yours: attn-course lab --fresh {EXERCISES}"
    )
    assert lay_out(mine) == lab.Report()  # said once for each new version
    write_course(course, lesson="Third edition.")
    assert lay_out(mine).kept == (EXERCISES,)
    assert (mine / EXERCISES).read_text() == learners


def test_a_file_of_the_same_name_that_was_there_before_is_the_learners(course, mine):
    write_course(mine, lesson="mine")
    before = (mine / LESSON).read_bytes()
    assert lay_out(mine).kept == (LESSON,)
    assert (mine / LESSON).read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": {"notebooks/01_formula.ipynb": ['])
def test_with_a_damaged_manifest_every_file_is_the_learners(course, mine, text):
    lay_out(mine)
    before = (mine / LESSON).read_bytes()
    (mine / lab.MANIFEST).write_text(text)
    write_course(course, lesson="Second edition.")
    assert lay_out(mine) == lab.Report(kept=(LESSON,))
    assert (mine / LESSON).read_bytes() == before


def test_a_notebook_saved_halfway_is_kept_and_said(course, mine):
    lay_out(mine)
    half = (mine / EXERCISES).read_text()[:200]
    (mine / EXERCISES).write_text(half)
    report = lay_out(mine)
    assert report == lab.Report(broken=(EXERCISES,))
    assert report.sentences() == [
        f"{EXERCISES} is no complete notebook (edited or saved halfway?); it was kept as it is. "
        f"For a whole one beside it: attn-course lab --fresh {EXERCISES}"
    ]
    assert (mine / EXERCISES).read_text() == half


def test_fresh_writes_beside_and_over_nothing(course, mine):
    lay_out(mine)
    (mine / EXERCISES).write_text("mine")
    first = lab.fresh(mine, EXERCISES)
    assert first == [mine / "exercises/01_formula.new.ipynb"]
    first[0].write_text("mine too")
    both = lab.fresh(mine, "01_formula")
    assert both == [mine / "notebooks/01_formula.new.ipynb", mine / "exercises/01_formula.new2.ipynb"]
    assert both[1].read_bytes() == (course / EXERCISES).read_bytes()
    assert first[0].read_text() == "mine too" and (mine / EXERCISES).read_text() == "mine"
    with pytest.raises(LabError, match=r"has no 09_vitals. It has: notebooks/01_formula.ipynb"):
        lab.fresh(mine, "09_vitals")


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(course, mine, monkeypatch):
    lay_out(mine)
    before = (mine / LESSON).read_bytes()
    write_course(course, lesson="Second edition.")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(LabError, match=r"could not be copied to .*: no space left on device\. Make room"):
            lay_out(mine)
    assert (mine / LESSON).read_bytes() == before
    assert [path.name for path in (mine / "notebooks").iterdir()] == ["01_formula.ipynb"]
    assert lay_out(mine).updated == (LESSON,)  # with room again it goes on


def test_a_folder_that_cannot_be_written_is_one_sentence(course, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"could not be copied to .*: not a directory"):
        lay_out(tmp_path / "file" / "mine")


def test_a_read_only_folder_is_one_sentence(course, mine, monkeypatch):
    def denied(*_, **__):  # raised by hand, because root may write everywhere
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(LabError, match=r"could not be copied to .*: permission denied"):
        lay_out(mine)


def test_the_learners_folder_is_found_from_below(course, mine):
    lay_out(mine)
    assert lab.learner_folder(mine / "exercises") == mine
    assert lab.learner_folder(mine.parent) is None


@pytest.mark.parametrize(
    ("word", "notebook"),
    [
        ("02", "notebooks/02_scaling.ipynb"),
        ("2", "notebooks/02_scaling.ipynb"),
        ("scaling", "notebooks/02_scaling.ipynb"),
        ("notebooks/02_scaling.ipynb", "notebooks/02_scaling.ipynb"),
        ("scaling.half", "exercises/02_scaling.ipynb"),
    ],
)
def test_a_lesson_by_any_of_its_names(word, notebook):
    assert jupyter.notebook_of(word) == notebook


def test_an_unknown_lesson_is_told_which_there_are():
    with pytest.raises(jupyter.UnknownLesson, match=r"no lesson '99'\. There are 01 formula, 02 scaling"):
        jupyter.notebook_of("99")


def test_a_port_in_use_is_passed_over_or_said(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"Port {port} is in use"):
            jupyter.free_port(port)
        monkeypatch.setattr(jupyter, "FIRST_PORT", port)
        monkeypatch.setattr(jupyter, "LAST_PORT", port + 20)
        assert port < jupyter.free_port() <= port + 20
        monkeypatch.setattr(jupyter, "LAST_PORT", port)
        with pytest.raises(LabError, match="Name a free one with --port"):
            jupyter.free_port()
    assert jupyter.free_port(port) == port
    for wrong in (0, 70000):
        with pytest.raises(LabError, match="from 1 to 65535"):
            jupyter.free_port(wrong)


def test_jupyterlab_listens_here_only_keeps_its_token_and_asks_the_network_nothing(course, mine):
    lay_out(mine)
    words = jupyter.command(mine, LESSON, 8899, browser=False)
    assert words[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--ServerApp.ip=127.0.0.1" in words and "--no-browser" in words
    assert not [word for word in words if "token" in word or "password" in word]
    assert "--no-browser" not in jupyter.command(mine, LESSON, 8899)


def test_a_missing_or_broken_lesson_is_one_sentence(course, mine, capsys):
    lay_out(mine)
    with pytest.raises(LabError, match=r"02_scaling\.ipynb is missing"):
        jupyter.command(mine, "notebooks/02_scaling.ipynb", 8899)
    (mine / LESSON).write_text("{")
    jupyter.command(mine, LESSON, 8899)
    assert "is no complete notebook" in capsys.readouterr().out


@pytest.mark.slow
def test_jupyterlab_opens_on_the_lesson_and_only_with_its_token(course, mine):
    """The real thing: from the command to the lesson's page."""
    lay_out(mine)
    words = jupyter.command(mine, LESSON, jupyter.free_port(), browser=False)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            url = _first_url(server)
            assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/lab/tree/{LESSON}\?token=\w{{32,}}", url)
            text = _page(url)
            config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', text, re.S)[1])
            assert config["news"] == {"disabled": True}
            contents = url.replace("/lab/tree/", "/api/contents/")
            assert json.loads(_page(contents))["path"] == LESSON
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(contents.split("?")[0], timeout=30)
        finally:
            server.terminate()


def _page(url: str, tries: int = 50) -> str:
    """The page's text. JupyterLab says its address a moment before it listens there."""
    for _ in range(tries):
        try:
            with urllib.request.urlopen(url, timeout=30) as page:
                return page.read().decode()
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens at {url}")


def _first_url(server: subprocess.Popen, seconds: float = 60) -> str:
    deadline, said = time.monotonic() + seconds, []
    while time.monotonic() < deadline and (line := server.stdout.readline()):
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1\S+token=\S+", line):
            return found[0]
    raise AssertionError("JupyterLab did not say where it is: " + "".join(said))
