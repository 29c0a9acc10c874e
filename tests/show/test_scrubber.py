"""The scrubber seen from Python: what it takes, what it sends, what it refuses and in which sentence."""

import base64
import json
import math

import numpy as np
import pytest
import torch
import traitlets

from attn_course.attention import attention_weights
from attn_course.show.widgets import ScrubberWidget, scrubber
from attn_course.training.history import History

STEPS = [0, 10, 20]
SOURCE = torch.Generator().manual_seed(0)
WEIGHTS = torch.randn(3, 4, 4, generator=SOURCE).softmax(-1)
PLACES = torch.randn(3, 4, 2, generator=SOURCE)


def values(packed: dict, codes: str, shape) -> torch.Tensor:
    """What the browser reads, by the same rule, in numpy."""
    bits = packed["bits"]
    numbers = np.frombuffer(base64.b64decode(codes), dtype="<u2" if bits == 16 else "u1").astype(float)
    numbers = np.where(numbers == 2**bits - 1, np.nan, numbers / (2**bits - 2))
    return torch.tensor(packed["low"] + numbers * (packed["high"] - packed["low"])).reshape(shape)


def test_curves_travel_as_json_with_gaps():
    told = scrubber(STEPS, {"loss": [3.0, math.nan, math.inf], "vital": torch.tensor([1, 2, 3])}).recording
    assert told["curves"][0]["values"] == [[3.0, None, "inf"]] and told["curves"][1]["values"] == [[1, 2, 3]]
    json.loads(json.dumps(told, allow_nan=False))


def test_a_small_recording_is_fine_and_a_large_one_has_a_byte_a_value():
    small = scrubber(STEPS, maps={"a head": WEIGHTS}).recording["maps"]
    assert small["bits"] == 16 and small["weights"] and (small["low"], small["high"]) == (0, 1)
    assert (values(small, small["runs"][0]["a head"], (3, 4, 4)) - WEIGHTS).abs().max() <= 0.5 / 65534 + 1e-7
    wide = torch.randn(60, 32, 32, generator=SOURCE).softmax(-1)
    told = scrubber(range(60), maps={f"head {h}": wide for h in range(8)}).recording
    large = told["maps"]
    assert large["bits"] == 8
    assert (values(large, large["runs"][0]["head 0"], wide.shape) - wide).abs().max() <= 0.5 / 254 + 1e-7
    assert len(json.dumps(told)) < 2_000_000


def test_maps_that_are_no_weights_share_one_range():
    maps = {"cosine": 2 * torch.rand(3, 4, 4, generator=SOURCE) - 1, "scores": 30 * torch.ones(3, 4, 4)}
    maps["scores"][1, 2, 3] = math.nan
    packed = scrubber(STEPS, maps=maps).recording["maps"]
    assert not packed["weights"] and packed["high"] == 30 and packed["low"] == maps["cosine"].min().item()
    for name, each in maps.items():
        read = values(packed, packed["runs"][0][name], each.shape)
        assert torch.allclose(read, each.double(), atol=31 / 65534, equal_nan=True)


def test_maps_that_never_look_ahead_say_so_even_where_a_run_diverged():
    past = torch.randn(3, 4, 4, generator=SOURCE).masked_fill(torch.ones(4, 4).triu(1) > 0, -torch.inf).softmax(-1)
    assert scrubber(STEPS, maps={"a head": past}).recording["maps"]["past"]
    past[2] = math.nan
    assert scrubber(STEPS, maps={"a head": past}).recording["maps"]["past"]
    assert not scrubber(STEPS, maps={"a head": WEIGHTS}).recording["maps"]["past"]


def test_the_axis_is_logarithmic_over_three_decades_or_as_asked():
    curves = {"falls": [1.0, 0.1, 0.001], "stays": [1.0, 0.5, 0.4], "reaches zero": [1.0, 1e-6, 0.0]}
    assert [curve["log"] for curve in scrubber(STEPS, curves).recording["curves"]] == [True, False, False]
    assert [curve["log"] for curve in scrubber(STEPS, curves, log=["stays"]).recording["curves"]] == [
        False,
        True,
        False,
    ]
    with pytest.raises(ValueError, match="reaches zero has values of 0 or less"):
        scrubber(STEPS, curves, log=["reaches zero"])


def test_a_healthy_range_may_be_open_on_one_side():
    told = scrubber(STEPS, {"loss": [3, 2, 1]}, healthy={"loss": (-math.inf, 2)}).recording
    assert told["curves"][0]["healthy"] == [None, 2]


