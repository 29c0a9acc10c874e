"""Gates: closed they are silence, half open a half, and their slope is the importance of a head."""

import pytest
import torch
from torch import nn

from attn_course.attention import MultiHead, fused, silencing, watching
from attn_course.attention.gating import gating
from attn_course.attention.options import NullKey
from attn_course.attention.watching import layers_of

torch.set_num_threads(1)


def model_of(mechanism=fused):
    torch.manual_seed(0)
    layers = [MultiHead(16, 4, mechanism=mechanism) for _ in range(2)]
    return nn.Sequential(layers[0], nn.Tanh(), layers[1]).double()


def x_of(batch=3, n=5):
    return torch.randn(batch, n, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("mechanism", [fused, NullKey])
def test_a_closed_gate_is_silence_and_an_open_one_changes_nothing(mechanism):
    model, x = model_of(mechanism), x_of()
    with gating(model, {"0": torch.ones(4).double()}):
        torch.testing.assert_close(model(x), model_of(mechanism)(x))
    with silencing(model, {"2": [1, 3]}):
        silent = model(x)
    with gating(model, {"2": torch.tensor([1.0, 0, 1, 0]).double()}), watching(model) as records:
        torch.testing.assert_close(model(x), silent)
    assert records[1].output[:, [1, 3]].abs().sum() == 0


def test_each_example_may_have_its_own_gates():
    model, x = model_of(), x_of()
    gates = torch.rand(3, 4, generator=torch.Generator().manual_seed(2)).double()
    with gating(model, {"2": gates}):
        together = model(x)
    for row in range(3):
        with gating(model, {"2": gates[row]}):
            torch.testing.assert_close(together[row], model(x[row : row + 1])[0])


def test_the_slope_of_a_gate_is_that_of_the_loss():
    model, x = model_of(), x_of()

    def loss(first):
        with gating(model, {"0": first}):
            return model(x).square().sum()

    gates = torch.ones(4, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(gates), gates)
    for head in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[head] = 1e-6
        torch.testing.assert_close(slope[head], (loss(gates + step) - loss(gates - step)) / 2e-6, rtol=1e-6, atol=1e-6)


def test_other_layers_and_other_numbers_of_gates_are_refused():
    model = model_of()
    with pytest.raises(ValueError, match=r"There is no attention layer '1'. There are: 0, 2."), gating(model, {"1": 0}):
        pass
    for wrong in (torch.ones(3), torch.ones(1, 1, 4), [1.0, 1.0, 1.0, 1.0]):
        with pytest.raises(ValueError, match="0 has 4 heads, so many gates"), gating(model, {"0": wrong}):
            pass


def test_gates_of_other_examples_are_refused():
    model, x = model_of(), x_of(3)
    said = "gates for 2 examples, and the model was given 3"
    with gating(model, {"0": torch.ones(2, 4).double()}), pytest.raises(ValueError, match=said):
        model(x)


def test_where_a_gated_option_looks_is_told():
    """Of a layer with an option, `watching` asks for its keys: those of a gated one are the same."""
    model, x = model_of(NullKey), x_of()
    with watching(model) as plain:
        model(x)
    with gating(model, {"0": torch.zeros(4).double()}), watching(model) as gated:
        model(x)
    torch.testing.assert_close(gated[0].q, plain[0].q)
    torch.testing.assert_close(gated[0].k, plain[0].k)
    assert gated[0].weights.shape == plain[0].weights.shape


def test_nothing_is_left_behind():
    model = model_of()
    before = {name: layer.mechanism for name, layer in layers_of(model).items()}
    with pytest.raises(RuntimeError), gating(model, {"0": torch.ones(4)}):
        raise RuntimeError
    assert {name: layer.mechanism for name, layer in layers_of(model).items()} == before
