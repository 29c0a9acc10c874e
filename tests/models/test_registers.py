"""Registers: keys before the text in every layer, gone from the output, and causality and caches as without them."""

import pytest
import torch

from attn_course.attention import (
    ALiBi,
    Learned,
    RelativeBias,
    Rotary,
    Sinusoidal,
    causal,
    document,
    padding,
    watching,
    window,
)
from attn_course.diagnosis.watch import watch
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.models.vit import ViT

torch.set_num_threads(1)
N, VOCABULARY, COUNT = 7, 13, 3
POSITIONS = {
    "none": None,
    "learned": Learned(N, 16),
    "sinusoidal": Sinusoidal(16),
    "rotary": Rotary(4),
    "ALiBi": ALiBi(4),
    "relative": RelativeBias(4),
}
every = pytest.mark.parametrize("positions", POSITIONS.values(), ids=POSITIONS)


def text(batch=2, n=N):
    return torch.randint(1, VOCABULARY, (batch, n), generator=torch.Generator().manual_seed(1))


def gpt(**stack):
    torch.manual_seed(0)
    return GPT(VOCABULARY, 16, 4, 2, registers=COUNT, **stack).eval()


@every
def test_they_are_tokens_before_the_text(positions):
    """The same model, its registers handed in as embedded tokens, with everything shifted by hand."""
    model = gpt(positions=positions)
    ours = model(text())
    x = torch.cat([model.stack.registers.tokens.expand(2, -1, -1), model.embed(text())], dim=1)
    may_look = torch.ones(N + COUNT, N + COUNT).tril().bool()
    may_look[:, :COUNT] = True  # registers see one another
    for block in model.stack.blocks:
        x = block(x, may_look)
    torch.testing.assert_close(ours, model.head(model.stack.norm(x[:, COUNT:])))


@every
def test_a_cache_changes_nothing(positions):
    model = gpt(positions=positions)
    whole, caches = model(text()), model.stack.caches(limit=N)
    parts = [model(text()[:, :2], caches=caches)]
    parts += [model(text()[:, i : i + 1], caches=caches) for i in range(2, N)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert caches[0].length == N + COUNT and model.stack.read(caches) == N


@pytest.mark.parametrize("matrix", [False, True])
def test_a_cache_changes_nothing_under_a_mask_that_knows_the_text_so_far(matrix):
    model, real = gpt(), torch.arange(N) >= torch.tensor([[0], [2]])

    def visible(length):
        mask = causal & padding(real[:, :length])
        return mask.dense(length) if matrix else mask

    def rows(mask, count):
        return mask[:, :, -count:] if matrix else mask

    whole, caches = model(text(), visible=visible(N)), model.stack.caches()
    parts = [model(text()[:, :3], visible=visible(3), caches=caches)]
    parts += [model(text()[:, i : i + 1], visible=rows(visible(i + 1), 1), caches=caches) for i in range(3, N)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)


def test_the_future_does_not_matter_and_registers_of_a_causal_model_see_no_text():
    model = gpt()
    other = text()
    other[:, 4:] = other[:, 4:] % (VOCABULARY - 1) + 1
    torch.testing.assert_close(model(text())[:, :4], model(other)[:, :4])
    for visible in (causal, causal & window(3), torch.ones(N, N).tril().bool()):
        with watching(model) as maps:
            model(text(), visible=visible)
        for layer in maps:
            assert layer.weights.shape[-2:] == (N + COUNT, N + COUNT)
            assert layer.weights[:, :, :COUNT, COUNT:].abs().max() == 0
            assert (layer.weights[:, :, COUNT:, :COUNT] > 0).all()


KEEP = torch.arange(N) < torch.tensor([[N], [4]])
MASKS = {
    "padding": padding(KEEP),
    "a matrix": KEEP[:, None, None],
    "a document": document(torch.tensor([0, 0, 0, 1, 1, 1, 1])),
    "causal and padded": causal & padding(KEEP),
}


@pytest.mark.parametrize("visible", MASKS.values(), ids=MASKS)
def test_a_mask_says_of_the_text_what_it_said(visible):
    torch.manual_seed(0)
    model = Encoder(VOCABULARY, 16, 4, 2, registers=COUNT).eval()
    with watching(model) as maps:
        model(text(), visible=visible)
    dense = visible if isinstance(visible, torch.Tensor) else visible.dense(N)
    dense = dense.expand(2, 1, N, N)
    looks_ahead = dense[:, :, :1, 1:].any(-1, keepdim=True)
    for layer in maps:
        seen = layer.visible[:, :1]
        assert torch.equal(seen[..., COUNT:, COUNT:], dense)
        assert seen[..., :COUNT].all()
        registers = seen[..., :COUNT, COUNT:]
        assert torch.equal(registers, (dense[..., :1, :] & looks_ahead).expand_as(registers))


def test_padding_changes_no_other_token():
    torch.manual_seed(0)
    model = Encoder(VOCABULARY, 16, 4, 2, registers=COUNT).eval()
    padded = model(text(), visible=padding(KEEP))
    torch.testing.assert_close(padded[1:, :4], model(text()[1:, :4]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("positions", [Rotary(4), Learned(N, 16)], ids=["rotary", "learned"])
def test_positions_that_are_given_are_those_of_the_text(positions):
    model = gpt(positions=positions)
    torch.testing.assert_close(model(text(), at=torch.arange(N)), model(text()), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model(text(), at=torch.arange(N).expand(2, -1)), model(text()), atol=1e-5, rtol=1e-5)


def test_an_image_model_has_them_too_and_the_mean_is_that_of_the_patches():
    torch.manual_seed(0)
    model = ViT(8, 2, 10, 16, 4, 2, registers=COUNT)
    assert model.run(model.embed(torch.rand(2, 8, 8))).shape == (2, 16, 16)
    assert model(torch.rand(2, 8, 8)).shape == (2, 10)


def test_they_learn_are_saved_and_watched():
    model = gpt()
    model(text()).logsumexp(-1).sum().backward()
    assert model.stack.registers.tokens.grad.abs().min() > 0
    assert "stack.registers.tokens" in model.state_dict()
    sets = {"registers": list(range(COUNT)), "first token": [COUNT]}
    with watch(model, token_sets=sets, hidden=True, keep=torch.ones(2, N, dtype=torch.bool)) as record:
        model(text())
    with watching(model) as maps:
        model(text())
    for call, layer in zip(record.calls, maps, strict=True):
        torch.testing.assert_close(call.vitals.set_mass["registers"], layer.weights[..., :COUNT].sum(-1))
        torch.testing.assert_close(call.vitals.set_mass["first token"], layer.weights[..., COUNT])


@pytest.mark.parametrize("count", [-1, 1.5, True])
def test_a_number_of_registers_is_a_whole_one(count):
    with pytest.raises(ValueError, match="whole number"):
        GPT(VOCABULARY, 16, 4, 2, registers=count)


def test_a_decoder_that_looks_at_a_memory_takes_none():
    from attn_course.models.decoder import Decoder

    with pytest.raises(ValueError, match="leave out registers or cross"):
        Decoder(VOCABULARY, 16, 4, 2, registers=1)
