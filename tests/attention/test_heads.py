"""`MultiHead` against torch's own layer and against the attention of GPT-2, BERT and Llama, gradients included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import BertConfig, GPT2Config, LlamaConfig
from transformers.models.bert.modeling_bert import BertAttention
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding

from attn_course.attention import ALiBi, KVCache, MultiHead, Rotary, attention, causal, fused, padding
from attn_course.attention.heads import join, split

torch.set_num_threads(1)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def own(q, k, v, visible=None):
    """A learner's mechanism, written with loops over queries and keys and nothing of the package."""
    mask = visible.dense(q.shape[-2], k.shape[-2]) if hasattr(visible, "dense") else visible
    if mask is not None:
        mask = mask.expand(*q.shape[:-1], k.shape[-2])
    output = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=q.dtype)
    for i in range(q.shape[-2]):
        powers = [(q[..., i, :] * k[..., j, :]).sum(-1).div(q.shape[-1] ** 0.5).exp() for j in range(k.shape[-2])]
        powers = torch.stack(powers, dim=-1)
        if mask is not None:
            powers = powers * mask[..., i, :]
        output[..., i, :] = (powers[..., None] * v).sum(-2) / powers.sum(-1, keepdim=True)
    return output


MECHANISMS = [attention, fused, own]


