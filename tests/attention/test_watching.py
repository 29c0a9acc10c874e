"""Watching changes nothing and reports what happened; silencing takes out a head and nothing else."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from attn_course.attention import (
    ALiBi,
    KVCache,
    MultiHead,
    Rotary,
    attention,
    attention_weights,
    causal,
    fused,
    padding,
    silencing,
    watching,
)

torch.set_num_threads(1)
MECHANISMS = [attention, fused]


def model_of(mechanism=attention, kv_heads=2, positions=None):
    torch.manual_seed(0)
    layers = [MultiHead(16, 4, kv_heads, mechanism=mechanism, positions=positions) for _ in range(2)]
    return nn.Sequential(layers[0], nn.Tanh(), layers[1])


def x_of(batch=2, n=5, dtype=torch.float32):
    return torch.randn(batch, n, 16, generator=torch.Generator().manual_seed(1)).to(dtype)


class Sharpened(nn.Module):
    """A mechanism with a parameter, whose weights are not those of the formula."""

    def __init__(self):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(1.5))

    def forward(self, q, k, v, visible=None, score=None):
        return attention(q, k, v, visible, score=score, scale=self.power.item())


@pytest.mark.parametrize("positions", [None, Rotary(4), ALiBi(4)])
@pytest.mark.parametrize("mechanism", [*MECHANISMS, Sharpened()])
def test_outputs_are_the_same_while_watching_and_explained_by_the_record(mechanism, positions):
    layer = MultiHead(16, 4, 2, mechanism=mechanism, positions=positions)
    keep = torch.arange(5) < torch.tensor([[5], [3]])
    visible = causal & padding(keep)
    before = layer(x_of(), visible=visible)
    with watching(layer) as records:
        during = layer(x_of(), visible=visible)
    assert torch.equal(before, during) and torch.equal(layer(x_of(), visible=visible), before)
    (record,) = records
    assert record.weights.shape == (2, 4, 5, 5) and record.q.shape == record.k.shape == record.v.shape == (2, 4, 5, 4)
    torch.testing.assert_close(record.weights @ record.v, record.output, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(layer.w_o(record.output.transpose(1, 2).flatten(2)), before)
    assert torch.equal(record.visible, visible.dense(5).expand(2, 4, 5, 5))
    assert ((record.weights > 0) <= record.visible).all()


def test_the_weights_are_the_mechanism_s_own():
    """Not the formula's: a mechanism that multiplies scores by another number is seen to do so."""
    layer = MultiHead(16, 4, mechanism=Sharpened())
    with watching(layer) as records:
        layer(x_of())
    q, k = records[0].q, records[0].k
    torch.testing.assert_close(records[0].weights, attention_weights(q, k, scale=1.5))
    assert not torch.allclose(records[0].weights, attention_weights(q, k), atol=1e-2)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 13])
def test_the_weights_of_the_fused_kernel_are_its_own(n):
    """Allowed no other kernel, torch still gives them: the identity comes in pieces as wide as the values."""
    layer = MultiHead(16, 4, mechanism=fused)
    with watching(layer) as records, sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        layer(x_of(n=n), visible=causal)
    expected = attention_weights(records[0].q, records[0].k, causal)
    torch.testing.assert_close(records[0].weights, expected, atol=1e-6, rtol=1e-5)
    assert records[0].weights.shape == (2, 4, n, n)


def test_layers_are_recorded_by_name_in_the_order_of_the_calls():
    model = model_of()
    with watching(model) as records:
        model(x_of()), model[2](x_of(n=3))
    assert [record.name for record in records] == ["0", "2", "2"]
    assert [record.weights.shape[-1] for record in records] == [5, 5, 3]
    assert records[0].visible is None and records[0].scale == 4**-0.5
    model(x_of())
    assert len(records) == 3


def test_a_step_with_a_cache_and_another_text_are_watched_too():
    layer = model_of(positions=Rotary(4))[0]
    with watching(layer) as records:
        whole = layer(x_of(), visible=causal)
        cache = KVCache()
        for t in range(5):
            layer(x_of()[:, t : t + 1], visible=causal, cache=cache)
        layer(x_of(n=2), memory=x_of(n=7))
    assert torch.equal(whole, layer(x_of(), visible=causal))
    steps = torch.stack([record.weights[:, :, 0, -1] for record in records[1:6]], dim=-1)
    torch.testing.assert_close(steps, records[0].weights.diagonal(0, -2, -1), atol=1e-6, rtol=1e-5)
    assert records[5].weights.shape == (2, 4, 1, 5) and records[6].weights.shape == (2, 4, 2, 7)


