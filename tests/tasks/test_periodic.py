"""One letter: membership against a regular expression."""

import re

import pytest

from attn_course.tasks.periodic import LETTER, START, letters, may_end


@pytest.mark.parametrize("period", [1, 2, 3, 5])
def test_against_a_regular_expression(period):
    language = re.compile(f"({'a' * period})*")
    expected = [int(language.fullmatch("a" * n) is not None) for n in range(31)]
    assert may_end(30, period)[0].tolist() == expected


def test_the_only_text_of_its_length():
    assert letters(3).tolist() == [[START, LETTER, LETTER, LETTER]]
    assert letters(9).shape == may_end(9).shape


@pytest.mark.parametrize(
    ("call", "sentence"),
    [(lambda: letters(0), "at least one letter, got length=0"), (lambda: may_end(4, 0), "got 4 and 0")],
)
def test_what_cannot_be_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
