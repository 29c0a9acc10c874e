"""Blocks with weaker skips: equal to the plain ones at 1, and to what is written down elsewhere."""

import copy

import pytest
import torch
from torch import nn

from attn_course.attention import MultiHead, causal, fused
from attn_course.models.blocks import FeedForward, PostNorm, PreNorm, Stack
from attn_course.models.skips import ReZero, keeping_own, scaled, weaken_skips

X = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


def block_of(kind, cross=False):
    torch.manual_seed(0)
    memory = MultiHead(8, 2) if cross else None
    return kind(MultiHead(8, 2), memory, FeedForward(8, 16), lambda: nn.LayerNorm(8))


@pytest.mark.parametrize("kind", [PreNorm, PostNorm])
@pytest.mark.parametrize("cross", [False, True])
def test_at_strength_one_nothing_changes_gradients_included(kind, cross):
    plain, ours = block_of(kind, cross), block_of(scaled(kind), cross)
    given = (X, causal, X.flip(1)) if cross else (X, causal)
    outputs = [block(*given) for block in (plain, ours)]
    torch.testing.assert_close(outputs[0], outputs[1])
    for output in outputs:
        output.square().sum().backward()
    for (_, a), (_, b) in zip(plain.named_parameters(), ours.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_each_number_scales_its_own_part():
    block = block_of(scaled(PreNorm, attention=0.3, feed_forward=0.5, branch=2.0))
    middle = 0.3 * X + 2 * block.attention(block.norm_attention(X))
    expected = 0.5 * middle + 2 * block.feed_forward(block.norm_feed_forward(middle))
    torch.testing.assert_close(block(X), expected)
    block = block_of(scaled(PostNorm, attention=0.3, feed_forward=0.5, branch=2.0))
    middle = block.norm_attention(0.3 * X + 2 * block.attention(X))
    expected = block.norm_feed_forward(0.5 * middle + 2 * block.feed_forward(middle))
    torch.testing.assert_close(block(X), expected)


def test_two_kinds_do_not_share_their_strengths():
    weak, whole = scaled(PreNorm, attention=0.0), scaled(PreNorm)
    assert (weak.skip_attention, whole.skip_attention) == (0.0, 1.0)


def test_rezero_begins_as_nothing_and_its_scale_has_a_gradient():
    block = block_of(ReZero)
    torch.testing.assert_close(block(X), X)
    (block(X) * X.flip(0)).sum().backward()
    assert block.alpha.grad != 0 and block.attention.w_v.weight.grad.abs().max() == 0
    block.alpha.data.fill_(0.7)
    middle = X + 0.7 * block.attention(X)
    torch.testing.assert_close(block(X), middle + 0.7 * block.feed_forward(middle))
    assert not any(isinstance(each, nn.LayerNorm) for each in block.modules())


def test_a_trained_model_is_weakened_in_place():
    torch.manual_seed(0)
    stack = Stack(8, 2, 2, block=PostNorm)
    whole = copy.deepcopy(stack)
    weaken_skips(stack)
    torch.testing.assert_close(stack(X), whole(X))
    weaken_skips(copy.deepcopy(whole), attention=0.0)
    torch.testing.assert_close(stack(X), whole(X))  # another copy's strengths are its own
    cut = copy.deepcopy(whole)
    weaken_skips(cut, attention=0.0)
    first = whole.blocks[0]
    attended = first.norm_attention(first.attention(X))
    expected = first.norm_feed_forward(attended + first.feed_forward(attended))
    torch.testing.assert_close(cut.blocks[0](X), expected)


def test_keeping_own_is_a_mixed_map():
    q, k, v = torch.randn(3, 1, 2, 4, 3, generator=torch.Generator().manual_seed(1))
    weights = (q @ k.mT / 3**0.5).softmax(-1)
    expected = (0.3 * torch.eye(4) + 0.7 * weights) @ v
    torch.testing.assert_close(keeping_own(0.3)(q, k, v), expected)
    torch.testing.assert_close(keeping_own(0.0)(q, k, v, causal), fused(q, k, v, causal))
    torch.testing.assert_close(keeping_own(1.0)(q, k, v), v)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: scaled(ReZero), "PreNorm and PostNorm, not in ReZero"),
        (lambda: scaled(PreNorm, branch=float("inf")), "branch should be a finite number"),
        (lambda: weaken_skips(nn.Linear(2, 2)), "Linear has no block of the course's kinds"),
        (lambda: keeping_own(1.5), "from 0 to 1, got 1.5"),
        (lambda: keeping_own(0.5)(torch.zeros(1, 1, 1, 4), *torch.zeros(2, 1, 1, 3, 4)), "1 queries and 3 keys"),
    ],
)
def test_what_makes_no_sense_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
