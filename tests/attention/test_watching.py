"""Watching changes nothing and reports what happened; what disturbs a run disturbs what it says, and nothing else."""

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
    hiding,
    padding,
    patching,
    reweighing,
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


def recorded(model, x=None):
    with watching(model) as records:
        model(x_of() if x is None else x)
    return records


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
@pytest.mark.parametrize(
    "enter",
    [
        watching,
        lambda model: silencing(model, {"0": [1]}),
        lambda model: patching(model, {"0": [1]}, recorded(model)),
        lambda model: hiding(model, torch.arange(5) < 4),
        lambda model: reweighing(model, lambda name, weights: weights),
    ],
)
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


@pytest.mark.parametrize("mechanism", [*MECHANISMS, Sharpened()])
def test_a_patched_head_gives_what_it_gave_in_the_other_run(mechanism):
    """By hand: the last projection, of this run's heads and one of the other's."""
    layer, other = model_of(mechanism)[0], x_of().flip(0)
    mine, theirs = recorded(layer)[0].output, recorded(layer, other)[0].output
    with patching(layer, {"": [1, 3]}, recorded(layer, other)):
        patched = layer(x_of())
    heads = torch.stack([mine[:, 0], theirs[:, 1], mine[:, 2], theirs[:, 3]], dim=1)
    torch.testing.assert_close(patched, layer.w_o(heads.transpose(1, 2).flatten(2)))
    assert not torch.allclose(patched, layer(x_of()), atol=1e-3)


def test_patching_all_heads_makes_the_other_run_and_none_leaves_this_one():
    model, other = model_of(), x_of().flip(0)
    with patching(model, {"0": range(4)}, recorded(model, other)):
        torch.testing.assert_close(model(x_of()), model(other))
    with patching(model, {"0": []}, recorded(model, other)):
        assert torch.equal(model(x_of()), model(x_of()))


def test_a_patched_model_can_be_watched():
    """A patched head still looks at this run; what it gives, and what the layers above see, is patched."""
    model, other = model_of(), x_of().flip(0)
    with patching(model, {"0": [1]}, recorded(model, other)), watching(model) as records:
        model(x_of())
    assert torch.equal(records[0].weights, recorded(model)[0].weights)
    assert torch.equal(records[0].output[:, 1], recorded(model, other)[0].output[:, 1])
    assert torch.equal(records[0].output[:, 0], recorded(model)[0].output[:, 0])
    assert not torch.allclose(records[1].output, recorded(model)[1].output, atol=1e-4)


def test_weights_are_changed_within_a_patched_model_only_from_without():
    model, records = model_of(), recorded(model_of(), x_of().flip(0))
    with reweighing(model, lambda name, weights: weights), patching(model, {"0": [1]}, records):
        found = model(x_of())
    with patching(model, {"0": [1]}, records):
        torch.testing.assert_close(found, model(x_of()))
        with (
            pytest.raises(ValueError, match="0 is patched, so its weights mix nothing"),
            reweighing(model, lambda name, weights: weights),
        ):
            pass
        torch.testing.assert_close(found, model(x_of()))


def test_a_layer_called_twice_takes_its_records_in_order():
    layer = model_of()[0]
    with watching(layer) as records:
        whole, short = layer(x_of()), layer(x_of(n=3))
    with patching(layer, {"": range(4)}, records):
        for _ in range(2):
            torch.testing.assert_close(layer(x_of().flip(0)), whole)
            torch.testing.assert_close(layer(x_of(n=3).flip(0)), short)


