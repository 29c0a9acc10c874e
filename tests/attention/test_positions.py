"""Encodings of order against their formulas written anew, against transformers, and against published numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, T5Config
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as turn_like_gptj
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as turn_like_llama
from transformers.models.t5.modeling_t5 import T5Attention

from attn_course.attention import ALiBi, Learned, MultiHead, NoPositions, RelativeBias, Rotary, Sinusoidal, causal
from attn_course.attention.positions import alibi_slopes, distance_bucket, phases, sinusoids

torch.set_num_threads(1)
LAYOUTS = ("halves", "interleaved")


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def grid(n_query, n_key):
    """Positions as the formula hands them to a score: the queries are the last ones."""
    return torch.arange(n_key - n_query, n_key)[:, None], torch.arange(n_key)[None, :]


# Sinusoidal


@pytest.mark.parametrize("base", [10_000.0, 100.0])
def test_sinusoids_are_the_paper_s(base):
    """PE(pos, 2i) = sin(pos / base^(2i/d)), PE(pos, 2i+1) = cos of the same: Vaswani et al. 2017, section 3.5."""
    d, n = 32, 300
    expected = np.zeros((n, d))
    for position in range(n):
        for i in range(d // 2):
            angle = position / base ** (2 * i / d)
            expected[position, 2 * i : 2 * i + 2] = math.sin(angle), math.cos(angle)
    ours = sinusoids(torch.arange(n), d, base)
    assert np.abs(ours.double().numpy() - expected).max() < 3e-5  # float32 phases: 300 · 2⁻²⁴ and a little
    x = draw(2, n, d)
    assert torch.equal(Sinusoidal(d, base).add(x, torch.arange(n)), x + ours)


def test_a_shift_is_one_rotation_whatever_the_place():
    """The reason that the paper gives for waves: PE(pos + k) is a linear function of PE(pos)."""
    waves = sinusoids(torch.arange(60), 16).double()
    turn = torch.linalg.lstsq(waves[:40], waves[7:47]).solution
    torch.testing.assert_close(waves[13:53] @ turn, waves[20:60], atol=1e-4, rtol=0)


# Rotary


@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
def test_halves_turn_as_llama_does(base):
    config = LlamaConfig(
        hidden_size=32, num_attention_heads=4, rope_parameters={"rope_type": "default", "rope_theta": base}
    )
    at = torch.randint(5_000, (2, 9), generator=torch.Generator().manual_seed(0))
    q, k = draw(2, 4, 9, 8, dtype=torch.float32), draw(2, 4, 9, 8, seed=1, dtype=torch.float32)
    cos, sin = LlamaRotaryEmbedding(config)(q, at)
    rotary = Rotary(8, base)
    for ours, theirs in zip((rotary.rotate(q, at), rotary.rotate(k, at)), turn_like_llama(q, k, cos, sin), strict=True):
        # One unit in the last place of a frequency is 5,000 · 2⁻²⁴ = 3e-4 of an angle.
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=0)
    near = torch.arange(9)
    cos, sin = LlamaRotaryEmbedding(config)(q, near[None])
    torch.testing.assert_close(rotary.rotate(q, near), turn_like_llama(q, k, cos, sin)[0], atol=2e-6, rtol=0)


def test_interleaved_turns_as_gptj_does():
    x = draw(2, 4, 9, 8, dtype=torch.float32)
    sin, cos = create_sinusoidal_positions(9, 8)[None].chunk(2, dim=-1)
    theirs = turn_like_gptj(x.transpose(1, 2), sin, cos).transpose(1, 2)  # GPT-J: (batch, token, head, d)
    torch.testing.assert_close(Rotary(8, layout="interleaved").rotate(x, torch.arange(9)), theirs, atol=2e-6, rtol=0)


def by_complex_numbers(x, at, base=10_000.0):
    """Each pair (a, b) is a + bi, multiplied by e^(i·at·base^(−2m/d)). numpy, float64."""
    d = x.shape[-1]
    turn = np.exp(1j * at.numpy()[..., None] * base ** (-np.arange(0, d, 2) / d))
    pairs = x.numpy()[..., 0::2] + 1j * x.numpy()[..., 1::2]
    turned = pairs * (turn[:, None] if at.dim() == 2 else turn)
    return torch.from_numpy(np.stack([turned.real, turned.imag], axis=-1)).flatten(-2)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 6), st.lists(st.integers(0, 300), min_size=6, max_size=6), st.booleans())
def test_interleaved_is_multiplication_by_a_complex_number(half, heads, places, batched):
    x, at = draw(2, heads, 6, 2 * half), torch.tensor(places)
    at = torch.stack([at, at.flip(0)]) if batched else at
    ours = Rotary(2 * half, layout="interleaved").rotate(x, at)
    assert (ours - by_complex_numbers(x, at)).abs().max() < 3e-4


@settings(deadline=None)
@given(st.integers(1, 8))
def test_the_layouts_differ_by_an_order_of_the_features(half):
    """Feature m of "halves" and m + d/2 are the pair (2m, 2m + 1) of "interleaved"."""
    x, at = draw(1, 2, 5, 2 * half), torch.arange(5)
    order = torch.arange(2 * half).reshape(half, 2).T.flatten()  # 0, 2, 4, …, 1, 3, 5, …
    interleaved = Rotary(2 * half, layout="interleaved").rotate(x, at)
    assert torch.equal(interleaved[..., order], Rotary(2 * half).rotate(x[..., order], at))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_of_one_layout_are_wrong_with_the_other_and_no_shape_tells(layout):
    q, k, at = draw(1, 1, 9, 8), draw(1, 1, 9, 8, seed=1), torch.arange(9)
    a, b = Rotary(8, layout=layout), Rotary(8, layout=LAYOUTS[layout == LAYOUTS[0]])
    right, wrong = (r.rotate(q, at) @ r.rotate(k, at).mT for r in (a, b))
    assert right.shape == wrong.shape and (right - wrong).abs().max() > 1
    assert torch.allclose(right.diagonal(0, -2, -1), wrong.diagonal(0, -2, -1))  # at distance 0 nothing turns


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.sampled_from(LAYOUTS), st.integers(1, 8))
def test_rotary_scores_depend_on_the_distance_alone(i, j, shift, layout, half):
    rotary = Rotary(2 * half, layout=layout)
    q, k = draw(1, 1, 1, 2 * half), draw(1, 1, 1, 2 * half, seed=1)

    def score(i, j):
        return (rotary.rotate(q, torch.tensor([i])) * rotary.rotate(k, torch.tensor([j]))).sum()

    size = q.norm() * k.norm()
    assert abs(score(i, j) - score(i + shift, j + shift)) < 4e-4 * size  # float32 phases up to 1,000
    assert rotary.rotate(q, torch.tensor([i])).norm().item() == pytest.approx(q.norm().item())


def test_rotary_scores_change_with_the_distance():
    rotary, x = Rotary(8), draw(1, 1, 1, 8).expand(1, 1, 40, 8)
    turned = rotary.rotate(x, torch.arange(40))
    scores = (turned[0, 0, :1] * turned[0, 0]).sum(-1)
    assert len(scores.unique()) == 40 and scores.argmax() == 0


# Phases in half precision


@pytest.mark.parametrize("encoding", ["rotary", "sinusoidal"])
def test_a_bfloat16_model_tells_positions_above_1024_apart(encoding):
    at = torch.arange(1024, 1056)
    if encoding == "rotary":
        vectors = Rotary(64).rotate(torch.ones(1, 1, 32, 64, dtype=torch.bfloat16), at)[0, 0]
    else:
        vectors = Sinusoidal(64).add(torch.zeros(1, 32, 64, dtype=torch.bfloat16), at)[0]
    assert vectors.dtype == torch.bfloat16
    assert len(vectors.unique(dim=0)) == 32
    exact = np.arange(1024, 1056)[:, None] * 10_000.0 ** (-np.arange(0, 64, 2) / 64)
    assert np.abs(phases(at, 64).double().numpy() - exact).max() < 1e-3


def test_phases_made_in_bfloat16_would_merge():
    """What the encodings avoid: above 1,024 bfloat16 has steps of 8, so up to nine positions in a row are one."""
    at = torch.arange(1024, 1056)
    assert len(at.to(torch.bfloat16).unique()) == 5
    frequency = (10_000.0 ** (-torch.arange(0, 64, 2) / 64)).to(torch.bfloat16)
    assert len((at.to(torch.bfloat16)[:, None] * frequency).unique(dim=0)) == 5
    assert at.to(torch.bfloat16)[1:4].unique().numel() == 1  # 1,025 to 1,027


# ALiBi


def test_slopes_are_the_published_ones():
    """Press et al. 2021, section 3: 1/2 … 1/256 for 8 heads, 2^-0.5, 2^-1, … 2^-8 for 16."""
    assert alibi_slopes(8).tolist() == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]
    torch.testing.assert_close(alibi_slopes(16), 2 ** -(torch.arange(1, 17) / 2))


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 8, 12, 16, 20, 32, 40])
def test_slopes_are_those_of_bloom(heads):
    """Its function follows the paper's own code, where the number of heads is no power of two as well."""
    theirs = build_alibi_tensor(torch.ones(1, 2, dtype=torch.long), heads, torch.float32)[:, 0, 1]
    torch.testing.assert_close(alibi_slopes(heads), theirs)


