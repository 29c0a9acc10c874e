"""Cross-entropy, margins and the influence of one bit: by their definitions, and the slope of −1."""

import math

import pytest
import torch

from attn_course.models.parity import parity as by_hand
from attn_course.tasks.bits import first, flipped, parity, random_bits
from attn_course.training.exact import bits_lost, by_length, margins
from attn_course.training.experiments import influence as experiment
from attn_course.training.recorded import recorded


def test_bits_are_the_definition():
    logits, labels = torch.tensor([0.0, 2.0, -3.0, 1.0]).double(), torch.tensor([1, 1, 1, 0])
    assert margins(logits, labels).tolist() == [0, 2, -3, -1]
    right = torch.where(labels == 1, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(bits_lost(logits, labels), -right.log2())
    assert bits_lost(torch.tensor([800.0]), torch.tensor([0])).item() == pytest.approx(800 / math.log(2))


def test_a_logit_of_nothing_is_not_right_and_each_has_a_label():
    assert by_length(lambda bits: torch.zeros(len(bits)), parity, (3,))[0]["accuracy"] == 0
    with pytest.raises(ValueError, match=r"got shapes \(4, 1\) and \(4,\)"):
        margins(torch.zeros(4, 1), torch.zeros(4))  # which would be compared each with each


def test_rows_by_length():
    rows = by_length(by_hand(), parity, (1, 7, 30), strings=50)
    assert [row["n"] for row in rows] == [1, 7, 30] and all(row["accuracy"] == 1 for row in rows)
    assert all(0 < row["least"] <= row["margin"] * (1 + 1e-9) for row in rows)
    drawn = random_bits(torch.Generator().manual_seed(0), 50, 30)
    assert rows[2]["bits"] == pytest.approx(bits_lost(by_hand()(drawn), parity(drawn)).mean().item())
    assert by_length(lambda bits: bits[:, 0] * 2.0 - 1.0, first, (5,))[0]["accuracy"] == 1
    assert 0.3 < by_length(by_hand(), first, (9,), strings=200)[0]["accuracy"] < 0.7
    with pytest.raises(ValueError, match="at least one string"):
        by_length(by_hand(), parity, (3,), strings=0)


def test_influence_is_the_change_of_cls():
    model, bits = experiment.encoder(1), random_bits(torch.Generator().manual_seed(2), 3, 20)
    cls = torch.full((3, 1), 2)
    here = model(torch.cat([bits, cls], dim=1))[:, -1]
    there = model(torch.cat([flipped(bits, 4), cls], dim=1))[:, -1]
    expected = (here - there).square().sum(-1).sqrt()
    torch.testing.assert_close(experiment.influence(model, bits, 4), expected)
    middle = (model(torch.cat([flipped(bits, 10), cls], dim=1))[:, -1] - here).norm(dim=-1)
    torch.testing.assert_close(experiment.influence(model, bits), middle)


def test_the_slope_of_a_power():
    assert experiment.slope([1, 10, 100], [7.0, 0.7, 0.07]) == pytest.approx(-1)
    assert experiment.slope([2, 4, 8, 16], [3 * n**0.5 for n in (2, 4, 8, 16)]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="there are 3 and 2"):
        experiment.slope([1, 2, 3], [1.0, 2.0])
    for broken in (([4], [1.0]), ([1, 2], [1.0, 0.0]), ([4, 4], [1.0, 2.0]), ([1, 2], [1.0, math.nan]), ([], [])):
        with pytest.raises(ValueError, match="two lengths at least"):
            experiment.slope(*broken)


def test_one_bit_moves_the_answer_by_one_nth():
    small = experiment.measure((16, 64, 256), (0, 1), 2)
    assert all(-1.25 < each < -0.8 for each in small["slopes"])
    whole = recorded("influence")
    assert set(small) <= set(whole) and whole["lengths"] == list(experiment.LENGTHS)
    assert all(-1.1 < each < -0.9 for each in whole["slopes"]) and len(whole["slopes"]) == len(experiment.SEEDS)
    kept = {(row["seed"], row["n"]): row["influence"] for row in whole["rows"]}
    assert kept[0, 64] == pytest.approx(experiment.measure((64, 128), (0,))["rows"][0]["influence"], rel=1e-3)


def test_the_layer_norm_lifts_the_bound_for_the_model_by_hand():
    """Hahn's bound is for functions with a bounded slope; a norm without ε has none at 0."""
    bits = random_bits(torch.Generator().manual_seed(0), 4, 200)
    plain, normed = by_hand(), by_hand(0.0)
    move = [(model(flipped(bits, 100)) - model(bits)).abs().mean().item() for model in (plain, normed)]
    assert move[0] < 1e-4 and move[1] == pytest.approx(2 * math.sqrt(10))
