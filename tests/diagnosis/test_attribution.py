"""Each way of saying what an answer came from, against another way of computing the same, in float64."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from scipy.stats import kendalltau
from torch import nn

from attn_course.attention import attention, causal, fused, padding, reweighing, watching
from attn_course.diagnosis.attribution import (
    by_hiding,
    by_removing,
    by_replacing,
    contributions,
    divergence,
    gradient_times_attention,
    gradient_times_input,
    kendall,
    kept_weights,
    permuted,
    relevance,
    rollout,
)
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder

torch.set_num_threads(1)
N, D, HEADS, LAYERS = 5, 8, 2, 3
TOKENS = torch.tensor([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2]])
READOUT = torch.randn(D, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.fixture(params=[attention, fused], ids=["formula", "fused"])
def model(request):
    torch.manual_seed(0)
    made = Encoder(10, D, HEADS, LAYERS, mechanism=request.param).double()
    for parameter in made.parameters():  # from torch's start attention is nearly even, and nothing matters much
        nn.init.normal_(parameter, std=0.6)
    return made


def score_of(model):
    """The last token's vector, read out as one number."""
    return lambda tokens: model(tokens)[:, -1] @ READOUT


def by_hand(model, x, maps=None):
    """The encoder on vectors, written out: (score, its maps). Given `maps`, it mixes by those."""
    kept = []
    for layer, block in enumerate(model.stack.blocks):
        heads = block.attention
        q, k, v = (w(x).view(len(x), N, HEADS, -1).permute(0, 2, 1, 3) for w in (heads.w_q, heads.w_k, heads.w_v))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / (D // HEADS) ** 0.5
        kept.append(scores.exp() / scores.exp().sum(-1, keepdim=True) if maps is None else maps[layer])
        mixed = torch.einsum("bhij,bhjd->bihd", kept[-1], v).reshape(len(x), N, D)
        x = block.norm_attention(x + heads.w_o(mixed))
        x = block.norm_feed_forward(x + block.feed_forward(x))
    return x[:, -1] @ READOUT, kept


# Erasure


def test_hiding_is_the_model_s_own_mask(model):
    found = by_hiding(model, score_of(model), TOKENS)
    for place in range(N):
        masked = model(TOKENS, padding(torch.arange(N) != place))[:, -1] @ READOUT
        torch.testing.assert_close(found[:, place], score_of(model)(TOKENS) - masked)


def test_a_key_can_be_hidden_in_one_layer(model):
    last = f"stack.blocks.{LAYERS - 1}.attention"
    found = by_hiding(model, score_of(model), TOKENS, [last])
    x = model.embed(TOKENS)
    for block in model.stack.blocks[:-1]:
        x = block(x)
    for place in range(N):
        y = model.stack.blocks[-1](x, padding(torch.arange(N) != place))[:, -1] @ READOUT
        torch.testing.assert_close(found[:, place], score_of(model)(TOKENS) - y)


def test_replacing_is_a_run_on_the_other_text(model):
    score = score_of(model)
    each = torch.tensor([[9, 8, 7, 6, 9], [6, 6, 6, 6, 6]])
    for other in (6, each):
        found = by_replacing(score, TOKENS, other)
        for row, place in itertools.product(range(2), range(N)):
            text = TOKENS[row].tolist()
            text[place] = other if isinstance(other, int) else int(other[row, place])
            expected = score(TOKENS)[row] - score(torch.tensor([text]))[0]
            torch.testing.assert_close(found[row, place], expected)


def test_a_token_replaced_by_itself_changes_nothing(model):
    assert by_replacing(score_of(model), TOKENS, TOKENS).abs().max() < 1e-12


def test_removing_is_a_run_on_the_shorter_text(model):
    score = score_of(model)
    found = by_removing(score, TOKENS)
    for row, place in itertools.product(range(2), range(N)):
        text = TOKENS[row].tolist()
        del text[place]
        torch.testing.assert_close(found[row, place], score(TOKENS)[row] - score(torch.tensor([text]))[0])


# Gradients


def test_gradient_times_input_is_the_slope_when_a_vector_shrinks(model):
    x = model.embed(TOKENS).detach()
    found = gradient_times_input(lambda x: model.run(x)[:, -1] @ READOUT, x)
    step = 1e-6
    for place in range(N):
        factor = torch.ones(N, 1, dtype=x.dtype)
        factor[place] = 1 + step
        up = by_hand(model, x * factor)[0]
        factor[place] = 1 - step
        slope = (up - by_hand(model, x * factor)[0]) / (2 * step)
        torch.testing.assert_close(found[:, place], slope, rtol=1e-6, atol=1e-7)


def test_weights_are_kept_with_their_gradients(model):
    kept = kept_weights(model, score_of(model), TOKENS)
    x = model.embed(TOKENS)
    expected = by_hand(model, x)[1]
    # The gradient with respect to one layer's map, those above computed from what comes of it: by hand, as leaves.
    leaves = [weights.detach().requires_grad_() for weights in expected]
    for layer, each in enumerate(kept):
        assert each.name == f"stack.blocks.{layer}.attention"
        torch.testing.assert_close(each.weights, expected[layer])
        score = _run_with(model, x, {layer: leaves[layer]})
        torch.testing.assert_close(each.gradient, torch.autograd.grad(score.sum(), leaves[layer])[0])


def _run_with(model, x, given):
    """By hand, with the maps of some layers given; all others are computed."""
    for layer, block in enumerate(model.stack.blocks):
        heads = block.attention
        q, k, v = (w(x).view(len(x), N, HEADS, -1).transpose(1, 2) for w in (heads.w_q, heads.w_k, heads.w_v))
        weights = given.get(layer, F.softmax(q @ k.transpose(-2, -1) * (D // HEADS) ** -0.5, dim=-1))
        x = block.norm_attention(x + heads.w_o((weights @ v).transpose(1, 2).reshape(len(x), N, D)))
        x = block.norm_feed_forward(x + block.feed_forward(x))
    return x[:, -1] @ READOUT


def test_gradient_times_attention_is_the_slope_when_a_key_s_weights_shrink(model):
    found = gradient_times_attention(kept_weights(model, score_of(model), TOKENS))
    x, step = model.embed(TOKENS).detach(), 1e-6
    maps = by_hand(model, x)[1]
    for place in range(N):
        slope = 0
        for layer in range(LAYERS):
            up, down = maps[layer].clone(), maps[layer].clone()
            up[..., place] *= 1 + step
            down[..., place] *= 1 - step
            slope = slope + (_run_with(model, x, {layer: up}) - _run_with(model, x, {layer: down})) / (2 * step)
        torch.testing.assert_close(found[:, place], slope, rtol=1e-6, atol=1e-7)


def test_relevance_is_that_of_the_rule_written_in_loops(model):
    kept = kept_weights(model, score_of(model), TOKENS)
    found = relevance(kept).numpy()
    for row in range(2):
        flow = np.eye(N)
        for each in kept:
            grown = np.zeros((N, N))
            for head, i, j in itertools.product(range(HEADS), range(N), range(N)):
                grown[i, j] += max(0.0, (each.weights * each.gradient)[row, head, i, j].item()) / HEADS
            flow = np.array([[flow[i, j] + sum(grown[i, m] * flow[m, j] for m in range(N)) for j in range(N)]
                             for i in range(N)])  # fmt: skip
        np.testing.assert_allclose(found[row], flow, rtol=1e-10)


def test_scores_and_parameters_need_no_gradients_beforehand(model):
    expected = kept_weights(model, score_of(model), TOKENS)
    model.requires_grad_(False)
    with torch.no_grad():
        found = kept_weights(model, score_of(model), TOKENS)
    assert all(torch.equal(a.gradient, b.gradient) for a, b in zip(expected, found, strict=True))
    x, of_vectors = model.embed(TOKENS), lambda x: model.run(x)[:, -1] @ READOUT
    expected = gradient_times_input(of_vectors, x)
    with torch.no_grad():
        assert torch.equal(gradient_times_input(of_vectors, x), expected)


def test_sequences_of_a_batch_are_explained_each_alone(model):
    score = score_of(model)
    both = kept_weights(model, score, TOKENS)
    alone = kept_weights(model, score, TOKENS[1:])
    torch.testing.assert_close(relevance(both)[1:], relevance(alone))
    torch.testing.assert_close(by_replacing(score, TOKENS, 6)[1:], by_replacing(score, TOKENS[1:], 6))


# Maps


def random_maps(layers=LAYERS, visible=None):
    scores = torch.randn(layers, 2, HEADS, N, N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    return list(scores.softmax(-1))


def test_rollout_is_the_sum_over_all_paths():
    """A path goes from a token of the last layer down to the input, at each layer by attention or by the residual."""
    maps = random_maps()
    found = rollout(maps)
    means = [(weights.mean(dim=1) + torch.eye(N)) / 2 for weights in maps]
    for row, last, first in itertools.product(range(2), range(N), range(N)):
        total = 0.0
        for inner in itertools.product(range(N), repeat=LAYERS - 1):
            path = (last, *inner, first)
            share = 1.0
            for step, weights in enumerate(reversed(means)):
                share *= weights[row, path[step], path[step + 1]].item()
            total += share
        assert found[row, last, first].item() == pytest.approx(total)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, N, dtype=torch.float64))


def test_rollout_of_a_causal_model_sees_no_future_and_of_nothing_the_token_itself():
    found = rollout(random_maps(visible=causal.dense(N)))
    assert (found.triu(1) == 0).all()
    blind = [torch.zeros(1, 2, N, N, dtype=torch.float64)] * 3
    assert torch.equal(rollout(blind)[0], torch.eye(N, dtype=torch.float64))


def test_contributions_are_the_lengths_of_what_each_key_adds(model):
    """Token by token: with all other keys' weights at zero, the layer adds this much and its bias."""
    layer = model.stack.blocks[0].attention
    x = model.embed(TOKENS)
    with watching(layer) as records:
        layer(x)
    found = contributions(records[0], layer.w_o.weight)
    for key in range(N):
        only = torch.arange(N) == key
        with reweighing(layer, lambda name, weights, only=only: weights * only):
            added = layer(x) - layer.w_o.bias
        torch.testing.assert_close(found[..., key], added.norm(dim=-1))


def test_permuted_rows_keep_their_weights_and_what_was_hidden():
    weights = random_maps(visible=causal.dense(N))[0]
    found = permuted(weights, torch.Generator().manual_seed(0))
    assert torch.equal(found.sort(-1).values, weights.sort(-1).values)
    assert ((found > 0) == (weights > 0)).all() and not torch.equal(found, weights)


def test_every_permutation_is_as_likely():
    weights = torch.tensor([0.5, 0.0, 0.3, 0.2]).expand(6000, -1)
    found = permuted(weights, torch.Generator().manual_seed(0))
    orders, counts = found.unique(dim=0, return_counts=True)
    assert len(orders) == 6 and (orders[:, 1] == 0).all()
    assert (counts - 1000).abs().max() < 120  # four standard deviations


# Agreement


@pytest.mark.parametrize("values", [1000, 3, 2])
def test_kendall_is_scipy_s(values):
    """With ties as well: of three values many are equal."""
    generator = torch.Generator().manual_seed(values)
    a, b = torch.randint(values, (2, 4, 30), generator=generator).double()
    found = kendall(a, b)
    for row in range(4):
        assert found[row].item() == pytest.approx(kendalltau(a[row], b[row]).statistic, abs=1e-12)


def test_kendall_at_its_ends():
    a = torch.arange(6.0)
    assert kendall(a, a.exp()) == 1 and kendall(a, -a) == -1
    assert kendall(a, torch.ones(6)).isnan() and np.isnan(kendalltau(a, torch.ones(6)).statistic)


def test_divergence_is_scipy_s():
    p, q = random_maps(layers=2)
    found = divergence(p, q)
    expected = jensenshannon(p.numpy(), q.numpy(), base=2, axis=-1) ** 2
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    left, right = torch.eye(2, dtype=torch.float64)
    assert divergence(left, right) == 1 and divergence(p, p).abs().max() < 1e-12


# What cannot be explained


def translator_weights():
    torch.manual_seed(0)
    model = EncoderDecoder(10, 10, 8, 2, 1)
    return kept_weights(model, lambda source: model(source, source[:, :3])[:, -1, 0], TOKENS)


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: by_removing(lambda tokens: tokens[:, 0], torch.tensor([[1]])), "A text of one token has nothing left"),
        (lambda: gradient_times_input(lambda x: x, torch.ones(1, 2, 3)), r"one number for each input, \(batch,\); got"),
        (lambda: relevance(translator_weights()), "of the same tokens looking at one another"),
        (lambda: gradient_times_attention(translator_weights()), "leave cross-attention out"),
        (lambda: rollout([]), r"got none"),
        (lambda: kendall(torch.ones(3), torch.ones(4)), r"same items: got shapes \(3,\) and \(4,\)"),
        (lambda: divergence(torch.ones(3), torch.ones(1)), r"same items"),
    ],
)
def test_what_cannot_be_explained_gets_one_sentence(work, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        work()
    assert "\n" not in str(caught.value)
