"""Every option against its definition written out in float64, and what each must do whatever it is.

Plain attention where it is neutral, zeros where nothing is seen, no look into the future, half precision, and a cache
that changes nothing.
"""

import copy
import math
from functools import partial

import pytest
import torch

from attn_course.attention import ALiBi, KVCache, MultiHead, Rotary, attention, causal, fused, padding, soft_cap
from attn_course.attention.options import (
    Gated,
    KeyBias,
    NullKey,
    OffByOne,
    QKNorm,
    log_length,
    sigmoid_attention,
    soft_capped,
)

torch.set_num_threads(1)
HEADS, D, N = 3, 4, 5
CAUSAL = torch.ones(N, N, dtype=torch.bool).tril()
HOLES = torch.tensor([[1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 0, 1, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]]).bool()


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def qkv(n=N, seed=0, dtype=torch.float64):
    return tuple(draw(2, HEADS, n, D, seed=seed + each, dtype=dtype) for each in range(3))


def stirred(option, dtype=torch.float64):
    """Its parameters away from where they begin, so that none of them is without effect."""
    for at, parameter in enumerate(option.parameters()):
        parameter.data = parameter.data + 0.7 * draw(*parameter.shape, seed=20 + at).to(parameter.dtype)
    return option.to(dtype)


# What each option is, written out: every score in a loop, every sum by hand.
def rows(q, k, v, visible, judge):
    """judge(scores, values, head, query) → the output of one query, from the scores and values that it sees."""
    output = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=q.dtype)
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for i in range(q.shape[2]):
                seen = [j for j in range(k.shape[2]) if visible is None or visible[i, j]]
                output[b, h, i] = judge(b, h, i, seen)
    return output


def share(scores, values):
    e = scores.exp()
    return (e[:, None] * values).sum(0) / e.sum() if len(scores) else 0


def by_hand_qk_norm(option, q, k, v, visible):
    def judge(b, h, i, seen):
        cosines = [
            q[b, h, i] @ k[b, h, j] / (q[b, h, i].square().sum() * k[b, h, j].square().sum()).sqrt() for j in seen
        ]
        return share(option.gain[h] * torch.stack(cosines), v[b, h, seen]) if seen else 0

    return rows(q, k, v, visible, judge)


def by_hand_null_key(option, q, k, v, visible):
    def judge(b, h, i, seen):
        e = (k[b, h, seen] @ q[b, h, i] / D**0.5).exp()
        return (e[:, None] * v[b, h, seen]).sum(0) / (e.sum() + option.logit[h].exp())

    return rows(q, k, v, visible, judge)


def by_hand_key_bias(option, q, k, v, visible):
    def judge(b, h, i, seen):
        keys, values = torch.stack([option.k[h], *k[b, h, seen]]), torch.stack([option.v[h], *v[b, h, seen]])
        return share(keys @ q[b, h, i] / D**0.5, values)

    return rows(q, k, v, visible, judge)


def by_hand_gated(option, q, k, v, visible):
    def judge(b, h, i, seen):
        gate = 1 / (1 + (-(option.w[h] @ q[b, h, i]) - option.b[h]).exp())
        return gate * share(k[b, h, seen] @ q[b, h, i] / D**0.5, v[b, h, seen])

    return rows(q, k, v, visible, judge)


def by_hand_sigmoid(option, q, k, v, visible):
    def judge(b, h, i, seen):
        e = (-(k[b, h, seen] @ q[b, h, i]) / D**0.5).exp() * len(seen)
        return (v[b, h, seen] / (1 + e)[:, None]).sum(0)

    return rows(q, k, v, visible, judge)


def by_hand_soft_capped(option, q, k, v, visible):
    def judge(b, h, i, seen):
        e = (2 * (k[b, h, seen] @ q[b, h, i] / D**0.5) / 1.5).exp()
        return share(1.5 * (e - 1) / (e + 1), v[b, h, seen])

    return rows(q, k, v, visible, judge)


def by_hand_log_length(option, q, k, v, visible):
    def judge(b, h, i, seen):
        return share(0.6 * math.log(max(len(seen), 1)) * (k[b, h, seen] @ q[b, h, i]) / D**0.5, v[b, h, seen])

    return rows(q, k, v, visible, judge)


