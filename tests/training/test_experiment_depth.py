"""Depth: a tiny run gives what is documented, gradients are true ones, the recorded figures are those described."""

import math

import pytest
import torch
import torch.nn.functional as F

from attn_course.training.experiments import depth
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


@pytest.mark.parametrize("norm", depth.BLOCKS)
@pytest.mark.parametrize("shared", [False, True])
def test_gradients_are_told_from_first_block_to_last(norm, shared):
    found = depth.gradients(3, norm, shared)
    assert len(found["stream"]) == 3 and len(found["weights"]) == (1 if shared else 3)
    assert all(math.isfinite(g) and g > 0 for each in found.values() for g in each)


def test_the_last_gradient_of_a_post_norm_stream_is_the_head_s():
    model = depth.make(2, "post-norm", False)
    tokens = depth.source().sample(torch.Generator().manual_seed(0), 64, depth.LENGTH)
    with torch.no_grad():
        wrong = model(tokens[:, :-1])[:, 1:].softmax(-1) - F.one_hot(tokens[:, 2:], 5)
        by_hand = (wrong / wrong[..., 0].numel() @ model.head.weight).norm().item()
    assert depth.gradients(2, "post-norm")["stream"][-1] == pytest.approx(by_hand, rel=1e-4)


def test_the_loss_leaves_out_what_has_seen_one_token_only():
    tokens = depth.source().sample(torch.Generator().manual_seed(0), 8, 6)
    table = depth.source().table.float().log()

    def knows(text):  # scores that are right from the second token on, and absurd at the first
        scores = table[text[:, :-1], text[:, 1:]]
        return torch.cat([torch.full_like(scores[:, :1], -50.0), scores], dim=1)

    many = depth.source().sample(torch.Generator().manual_seed(0), 4000, 16)
    assert depth.loss_on(knows, tokens).isfinite()
    assert depth.loss_on(knows, many).item() == pytest.approx(depth.source().entropy, abs=0.02)


def check_depth(found):
    wanted = {
        (far, norm, shared, seed)
        for far in depth.DEPTHS
        for norm in depth.BLOCKS
        for shared in (False, True)
        for seed in found["seeds"]
    }
    assert len(found["rows"]) == len(wanted)
    assert {(row["depth"], row["norm"], row["shared"], row["seed"]) for row in found["rows"]} == wanted
    assert {(row["lr"], row["warmup"]) for row in found["rows"]} == {(depth.RATE, 0)}
    for lr, warm in depth.REMEDIES:
        rows = [row for row in found["remedies"] if (row["lr"], row["warmup"]) == (lr, warm)]
        tried = {(row["depth"], row["norm"], row["shared"], row["seed"]) for row in rows}
        assert tried == {each for each in wanted if each[0] in depth.DEEP and each[1] == "post-norm"}
    for row in found["rows"] + found["remedies"]:
        model = depth.make(row["depth"], row["norm"], row["shared"])
        assert row["parameters"] == sum(p.numel() for p in model.parameters())
        assert row["loss"] is None or row["loss"] > found["known"]["entropy"] - 0.05
        assert row["trained"] == (row["loss"] is not None and row["loss"] < found["known"]["one_back"])
    assert len(found["gradients"]) == len(wanted)
    assert all(len(row["stream"]) == row["depth"] for row in found["gradients"])
    assert found["known"]["entropy"] < found["known"]["one_back"] < found["known"]["shares_only"]


def test_a_tiny_measurement_of_depth_has_the_documented_fields(monkeypatch):
    tiny = {"DEPTHS": (1, 3), "DEEP": (3,), "SEEDS": (0,), "STEPS": 2, "REMEDIES": ((1e-3, 0), (1e-3, 1))}
    for name, value in tiny.items():
        monkeypatch.setattr(depth, name, value)
    check_depth(depth.measure())


def test_a_run_that_ends_in_nan_is_told_as_such(monkeypatch):
    def broken(*_):
        raise FloatingPointError("The loss is nan at step 3.")

    monkeypatch.setattr(depth, "learn", broken)
    row = depth._row(2, "post-norm", False, 0, 1.0, 0)
    assert row["loss"] is None and row["trained"] is False and row["parameters"] > 0


def test_what_was_recorded_of_depth():
    found = recorded("depth")
    check_depth(found)
    assert len(found["seeds"]) >= 3 and found["settings"]["steps"] == depth.STEPS


def test_no_such_norm():
    with pytest.raises(ValueError, match="norm should be one of pre-norm, post-norm, got 'pre'"):
        depth.make(2, "pre", False)
