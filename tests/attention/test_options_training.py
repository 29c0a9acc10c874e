"""σReparam against singular values, and QK-clip against what it promises: on the same input, a largest score of tau."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from attn_course.attention import MultiHead, Rotary, attention_scores, causal, padding, watching
from attn_course.attention.options import (
    NullKey,
    QKNorm,
    SigmaReparam,
    largest_scores,
    log_length,
    qk_clip,
    sigma_reparam,
    with_qk_clip,
)
from attn_course.models.gpt import GPT
from attn_course.training.files import load_weights, save_weights
from attn_course.training.loop import train

torch.set_num_threads(1)
VOCABULARY, N = 13, 9


def text(batch=2, n=N, seed=1):
    return torch.randint(1, VOCABULARY, (batch, n), generator=torch.Generator().manual_seed(seed))


def gpt(seed=0, **stack):
    torch.manual_seed(seed)
    return GPT(VOCABULARY, 16, 4, 2, **stack)


def spectral_norm(weight):
    return torch.linalg.matrix_norm(weight.double(), ord=2).item()


def matrix(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss_of_batch(model, generator):
    tokens = torch.randint(1, VOCABULARY, (4, N), generator=generator)
    return nn.functional.cross_entropy(model(tokens)[:, :-1].transpose(1, 2), tokens[:, 1:])


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6)])
def test_a_reparametrised_matrix_has_the_direction_of_the_old_and_a_norm_of_gamma(shape):
    linear = nn.Linear(shape[1], shape[0]).double()
    linear.weight.data = matrix(*shape)
    sigma_reparam(linear, gamma=2.5)
    torch.testing.assert_close(linear.weight, 2.5 * matrix(*shape) / spectral_norm(matrix(*shape)))


def test_gamma_of_none_changes_nothing_at_first():
    model = gpt().eval()
    before = model(text())
    names = sigma_reparam(model, gamma=None)
    assert len(names) == sum(isinstance(each, nn.Linear) for each in model.modules())
    torch.testing.assert_close(model(text()), before, atol=1e-5, rtol=1e-5)
    sigma_reparam(other := gpt().eval())
    assert all(spectral_norm(each.weight) == pytest.approx(1, rel=1e-5) for each in linears(other))


def linears(model):
    return [each for each in model.modules() if isinstance(each, nn.Linear)]


def test_the_gradient_is_that_of_the_formula_with_the_true_spectral_norm():
    weight = matrix(4, 3).requires_grad_()
    ours = SigmaReparam(weight, gamma=1.7).double()
    gamma = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    wanted = gamma / torch.linalg.matrix_norm(weight, ord=2) * weight
    by_iteration = torch.autograd.grad(ours.eval()(weight), (weight, ours.gamma), matrix(4, 3, seed=1))
    by_svd = torch.autograd.grad(wanted, (weight, gamma), matrix(4, 3, seed=1))
    for one, other in zip(by_iteration, by_svd, strict=True):
        torch.testing.assert_close(one, other.to(one), atol=1e-6, rtol=1e-6)
    assert torch.autograd.gradcheck(ours, (weight,))


def test_power_iteration_finds_a_matrix_that_has_moved_on():
    reparam, moved = SigmaReparam(matrix(6, 4)), matrix(6, 4, seed=3)
    reparam = reparam.double()
    reparam.iterate(moved, steps=200)
    assert (reparam.u @ moved @ reparam.v).item() == pytest.approx(spectral_norm(moved), rel=1e-9)
    before = reparam.u.clone()
    reparam.eval()(matrix(6, 4))
    assert torch.equal(reparam.u, before)  # a look in evaluation changes nothing
    reparam.train()(matrix(6, 4))
    assert not torch.equal(reparam.u, before)


def test_in_training_the_norm_follows_and_a_file_holds_all_of_it(tmp_path):
    model = gpt()
    sigma_reparam(model)
    train(model, loss_of_batch, steps=20, lr=1e-2)
    model.eval()
    for linear in linears(model):
        gamma = linear.parametrizations.weight[0].gamma.item()
        assert gamma != 1 and spectral_norm(linear.weight.detach()) == pytest.approx(abs(gamma), rel=0.05)
    save_weights(model, tmp_path / "model.safetensors")
    sigma_reparam(fresh := gpt(seed=5))
    assert torch.equal(load_weights(fresh, tmp_path / "model.safetensors")(text()), model(text()))


def test_what_cannot_be_reparametrised_is_told():
    with pytest.raises(ValueError, match="no linear layer"):
        sigma_reparam(nn.LayerNorm(3))
    model = gpt()
    sigma_reparam(model)
    with pytest.raises(ValueError, match="reparametrised already"):
        sigma_reparam(model)
    zeros = nn.Linear(3, 3)
    nn.init.zeros_(zeros.weight)
    with pytest.raises(ValueError, match="no direction"):
        sigma_reparam(zeros)
    assert not parametrize.is_parametrized(zeros)


PARTS = {
    "multi-head": {},
    "grouped": {"kv_heads": 2},
    "multi-query": {"kv_heads": 1},
    "rotary": {"positions": Rotary(4)},
    "without biases": {"bias": False},
    "log length": {"mechanism": log_length(s=2.0)},
    "null key": {"mechanism": NullKey},
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_on_the_same_input_no_score_is_above_tau_and_heads_below_it_are_left_alone(parts):
    torch.manual_seed(0)
    layer = MultiHead(16, 4, **parts).double()
    layer.w_q.weight.data[:4] *= 20  # head 0 asks loudly
    x = matrix(2, N, 16)
    with largest_scores(layer) as before:
        layer(x, visible=causal)
    others = before[""][1:].max().item()
    tau = 1.5 * others
    assert before[""][0] > 2 * tau
    old = {name: value.clone() for name, value in layer.state_dict().items()}
    gamma = qk_clip(layer, tau, before)[""]
    with largest_scores(layer) as after:
        layer(x, visible=causal)
    assert after[""][0].item() == pytest.approx(tau, rel=1e-9)
    torch.testing.assert_close(after[""][1:], before[""][1:], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(gamma, torch.tensor([tau / before[""][0].item(), 1, 1, 1], dtype=torch.float64))
    for name, value in layer.state_dict().items():
        same = torch.equal(value, old[name])
        clipped = ("w_q", "w_k") if "kv_heads" not in parts else ("w_q",)
        assert same == (not name.startswith(clipped))


def test_the_largest_score_is_that_of_the_visible_pairs_over_all_calls():
    model = gpt().eval()
    keep = torch.arange(N) < torch.tensor([[N], [4]])
    with largest_scores(model) as largest, watching(model) as maps:
        model(text(), visible=causal & padding(keep))
        model(text(seed=4))
    assert list(largest) == ["stack.blocks.0.attention", "stack.blocks.1.attention"]
    for name, found in largest.items():
        scores = [attention_scores(each.q, each.k, each.visible) for each in maps if each.name == name]
        torch.testing.assert_close(found, torch.stack([each.amax((0, 2, 3)) for each in scores]).amax(0))


def test_the_largest_score_of_normalised_queries_and_keys_is_below_their_gain():
    model = gpt(mechanism=partial(QKNorm, gain=3.0)).eval()
    with largest_scores(model) as largest:
        model(text())
    assert all((each > 0).all() and (each <= 3.0 + 1e-6).all() for each in largest.values())


def test_clipping_holds_the_scores_down_while_a_model_trains():
    tau, ends = 0.5, {}
    for name, loss in (("plain", loss_of_batch), ("clipped", with_qk_clip(loss_of_batch, tau))):
        model = gpt()
        train(model, loss, steps=30, lr=1e-2)
        with largest_scores(model) as largest:
            loss_of_batch(model, torch.Generator().manual_seed(7))
        ends[name] = max(each.max().item() for each in largest.values())
    assert ends["clipped"] < 2 * tau < 2 * ends["plain"] and ends["clipped"] < ends["plain"]


def test_a_batch_that_a_layer_has_no_part_in_does_not_clip_it_again():
    model, calls = gpt(), []

    def first_only(model, generator):
        calls.append(1)
        return loss_of_batch(model, generator) if len(calls) == 1 else model.head.weight.sum()

    loss, w_q = with_qk_clip(first_only, 1e-3), model.stack.blocks[0].attention.w_q.weight
    seen = []
    for _ in range(4):
        loss(model, torch.Generator().manual_seed(0))
        seen.append(w_q.detach().clone())
    assert not torch.equal(seen[0], seen[1]) and torch.equal(seen[1], seen[2]) and torch.equal(seen[2], seen[3])


def test_nothing_above_tau_leaves_a_training_as_it_was():
    runs = []
    for loss in (loss_of_batch, with_qk_clip(loss_of_batch, 1e6)):
        model = gpt()
        runs.append(list(train(model, loss, steps=5)))
    assert runs[0] == runs[1]


def test_what_a_clip_cannot_reach_is_told():
    largest = {"stack.blocks.0.attention": torch.full((4,), 9.0)}
    with pytest.raises(ValueError, match="above 0"):
        qk_clip(gpt(), 0, largest)
    with pytest.raises(ValueError, match="above 0"):
        qk_clip(gpt(), math.nan, largest)
    with pytest.raises(ValueError, match="There is no attention layer 'other'"):
        qk_clip(gpt(), 1.0, {"other": torch.ones(4)})
    with pytest.raises(ValueError, match="QK-norm"):
        qk_clip(gpt(mechanism=QKNorm), 1.0, largest)
    model = gpt()
    sigma_reparam(model)
    with pytest.raises(ValueError, match="reparametrised"):
        qk_clip(model, 1.0, largest)