def test_gradients_are_the_same_while_watching():
    def gradient(model):
        model.zero_grad()
        model(x_of()).square().sum().backward()
        return model[0].w_q.weight.grad.clone()

    model = model_of()
    before = gradient(model)
    with watching(model):
        assert torch.equal(gradient(model), before)


def test_a_sick_model_is_watched_like_a_sound_one():
    layer = model_of(fused)[0]
    nn.init.constant_(layer.w_v.weight, torch.nan)
    with watching(layer) as records:
        assert layer(x_of(), visible=causal).isnan().all()
    assert records[0].v.isnan().all() and torch.equal(records[0].visible[0, 0], causal.dense(5))


@pytest.mark.parametrize("mechanism", [attention, fused, Sharpened()])
@pytest.mark.parametrize("enter", [watching, lambda model: silencing(model, {"0": [1]})])
def test_afterwards_the_model_is_as_it_was_even_after_an_exception(mechanism, enter):
    model = model_of(mechanism)
    state, modules = list(model.state_dict()), list(model.named_modules())
    before = model(x_of())
    with pytest.raises(ZeroDivisionError), enter(model):
        assert list(model.state_dict()) == state and list(model.named_modules()) == modules
        model(x_of())
        raise ZeroDivisionError
    assert model[0].mechanism is mechanism and model[2].mechanism is mechanism
    assert list(model.state_dict()) == state and list(model.named_modules()) == modules
    assert torch.equal(model(x_of()), before)


def test_an_exception_inside_the_mechanism_is_the_mechanism_s_own():
    def broken(q, k, v, visible=None):
        raise RuntimeError("the learner's own fault")

    layer = MultiHead(16, 4, mechanism=broken)
    with pytest.raises(RuntimeError, match="the learner's own fault"), watching(layer):
        layer(x_of())
    assert layer.mechanism is broken


@pytest.mark.parametrize("mechanism", [*MECHANISMS, Sharpened()])
def test_a_silenced_head_is_a_head_of_zeros(mechanism):
    layer = model_of(mechanism)[0]
    whole = layer(x_of())
    with silencing(layer, {"": [1, 3]}):
        silenced = layer(x_of())
    with torch.no_grad():
        layer.w_o.weight.unflatten(1, (4, 4))[:, [1, 3]] = 0  # their columns of the last projection
    torch.testing.assert_close(silenced, layer(x_of()))
    assert not torch.allclose(silenced, whole, atol=1e-3)


def test_silencing_no_head_changes_nothing_and_silencing_all_leaves_the_bias():
    model = model_of()
    whole = model(x_of())
    with silencing(model, {"2": []}):
        assert torch.equal(model(x_of()), whole)
    with silencing(model, {"2": [0, 1, 2, 3]}):
        torch.testing.assert_close(model(x_of()), model[2].w_o.bias.expand(2, 5, 16))


def test_a_silenced_model_can_be_watched():
    model = model_of()
    with silencing(model, {"0": [2]}), watching(model) as records:
        model(x_of())
    assert (records[0].output[:, 2] == 0).all() and (records[0].output[:, [0, 1, 3]] != 0).any()
    assert (records[0].weights[:, 2] == 0).all()


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: watching(nn.Linear(2, 2)), "Linear has no MultiHead layer, so there is nothing to watch"),
        (lambda: silencing(model_of(), {"1": [0]}), "There is no attention layer '1'. There are: 0, 2"),
        (lambda: silencing(model_of(), {"0": [4]}), r"0 has heads 0 to 3, got \[4\]"),
        (lambda: silencing(model_of(), {"0": [-1]}), r"0 has heads 0 to 3, got \[-1\]"),
    ],
)
def test_what_cannot_be_watched_or_silenced_gets_one_sentence(work, sentence):
    with pytest.raises(ValueError, match=sentence) as caught, work():
        pass
    assert "\n" not in str(caught.value)
