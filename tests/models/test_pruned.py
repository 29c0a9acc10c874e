"""A model made smaller computes what the whole one computes with those parts silent, in float64, gradients included."""

from itertools import chain

import pytest
import torch

from attn_course.attention import ALiBi, Learned, Rotary, attention, causal, fused, silencing
from attn_course.attention.options import NullKey
from attn_course.attention.watching import layers_of
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.gpt import GPT
from attn_course.models.pruned import size, without_attention, without_blocks, without_feed_forward, without_heads

torch.set_num_threads(1)
V, D, HEADS, LAYERS = 11, 16, 4, 3


def gpt(**stack):
    torch.manual_seed(0)
    return GPT(V, D, HEADS, LAYERS, positions=Rotary(4), **{"mechanism": fused, **stack}).double()


def encoder(**stack):
    torch.manual_seed(0)
    return Encoder(V, D, HEADS, LAYERS, positions=Learned(32, D), **{"mechanism": attention, **stack}).double()


def tokens(n=9, batch=2):
    return torch.randint(V, (batch, n), generator=torch.Generator().manual_seed(3))


GONE = {0: [1], 1: [0, 3], 2: [0, 1, 2, 3]}
NAMED = {f"stack.blocks.{layer}.attention": heads for layer, heads in GONE.items()}


@pytest.mark.parametrize("make", [gpt, encoder])
@pytest.mark.parametrize("heads", [GONE, NAMED], ids=["by number", "by name"])
def test_without_heads_is_the_model_with_those_heads_silent(make, heads):
    model = make()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    smaller = without_heads(model, heads)
    out = smaller(tokens())
    with silencing(model, NAMED):
        silent = model(tokens())
    torch.testing.assert_close(out, silent)
    assert (out - model(tokens())).abs().max() > 0.01  # and that is another output than the whole model's
    out.square().sum().backward()
    silent.square().sum().backward()
    for ours, theirs in ((smaller.token, model.token), (smaller.stack.blocks[1].feed_forward.w_1,) * 2):
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    kept = torch.arange(4, 12)  # heads 1 and 2 of layer 1
    ours, theirs = smaller.stack.blocks[1].attention, model.stack.blocks[1].attention
    for name in ("w_q", "w_k", "w_v"):
        torch.testing.assert_close(getattr(ours, name).weight.grad, getattr(theirs, name).weight.grad[kept])
    torch.testing.assert_close(ours.w_o.weight.grad, theirs.w_o.weight.grad[:, kept])
    torch.testing.assert_close(ours.w_o.bias.grad, theirs.w_o.bias.grad)
    torch.testing.assert_close(
        smaller.stack.blocks[2].attention.bias.grad, model.stack.blocks[2].attention.w_o.bias.grad
    )
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


@pytest.mark.parametrize("make", [gpt, encoder])
def test_without_attention_every_head_of_the_layer_is_silent(make):
    model = make()
    with silencing(model, {"stack.blocks.1.attention": range(HEADS)}):
        silent = model(tokens())
    torch.testing.assert_close(without_attention(model, [1])(tokens()), silent)


@pytest.mark.parametrize("make", [gpt, encoder])
def test_without_blocks_the_others_are_run_one_after_the_other(make):
    model = make()
    smaller = without_blocks(model, [1])
    x = model.embed(tokens())
    visible = None if make is encoder else causal
    for block in (model.stack.blocks[0], model.stack.blocks[2]):
        x = block(x, visible)
    torch.testing.assert_close(smaller(tokens()), model.head(model.stack.norm(x)))
    assert smaller.stack.layers == 2 and len(layers_of(smaller)) == 2 and len(layers_of(model)) == 3


@pytest.mark.parametrize("make", [gpt, encoder])
def test_without_feed_forward_nothing_is_added_in_its_place(make):
    model = make()
    smaller = without_feed_forward(model, [0, 2])
    for number in (0, 2):
        network = model.stack.blocks[number].feed_forward
        for each in (network.w_2.weight, network.w_2.bias):
            torch.nn.init.zeros_(each)
    torch.testing.assert_close(smaller(tokens()), model(tokens()))


def test_what_is_left_writes_with_a_cache_as_without():
    for smaller in (without_heads(gpt(), GONE), without_attention(gpt(), [0]), without_blocks(gpt(), [0])):
        text = smaller.write(tokens(3), 6)
        for n in range(3, 9):
            assert torch.equal(smaller(text[:, :n])[:, -1].argmax(-1), text[:, n])


