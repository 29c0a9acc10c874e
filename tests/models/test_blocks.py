"""Blocks and stacks against torch's own layers, and what they say about input that does not fit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from attn_course.attention import Learned, Rotary, Sinusoidal, causal, fused, padding, watching
from attn_course.models.blocks import FeedForward, GatedFeedForward, PostNorm, PreNorm, Stack
from attn_course.models.decoder import Decoder
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.gpt import GPT
from attn_course.models.vit import Patches, ViT

torch.set_num_threads(1)


def copy_attention(ours, theirs):
    with torch.no_grad():
        for part, weight, bias in zip(
            (ours.w_q, ours.w_k, ours.w_v), theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3), strict=True
        ):
            part.weight.copy_(weight), part.bias.copy_(bias)
    ours.w_o.load_state_dict(theirs.out_proj.state_dict())


def copy_block(ours, theirs):
    copy_attention(ours.attention, theirs.self_attn)
    norms = [ours.norm_attention, ours.norm_feed_forward]
    if ours.cross is not None:
        copy_attention(ours.cross, theirs.multihead_attn)
        norms.insert(1, ours.norm_cross)
    for number, norm in enumerate(norms, start=1):
        norm.load_state_dict(getattr(theirs, f"norm{number}").state_dict())
    ours.feed_forward.w_1.load_state_dict(theirs.linear1.state_dict())
    ours.feed_forward.w_2.load_state_dict(theirs.linear2.state_dict())


@pytest.mark.parametrize("block", [PreNorm, PostNorm])
def test_an_encoder_block_is_torch_s(block):
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=block is PreNorm
    )
    ours = Stack(16, 4, 1, d_hidden=32, block=block).blocks[0]
    copy_block(ours, theirs)
    x = torch.randn(2, 5, 16)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("block", [PreNorm, PostNorm])
def test_a_decoder_block_is_torch_s(block):
    torch.manual_seed(0)
    theirs = nn.TransformerDecoderLayer(
        16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=block is PreNorm
    )
    ours = Stack(16, 4, 1, d_hidden=32, block=block, cross=True).blocks[0]
    copy_block(ours, theirs)
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    future = nn.Transformer.generate_square_subsequent_mask(5)
    torch.testing.assert_close(
        ours(x, causal, memory), theirs(x, memory, tgt_mask=future, tgt_is_causal=True), atol=1e-5, rtol=1e-5
    )


def test_only_blocks_that_leave_the_stream_as_it_is_are_normalised_at_the_end():
    assert isinstance(Stack(8, 2, 1, block=PreNorm).norm, nn.LayerNorm)
    assert isinstance(Stack(8, 2, 1, block=PostNorm).norm, nn.Identity)


def test_a_pre_norm_stream_passes_blocks_that_add_nothing():
    stack = Stack(8, 2, 3)
    for block in stack.blocks:
        nn.init.zeros_(block.attention.w_o.weight), nn.init.zeros_(block.attention.w_o.bias)
        nn.init.zeros_(block.feed_forward.w_2.weight), nn.init.zeros_(block.feed_forward.w_2.bias)
    x = torch.randn(1, 4, 8)
    torch.testing.assert_close(stack(x), stack.norm(x))


def test_feed_forward_networks_treat_each_token_alone():
    torch.manual_seed(0)
    for network in (FeedForward(8, 12), GatedFeedForward(8, 12)):
        x = torch.randn(2, 5, 8)
        torch.testing.assert_close(network(x)[:, 2:3], network(x[:, 2:3]))


def test_the_gated_network_by_hand():
    network = GatedFeedForward(2, 3).double()
    x = torch.randn(1, 1, 2, dtype=torch.float64)
    w_1, w_2, w_3 = (w.weight.detach().numpy() for w in (network.w_1, network.w_2, network.w_3))
    a, b = w_1 @ x[0, 0].numpy(), w_3 @ x[0, 0].numpy()
    expected = torch.from_numpy(w_2 @ (a / (1 + torch.exp(-torch.from_numpy(a)).numpy()) * b))
    torch.testing.assert_close(network(x)[0, 0], expected)


def test_shared_blocks_are_one_set_of_weights_run_again():
    torch.manual_seed(0)
    shared, single = Stack(8, 2, 5, shared=True), Stack(8, 2, 1)
    count = lambda model: sum(p.numel() for p in model.parameters())  # noqa: E731
    assert count(shared) == count(single)
    x = torch.randn(1, 4, 8)
    expected = x
    for _ in range(5):
        expected = shared.blocks[0](expected)
    torch.testing.assert_close(shared(x), shared.norm(expected))
    assert len(shared.caches()) == 5


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.integers(0, 8), st.sampled_from([PreNorm, PostNorm]), st.booleans())
def test_the_future_never_changes_the_past(n, at, block, shared):
    torch.manual_seed(n)
    model = GPT(20, 16, 4, 2, Rotary(4), kv_heads=2, block=block, shared=shared)
    at = min(at, n - 1)
    tokens = torch.randint(20, (1, n))
    other = tokens.clone()
    other[:, at] = (other[:, at] + 1) % 20
    before, after = model(tokens), model(other)
    torch.testing.assert_close(before[:, :at], after[:, :at])
    assert not torch.allclose(before[:, at:], after[:, at:])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("chunks", [[1] * 9, [4, 1, 3, 1], [9]])
@pytest.mark.parametrize("positions", [Learned(12, 16), Rotary(4), Sinusoidal(16)])
def test_read_in_pieces_with_caches_is_read_whole(positions, chunks, shared):
    torch.manual_seed(0)
    model = GPT(20, 16, 4, 3, positions, shared=shared)
    tokens = torch.randint(20, (2, 9))
    caches = model.stack.caches(limit=9)
    pieces = [model(piece, caches=caches) for piece in tokens.split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), atol=1e-6, rtol=1e-5)
    with pytest.raises(ValueError, match="holds 9 tokens and would need 10"):
        model(tokens[:, :1], caches=caches)


def test_left_padded_texts_are_read_as_if_alone():
    torch.manual_seed(0)
    model = GPT(20, 16, 4, 2, Learned(9, 16))
    short = torch.randint(1, 20, (1, 5))
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), short], dim=1)
    keep = torch.arange(8)[None, :] >= 3
    at = (keep.cumsum(-1) - 1).clamp(min=0)
    torch.testing.assert_close(
        model(padded, visible=causal & padding(keep), at=at)[:, 3:], model(short), atol=1e-6, rtol=1e-5
    )


def test_writing_is_choosing_the_likeliest_again_and_again():
    torch.manual_seed(0)
    model = GPT(20, 16, 4, 2, Rotary(4))
    text = torch.randint(20, (2, 3))
    expected = text
    for _ in range(5):
        expected = torch.cat([expected, model(expected)[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(model.write(text, 5), expected)
    drawn = [model.write(text, 5, 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    with pytest.raises(ValueError, match="temperature should be 0 or more"):
        model.write(text, 1, -1.0)


def test_a_translator_neither_sees_padding_nor_the_future():
    torch.manual_seed(0)
    model = EncoderDecoder(12, 13, 16, 4, 2, Sinusoidal(16))
    source = torch.tensor([[3, 4, 5, 0, 0]])
    target = torch.tensor([[1, 6, 7, 8]])
    torch.testing.assert_close(model(source, target), model(source[:, :3], target), atol=1e-6, rtol=1e-5)
    other = target.clone()
    other[:, 3] = 9
    torch.testing.assert_close(model(source, target)[:, :3], model(source, other)[:, :3])
    changed = source.clone()
    changed[:, 0] = 7
    assert not torch.allclose(model(source, target), model(changed, target))


def test_translating_with_caches_is_translating_without():
    torch.manual_seed(0)
    model = EncoderDecoder(12, 13, 16, 4, 2, Sinusoidal(16))
    source = torch.randint(1, 12, (4, 6))
    written = model.translate(source, bos=1, eos=2, limit=7)
    target = torch.ones(4, 1, dtype=torch.long)
    for _ in range(written.shape[1]):
        target = torch.cat([target, model(source, target)[:, -1:].argmax(-1)], dim=1)
    for ours, plain in zip(written, target[:, 1:], strict=True):
        end = (plain == 2).nonzero()[:1].sum() + 1 if (plain == 2).any() else len(plain)
        assert torch.equal(ours[:end], plain[:end]) and (ours[end:] == 2).all()


def test_a_translator_that_ends_at_once_stops():
    model = EncoderDecoder(12, 13, 16, 4, 1, Sinusoidal(16))
    nn.init.zeros_(model.decoder.head.weight)
    assert model.translate(torch.ones(2, 3, dtype=torch.long), bos=1, eos=0, limit=9).tolist() == [[0], [0]]


def test_patches_are_cut_row_by_row():
    cut = Patches(2, 4)
    nn.init.eye_(cut.w.weight), nn.init.zeros_(cut.w.bias)
    image = torch.arange(16.0).reshape(1, 4, 4)
    assert cut(image)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_a_vit_reads_all_patches_and_knows_their_places():
    torch.manual_seed(0)
    model = ViT(8, 2, 10, 16, 4, 2)
    images = torch.rand(3, 8, 8)
    assert model(images).shape == (3, 10)
    assert not torch.allclose(model(images), model(images.flip(1)), atol=1e-4)
    with watching(model) as records:
        model(images)
    assert [record.weights.shape for record in records] == [(3, 4, 16, 16)] * 2


def test_models_are_embed_then_run_then_head():
    torch.manual_seed(0)
    tokens = torch.randint(20, (2, 5))
    for model in (GPT(20, 16, 4, 2, Rotary(4)), Encoder(20, 16, 4, 2, Learned(5, 16), norm_first=True)):
        torch.testing.assert_close(model.head(model.run(model.embed(tokens))), model(tokens))
    vit, images = ViT(8, 2, 10, 16, 4, 1), torch.rand(2, 8, 8)
    torch.testing.assert_close(vit.head(vit.run(vit.embed(images))), vit(images))


BAD = [
    (torch.tensor([[1, 20]]), ValueError, "Token 20 is not in the vocabulary, which goes from 0 to 19"),
    (torch.tensor([[-1, 2]]), ValueError, "Token -1 is not in the vocabulary"),
    (torch.zeros(0, 5, dtype=torch.long), ValueError, "The batch is empty"),
    (torch.zeros(2, 0, dtype=torch.long), ValueError, "The batch is empty"),
    (torch.zeros(3, dtype=torch.long), ValueError, r"should have shape \(batch, token\)"),
    (torch.zeros(2, 3), TypeError, "whole numbers, a tensor of dtype torch.long; got float32"),
    ([[1, 2]], TypeError, "got list"),
    (torch.zeros(2, 3, dtype=torch.long, device="meta"), ValueError, "The tokens are on meta, the model on cpu"),
    (torch.zeros(1, 10, dtype=torch.long), ValueError, "Position 9 lies beyond the 9 positions that were learned"),
]


@pytest.mark.parametrize(("tokens", "error", "sentence"), BAD)
def test_tokens_that_do_not_fit_get_one_sentence(tokens, error, sentence):
    for model in (GPT(20, 16, 4, 1, Learned(9, 16)), Encoder(20, 16, 4, 1, Learned(9, 16))):
        with pytest.raises(error, match=sentence) as caught:
            model(tokens)
        assert "\n" not in str(caught.value)


def test_sizes_that_do_not_fit_get_one_sentence():
    with pytest.raises(ValueError, match="cannot be split evenly among 5 heads"):
        GPT(20, 16, 5, 1)
    with pytest.raises(ValueError, match="kv_heads=3 does not divide heads=4"):
        GPT(20, 16, 4, 1, kv_heads=3)
    with pytest.raises(ValueError, match="at least one layer"):
        GPT(20, 16, 4, 0)
    with pytest.raises(ValueError, match="x has 2 sequences, memory 3"):
        Decoder(20, 16, 4, 1)(torch.ones(2, 3, dtype=torch.long), torch.zeros(3, 4, 16))
    with pytest.raises(ValueError, match="8 × 8 pixels cannot be cut into patches of 3 × 3"):
        ViT(8, 3, 10, 16, 4, 1)(torch.rand(1, 8, 8))
    with pytest.raises(ValueError, match="Images should have shape"):
        ViT(8, 2, 10, 16, 4, 1)(torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("block", [PreNorm, PostNorm])
def test_a_memory_is_given_to_those_who_look_at_one_and_to_no_others(block):
    tokens, memory = torch.ones(2, 3, dtype=torch.long), torch.zeros(2, 4, 16)
    with pytest.raises(ValueError, match=r"memory is missing: .* cross=False") as missing:
        Decoder(20, 16, 4, 1, block=block)(tokens)
    with pytest.raises(ValueError, match=r"A memory was given, but .* cross=True") as useless:
        GPT(20, 16, 4, 1, block=block)(tokens, memory)
    assert "\n" not in str(missing.value) + str(useless.value)
    assert Decoder(20, 16, 4, 1, block=block)(tokens, memory).shape == (2, 3, 20)


def test_shapes_can_be_worked_out_without_any_numbers():
    model = GPT(20, 16, 4, 2, Rotary(4), mechanism=fused).to("meta")
    assert model(torch.ones(2, 3, dtype=torch.long, device="meta")).shape == (2, 3, 20)
