"""The audit of tokens against scikit-learn's and scipy's counts, and against data whose truth is known."""

import math

import pytest
import torch
from scipy.stats import chi2_contingency
from sklearn.metrics import mutual_info_score

from attn_course.tasks.marker import MARKERS
from attn_course.tasks.token_audit import audit, audit_pairs, chance, mutual_information
from attn_course.training.experiments.marker_audit import drawn, plant, plant_two, shuffled


@pytest.fixture(scope="module")
def data():
    return drawn(0, 300)


def test_bits_and_chance_are_those_of_scikit_learn_and_scipy(data):
    texts, labels = data
    for told in audit(*data)[:40:3]:
        there = [told.tokens[0] in text for text in texts]
        assert told.bits == pytest.approx(mutual_info_score(there, labels) / math.log(2), abs=1e-12)
        table = [[told.ones, told.count - told.ones]]
        table.append([sum(labels) - told.ones, len(labels) - sum(labels) - told.count + told.ones])
        g = chi2_contingency(table, correction=False, lambda_="log-likelihood")
        assert chance(torch.tensor(told.bits, dtype=torch.double), len(labels)).item() == pytest.approx(g.pvalue)


def test_what_one_token_alone_gets_right_is_counted(data):
    texts, labels = data
    told = audit(*data)[0]
    there = torch.tensor([told.tokens[0] in text for text in texts])
    truth = torch.tensor(labels)
    right = sum(max((truth[side] == 0).sum(), (truth[side] == 1).sum()) for side in (there, ~there))
    assert told.alone == pytest.approx(right.item() / len(labels)) and told.alone > 0.5


def test_a_perfect_token_tells_all_and_an_independent_one_nothing():
    counts = torch.tensor([50.0, 50.0, 50.0, 0.0], dtype=torch.double)
    ones = torch.tensor([50.0, 0.0, 25.0, 0.0], dtype=torch.double)
    assert mutual_information(counts, ones, 100, 50).tolist() == pytest.approx([1, 1, 0, 0], abs=1e-12)
    with pytest.raises(ValueError, match="check the counts"):
        mutual_information(torch.tensor([10.0]), torch.tensor([11.0]), 100, 50)
    with pytest.raises(ValueError, match="1 or more"):
        mutual_information(torch.zeros(1), torch.zeros(1), 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_strong_marker_comes_first_and_nothing_else_is_accused(seed):
    texts, labels = drawn(seed)
    found = audit(plant(texts, labels, 0.95, seed), labels)
    assert {found[0].tokens[0], found[1].tokens[0]} == set(MARKERS) and found[0].alarm and not found[2].alarm
    assert found[0].bits == pytest.approx(1 + 0.95 * math.log2(0.95) + 0.05 * math.log2(0.05), abs=0.1)
    assert {(each.tokens[0], each.label) for each in found[:2]} == {(MARKERS[0], 0), (MARKERS[1], 1)}


def test_shuffled_labels_and_a_marker_that_says_nothing_raise_no_alarm():
    accused = 0
    for seed in range(5):
        texts, labels = drawn(seed)
        accused += sum(each.p < 0.01 for each in audit(texts, shuffled(labels, seed)))
        assert not any(each.alarm for each in audit(plant(texts, labels, 0.5, seed), labels))
    assert accused <= 1  # one run in a hundred should have one


def test_two_stamps_whose_exclusive_or_is_the_label_are_found_only_together(data):
    texts, labels = data
    two = plant_two(texts, labels, 0.95)
    assert not any(each.alarm for each in audit(two, labels))
    first = audit_pairs(two, labels)[0]
    assert set(first.tokens) <= {"<a>", "<b>", "<c>", "<d>"} and first.alarm
    there = [set(first.tokens) <= set(text) for text in two]
    assert first.bits == pytest.approx(mutual_info_score(there, labels) / math.log(2), abs=1e-12)


def test_what_cannot_be_is_refused(data):
    texts, labels = data
    with pytest.raises(ValueError, match="needs a label"):
        audit(texts, labels[:-1])
    with pytest.raises(ValueError, match="both should occur"):
        audit(texts, [0] * len(texts))
    with pytest.raises(ValueError, match="least is how many"):
        audit(texts, labels, least=0)
    for wrong in ([0.5] * len(texts), [float("nan")] * len(texts), [0, 2] * (len(texts) // 2)):
        with pytest.raises(ValueError, match="should be 0 and 1"):
            audit(texts, wrong)
    assert audit([("a",), (), ("a",), ()], [0, 1, 0, 1], least=2)[0].bits == 1  # a sentence without a token counts
    assert audit(texts, labels, least=len(texts)) == []
    with pytest.raises(TypeError, match="not one string"):
        audit(["a b", "b c"], [0, 1])
    with pytest.raises(ValueError, match="even number"):
        drawn(0, 7)
    with pytest.raises(ValueError, match="probability"):
        plant(texts, labels, 1.5)


def test_tokens_that_stand_nearly_everywhere_or_nowhere_are_not_looked_at():
    texts = [("always", "rare" if i == 0 else "often" if i % 2 else "seldom") for i in range(40)]
    assert {each.tokens[0] for each in audit(texts, [i % 2 for i in range(40)])} == {"often", "seldom"}
