"""What is written token by token, or read in pieces, equals what is read at once, with every encoding of order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.attention import (
    ALiBi,
    KVCache,
    Learned,
    MultiHead,
    NoPositions,
    RelativeBias,
    Rotary,
    Sinusoidal,
    attention,
    cache_bytes,
    causal,
    fused,
    padding,
    window,
)

torch.set_num_threads(1)
D, HEADS, LIMIT = 16, 4, 24
KINDS = {"multi-head": 4, "grouped": 2, "multi-query": 1}
ENCODINGS = {
    "none": NoPositions,
    "rotary, halves": lambda: Rotary(4),
    "rotary, interleaved": lambda: Rotary(4, layout="interleaved"),
    "alibi": lambda: ALiBi(HEADS),
    "relative": lambda: RelativeBias(HEADS, buckets=8, farthest=12),
    "learned": lambda: Learned(LIMIT, D),
    "sinusoidal": lambda: Sinusoidal(D),
}
MECHANISMS = [attention, fused]


def layer_of(kind, encoding, mechanism=attention):
    torch.manual_seed(0)
    positions = ENCODINGS[encoding]()
    for parameter in positions.parameters():
        torch.nn.init.normal_(parameter)
    return MultiHead(D, HEADS, KINDS[kind], mechanism=mechanism, positions=positions).requires_grad_(False)


def read(layer, x, start=0, cache=None, visible=causal, at=None):
    """The layer with its encoding, which adds to the tokens or works inside; positions go on from `start`."""
    at = torch.arange(start, start + x.shape[1]) if at is None else at
    return layer(layer.positions.add(x, at), visible=visible, cache=cache, at=at)


def read_in_pieces(layer, x, sizes, visible=causal):
    cache, pieces = KVCache(), []
    for piece in x.split(sizes, dim=1):
        pieces.append(read(layer, piece, cache.length, cache, visible))
    return torch.cat(pieces, dim=1), cache


def draw(batch, n, seed=1):
    return torch.randn(batch, n, D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_cached_equals_full_at_every_step(kind, encoding, mechanism):
    layer, x = layer_of(kind, encoding, mechanism), draw(2, 13)
    cache = KVCache()
    for t in range(13):
        step = read(layer, x[:, t : t + 1], t, cache)[:, 0]
        full = read(layer, x[:, : t + 1])[:, -1]
        assert (step - full).abs().max() <= 1e-6
        assert cache.length == t + 1


@pytest.mark.parametrize("sizes", [[1] * 7, [3, 1, 3]])
def test_unless_told_otherwise_tokens_stand_after_those_in_the_cache(sizes):
    layer, x, cache = layer_of("grouped", "rotary, halves"), draw(2, 7), KVCache()
    pieces = [layer(piece, visible=causal, cache=cache) for piece in x.split(sizes, dim=1)]
    assert (torch.cat(pieces, dim=1) - layer(x, visible=causal)).abs().max() <= 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(sorted(ENCODINGS)),
    st.sampled_from(MECHANISMS),
    st.lists(st.integers(1, 7), min_size=1, max_size=3),
    st.sampled_from([causal, causal & window(3)]),
    st.integers(1, 3),
)
def test_a_text_read_in_pieces_of_any_size_is_the_text_read_at_once(kind, encoding, mechanism, sizes, visible, batch):
    layer, x = layer_of(kind, encoding, mechanism), draw(batch, sum(sizes))
    pieces, _ = read_in_pieces(layer, x, sizes, visible)
    assert (pieces - read(layer, x, visible=visible)).abs().max() <= 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(sorted(ENCODINGS)),
    st.sampled_from(MECHANISMS),
    st.lists(st.integers(1, 7), min_size=2, max_size=3),
    st.integers(0, 4),
)
def test_left_padded_texts_are_written_as_if_alone(kind, encoding, mechanism, lengths, steps):
    """Prefill a left-padded batch, then write: each text gets what it would get without the others."""
    layer, longest = layer_of(kind, encoding, mechanism), max(lengths)
    texts = [draw(1, length + steps, seed=length) for length in lengths]
    filler = torch.full((1, 1, D), 7.0)
    x = torch.cat(
        [torch.cat([filler.expand(1, longest - n, D), t], dim=1) for n, t in zip(lengths, texts, strict=True)]
    )
    keep = torch.arange(longest + steps) >= longest - torch.tensor(lengths)[:, None]  # (batch, token)
    at = (keep.cumsum(dim=-1) - 1).clamp(min=0)
    cache, end, outputs = KVCache(), longest, []
    for begin, end in [(0, longest), *((t, t + 1) for t in range(longest, longest + steps))]:
        visible = causal & padding(keep[:, :end])
        outputs.append(read(layer, x[:, begin:end], cache=cache, visible=visible, at=at[:, begin:end]))
    together = torch.cat(outputs, dim=1)
    for row, (length, text) in enumerate(zip(lengths, texts, strict=True)):
        alone = read(layer, text)
        assert (together[row, longest - length :] - alone[0]).abs().max() <= 1e-6


def test_without_the_mask_or_with_positions_of_the_filler_padding_would_show():
    layer, text = layer_of("multi-head", "learned"), draw(1, 5)
    x = torch.cat([torch.full((1, 2, D), 7.0), text], dim=1)
    keep = torch.arange(7) >= 2
    at = (keep.cumsum(dim=-1) - 1).clamp(min=0)
    alone = read(layer, text)
    assert (read(layer, x, visible=causal & padding(keep), at=at)[:, 2:] - alone).abs().max() <= 1e-6
    assert (read(layer, x, at=at)[:, 2:] - alone).abs().max() > 1e-2
    assert (read(layer, x, visible=causal & padding(keep))[:, 2:] - alone).abs().max() > 1e-2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("encoding", ["none", "rotary, halves"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_those_that_the_tensors_hold(kind, encoding, dtype):
    layer, cache = layer_of(kind, encoding).to(dtype), KVCache()
    for n in (5, 1, 3):
        layer(draw(2, n).to(dtype), visible=causal, cache=cache)
        held = cache.k.untyped_storage().nbytes() + cache.v.untyped_storage().nbytes()
        counted = cache_bytes(1, KINDS[kind], D // HEADS, cache.length, batch=2, bytes_per_number=dtype.itemsize)
        assert cache.nbytes == held == counted == 2 * 2 * KINDS[kind] * cache.length * 4 * dtype.itemsize
    assert repr(cache) == f"KVCache(9 tokens, {cache.nbytes:,} bytes)"


def test_the_cache_of_llama_3_1_8b():
    """32 layers, 8 key-value heads of 128 features, two bytes: 128 KiB for each token."""
    assert cache_bytes(layers=32, kv_heads=8, d_head=128, tokens=1) == 128 * 1024


def test_keys_are_kept_turned_and_values_as_they_are():
    layer, x, cache = layer_of("grouped", "rotary, halves"), draw(1, 6), KVCache()
    layer(x, visible=causal, cache=cache)
    k = layer.w_k(x).unflatten(-1, (2, 4)).transpose(1, 2)
    assert torch.equal(cache.k, layer.positions.rotate(k, torch.arange(6)))
    assert torch.equal(cache.v, layer.w_v(x).unflatten(-1, (2, 4)).transpose(1, 2))


def test_an_empty_cache():
    cache = KVCache(limit=7)
    assert (cache.length, cache.nbytes, repr(cache)) == (0, 0, "KVCache(0 of 7 tokens, 0 bytes)")


def test_a_text_longer_than_the_limit_gets_one_sentence_and_leaves_the_cache_as_it_was():
    layer, cache = layer_of("multi-head", "none"), KVCache(limit=5)
    layer(draw(1, 4), visible=causal, cache=cache)
    with pytest.raises(ValueError, match="The cache holds 5 tokens and would need 6") as caught:
        layer(draw(1, 2), visible=causal, cache=cache)
    assert "\n" not in str(caught.value) and cache.length == 4
    layer(draw(1, 1), visible=causal, cache=cache)
    assert cache.length == 5


def kv(*shape, **kind):
    return torch.zeros(*shape, **kind)


@pytest.mark.parametrize(
    ("k", "v", "sentence"),
    [
        (kv(3, 2, 1, 4), kv(3, 2, 1, 4), "was filled with 1 sequences, now come 3. Begin every batch with an empty"),
        (kv(1, 4, 1, 4), kv(1, 4, 1, 4), "was filled with 2 heads, now come 4"),
        (kv(1, 2, 1, 5), kv(1, 2, 1, 4), "was filled with 4 features, now come 5"),
        (kv(1, 2, 1, 4), kv(1, 2, 1, 6), "was filled with 4 features, now come 6"),
        (kv(1, 2, 1, 4).double(), kv(1, 2, 1, 4).double(), "is torch.float32 on cpu, what comes is torch.float64"),
        (kv(1, 2, 1, 4, device="meta"), kv(1, 2, 1, 4, device="meta"), "on cpu, what comes is torch.float32 on meta"),
    ],
)
def test_tokens_that_do_not_fit_the_cache_get_one_sentence(k, v, sentence):
    cache = KVCache()
    cache.extend(kv(1, 2, 3, 4), kv(1, 2, 3, 4))
    with pytest.raises(ValueError, match=sentence) as caught:
        cache.extend(k, v)
    assert "\n" not in str(caught.value) and cache.length == 3


def test_a_limit_below_one_gets_one_sentence():
    with pytest.raises(ValueError, match="at least one token, got limit=0"):
        KVCache(limit=0)
