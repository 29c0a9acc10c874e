"""Hints come one by one; a solution opens when it has been earned."""

import pytest
from small_course import SCORES, write_course

from attn_course.coach import help, progress
from attn_course.coach.catalogue import UnknownExercise, find
from attn_course.coach.help import hint, solution

ID = "formula.scores"


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTN_COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "_pending", [])
    folder = write_course(tmp_path / "course")
    monkeypatch.setattr(help, "course", lambda: folder)
    return folder


def test_each_hint_says_more_and_then_all_are_shown():
    texts = find(ID).hints
    for number, rest in enumerate(["Two hints left.", "One hint left.", "No hints left."], start=1):
        said = str(hint(ID))
        assert said.startswith(f"Hint {number} of 3. {texts[number - 1]}")
        assert sum(text in said for text in texts) == 1
        assert rest in said
    again = str(hint(ID))
    assert all(f"Hint {number} of 3. {text}" in again for number, text in enumerate(texts, start=1))
    assert progress.hints_taken(ID) == 3


def test_a_hint_in_jupyter_is_markdown_that_shows_code_as_it_is():
    shown = hint("scaling.spread")
    assert repr(shown) == str(shown)
    assert shown._repr_markdown_().startswith("**Hint 1 of 3.** Variances of independent")
    assert "σ\\_q²" in hint("scaling.spread")._repr_markdown_()  # not the start of an emphasis


def test_the_solution_opens_after_three_tries():
    assert str(solution(ID)) == f"The solution of {ID} opens after a pass or three tries; no try so far."
    progress.record_try(ID, False)
    assert "one try so far" in str(solution(ID))
    progress.record_try(ID, False)
    assert "two tries so far" in str(solution(ID)) and solution(ID).code is None
    progress.record_try(ID, False)
    assert solution(ID).code == SCORES


def test_the_solution_opens_after_a_pass_without_nbgraders_marks():
    progress.record_try(ID, True)
    shown = solution(ID)
    assert str(shown) == f"A solution of {ID}:\n\n{SCORES}"
    assert shown._repr_markdown_() == f"**A solution of {ID}:**\n\n```python\n{SCORES}\n```"


def test_without_solutions_one_sentence(course):
    progress.record_try(ID, True)
    (course / "solutions/01_formula.ipynb").unlink()
    assert str(solution(ID)) == "This copy of the course came without solutions; ask whoever gave it to you."


@pytest.mark.parametrize("text", ['{"cells": [', "[]", '{"cells": []}', '{"cells": [3]}'])
def test_a_damaged_solution_is_one_sentence(course, text):
    progress.record_try(ID, True)
    (course / "solutions/01_formula.ipynb").write_text(text)
    assert f"holds no readable solution of {ID}" in str(solution(ID))


@pytest.mark.parametrize("ask", [hint, solution])
def test_an_unknown_exercise_is_named(ask):
    with pytest.raises(UnknownExercise, match=r"Did you mean formula\.scores"):
        ask("formula.score")
