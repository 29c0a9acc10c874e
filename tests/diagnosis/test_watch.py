"""Watching the course's models: nothing changes, what is recorded is what the maps say, and no trace is left."""


import pytest
import torch

from attn_course.attention import ALiBi, Rotary, attention, fused, watching
from attn_course.diagnosis.watch import watch
from attn_course.models.gpt import GPT

torch.set_num_threads(1)
N, VOCABULARY = 11, 13


def text(batch=2, n=N):
    return torch.randint(1, VOCABULARY, (batch, n), generator=torch.Generator().manual_seed(1))


def gpt(seed=0, **stack):
    torch.manual_seed(seed)
    return GPT(VOCABULARY, 16, 4, 2, **stack).eval()


def by_hand(weights, i=None):
    """Two lines a measure, in float64, on the whole map (batch, head, query, key)."""
    a = weights.double()
    j = torch.arange(a.shape[-1])
    i = torch.arange(a.shape[-1] - a.shape[-2], a.shape[-1]) if i is None else i
    return {
        "entropy": -torch.special.xlogy(a, a).sum(-1),
        "received": a.sum(-2),
        "mean_distance": (a * (i[:, None] - j).abs()).sum(-1),
        "participation": 1 / a.square().sum(-1),
    }


def assert_as_the_map_says(call, weights, **tolerance):
    for name, wanted in by_hand(weights).items():
        got = getattr(call.vitals, name).double()
        torch.testing.assert_close(got, wanted, **({"atol": 1e-5, "rtol": 1e-5} | tolerance))


MODELS = {
    "fused": {"mechanism": fused},
    "the formula": {"mechanism": attention},
    "rotary, grouped": {"positions": Rotary(4), "kv_heads": 2},
    "ALiBi": {"positions": ALiBi(4)},
    "one block, twice": {"shared": True},
}


@pytest.mark.parametrize("parts", MODELS.values(), ids=MODELS)
def test_outputs_are_the_same_and_the_vitals_are_those_of_the_maps(parts):
    model = gpt(**parts)
    before = model(text())
    with watch(model, token_sets={"first": [0]}) as record:
        during = model(text())
    assert torch.equal(before, during) and torch.equal(model(text()), before)
    with watching(model) as maps:
        model(text())
    assert [call.name for call in record.calls] == [layer.name for layer in maps] and record.notes == []
    for call, layer in zip(record.calls, maps, strict=True):
        assert call.kind == "self" and call.dtype == torch.float32 and call.finite
        assert_as_the_map_says(call, layer.weights)
        torch.testing.assert_close(call.vitals.set_mass["first"], layer.weights[..., 0])
        torch.testing.assert_close(call.value_norm, layer.v.norm(dim=-1))
        torch.testing.assert_close(call.weights.float(), layer.weights[:, :, call.rows], atol=1e-3, rtol=1e-3)
        assert call.largest_product >= (layer.q @ layer.k.transpose(-2, -1)).abs().max().item() * (1 - 1e-6)
        assert call.scale == pytest.approx(layer.scale)
