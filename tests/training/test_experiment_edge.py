"""Over the edge: what is measured on the way is what the doctor measures, remedies act, divergence is a result."""

import math

import pytest
import torch

from attn_course.attention import watching
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.watch import watch
from attn_course.training.experiments import edge
from attn_course.training.recorded import recorded


def sharpened(times: float, seed: int = 0):
    model = edge.make(seed=seed).eval()
    for block in model.stack.blocks:
        block.attention.w_q.weight.data.mul_(times)
    return model


@pytest.mark.parametrize("times", [1.0, 8.0, 60.0])
def test_the_vitals_are_the_doctors(times):
    model, read = sharpened(times), edge.read_twice()[1][:3]
    with torch.no_grad(), watch(model, sample=None) as record:
        model(read[:, :-1])
    layers = diagnose(record).layers
    found = edge.vitals(model, read)
    assert found["max logit"] == pytest.approx(max(max(each.values["max_logit"]) for each in layers), rel=1e-4)
    rest = [value for each in layers for value in each.values["entropy_rest"]]
    # The doctor also takes out a second key that a head rests on, of which an untrained toy has none.
    assert found["entropy"] == pytest.approx(sum(rest) / len(rest), abs=2e-3)
    assert found["collapsed"] == pytest.approx(sum(value < 0.05 for value in rest) / len(rest))


def test_entropy_beside_the_first_key_by_hand():
    weights = torch.zeros(1, 3, 12, 12, dtype=torch.float64)
    for i in range(12):
        weights[0, 0, i, 0], weights[0, 0, i, 1 : i + 1] = 0.5 if i else 1.0, 0.5 / max(i, 1)  # even beside the first
        weights[0, 1, i, 0] = 1.0  # rests on it
        weights[0, 2, i, i] = 1.0  # looks at itself
    even, rests, sharp = edge.entropy_beside_first(weights)
    assert even == pytest.approx(1.0) and math.isnan(rests) and sharp == 0.0


def test_a_clip_holds_the_logits_and_a_cap_holds_what_the_softmax_sees():
    clipped = edge.make("QK-clip", layers=1)
    run = edge.learn(clipped, 0.3, 12, tau=5.0, batch=2, look=lambda m: edge.vitals(m, edge.read_twice()[1]), every=12)
    plain = edge.make(layers=1)
    free = edge.learn(plain, 0.3, 12, batch=2, look=lambda m: edge.vitals(m, edge.read_twice()[1]), every=12)
    assert run.rows[-1]["max logit"] < free.rows[-1]["max logit"]
    capped = edge.make("soft-cap", layers=1).eval()
    capped.stack.blocks[0].attention.w_q.weight.data.mul_(1e4)
    with torch.no_grad(), watching(capped) as records:
        capped(edge.read_twice()[1][:1, :-1])
    row = records[0].weights[0, :, -1]
    assert row.max() / row[row > 0].min() <= math.exp(2 * edge.CAP) * 1.01


def test_one_part_too_fast_moves_that_part_alone():
    for part in edge.PARTS:
        before, after = edge.make(layers=1), edge.make(layers=1)
        edge.hurry(after, part)
        edge.learn(after, edge.SANE, 1, batch=2)
        there = dict(before.named_parameters())
        layer, new = before.stack.blocks[0], after.stack.blocks[0]
        far = {
            edge.PARTS[0]: (new.attention.w_q.weight - layer.attention.w_q.weight).abs().median().item(),
            edge.PARTS[1]: (new.feed_forward.w_1.weight - layer.feed_forward.w_1.weight).abs().median().item(),
        }
        assert there and far.pop(part) == pytest.approx(edge.TOO_FAST, rel=0.1)
        assert next(iter(far.values())) == pytest.approx(edge.SANE, rel=0.1)


def test_a_run_that_ends_in_nan_is_a_result():
    model = edge.make(layers=1)
    run = edge.learn(model, 1e30, 8, batch=2, look=lambda m: {"x": 1.0}, every=1)
    assert not run.finished and len(run.losses) < 8 and all(map(math.isfinite, run.losses))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: edge.make("QK-Norm"), "remedy should be one of none, QK-norm, σReparam, soft-cap, QK-clip"),
        (lambda: edge.hurry(edge.make(layers=1), "values"), "part should be one of queries and keys"),
        (lambda: edge.make(d_model=30), "30 cannot be split evenly among 4 heads"),
        (lambda: edge.make(layers=0), "at least one layer"),
    ],
)
def test_what_cannot_be_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_the_record_has_the_form_of_a_short_run():
    small, whole = edge.measure(seeds=(0,), steps=2), recorded("edge")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    key = [(row["remedy"], row["part"], row["lr"], row["seed"]) for row in whole["rows"]]
    assert len(set(key)) == len(key) == 3 * (2 * len(edge.REMEDIES) + len(edge.PARTS))
    assert whole["settings"]["steps"] == edge.STEPS and len(whole["seeds"]) >= 3
