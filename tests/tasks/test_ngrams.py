"""n-grams against a case worked out by hand, against sums that must be one, and against the text that they are for."""

import math

import pytest

from attn_course.tasks.documentation import documentation
from attn_course.tasks.ngrams import COMPRESSORS, NGram, compressed_bits


def test_a_case_worked_out_by_hand():
    """Text "aab", vocabulary "abc": a occurs twice, b once; after a came a once and b once."""
    model = NGram("aab", order=2, characters="abc")
    unigram_a = (2 + 2 * (1 / 3)) / (3 + 2)  # counted 2 of 3, 2 kinds seen
    unigram_c = (0 + 2 * (1 / 3)) / (3 + 2)
    assert model.probability("a", "") == pytest.approx(unigram_a)
    assert model.probability("c", "") == pytest.approx(unigram_c)
    assert model.probability("a", "a") == pytest.approx((1 + 2 * unigram_a) / (2 + 2))
    assert model.probability("c", "ba") == pytest.approx((0 + 2 * unigram_c) / (2 + 2))
    assert model.probability("c", "b") == pytest.approx(unigram_c)  # nothing ever came after b


@pytest.mark.parametrize("order", (1, 2, 3, 5))
def test_probabilities_sum_to_one_in_every_context(order):
    text = "the cat sat on the mat and the bat"
    characters = "".join(sorted(set(text))) + "xyz"
    model = NGram(text, order, characters)
    for context in ("", "t", "th", "the ", " the", "zzzz", "catzz", "he cat s"):
        assert sum(model.probability(c, context) for c in characters) == pytest.approx(1, abs=1e-12)


def test_surprise_is_bits_given_all_before():
    model = NGram("abababab", order=3, characters="ab")
    want = [-math.log2(model.probability("b", "a")), -math.log2(model.probability("b", "ab"))]
    assert model.surprise("abb") == pytest.approx(want)


def test_more_context_foresees_more_of_the_documentation_up_to_five():
    """The figures of the course, on the whole held-out text, to a hundredth of a bit."""
    text = documentation()
    bits = {}
    for order in (1, 2, 3, 5):
        surprise = NGram(text.train, order, text.characters).surprise(text.held_out)
        bits[order] = sum(surprise) / len(surprise)
    assert bits == pytest.approx({1: 4.70, 2: 3.58, 3: 2.72, 5: 2.01}, abs=0.01)


def test_compressors_know_what_they_have_read():
    text = documentation()
    bits = {name: compressed_bits(name, text.train, text.held_out) for name in COMPRESSORS}
    assert bits == pytest.approx({"gzip": 2.50, "bz2": 1.78, "xz": 1.97}, abs=0.03)
    assert compressed_bits("xz", text.train, text.train[1000:9000]) < 0.1  # it has read just this


def test_bad_input_gets_a_sentence():
    with pytest.raises(ValueError, match="order should be 1 or more, got 0"):
        NGram("ab", 0, "ab")
    with pytest.raises(ValueError, match="'c', which is not among the 2 characters"):
        NGram("abc", 2, "ab")
    with pytest.raises(ValueError, match="gzip, bz2, xz, got 'zip'"):
        compressed_bits("zip", "a", "b")