OPTIONS = {
    "QK-norm": (lambda: QKNorm(HEADS, D), by_hand_qk_norm),
    "null key": (lambda: NullKey(HEADS), by_hand_null_key),
    "off by one": (lambda: OffByOne(HEADS), by_hand_null_key),
    "key bias": (lambda: KeyBias(HEADS, D), by_hand_key_bias),
    "gate": (lambda: Gated(HEADS, D), by_hand_gated),
    "sigmoid": (lambda: sigmoid_attention, by_hand_sigmoid),
    "soft-cap": (lambda: soft_capped(1.5), by_hand_soft_capped),
    "log length": (lambda: log_length(attention, s=0.6), by_hand_log_length),
}
both = pytest.mark.parametrize("name", OPTIONS)


def option(name, dtype=torch.float64):
    made = OPTIONS[name][0]()
    return stirred(made, dtype) if isinstance(made, torch.nn.Module) else made


@both
@pytest.mark.parametrize("visible", [None, CAUSAL, HOLES], ids=["everything", "causal", "with a row that sees nothing"])
def test_it_is_what_its_definition_says_with_its_gradients(name, visible):
    mechanism, by_hand = option(name), OPTIONS[name][1]
    inputs = [x.requires_grad_() for x in qkv()]
    inputs += list(mechanism.parameters()) if isinstance(mechanism, torch.nn.Module) else []
    ours, theirs = mechanism(*inputs[:3], visible), by_hand(mechanism, *inputs[:3], visible)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-10)
    wanted = draw(*ours.shape, seed=9)
    for one, other in zip(*(torch.autograd.grad(x, inputs, wanted) for x in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


@both
def test_its_gradients_pass_gradcheck(name):
    mechanism = option(name)
    q, k, v = (x[:1, :, :3].clone().requires_grad_() for x in qkv())
    parameters = list(mechanism.parameters()) if isinstance(mechanism, torch.nn.Module) else []
    assert torch.autograd.gradcheck(lambda q, k, v, *_: mechanism(q, k, v, causal), (q, k, v, *parameters))


NEUTRAL = {
    "null key at −∞": lambda: NullKey(HEADS, logit=-math.inf),
    "open gate": lambda: Gated(HEADS, D, open=math.inf),
    "a high cap": lambda: soft_capped(1e9),
    "s = 1/log n": lambda: log_length(attention, 1 / math.log(N)),
}


@pytest.mark.parametrize("make", NEUTRAL.values(), ids=NEUTRAL)
def test_neutral_it_is_plain_attention_with_its_gradients(make):
    mechanism = make()
    inputs = [x.requires_grad_() for x in qkv()]
    ours, plain = mechanism(*inputs), attention(*inputs)
    torch.testing.assert_close(ours, plain, atol=1e-12, rtol=1e-12)
    wanted = draw(*ours.shape, seed=9)
    for one, other in zip(*(torch.autograd.grad(x, inputs, wanted) for x in (ours, plain)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-10)


def test_qk_norm_is_plain_attention_on_vectors_of_the_length_that_its_gain_stands_for():
    q, k, v = qkv()
    q, k = (3 * x / x.norm(dim=-1, keepdim=True) for x in (q, k))
    ours = QKNorm(HEADS, gain=9 / math.sqrt(D)).double()
    torch.testing.assert_close(ours(q, k, v), attention(q, k, v), atol=1e-12, rtol=1e-12)
    rms = [torch.nn.functional.rms_norm(x, (D,), eps=0.0) for x in qkv()[:2]]  # as in models that keep 1/√d_k
    torch.testing.assert_close(QKNorm(HEADS, D).double()(*qkv()), attention(*rms, v), atol=1e-12, rtol=1e-12)


def test_qk_norm_bounds_every_weight_however_long_the_vectors():
    q, k, v = qkv()
    mechanism, g = QKNorm(HEADS, gain=4.0).double(), 4.0
    eye = torch.eye(N, dtype=torch.float64)[:, :D].expand(2, HEADS, N, D)
    most = mechanism(1e6 * q, 1e6 * k, eye).max()
    assert most <= math.exp(g) / (math.exp(g) + (N - 1) * math.exp(-g))
    torch.testing.assert_close(mechanism(1e6 * q, k, v), mechanism(q, k, v), atol=1e-9, rtol=1e-9)
    zeros = torch.zeros_like(q).requires_grad_()
    output = mechanism(zeros, k, v)
    torch.testing.assert_close(output, v.mean(-2, keepdim=True).expand_as(output))
    assert torch.isfinite(torch.autograd.grad(output.sum(), zeros)[0]).all()


@both
def test_a_query_that_sees_nothing_gets_zeros_or_the_learned_value(name):
    mechanism = option(name)
    output = mechanism(*qkv(), HOLES)
    wanted = mechanism.v[:, None].expand(2, HEADS, 1, D)[:, :, 0] if name == "key bias" else torch.zeros(2, HEADS, D)
    torch.testing.assert_close(output[:, :, 1], wanted.to(output.dtype))


@both
def test_the_future_does_not_matter(name):
    mechanism = option(name)
    q, k, v = qkv()
    before = mechanism(q, k, v, causal)
    k[:, :, 3:], v[:, :, 3:] = 50 * k[:, :, 3:], -v[:, :, 3:]
    after = mechanism(q, k, v, causal)
    assert torch.equal(before[:, :, :3], after[:, :, :3]) and not torch.equal(before[:, :, 3:], after[:, :, 3:])


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_inside(name, dtype):
    q, k, v = qkv(dtype=dtype)
    mechanism = option(name, dtype)
    half = mechanism(q, k, v, causal)
    widened = copy.deepcopy(mechanism).double() if isinstance(mechanism, torch.nn.Module) else mechanism
    full = widened(q.double(), k.double(), v.double(), causal)
    assert half.dtype == dtype
    torch.testing.assert_close(half.double(), full, atol=8 * torch.finfo(dtype).eps, rtol=8 * torch.finfo(dtype).eps)


@both
@pytest.mark.parametrize("kv_heads", [HEADS, 1], ids=["multi-head", "multi-query"])
@pytest.mark.parametrize("positions", [None, Rotary(D), ALiBi(HEADS)], ids=["none", "rotary", "ALiBi"])
def test_a_layer_with_a_cache_gives_what_the_whole_text_gives(name, kv_heads, positions):
    torch.manual_seed(0)
    layer = MultiHead(HEADS * D, HEADS, kv_heads, mechanism=option(name), positions=positions).double()
    x = draw(2, N, HEADS * D, seed=5)
    whole, cache = layer(x, visible=causal), KVCache()
    parts = [layer(x[:, :3], visible=causal, cache=cache)]
    parts += [layer(x[:, i : i + 1], visible=causal, cache=cache) for i in range(3, N)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-12, rtol=1e-12)


@both
def test_padding_changes_nothing_but_its_own_rows(name):
    mechanism = option(name)
    q, k, v = qkv()
    keep = torch.arange(N) < torch.tensor([[3], [5]])
    padded = mechanism(q, k, v, padding(keep))
    torch.testing.assert_close(padded[:1, :, :3], mechanism(*(x[:1, :, :3] for x in (q, k, v))), atol=1e-12, rtol=1e-12)
    assert torch.equal(mechanism(q, k, v, keep[:, None, None]), padded)


@pytest.mark.parametrize("make", [lambda m: NullKey(HEADS, mechanism=m), lambda m: KeyBias(HEADS, D, m)])
@pytest.mark.parametrize("visible", [None, causal], ids=["everything", "causal"])
def test_the_key_before_the_text_works_around_a_fused_kernel_too(make, visible):
    inputs = [x.requires_grad_() for x in qkv()]
    outputs = []
    for inner in (attention, fused):
        torch.manual_seed(0)  # a learned key begins at random
        mechanism = stirred(make(inner))
        output = mechanism(*inputs, visible, score=ALiBi(HEADS).double().score)
        leaves = [*inputs, *mechanism.parameters()]
        outputs.append((output, *torch.autograd.grad(output, leaves, draw(*output.shape, seed=9))))
    for one, other in zip(*outputs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


def test_options_may_be_put_around_one_another():
    q, k, v = qkv()
    mechanism = stirred(Gated(HEADS, D, mechanism=NullKey(HEADS, mechanism=QKNorm(HEADS, gain=2.0))))
    null, norm = mechanism.mechanism, mechanism.mechanism.mechanism

    def judge(b, h, i, seen):
        cosines = torch.stack([torch.cosine_similarity(q[b, h, i], k[b, h, j], dim=0) for j in seen])
        e = (norm.gain[h] * cosines).exp()
        gate = torch.sigmoid(mechanism.w[h] @ q[b, h, i] + mechanism.b[h])
        return gate * (e[:, None] * v[b, h, seen]).sum(0) / (e.sum() + null.logit[h].exp())

    torch.testing.assert_close(mechanism(q, k, v, causal), rows(q, k, v, CAUSAL, judge), atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("name", ["null key", "key bias"])
def test_a_change_of_scores_is_told_where_tokens_stand_in_the_text(name):
    """One that knows places, and not distances alone: as if the text's own scores had been changed beforehand."""
    mechanism, (q, k, v) = option(name), qkv()
    places = draw(N, N, seed=8)
    ours = mechanism(q, k, v, causal, score=lambda scores, i, j: scores + places[i, j])
    own = mechanism.logit if name == "null key" else (q @ mechanism.k[:, :, None])[..., 0].transpose(1, 2) / D**0.5
    own = own.expand(2, N, HEADS).transpose(1, 2)[..., None]
    scores = (q @ k.transpose(-2, -1) / D**0.5 + places).masked_fill(~CAUSAL, -math.inf)
    weights = torch.cat([own, scores], dim=-1).softmax(-1)
    value = mechanism.v[:, None] if name == "key bias" else torch.zeros(HEADS, 1, D, dtype=torch.float64)
    torch.testing.assert_close(ours, weights[..., :1] * value + weights[..., 1:] @ v, atol=1e-12, rtol=1e-10)


def test_a_bias_by_position_comes_after_the_cap_and_is_not_scaled_by_log_n():
    q, k, v = qkv()
    alibi = ALiBi(HEADS).double()
    bias = alibi.score(
        torch.zeros(1, HEADS, N, N, dtype=torch.float64), *(torch.arange(N).view(s) for s in ((-1, 1), (1, -1)))
    )
    scores = soft_cap(1.5)(q @ k.transpose(-2, -1) / D**0.5, None, None) + bias
    torch.testing.assert_close(soft_capped(1.5)(q, k, v, score=alibi.score), scores.softmax(-1) @ v)
    scores = 0.6 * math.log(N) * (q @ k.transpose(-2, -1) / D**0.5) + bias
    torch.testing.assert_close(log_length(attention, 0.6)(q, k, v, score=alibi.score), scores.softmax(-1) @ v)


def test_a_lead_of_one_over_s_keeps_half_of_the_row_at_any_length():
    for n in (10, 1000, 20_000):
        q = torch.ones(1, 1, 1, 1, dtype=torch.float64)
        k = torch.zeros(1, 1, n, 1, dtype=torch.float64)
        k[:, :, 7] = 2.0  # 1/s
        assert log_length(attention, s=0.5)(q, k, k / 2, scale=1.0).item() >= 0.5
        assert attention(q, k, k / 2, scale=1.0).item() == pytest.approx(1 / (1 + (n - 1) * math.exp(-2)))


BAD = {
    "no head": (lambda: NullKey(0), "at least one head"),
    "no features": (lambda: KeyBias(2, 0), "at least one feature"),
    "neither d_head nor gain": (lambda: QKNorm(2), "give d_head, or the gain"),
    "a gain of NaN": (lambda: QKNorm(2, gain=math.nan), "a finite number"),
    "a null key that takes all": (lambda: NullKey(2, logit=math.inf), "−∞ for none"),
    "a null key of NaN": (lambda: NullKey(2, logit=math.nan), "−∞ for none"),
    "a cap of 0": (lambda: soft_capped(0), "above 0"),
    "s of 0": (lambda: log_length(attention, 0), "above 0"),
    "log length around QK-norm": (lambda: log_length(QKNorm(2, 4)), "Put it outside"),
    "other heads": (lambda: NullKey(2)(*qkv()), "made for 2 heads"),
    "other features": (lambda: Gated(HEADS, 8)(*qkv()), "made for 8 features"),
    "other features of a key": (lambda: KeyBias(HEADS, 8)(*qkv()), "made for 8 features"),
}


@pytest.mark.parametrize("make, sentence", BAD.values(), ids=BAD)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_an_option_around_a_class_is_told():
    with pytest.raises(TypeError, match="made already"):
        Gated(HEADS, D, mechanism=NullKey)
    with pytest.raises(TypeError, match="made already"):
        partial(QKNorm, gain=2.0, mechanism=NullKey)(HEADS)
