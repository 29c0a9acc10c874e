"""The command `attn-course`: answers at once, and never with a traceback for a learner's mistake."""

import json
import os
import re
import subprocess
import sys

import pytest
from small_course import SCORES, SOFTMAX, STUB, exercise_cells, notebook, write_course
from small_course import code as code_cell

from attn_course.coach import answers, cli, jupyter, lab, progress
from attn_course.coach.catalogue import exercises, lessons

ID = "formula.scores"
HEAVY = ("torch", "numpy", "matplotlib", "IPython", "jupyterlab", "transformers")


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    """The learner's folder, laid out from an installed course, as the working directory."""
    monkeypatch.setenv("ATTN_COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "_pending", [])
    course = write_course(tmp_path / "installed")
    for module in (lab, answers):
        monkeypatch.setattr(module, "course", lambda: course)
    monkeypatch.setattr(lab, "checkout", lambda: None)
    monkeypatch.setattr(cli, "checkout", lambda: None)
    folder = tmp_path / "mine"
    lab.lay_out(folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def launched(monkeypatch):
    """The words that JupyterLab would have been started with."""
    words = []
    monkeypatch.setattr(jupyter, "launch", lambda given: words.extend(given) or 0)
    return words


def run(capfd, *words: str) -> tuple[int, str]:
    """Exit code, and everything printed, also by processes that the command started."""
    sys.stdout.flush()
    capfd.readouterr()
    code = cli.main(list(words))
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return code, printed.out.strip()


def write_exercises(mine, *cells: dict) -> None:
    (mine / "exercises/01_formula.ipynb").write_text(notebook(*cells))


@pytest.mark.parametrize("words", [["list"], ["--help"], ["next"], ["progress"], ["hint", ID], ["lab", "--help"]])
def test_it_answers_without_the_heavy_libraries(words):
    code = (
        f"import sys\nfrom attn_course.coach import cli\n"
        f"try:\n    cli.main({words})\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("word", ["list", "--help"])
def test_it_answers_within_half_a_second(word):
    seconds = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "attn_course", word], capture_output=True, check=True)
        after = os.times()
        used = (after.children_user - before.children_user) + (after.children_system - before.children_system)
        seconds.append(used)
    assert 0 < min(seconds) < 0.5  # of the processor: other work on the machine is not the command's fault


def test_list_shows_every_lesson_and_exercise_with_its_state(capfd):
    progress.record_try(ID, True)
    progress.record_try("formula.softmax", False)
    progress.take_hint("formula.softmax")
    code, said = run(capfd, "list")
    assert code == 0
    assert all(lesson.title in said for lesson in lessons())
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert set(exercises()) <= set(lines)
    assert lines[ID].endswith("done") and "●○○" in lines[ID] and "5 min" in lines[ID]
    assert lines["formula.softmax"].endswith("1 try, 1 hint")
    assert lines["formula.attention"].endswith("10 min")


def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)  # as `attn-course list | head` does once head has seen enough
    words = [sys.executable, "-m", "attn_course", "list"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(writer)
    assert done.returncode == 0 and done.stderr == ""


def test_next_names_the_first_unfinished_exercise(capfd):
    assert "Open it: attn-course start formula.scores" in run(capfd, "next")[1]
    progress.record_try(ID, True)
    assert run(capfd, "next")[1].startswith("formula.softmax: Softmax by hand")
    for id in exercises():
        progress.record_try(id, True)
    assert run(capfd, "next") == (0, f"All {len(exercises())} exercises are done.")


@pytest.mark.parametrize(
    "words", [("hint", "formula.score"), ("solution", "x"), ("check", "x"), ("reset", "x"), ("start", "99")]
)
def test_what_does_not_exist_is_one_sentence_and_exit_code_two(capfd, words):
    code, said = run(capfd, *words)
    assert code == 2 and len(said.splitlines()) == 1 and said.startswith("There is no")


def test_hint_and_solution(capfd):
    assert run(capfd, "hint", ID)[1].startswith("Hint 1 of 3.")
    code, said = run(capfd, "solution", ID)
    assert code == 1 and "opens after a pass or three tries" in said


def test_progress_sums_up(capfd, tmp_path):
    progress.record_try(ID, True)
    progress.take_hint(ID)
    said = run(capfd, "progress")[1]
    assert "1 of 5 done" in said
    kept = tmp_path / "home/progress.json"
    assert said.endswith(f"1 of {len(exercises())} exercises done, with 1 try and 1 hint. Kept in {kept}.")


def test_reset_asks_first_and_says_where_the_backup_is(capfd, monkeypatch):
    assert run(capfd, "reset", "--yes") == (0, "There was nothing to forget.")
    progress.record_try(ID, True)
    for refusal in ("", "n", "perhaps"):
        monkeypatch.setattr("builtins.input", lambda _, refusal=refusal: refusal)
        assert run(capfd, "reset") == (1, "Nothing was changed.")
    assert progress.passed(ID)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    code, said = run(capfd, "reset", ID)
    backup = re.fullmatch(r"Forgotten\. What it was is kept in (.*)\.", said)[1]
    assert code == 0 and not progress.passed(ID)
    with open(backup) as file:
        assert json.load(file)["exercises"][ID]["passed"]


def test_start_opens_the_lesson_that_was_asked_for(capfd, launched, mine):
    code, said = run(capfd, "start", "formula.softmax", "--no-browser")
    assert code == 0 and "--LabApp.default_url=/lab/tree/exercises/01_formula.ipynb" in launched
    assert f"Opening exercises/01_formula.ipynb in JupyterLab, in {mine}." in said


def test_lab_lays_the_course_out_and_opens_the_first_lesson(capfd, launched, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    code, said = run(capfd, "lab")
    assert code == 0 and "Copied 2 notebooks here" in said
    assert (empty / "notebooks/01_formula.ipynb").is_file()
    assert f"--ServerApp.root_dir={empty}" in launched
    assert "--LabApp.default_url=/lab/tree/notebooks/01_formula.ipynb" in launched
    monkeypatch.chdir(empty / "exercises")  # from below it is the same folder
    assert "Copied" not in run(capfd, "lab")[1] and not (empty / "exercises/notebooks").exists()


def test_in_a_checkout_lab_copies_nothing(capfd, launched, tmp_path, monkeypatch):
    root = write_course(tmp_path / "checkout")
    for module in (lab, cli):
        monkeypatch.setattr(module, "checkout", lambda: root)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run(capfd, "lab")
    assert f"--ServerApp.root_dir={root}" in launched
    assert not list(elsewhere.iterdir()) and not (root / lab.MANIFEST).exists()


def test_another_port_is_said(capfd, launched, monkeypatch):
    monkeypatch.setattr(jupyter, "_is_free", lambda port: port != jupyter.FIRST_PORT)
    assert "Port 8888 is in use, so this is port 8889." in run(capfd, "lab")[1]
    code, said = run(capfd, "lab", "--port", "8888")
    assert code == 1 and said.startswith("Port 8888 is in use")


def test_fresh_writes_a_copy_beside(capfd, launched, mine):
    code, said = run(capfd, "lab", "--fresh", "exercises/01_formula.ipynb")
    assert (code, said) == (0, f"Wrote {mine / 'exercises/01_formula.new.ipynb'}.")
    assert not launched


def test_a_right_answer_passes_and_is_counted(capfd, mine):
    write_exercises(mine, *exercise_cells(SCORES, SOFTMAX))
    code, said = run(capfd, "check", ID)
    assert code == 0, said
    assert progress.passed(ID) and progress.tries(ID) == 1


def test_a_wrong_answer_is_told_what_is_wrong(capfd, mine):
    write_exercises(mine, *exercise_cells(SCORES.replace(" ** 0.5", "")))
    code, said = run(capfd, "check", ID)
    assert code == 1 and not progress.passed(ID) and progress.tries(ID) == 1
    assert "square root" in said or "√" in said


def test_an_earlier_answer_that_is_unfinished_does_not_matter(capfd, mine):
    for unfinished in (STUB.format("scores(q, k)"), "def scores(q, k:", "raise NotImplementedError()"):
        write_exercises(mine, *exercise_cells(unfinished, SOFTMAX))
        code, said = run(capfd, "check", "formula.softmax")
        assert code == 0, said


def test_the_answer_may_be_in_a_python_file(capfd, mine):
    (mine / "answer.py").write_text(f"import torch\n\n{SCORES}\n")
    code, said = run(capfd, "check", ID, "answer.py")
    assert code == 0, said


MISTAKES = {
    "a syntax error": (
        "def scores(q, k:\n    return q",
        r"Python cannot read the cell formula-scores: .* \(line 1\)\.",
    ),
    "another name": ("def score(q, k):\n    return q", r"There is no scores to check: its cell must define scores\."),
    "an error in the cell": (
        "x = 1 / 0",
        r"Running the cell formula-scores stopped with ZeroDivisionError: .*\(line 1\)\.",
    ),
    "nothing yet": ("raise NotImplementedError()", r"There is no answer in the cell formula-scores yet: .*"),
    "exit": ("exit()", r"Running the cell formula-scores calls exit\(\), .*"),
    "a hard exit": ("import os\nos._exit(7)", r"Your cells ended Python itself \(exit code 7\).*"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_cell_is_one_sentence(capfd, mine, mistake):
    source, sentence = MISTAKES[mistake]
    write_exercises(mine, *exercise_cells(source))
    code, said = run(capfd, "check", ID)
    assert code == 1 and re.fullmatch(sentence, said), said


def test_an_endless_loop_is_stopped(capfd, mine, monkeypatch):
    write_exercises(mine, *exercise_cells("while True:\n    pass"))
    monkeypatch.setattr(answers.run, "__defaults__", (2.0,))
    code, said = run(capfd, "check", ID)
    assert code == 1 and said.startswith("Your cells were still running after 2 seconds, so they were stopped.")


def test_files_that_cannot_be_checked_are_one_sentence(capfd, mine):
    path = mine / "exercises/01_formula.ipynb"
    half = path.read_text()[:150]
    path.write_text(half)
    code, said = run(capfd, "check", ID)
    assert code == 1 and "is no complete notebook (edited or saved halfway?)" in said and path.read_text() == half
    write_exercises(mine, code_cell("import torch"))
    code, said = run(capfd, "check", ID)
    assert code == 1 and "has no cell for formula.scores" in said
    path.unlink()
    code, said = run(capfd, "check", ID)
    assert code == 1 and "is missing" in said
    code, said = run(capfd, "check", ID, "nothing.py")
    assert code == 1 and said == "nothing.py cannot be read: no such file or directory."
    (mine / "answer.py").write_bytes(b"\xff\xfe")
    code, said = run(capfd, "check", ID, "answer.py")
    assert code == 1 and "is not text" in said


def test_every_command_has_help_with_an_example(capfd):
    for word in ("lab", "start", "list", "next", "check", "hint", "solution", "progress", "reset", "doctor"):
        with pytest.raises(SystemExit) as end:
            cli.main([word, "--help"])
        assert end.value.code == 0
        assert f"Example: attn-course {word}" in " ".join(capfd.readouterr().out.split())


def test_python_dash_m_is_the_same_command():
    words = [sys.executable, "-m", "attn_course", "hint", "nope.nothing"]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2 and done.stdout.startswith("There is no exercise 'nope.nothing'.")
