"""The association test against its formulas written out, and its p-value against every way to deal the words."""

from itertools import permutations as orders
from math import comb

import numpy as np
import pytest
import torch
from scipy.stats import permutation_test

from attn_course.diagnosis.association import association, effect_size, p_value, weat
from attn_course.tasks.word_sets import TESTS, read_in


def drawn(*sizes, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d, generator=generator) for n in sizes]


def cosine(u, v):
    return float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))


def test_association_and_effect_are_the_papers():
    x, y, a, b = (each.double().numpy() for each in drawn(4, 4, 3, 5))

    def s(w):
        return np.mean([cosine(w, each) for each in a]) - np.mean([cosine(w, each) for each in b])

    at_x, at_y = [s(w) for w in x], [s(w) for w in y]
    sets = [torch.from_numpy(each) for each in (x, y, a, b)]
    assert association(sets[0], *sets[2:]).tolist() == pytest.approx(at_x)
    expected = (np.mean(at_x) - np.mean(at_y)) / np.std(at_x + at_y, ddof=1)
    found = weat(*sets)
    assert found.effect == pytest.approx(expected) and found.exact


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_p_value_counts_every_way_to_deal(seed):
    at_x, at_y = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    both = torch.cat([at_x, at_y]).tolist()
    dealt = [sum(order[:3]) for order in orders(both)]
    expected = sum(each >= sum(both[:3]) - 1e-9 for each in dealt) / len(dealt)
    p, exact = p_value(at_x, at_y)
    assert exact and p == pytest.approx(expected)
    scipys = permutation_test(
        (at_x.numpy(), at_y.numpy()), lambda u, v, axis: u.sum(axis), vectorized=True, alternative="greater"
    )
    assert p == pytest.approx(scipys.pvalue)


def test_the_most_extreme_dealing_has_the_least_p():
    p, exact = p_value(torch.arange(10.0, 18.0), torch.arange(8.0))
    assert exact and p == pytest.approx(1 / comb(16, 8))


def test_drawn_p_values_come_near_the_exact_ones(monkeypatch):
    at_x, at_y = torch.randn(8, generator=torch.Generator().manual_seed(1)) + 0.4, torch.randn(8)
    exact, _ = p_value(at_x, at_y)
    monkeypatch.setattr("attn_course.diagnosis.association.EXACT", 10)
    drawn_p, is_exact = p_value(at_x, at_y, 20_000)
    assert not is_exact and drawn_p == pytest.approx(exact, abs=0.015)
    assert p_value(at_x + 100, at_y, 99)[0] >= 1 / 100  # never 0
    assert p_value(at_x, at_y, 500, seed=3) == p_value(at_x, at_y, 500, seed=3)


def test_without_an_association_small_p_values_are_as_rare_as_they_say():
    generator = torch.Generator().manual_seed(0)
    small = sum(p_value(*torch.randn(2, 5, generator=generator))[0] <= 0.1 for _ in range(300))
    assert 15 <= small <= 45  # 30 expected, standard deviation 5.2


def test_swapping_attributes_or_targets_turns_the_effect_round():
    x, y, a, b = drawn(5, 5, 4, 4)
    assert weat(x, y, b, a).effect == pytest.approx(-weat(x, y, a, b).effect)
    assert weat(y, x, a, b).effect == pytest.approx(-weat(x, y, a, b).effect)


@pytest.mark.parametrize("n", [1, 2, 8])
def test_no_effect_of_sets_of_one_size_reaches_2(n):
    assert 1 < effect_size(torch.ones(n), -torch.ones(n)) < 2
    x, y = torch.rand(2, n, generator=torch.Generator().manual_seed(n))
    assert abs(effect_size(x, y)) < 2


def test_what_cannot_be_is_refused():
    x, y, a, b = drawn(2, 2, 2, 2)
    with pytest.raises(ValueError, match="same in all"):
        weat(x, y, a[:, :3], b)
    with pytest.raises(ValueError, match="no cosine"):
        weat(x * 0, y, a, b)
    with pytest.raises(ValueError, match="equally near"):
        effect_size(torch.ones(3), torch.ones(3))
    for wrong in (torch.tensor([float("nan"), 1.0]), torch.tensor([float("inf"), 1.0])):
        for of in (effect_size, p_value):  # a p of 0 would be said of them
            with pytest.raises(ValueError, match="not finite"):
                of(wrong, torch.zeros(2))
    for of in (effect_size, p_value):
        for x, y in (
            (torch.zeros(0), torch.ones(2)),
            (torch.ones(2), torch.zeros(0)),
            (torch.ones(2, 2), torch.ones(2)),
        ):
            with pytest.raises(ValueError, match="at least one word"):
                of(x, y)
    with pytest.raises(ValueError, match="permutations"):
        p_value(torch.ones(2), torch.zeros(2), 0)
    with pytest.raises(ValueError, match="one place"):
        read_in("no place", ("word",))


def test_the_published_sets_have_their_sizes_and_share_no_word():
    sizes = {name: [len(each) for each in (t.x, t.y, t.a, t.b)] for name, t in TESTS.items()}
    assert sizes == {"flowers/insects": [25] * 4} | {n: [8] * 4 for n in ("career/family", "science/arts", "things")}
    for test in TESTS.values():
        words = [*test.x, *test.y, *test.a, *test.b]
        assert len(words) == len(set(words))
