"""Wrong answers that no list of mistakes foresees are refused with a true sentence; unusual right ones pass."""

from importlib import import_module

import pytest

from attn_course.coach import check
from attn_course.coach.catalogue import exercises

ANSWERS = {id: import_module(f"unlisted.{id.replace('.', '_').replace('-', '_')}") for id in exercises()}


@pytest.mark.parametrize("id", ANSWERS)
def test_wrong_answers_are_refused_with_a_sentence_of_use(id):
    assert len(ANSWERS[id].WRONG) >= 6
    for number, (answer, sentence) in enumerate(ANSWERS[id].WRONG):
        result = check(id, answer)
        assert not result.passed and sentence in result.message, f"{number}: {result}"
        assert len(result.message) < 700


@pytest.mark.parametrize("id", ANSWERS)
def test_right_answers_in_other_words_pass(id):
    assert len(ANSWERS[id].RIGHT) >= 2
    for number, answer in enumerate(ANSWERS[id].RIGHT):
        result = check(id, answer)
        assert result.passed, f"{number}: {result}"
