"""The recorded moments of the induction head: rounded weights that still do what was measured on the exact ones."""

import json
from base64 import b64decode

import numpy
import pytest
import torch

from attn_course.tasks.induction import InductionBatch
from attn_course.training.experiments import induction_steps as steps
from attn_course.training.recorded import FOLDER, recorded

RECORD = recorded("induction_steps")


def unpacked(moment: dict):
    whole = numpy.frombuffer(b64decode(moment["weights"]), dtype=numpy.int8).reshape(10, 32, 32)
    model = steps.make(seed=7).eval()
    with torch.no_grad():
        for place, numbers, scale in zip(steps.matrices(model), whole, moment["scales"], strict=True):
            place.copy_(torch.tensor(numbers.astype(numpy.float32)) * scale)
    return model


def test_every_parameter_is_in_a_matrix():
    model = steps.make(seed=0)
    assert {id(each) for each in steps.matrices(model)} == {id(each) for each in model.parameters()}


def test_weights_are_kept_to_half_a_step():
    model = steps.make(seed=3)
    again = unpacked(steps.kept(model))
    for exact, rounded in zip(steps.matrices(model), steps.matrices(again), strict=True):
        assert (exact - rounded).abs().max() <= exact.abs().max() / 127 * 0.51


def test_what_was_kept_is_restored():
    moment = steps.kept(steps.make(seed=3))
    for read, wanted in zip(steps.matrices(steps.restored(moment)), steps.matrices(unpacked(moment)), strict=True):
        assert torch.allclose(read, wanted)


def test_rows_are_different_tokens_and_then_the_same_again():
    drawn = steps.rows(torch.Generator().manual_seed(0), 200, (4, 16))
    assert isinstance(drawn, InductionBatch) and drawn.tokens.shape == (200, 33)
    assert drawn.period.min() == 4 and drawn.period.max() == 16
    for row, period in zip(drawn.tokens, drawn.period.tolist(), strict=True):
        assert len(set(row[:period].tolist())) == period
        assert torch.equal(row[period:], row[:-period])


@pytest.mark.parametrize("name", ["random", "fixed"])
@pytest.mark.parametrize("period", [7, 16])
def test_the_rounded_models_do_what_the_exact_ones_did(name, period):
    run, at = RECORD["models"][name], [int(step) for step in RECORD["measured_at"].split()]
    for step, moment in zip(RECORD["steps"], run["moments"], strict=True):
        found = steps.figures(unpacked(moment), period)
        for figure, slack in (("loss", 0.15), ("previous_token", 0.03), ("prefix_match", 0.03)):
            exact = float(run["curves"][figure][RECORD["periods"].index(period)].split()[at.index(step)])
            assert found[figure] == pytest.approx(exact, abs=slack, rel=0.05), (step, figure)


def test_what_the_three_seeds_say():
    """A true induction head scores and works on any period; a false one scores on its own and fails on another."""
    for end in RECORD["ends"]["random"]:
        assert end["accuracy"] > 0.95 and end["prefix_match"] > 0.8 and end["other_accuracy"] > 0.95
    for end in RECORD["ends"]["fixed"]:
        assert end["accuracy"] > 0.95 and end["other_accuracy"] < 0.3
        assert max(end["prefix_match"], end["prefix_match_first"]) > 0.8


def test_the_page_stays_small():
    assert (FOLDER / "induction_steps.json").stat().st_size < 300_000
    assert len(json.dumps(RECORD["models"])) < 290_000