def test_sizes_are_counted():
    model = gpt()
    whole, fewer = size(model), size(without_heads(model, {0: [0]}))
    assert whole.parameters == sum(each.numel() for each in model.parameters()) and whole.nbytes == 8 * whole.parameters
    assert whole.parameters - fewer.parameters == 3 * (4 * D + 4) + 4 * D  # rows of W_Q, W_K, W_V; columns of W_O
    caches = model.stack.caches()
    model(tokens(), caches=caches)
    assert whole.cache_bytes * 9 * 2 == sum(cache.nbytes for cache in caches)
    assert fewer.cache_bytes == whole.cache_bytes - 2 * 4 * 8
    gone = size(without_attention(model, [1]))
    attention_and_norm = chain(
        model.stack.blocks[1].attention.parameters(), model.stack.blocks[1].norm_attention.parameters()
    )
    assert whole.parameters - gone.parameters == sum(each.numel() for each in attention_and_norm) - D  # its bias stays


def test_what_was_pruned_can_be_pruned_again():
    twice = without_heads(without_heads(gpt(), {0: [1], 2: range(4)}), {0: [1], 2: []})  # head 1 was head 2
    torch.testing.assert_close(twice(tokens()), without_heads(gpt(), {0: [1, 2], 2: range(4)})(tokens()))
    assert twice.stack.blocks[0].attention.heads == 2


def test_a_layer_by_number_and_by_name_loses_both_lists():
    both = without_heads(gpt(), {0: [1], "stack.blocks.0.attention": torch.tensor([1, 2]), 1: []})
    torch.testing.assert_close(both(tokens()), without_heads(gpt(), {0: [1, 2]})(tokens()))


def test_matrices_know_their_new_sizes():
    layer = without_heads(gpt(), {0: [1]}).stack.blocks[0].attention
    for name in ("w_q", "w_k", "w_v", "w_o"):
        matrix = getattr(layer, name)
        assert (matrix.out_features, matrix.in_features) == tuple(matrix.weight.shape)


@pytest.mark.parametrize("make", [gpt, encoder])
def test_what_is_left_has_no_weights_that_do_nothing(make):
    """A normalisation before a part that is gone has nothing to normalise for; after one, it still has the stream."""
    for smaller in (without_attention(make(), [1]), without_feed_forward(make(), [1]), without_heads(make(), GONE)):
        smaller(tokens()).square().sum().backward()
        assert all(each.grad is not None for each in smaller.parameters())


def test_a_layer_without_heads_can_begin_anew():
    layer = without_attention(gpt(), [0]).stack.blocks[0].attention
    layer.reset_parameters()
    assert layer.bias is not None and not layer.bias.any()


def test_frozen_weights_stay_frozen():
    model = gpt().requires_grad_(False)
    assert not any(each.requires_grad for each in without_heads(model, GONE).parameters())


@pytest.mark.parametrize(
    ("model", "prune", "said"),
    [
        (gpt(), lambda m: without_heads(m, {3: [0]}), "The model has layers 0 to 2, got 3."),
        (gpt(), lambda m: without_heads(m, {"blocks.0": [0]}), "layers 0 to 2, got 'blocks.0'"),
        (gpt(), lambda m: without_heads(m, {1: [4]}), r"Layer 1 has 4 heads, counted from 0; got \[4\]."),
        (gpt(), lambda m: without_heads(m, {1: [0, -1]}), r"counted from 0; got \[-1\]."),
        (gpt(), lambda m: without_heads(m, {-1: [0]}), "layers 0 to 2, got -1."),
        (gpt(), lambda m: without_heads(m, {1: 3}), r"give a list of its heads that go, such as \[3\]; got 3."),
        (gpt(), lambda m: without_blocks(m, 1), r"Give a list of layers, such as \[1\]; got 1."),
        (gpt(), lambda m: without_blocks(m, [0, 1, 2]), "All 3 blocks would go; leave at least one."),
        (gpt(kv_heads=2), lambda m: without_heads(m, {0: [1]}), "several heads share their keys"),
        (gpt(mechanism=NullKey), lambda m: without_heads(m, {0: [1]}), "NullKey in layer 0 has numbers of its own"),
        (encoder(shared=True), lambda m: without_blocks(m, [0]), "runs one block several times"),
        (EncoderDecoder(V, V, D, HEADS, 1), lambda m: without_blocks(m, [0]), "no model of one stack of blocks"),
    ],
)
def test_what_cannot_be_taken_out_is_refused(model, prune, said):
    with pytest.raises(ValueError, match=said):
        prune(model)


def test_heads_with_biases_of_distance_are_refused():
    with pytest.raises(ValueError, match="ALiBi in layer 0"):
        without_heads(GPT(V, D, HEADS, 1, positions=ALiBi(HEADS)), {0: [0]})