@pytest.mark.parametrize("mechanism", [*MECHANISMS, Sharpened()])
@pytest.mark.parametrize("visible", [None, causal, causal.dense(5), causal & padding(torch.arange(5) > 0)])
def test_a_hidden_key_is_a_key_the_mask_hides(mechanism, visible):
    layer = model_of(mechanism, positions=ALiBi(4))[0]
    keep = torch.tensor([[1, 0, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    with hiding(layer, keep):
        found = layer(x_of(), visible=visible)
    dense = torch.ones(5, 5).bool() if visible is None else visible if torch.is_tensor(visible) else visible.dense(5)
    torch.testing.assert_close(found, layer(x_of(), visible=dense & keep[:, None, None]))


def test_keys_are_hidden_in_the_layers_named_and_of_another_text_too():
    model = model_of()
    keep = torch.arange(7) < 2
    with hiding(model, keep, ["2"]), watching(model) as records:
        model(x_of(n=7))
        model[2](x_of(n=9), memory=x_of(n=7))
    assert (records[0].weights > 0).all() and (records[1].weights[..., 2:] == 0).all()
    assert records[2].weights.shape == (2, 4, 9, 7) and (records[2].weights[..., 2:] == 0).all()


@pytest.mark.parametrize("mechanism", [*MECHANISMS, Sharpened()])
def test_weights_that_are_left_as_they_are_change_nothing_and_have_gradients(mechanism):
    layer, kept = model_of(mechanism)[0], []

    def keep(name, weights):
        kept.append(weights)
        return weights

    with reweighing(layer, keep):
        found = layer(x_of(), visible=causal)
    torch.testing.assert_close(found, layer(x_of(), visible=causal))
    torch.testing.assert_close(kept[0], recorded_causal(layer).weights)
    (gradient,) = torch.autograd.grad(found.sum(), kept)
    # d (w · v) W_o / d w = v · (column sums of W_o), head by head.
    out = layer.w_o.weight.sum(dim=0).view(4, 1, 4)
    torch.testing.assert_close(gradient[:, :, 0], (recorded_causal(layer).v * out).sum(-1), atol=1e-5, rtol=1e-5)


def recorded_causal(layer):
    with watching(layer) as records:
        layer(x_of(), visible=causal)
    return records[0]


def test_changed_weights_mix_the_values():
    model = model_of()
    with reweighing(model, lambda name, weights: weights.roll(1, -1) if name == "2" else weights):
        found = model(x_of())
    records = recorded(model)
    mixed = records[1].weights.roll(1, -1) @ records[1].v
    torch.testing.assert_close(found, model[2].w_o(mixed.transpose(1, 2).flatten(2)))


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: watching(nn.Linear(2, 2)), "Linear has no MultiHead layer, so there is nothing to watch"),
        (lambda: silencing(model_of(), {"1": [0]}), "There is no attention layer '1'. There are: 0, 2"),
        (lambda: silencing(model_of(), {"0": [4]}), r"0 has heads 0 to 3, got \[4\]"),
        (lambda: silencing(model_of(), {"0": [-1]}), r"0 has heads 0 to 3, got \[-1\]"),
        (lambda: patching(model_of(), {"0": [4]}, []), r"0 has heads 0 to 3, got \[4\]"),
        (lambda: hiding(model_of(), torch.ones(5).bool(), ["1"]), "There is no attention layer '1'. There are: 0, 2"),
        (lambda: hiding(model_of(), torch.ones(5)), "wants True for real tokens"),
        (lambda: reweighing(nn.Linear(2, 2), lambda name, weights: weights), "has no MultiHead layer"),
    ],
)
def test_what_cannot_be_watched_or_silenced_gets_one_sentence(work, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence) as caught, work():
        pass
    assert "\n" not in str(caught.value)


def hidden_on_other_tokens():
    model = model_of()
    with hiding(model, torch.ones(4).bool()):
        model(x_of())


def patched_with(records):
    model = model_of()
    with patching(model, {"0": [0]}, records(model)):
        model(x_of())


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: patched_with(lambda model: []), "The records hold no call of 0"),
        (lambda: patched_with(lambda model: recorded(model, x_of(n=4))), r"the record holds \(2, 4, 4, 4\)"),
        (hidden_on_other_tokens, r"padding\(keep\) knows 4 tokens, but there are 5 keys"),
    ],
)
def test_what_does_not_fit_the_run_gets_one_sentence(work, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        work()
    assert "\n" not in str(caught.value)
