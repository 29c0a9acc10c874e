"""Pairs of sentences as they stand in the documentation, one after the other."""

import pytest

from attn_course.tasks.documentation import documentation, spaced
from attn_course.tasks.neighbours import neighbours


def test_each_pair_stands_in_the_text_side_by_side():
    text = spaced(f"{documentation().held_out}\n\n{documentation().train}")
    found = neighbours(30)
    assert len({first for first, _ in found}) == 30
    for first, second in found:
        assert f"{first} {second}" in text


def test_sentences_are_plain_words_and_of_moderate_length():
    for sentence in (sentence for pair in neighbours(30) for sentence in pair):
        assert 8 <= len(sentence.split()) <= 16
        assert sentence[0].isupper() and sentence[-1] == "." and "." not in sentence[:-1]
        assert set(sentence[1:-1]) <= set("abcdefghijklmnopqrstuvwxyz ,-")


def test_fewer_are_the_first_of_more_and_too_many_are_refused():
    assert neighbours(5) == neighbours(20)[:5]
    with pytest.raises(ValueError, match="has 34 such pairs, asked for 1000"):
        neighbours(1000)
