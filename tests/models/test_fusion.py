"""Two images and words: what each model lets flow from an image to the other's patches and to the answer."""

import pytest
import torch

from attn_course.attention import attention_weights
from attn_course.attention.heads import split
from attn_course.models.fusion import Fusion, MixedFusion, RelayedFusion, mass_on_left


def make(kind):
    torch.manual_seed(0)
    return kind(image=8, patch=4, words=6, answers=5, length=3, d_model=16, heads=2, layers=2).eval()


@pytest.fixture(params=[Fusion, MixedFusion, RelayedFusion])
def model(request):
    return make(request.param)


def asked(n=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    left, right = torch.rand(2, n, 8, 8, generator=generator)
    return left, right, torch.randint(6, (n, 3), generator=generator)


def test_shapes_and_the_place_of_each_image(model):
    left, right, words = asked()
    assert model(left, right, words).shape == (3, 5)
    assert model.encode(left, right).shape == (3, 8, 16)
    assert not torch.allclose(model(left, right, words), model(right, left, words))  # sides are told apart


def test_alone_an_image_does_not_reach_the_others_patches_mixed_it_does():
    left, right, _ = asked()
    other, _, _ = asked(seed=2)
    alone, mixed = make(Fusion), make(MixedFusion)
    assert torch.equal(alone.encode(left, right)[:, 4:], alone.encode(other, right)[:, 4:])
    assert torch.equal(alone.encode(left, right)[:, :4], alone.encode(left, other)[:, :4])
    assert (mixed.encode(left, right)[:, 4:] - mixed.encode(other, right)[:, 4:]).abs().max() > 0.01


def test_an_unreadable_image_says_nothing_alone_and_something_mixed():
    """The words may not look at the left patches, so their attention there is zero in both models."""
    left, right, words = asked()
    other, _, _ = asked(seed=2)
    readable = (torch.arange(8) >= 4)[None, None, None]
    alone, mixed = make(Fusion), make(MixedFusion)
    assert torch.equal(alone(left, right, words, readable), alone(other, right, words, readable))
    assert not torch.allclose(mixed(left, right, words, readable), mixed(other, right, words, readable))


@pytest.mark.parametrize("kind", [Fusion, MixedFusion])
def test_mass_on_left_is_the_softmax_of_the_answering_words_scores(kind):
    model = make(kind)
    left, right, words = asked()
    with torch.no_grad():
        memory = model.encode(left, right)
        block = model.asking.blocks[0]
        x = model.asking.positions.add(model.word(words), torch.arange(3))
        x = x + block.attention(block.norm_attention(x))
        q = split(block.cross.w_q(block.norm_cross(x)), 2)
        weights = attention_weights(q, split(block.cross.w_k(memory), 2))  # (batch, head, word, patch)
    expected = weights[:, :, 2, :4].sum(-1)
    torch.testing.assert_close(mass_on_left(model, left, right, words), expected)
    assert ((expected > 0) & (expected < 1)).all()


def test_relayed_the_left_image_has_no_attention_and_reaches_the_answer():
    left, right, words = asked()
    other, _, _ = asked(seed=2)
    relayed, mixed = make(RelayedFusion), make(MixedFusion)
    assert torch.equal(mass_on_left(relayed, left, right, words), torch.zeros(3, 2))
    assert not torch.allclose(relayed(left, right, words), relayed(other, right, words))
    readable = (torch.arange(8) >= 4)[None, None, None]
    assert torch.equal(relayed(left, right, words), mixed(left, right, words, readable))
    assert torch.equal(relayed(left, right, words, readable), relayed(left, right, words))


@pytest.mark.parametrize("kind", [MixedFusion, RelayedFusion])
def test_all_have_the_same_parameters(kind):
    assert all(torch.equal(a, b) for a, b in zip(make(Fusion).parameters(), make(kind).parameters(), strict=True))


def test_gradients_reach_every_part(model):
    left, right, words = asked()
    model(left, right, words).square().sum().backward()
    idle = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert idle == []


def test_words_that_are_not_in_the_vocabulary_are_refused(model):
    left, right, words = asked()
    with pytest.raises(ValueError, match="Token 9 is not in the vocabulary"):
        model(left, right, words + (9 - words))
    with pytest.raises(ValueError, match="Images should have shape"):
        model(left[0], right, words)