def draw(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def torch_s_layer(d_model, heads, dtype=torch.float64, **sizes):
    """torch's layer with biases that are not zero, and ours with its weights."""
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(d_model, heads, batch_first=True, dtype=dtype)
    nn.init.normal_(theirs.in_proj_bias), nn.init.normal_(theirs.out_proj.bias)
    ours = MultiHead(d_model, heads, **sizes).to(dtype)
    copy_joined(ours, theirs.in_proj_weight, theirs.in_proj_bias)
    ours.w_o.load_state_dict(theirs.out_proj.state_dict())
    return ours, theirs


@torch.no_grad()
def copy_joined(ours, weight, bias):
    for layer, w, b in zip((ours.w_q, ours.w_k, ours.w_v), weight.chunk(3), bias.chunk(3), strict=True):
        layer.weight.copy_(w), layer.bias.copy_(b)


def assert_same(ours, theirs, inputs, dtype):
    """Outputs, and gradients of the inputs, agree; `ours` and `theirs` are functions of the inputs."""
    results = []
    for function in (ours, theirs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        output = function(*leaves)
        results.append((output, *torch.autograd.grad(output, leaves, draw(*output.shape, dtype=dtype, seed=9))))
    for mine, other in zip(*results, strict=True):
        assert other.abs().max() > 1e-2
        torch.testing.assert_close(mine, other, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def joined_gradients(ours):
    parts = (ours.w_q, ours.w_k, ours.w_v)
    return torch.cat([p.weight.grad for p in parts]), torch.cat([p.bias.grad for p in parts])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("kind", ["self", "causal", "padded", "causal and padded", "cross", "cross, padded"])
def test_equals_torch_s_layer(kind, mechanism, dtype):
    ours, theirs = torch_s_layer(24, 4, dtype, mechanism=mechanism)
    x, memory = draw(3, 7, 24, dtype=dtype), draw(3, 5, 24, dtype=dtype, seed=1)
    crosses = "cross" in kind
    n_key = 5 if crosses else 7
    keep = torch.arange(n_key) < torch.tensor([[n_key], [3], [1]])
    future = ~torch.ones(7, 7, dtype=torch.bool).tril()
    visible = {
        "self": None,
        "causal": causal,
        "padded": padding(keep),
        "causal and padded": causal & padding(keep),
        "cross": None,
        "cross, padded": keep[:, None, None, :],
    }[kind]
    masks = {
        "key_padding_mask": ~keep if "padded" in kind else None,
        "attn_mask": future if "causal" in kind else None,
        "need_weights": False,
    }
    if crosses:
        assert_same(lambda a, b: ours(a, b, visible), lambda a, b: theirs(a, b, b, **masks)[0], (x, memory), dtype)
    else:
        assert_same(lambda a: ours(a, visible=visible), lambda a: theirs(a, a, a, **masks)[0], (x,), dtype)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_gradients_of_the_weights_are_torch_s(mechanism):
    ours, theirs = torch_s_layer(24, 4, mechanism=mechanism)
    x = draw(3, 7, 24)
    mask = ~torch.ones(7, 7, dtype=torch.bool).tril()
    ours(x, visible=causal).square().mean().backward()
    theirs(x, x, x, attn_mask=mask, need_weights=False)[0].square().mean().backward()
    weight, bias = joined_gradients(ours)
    # The gradient of the keys' bias is zero: softmax does not feel what is added to all scores of a row.
    torch.testing.assert_close(weight, theirs.in_proj_weight.grad, atol=1e-12, rtol=0)
    torch.testing.assert_close(bias, theirs.in_proj_bias.grad, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.w_o.weight.grad, theirs.out_proj.weight.grad, atol=1e-12, rtol=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_equals_torch_s_layer_at_any_size(heads, d_head, n_query, n_key, batch, crosses):
    ours, theirs = torch_s_layer(heads * d_head, heads)
    x = draw(batch, n_query, heads * d_head)
    memory = draw(batch, n_key, heads * d_head, seed=1) if crosses else None
    source = x if memory is None else memory
    torch.testing.assert_close(ours(x, memory), theirs(x, source, source)[0], atol=1e-12, rtol=1e-12)


GPT2 = {"n_embd": 32, "n_head": 4, "attn_pdrop": 0.0, "resid_pdrop": 0.0, "attn_implementation": "eager"}
SIZES = {"hidden_size": 32, "num_attention_heads": 4, "attn_implementation": "eager"}


def added_mask(n):
    """The mask that the library adds to the scores: 0 for the past, −∞ for the future."""
    return torch.zeros(1, 1, n, n).masked_fill(~torch.ones(n, n, dtype=torch.bool).tril(), -torch.inf)


def large(module):
    """Weights large enough that attention is far from uniform."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.eval()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_equals_the_attention_of_gpt2(mechanism):
    theirs = large(GPT2Attention(GPT2Config(**GPT2), layer_idx=0))
    ours = MultiHead(32, 4, mechanism=mechanism)
    copy_joined(ours, theirs.c_attn.weight.T, theirs.c_attn.bias)
    with torch.no_grad():
        ours.w_o.weight.copy_(theirs.c_proj.weight.T), ours.w_o.bias.copy_(theirs.c_proj.bias)
    x = draw(2, 9, 32, dtype=torch.float32)
    assert_same(
        lambda x: ours(x, visible=causal),
        lambda x: theirs(x, attention_mask=added_mask(9))[0],
        (x,),
        torch.float32,
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_equals_the_attention_of_bert(mechanism):
    theirs = large(BertAttention(BertConfig(**SIZES)))
    ours = MultiHead(32, 4, mechanism=mechanism)
    inner = theirs.self
    for mine, other in ((ours.w_q, inner.query), (ours.w_k, inner.key), (ours.w_v, inner.value)):
        mine.load_state_dict(other.state_dict())
    ours.w_o.load_state_dict(theirs.output.dense.state_dict())
    keep = torch.arange(9) < torch.tensor([[9], [4]])
    hidden = torch.zeros(2, 1, 1, 9).masked_fill(~keep[:, None, None], -torch.inf)
    norm = theirs.output.LayerNorm
    x = draw(2, 9, 32, dtype=torch.float32)
    assert_same(lambda x: norm(x + ours(x, visible=padding(keep))), lambda x: theirs(x, hidden)[0], (x,), torch.float32)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_equals_the_attention_of_llama(kv_heads, mechanism):
    """Grouped queries and rotary positions: heads 0 and 1 look at the first keys, not 0 and 2."""
    config = LlamaConfig(**SIZES, num_key_value_heads=kv_heads)
    theirs, rotary = large(LlamaAttention(config, layer_idx=0)), LlamaRotaryEmbedding(config)
    ours = MultiHead(32, 4, kv_heads, mechanism=mechanism, positions=Rotary(8), bias=False)
    for mine, other in zip("qkvo", (theirs.q_proj, theirs.k_proj, theirs.v_proj, theirs.o_proj), strict=True):
        getattr(ours, f"w_{mine}").load_state_dict(other.state_dict())
    x = draw(2, 9, 32, dtype=torch.float32)
    at = torch.arange(100, 109)
    assert_same(
        lambda x: ours(x, visible=causal, at=at),
        lambda x: theirs(x, rotary(x, at[None]), added_mask(9))[0],
        (x,),
        torch.float32,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6))
def test_grouped_queries_are_heads_with_equal_keys(kv_heads, group, n):
    torch.manual_seed(0)
    heads = kv_heads * group
    grouped, whole = MultiHead(12, heads, kv_heads, d_head=4).double(), MultiHead(12, heads, d_head=4).double()
    state = grouped.state_dict()
    for name in ("w_k.weight", "w_k.bias", "w_v.weight", "w_v.bias"):
        sets = state[name].unflatten(0, (kv_heads, 4))
        state[name] = torch.cat([sets[head // group] for head in range(heads)])
    whole.load_state_dict(state)
    x = draw(2, n, 12)
    torch.testing.assert_close(grouped(x, visible=causal), whole(x, visible=causal), atol=1e-12, rtol=0)


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_join_undoes_split_and_each_head_has_its_own_features(batch, n, heads, d_head):
    x = torch.arange(batch * n * heads * d_head).reshape(batch, n, -1)
    for head in range(heads):
        assert torch.equal(split(x, heads)[:, head], x[..., head * d_head : (head + 1) * d_head])
    assert torch.equal(join(split(x, heads)), x)


def test_a_layer_without_biases_has_four_matrices():
    layer = MultiHead(24, 4, kv_heads=2, d_head=10, bias=False)
    sizes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    assert sizes == {
        "w_q.weight": (40, 24), "w_k.weight": (20, 24), "w_v.weight": (20, 24), "w_o.weight": (24, 40),
    }  # fmt: skip


def test_positions_of_two_texts_are_not_compared():
    torch.manual_seed(0)
    x, memory = draw(1, 3, 8), draw(1, 5, 8, seed=1)
    for positions in (Rotary(4), ALiBi(2)):
        placed = MultiHead(8, 2, positions=positions).double()
        plain = MultiHead(8, 2).double()
        plain.load_state_dict(placed.state_dict(), strict=False)
        assert torch.equal(placed(x, memory), plain(x, memory))
        assert not torch.allclose(placed(x), plain(x))


LAYER = MultiHead(8, 2)
X = torch.zeros(2, 3, 8)
BAD = [
    (lambda: MultiHead(10, 4), ValueError, "d_model=10 cannot be split evenly among 4 heads. Take 5 heads, or"),
    (lambda: MultiHead(8, 4, 3), ValueError, "kv_heads=3 does not divide heads=4, .* Take one of 1, 2, 4"),
    (lambda: MultiHead(8, 2, 4), ValueError, "kv_heads=4 does not divide heads=2"),
    (lambda: MultiHead(8, 0), ValueError, "at least one head"),
    (lambda: MultiHead(8, 2, 0), ValueError, "at least one head"),
    (lambda: LAYER(torch.zeros(2, 3, 7)), ValueError, r"x should have shape \(batch, token, 8\), got \(2, 3, 7\)"),
    (lambda: LAYER(torch.zeros(3, 8)), ValueError, r"x should have shape \(batch, token, 8\), got \(3, 8\)"),
    (lambda: LAYER([[1.0]]), ValueError, "got list"),
    (lambda: LAYER(torch.zeros(0, 3, 8)), ValueError, r"x is empty \(shape \(0, 3, 8\)\): give at least one"),
    (lambda: LAYER(torch.zeros(2, 0, 8)), ValueError, "x is empty"),
    (lambda: LAYER(X, torch.zeros(2, 0, 8)), ValueError, "memory is empty"),
    (lambda: LAYER(X, torch.zeros(2, 5, 9)), ValueError, r"memory should have shape \(batch, token, 8\)"),
    (lambda: LAYER(X, torch.zeros(1, 5, 8)), ValueError, "x has 2 sequences, memory 1"),
    (lambda: LAYER(X, X, cache=KVCache()), ValueError, "Give a memory or a cache, not both"),
    (lambda: LAYER(X.to("meta")), ValueError, "x is on meta, the layer on cpu. Move one"),
    (lambda: LAYER(X, X.to("meta")), ValueError, "memory is on meta, the layer on cpu"),
    (lambda: LAYER(X.double()), TypeError, "x is torch.float64, the layer's weights are torch.float32"),
    (lambda: LAYER(X, X.half()), TypeError, "memory is torch.float16"),
]


@pytest.mark.parametrize(("work", "error", "sentence"), BAD)
def test_input_that_does_not_fit_gets_one_sentence(work, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        work()
    assert "\n" not in str(caught.value)