def test_slopes_of_twelve_heads():
    """Those of 8, and then every second one of 16."""
    expected = [2**-n for n in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    torch.testing.assert_close(alibi_slopes(12), torch.tensor(expected))


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 9))
def test_alibi_takes_the_slope_for_each_step_of_distance(heads, n_query, before):
    scores = draw(2, heads, n_query, n_query + before)
    changed = ALiBi(heads).score(scores, *grid(n_query, n_query + before))
    for head, slope in enumerate(alibi_slopes(heads).tolist()):
        for i in range(n_query):
            for j in range(n_query + before):
                distance = abs(i + before - j)
                expected = scores[:, head, i, j] - slope * distance
                torch.testing.assert_close(changed[:, head, i, j], expected)


# Relative bias


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([4, 8, 32, 64]), st.integers(17, 300), st.booleans())
def test_buckets_are_those_of_t5(buckets, farthest, both_ways):
    farthest = max(farthest, buckets)
    distance = torch.arange(-400, 401)
    theirs = T5Attention._relative_position_bucket(-distance, both_ways, buckets, farthest)
    assert torch.equal(distance_bucket(distance[None], buckets, farthest, causal=not both_ways)[0], theirs)


def test_buckets_by_hand():
    """8 for the past, 4 of them one distance wide; beyond 16 all are in the last."""
    distances = torch.tensor([[-3, 0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 15, 16, 99]])
    assert distance_bucket(distances, 8, 16)[0].tolist() == [0, 0, 1, 2, 3, 4, 4, 5, 6, 6, 7, 7, 7, 7]


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_layer_with_relative_bias_is_t5_s(both_ways):
    torch.manual_seed(0)
    config = T5Config(d_model=16, d_kv=4, num_heads=4, dropout_rate=0.0, is_decoder=not both_ways)
    theirs = T5Attention(config, has_relative_attention_bias=True).eval()
    positions = RelativeBias(4, causal=not both_ways)
    ours = MultiHead(16, 4, positions=positions, bias=False)
    with torch.no_grad():
        positions.table.weight.copy_(torch.nn.init.normal_(theirs.relative_attention_bias.weight))
        for mine, other in zip("qkvo", (theirs.q, theirs.k, theirs.v, theirs.o), strict=True):
            getattr(ours, f"w_{mine}").weight.copy_(other.weight)
        ours.w_q.weight.mul_(2.0)  # T5 does not divide by √d_k = 2
    x = draw(2, 50, 16, dtype=torch.float32)
    hidden = torch.zeros(50, 50).masked_fill(~torch.ones(50, 50, dtype=torch.bool).tril(), -torch.inf)[None, None]
    mask = torch.zeros(1, 1, 50, 50) if both_ways else hidden
    expected = theirs(x, mask=mask)[0]
    torch.testing.assert_close(ours(x, visible=None if both_ways else causal), expected, atol=1e-5, rtol=1e-5)


