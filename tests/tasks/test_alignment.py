"""The alignment error, against an example reckoned by hand and against its definition with plain loops."""

import random

import pytest
import torch

from attn_course.tasks.alignment import alignment_error, diagonal, looks, read_at
from attn_course.tasks.translation import pair, pairs


def test_the_error_of_an_example_reckoned_by_hand():
    # forty two → zwei und vierzig. S = {01, 20}, P = S and {10, 11}. Found: 00 (wrong), 11 (possible), 20 (sure).
    # |A∩S| = 1, |A∩P| = 2, |A| = 3, |S| = 2: 1 − 3/5.
    assert alignment_error([{(0, 0), (1, 1), (2, 0)}], [pair(42)]) == pytest.approx(0.4)


def test_perfect_links_have_no_error_and_possible_ones_are_never_demanded():
    several = pairs(range(1, 500))
    assert alignment_error([one.sure for one in several], several) == 0
    assert alignment_error([one.possible for one in several], several) == 0
    assert alignment_error([set() for _ in several], several) == 1


def test_links_are_counted_over_all_pairs_not_averaged():
    right, wrong = pair(1), pair(342)
    # 1 sure link of 1, and 0 of 4: 1 − (1 + 1) / (1 + 1 + 4)
    assert alignment_error([right.sure, set()], [right, wrong]) == pytest.approx(2 / 3)


def test_the_error_is_its_definition():
    rng = random.Random(0)
    several = pairs(rng.sample(range(1, 1_000_000), 200))
    found = [diagonal(len(one.target), len(one.source)) for one in several]
    hits = both = links = sure = 0
    for one, pairs_found in zip(several, found, strict=True):
        for link in pairs_found:
            hits += link in one.sure
            both += link in one.sure or (one.target[link[0]] == "und" and link in one.possible)
        links += len(pairs_found)
        sure += sum(word != "und" for word in one.target)
    assert alignment_error(found, several) == pytest.approx(1 - (hits + both) / (links + sure))


def test_the_diagonal_links_words_in_their_order():
    assert diagonal(3, 3) == {(0, 0), (1, 1), (2, 2)}
    assert diagonal(4, 2) == {(0, 0), (1, 0), (2, 1), (3, 1)}
    assert diagonal(2, 5) == {(0, 1), (1, 3)}
    assert diagonal(1, 1) == {(0, 0)}


def test_each_row_looks_at_its_largest_weight():
    assert looks(torch.tensor([[0.2, 0.8], [0.9, 0.1]])) == {(0, 1), (1, 0)}


def test_rows_are_those_that_write_a_word_or_late_those_that_read_it():
    several = [pair(42), pair(7)]
    weights = torch.arange(2 * 4 * 2.0).view(2, 4, 2)  # 4 steps: zwei, und, vierzig, EOS
    first, second = read_at(weights, several)
    assert torch.equal(first, weights[0, :3]) and torch.equal(second, weights[1, :1, :1])
    late, _ = read_at(weights, several, late=1)
    assert torch.equal(late, weights[0, 1:4])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="one set of links for each pair, got 0 and 1"):
        alignment_error([], [pair(42)])
    with pytest.raises(ValueError, match="no links at all"):
        alignment_error([], [])