def test_runs_side_by_side_may_hold_different_things():
    runs = {
        "plain": {"curves": {"loss": [3, 2, 1]}, "maps": {"a head": WEIGHTS}},
        "other": {"curves": {"vital": [1, 1, 1]}},
    }
    told = scrubber(STEPS, runs=runs).recording
    assert told["runs"] == ["plain", "other"]
    assert {curve["name"]: curve["values"] for curve in told["curves"]} == {
        "loss": [[3, 2, 1], None],
        "vital": [None, [1, 1, 1]],
    }
    assert repr(scrubber(STEPS, runs=runs)) == "ScrubberWidget(2 runs, 2 curves, 1 map; 3 moments, step 0 to 20)"


def test_a_history_brings_its_own_steps():
    history = History([4.0, 2.0, 1.0, 1.0, 0.5], {"vital": [(2, 0.1), (4, 0.2)], "rare": [(4, 7.0)]})
    told = ScrubberWidget.from_history(history, at=-1).recording
    assert told["steps"] == [2, 4]
    assert {curve["name"]: curve["values"] for curve in told["curves"]} == {
        "loss": [[3.0, 1.0]],
        "vital": [[0.1, 0.2]],
        "rare": [[None, 7.0]],
    }
    assert told["curves"][0]["unit"] == "nats"
    with pytest.raises(ValueError, match="Nothing was measured"):
        ScrubberWidget.from_history(History([1.0]))


def test_without_a_recording_it_shows_attention_over_and_over():
    told = ScrubberWidget().recording
    packed = told["maps"]
    maps = values(packed, packed["runs"][0]["weights"], (7, 12, 12))
    square = told["points"]["squares"]["tokens"]
    shares = values({"bits": 16, "low": 0, "high": 1}, told["points"]["runs"][0]["tokens"], (7, 12, 2))
    places = torch.tensor(square["corner"]) + square["side"] * shares
    for layer in range(6):
        x = places[layer][None, None]
        assert torch.allclose(attention_weights(x, x)[0, 0], maps[layer], atol=2e-3)
        assert torch.allclose(maps[layer] @ places[layer], places[layer + 1], atol=2e-3)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"steps": []}, "There are no steps"),
        ({"steps": [0, 20, 10]}, "should rise"),
        ({"steps": ["a", "b", "c"]}, "should be a number"),
        ({"curves": None}, "nothing to show"),
        ({"curves": {"loss": [1, 2]}}, "There are 3 steps, but the curve loss has 2 values; fill gaps with NaN"),
        ({"curves": {"loss": torch.ones(3, 2)}}, "one number for each step"),
        ({"maps": {"a head": WEIGHTS[:2]}}, r"Map a head should be \(3 steps, query, key\), got \(2, 4, 4\)"),
        ({"maps": {"a": WEIGHTS, "b": WEIGHTS[:, :2, :2]}}, "All maps should be of one size"),
        ({"maps": {"a head": [torch.ones(4, 4), torch.ones(3, 3)]}}, "each step as large"),
        ({"points": {"tokens": torch.ones(3, 4, 3)}}, r"\(3 steps, token, 2\)"),
        ({"maps": {"a head": WEIGHTS}, "tokens": "abc"}, r"equally many tokens, got \[3, 4\]"),
        ({"points": {"p": PLACES}, "tokens": "abcde"}, r"equally many tokens, got \[4, 5\]"),
        ({"axes": {"los": "nats"}}, "axes speaks of 'los'; the curves are loss"),
        ({"healthy": {"loss": (3, 1)}}, r"should be \(low, high\), got \(3, 1\)"),
        ({"healthy": {"loss": (-math.inf, math.inf)}}, r"should be \(low, high\), got \(-inf, inf\)"),
        ({"marks": {30: "later"}}, "The mark at 30 lies outside the steps, 0 to 20"),
        ({"runs": {"a": {"curves": {}}}}, "not both"),
        ({"curves": None, "runs": {}}, "1 to 4 runs"),
        ({"curves": None, "runs": {"a": {"curve": {}}}}, "curves, maps and points; a also has"),
        ({"at": 3}, "at should be 0 to 2, or −1 for the last; got 3"),
        ({"cell": [0, 0]}, "cell should be"),
        ({"maps": {"a head": WEIGHTS}, "cell": [0, 4]}, r"cell should be \[query, key\]"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(wrong, sentence):
    with pytest.raises((ValueError, traitlets.TraitError), match=sentence):
        scrubber(**{"steps": STEPS, "curves": {"loss": [3, 2, 1]}, **wrong})


def test_too_much_is_refused_with_its_size():
    huge = torch.zeros(60, 160, 160)
    with pytest.raises(ValueError, match=r"take 2\.0 MB, the scrubber holds 2"):
        scrubber(range(60), maps={"a head": huge})