# Gradients, and what all encodings share


@pytest.mark.parametrize("encoding", [lambda: Learned(9, 8), lambda: RelativeBias(2, 8, 20)])
def test_gradients_reach_the_table_where_it_was_used(encoding):
    positions = encoding()
    layer, x, at = MultiHead(8, 2, positions=positions), draw(1, 5, 8, dtype=torch.float32), torch.arange(5)
    layer(positions.add(x, at), visible=causal, at=at).square().sum().backward()
    used = positions.table.weight.grad.abs().sum(dim=1) > 0
    assert used.tolist() == [True] * 5 + [False] * (len(used) - 5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_through_a_rotation_are_turned_back(layout):
    x = draw(1, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: Rotary(4, layout=layout).rotate(x, torch.tensor([3, 50, 7])), x)


ALL = {
    "none": NoPositions(),
    "learned": Learned(40, 8),
    "sinusoidal": Sinusoidal(8),
    "rotary": Rotary(4),
    "alibi": ALiBi(2),
    "relative": RelativeBias(2, causal=False),
}
torch.nn.init.normal_(ALL["relative"].table.weight)


@pytest.mark.parametrize("name", ALL)
def test_only_without_an_encoding_is_a_shuffled_text_the_same_text_shuffled(name):
    torch.manual_seed(0)
    positions, x, at = ALL[name], draw(1, 9, 8, dtype=torch.float32), torch.arange(9)
    layer = MultiHead(8, 2, positions=positions)
    order = torch.tensor([3, 1, 4, 0, 5, 8, 2, 6, 7])

    def read(x):
        return layer(positions.add(x, at), at=at)

    blind = torch.allclose(read(x[:, order]), read(x)[:, order], atol=1e-5)
    assert blind == (name == "none")


@pytest.mark.parametrize("name", ["rotary", "alibi", "relative"])
def test_relative_encodings_do_not_feel_where_a_text_begins(name):
    torch.manual_seed(0)
    x, layer = draw(1, 9, 8, dtype=torch.float32), MultiHead(8, 2, positions=ALL[name])
    torch.testing.assert_close(layer(x, at=torch.arange(9)), layer(x, at=torch.arange(20, 29)), atol=1e-5, rtol=1e-5)


# Bad input

X, HEADS_4 = torch.zeros(2, 3, 8), torch.zeros(2, 2, 3, 4)
BAD = [
    (lambda: Learned(9, 8).add(torch.zeros(1, 10, 8), torch.arange(10)), "Position 9 lies beyond the 9 positions"),
    (
        lambda: Learned(9, 6).add(X, torch.arange(3)),
        "Learned was made for 6 features and met 8. Make it with d_model=8",
    ),
    (lambda: Sinusoidal(6).add(X, torch.arange(3)), "Sinusoidal was made for 6 features and met 8"),
    (lambda: Rotary(2).rotate(HEADS_4, torch.arange(3)), "Rotary was made for 2 features and met 4"),
    (lambda: Learned(9, 8).add(X, torch.tensor([0])), r"at has shape \(1,\) where there are 2 sequences of 3 tokens"),
    (
        lambda: Sinusoidal(8).add(X, torch.zeros(3, 3)),
        r"at has shape \(3, 3\) .* Give one position for each token: \(3",
    ),
    (lambda: Rotary(4).rotate(HEADS_4, torch.arange(4)), r"at has shape \(4,\)"),
    (
        lambda: ALiBi(4).score(torch.zeros(1, 2, 3, 3), *grid(3, 3)),
        "ALiBi was made for 4 heads and met 2. Make it with",
    ),
    (
        lambda: RelativeBias(1).score(torch.zeros(1, 2, 3, 3), *grid(3, 3)),
        "RelativeBias was made for 1 heads and met 2",
    ),
    (lambda: ALiBi(0), "ALiBi needs at least one head"),
    (lambda: RelativeBias(2, buckets=1), "1 buckets up to distance 128 cannot be laid out: take at least 2"),
    (lambda: RelativeBias(2, buckets=32, farthest=16), "farthest above 16"),
    (lambda: RelativeBias(2, buckets=3, causal=False), "take at least 4 buckets"),
    (lambda: Rotary(5), "Rotary turns features in pairs, so d_head should be even, got 5"),
    (lambda: Sinusoidal(7), "Sinusoidal turns features in pairs, so d_model should be even, got 7"),
    (lambda: Rotary(4, layout="neox"), "layout should be one of halves, interleaved, got 'neox'"),
]


@pytest.mark.parametrize(("work", "sentence"), BAD)
def test_input_that_does_not_fit_gets_one_sentence(work, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        work()
    assert "\n" not in str(caught.value)
