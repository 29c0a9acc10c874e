"""The models that were set by hand: right on every string, the published cross-entropies, and each step by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.attention import attention, watching
from attn_course.models import first as first_model
from attn_course.models import parity as parity_model
from attn_course.models.constructed import MirroredLayerNorm, with_cls
from attn_course.models.first import first
from attn_course.models.parity import parity
from attn_course.tasks.bits import every_bits, random_bits

ASKED = {"parity": (parity, lambda bits: bits.sum(-1) % 2 == 1), "first": (first, lambda bits: bits[:, 0] == 1)}


def bits_lost(model, truth, bits):
    logits = model(bits)
    return torch.log1p(torch.exp(torch.where(truth(bits), -logits, logits))).mean().item() / math.log(2)


def drawn(n, strings=40):
    return random_bits(torch.Generator().manual_seed(0), strings, n)


@pytest.mark.parametrize("log_n", [False, True])
@pytest.mark.parametrize("eps", [None, 0.0, 1e-5, 1e-2])
@pytest.mark.parametrize("name", ASKED)
def test_right_on_every_short_string(name, eps, log_n):
    make, truth = ASKED[name]
    model = make(eps, log_n)
    for n in range(1, 11):
        bits = every_bits(n)
        assert torch.equal(model(bits) > 0, truth(bits)), n


@pytest.mark.parametrize(
    ("n", "published", "digits"),
    [(10, 0.99500, 5), (50, 0.99977, 5), (100, 0.99994, 5), (500, 0.999998, 6), (1000, 0.9999994, 7)],
)
def test_cross_entropy_of_parity_without_layer_norm(n, published, digits):
    bits = every_bits(10) if n == 10 else drawn(n)
    assert bits_lost(parity(), ASKED["parity"][1], bits) == pytest.approx(published, abs=0.6 * 10**-digits)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_cross_entropy_with_layer_norm_and_no_epsilon_does_not_depend_on_length(n):
    assert bits_lost(parity(0.0), ASKED["parity"][1], drawn(n, 10)) == pytest.approx(0.0598, abs=5e-5)
    assert bits_lost(first(0.0), ASKED["first"][1], drawn(n, 10)) == pytest.approx(0.11947, abs=5e-6)
    # What is left of the stream is one feature and its mirror image, so the norm gives √(features).
    assert parity(0.0)(drawn(n, 10)).abs() == pytest.approx(math.sqrt(10))
    assert first(0.0)(drawn(n, 10)).abs() == pytest.approx(math.sqrt(6))


@pytest.mark.parametrize(("n", "published"), [(10, 0.0725), (100, 0.9303), (1000, 0.99926)])
def test_cross_entropy_of_parity_with_torchs_usual_epsilon(n, published):
    bits = every_bits(10) if n == 10 else drawn(n)
    assert bits_lost(parity(1e-5), ASKED["parity"][1], bits) == pytest.approx(published, rel=2e-3)


@pytest.mark.parametrize(("n", "published"), [(10, 0.9536), (100, 0.9947), (1000, 0.99946)])
def test_cross_entropy_of_first_without_layer_norm(n, published):
    assert bits_lost(first(), ASKED["first"][1], drawn(n)) == pytest.approx(published, abs=6e-5)


def test_logits_in_closed_form():
    n = 9  # ten tokens: as many even places as odd
    bits = every_bits(n)
    odd = torch.where(bits.sum(-1) % 2 == 1, 1.0, -1.0).double()
    torch.testing.assert_close(parity()(bits), odd * 2 * math.tanh(1 / math.sqrt(5)) / (n + 1) ** 2)
    torch.testing.assert_close(parity(log_n=True)(bits), odd * 2 * math.tanh(math.log(n + 1)) / (n + 1) ** 2)
    half = torch.where(bits[:, 0] == 1, 0.5, -0.5).double()
    lead = math.exp(1 / math.sqrt(6))
    torch.testing.assert_close(first()(bits), half * lead / (lead + n))
    torch.testing.assert_close(first(log_n=True)(bits), half * (n + 1) / (2 * n + 1))


@settings(max_examples=30, deadline=None)
@given(bits=st.lists(st.integers(0, 1), min_size=1, max_size=60), seed=st.integers(0, 100))
def test_parity_knows_the_count_and_nothing_else(bits, seed):
    bits = torch.tensor([bits])
    other = bits[:, torch.randperm(bits.shape[1], generator=torch.Generator().manual_seed(seed))]
    for eps in (None, 0.0, 1e-5):
        torch.testing.assert_close(parity(eps)(other), parity(eps)(bits), rtol=1e-6, atol=1e-13)


@settings(max_examples=30, deadline=None)
@given(bits=st.lists(st.integers(0, 1), min_size=2, max_size=60), at=st.integers(1, 59))
def test_first_does_not_see_the_other_bits(bits, at):
    bits = torch.tensor([bits])
    other = bits.clone()
    other[0, 1 + at % (bits.shape[1] - 1)] ^= 1
    torch.testing.assert_close(first()(other), first()(bits), rtol=1e-12, atol=0)


@pytest.mark.parametrize("eps", [None, 1e-5])
def test_steps_count_pick_and_compare(eps):
    bits = torch.tensor([[1, 0, 1, 1, 0]])
    steps = parity(eps).steps(bits)
    names = parity_model.FEATURES
    assert list(steps) == ["embedded", "layer 1", "layer 2"] and steps["layer 1"].shape == (1, 6, len(names))
    assert steps["embedded"][0, :, names.index("sign")].tolist() == [1, -1, 1, -1, 1, -1]
    pick = steps["layer 1"][0, :, names.index("pick")]
    assert (pick.abs() > 1e-12).tolist() == [False, False, False, True, False, False]  # three ones: place 3
    if eps is None:
        assert pick[3].item() == pytest.approx(1 / 6)
        assert steps["layer 1"][0, :, names.index("share")].tolist() == pytest.approx([3 / 6] * 6)
    out = steps["layer 2"][0, -1, names.index("out")].item()
    assert out == parity(eps)(bits).item() > 0


def test_the_maps_are_those_of_the_words_in_the_docstrings():
    model, bits = parity(), every_bits(5)[[22]]
    with watching(model) as records:
        model(bits)
    count, compare = (record.weights[0] for record in records)
    torch.testing.assert_close(count, torch.full_like(count, 1 / 6))
    even, odd = compare[0, -1], compare[1, -1]  # [CLS] asks
    assert even[0] == even[2] > even[1] == even[3] and odd[1] == odd[3] > odd[0] == odd[2]
    torch.testing.assert_close(compare[:, :-1], torch.full_like(compare[:, :-1], 1 / 6))
    model = first(log_n=True)
    with watching(model) as records:
        model(bits)
    assert records[1].weights[0, 0, -1, 0].item() == pytest.approx(6 / 11)


def test_any_mechanism_will_do():
    bits = drawn(12)
    for make, _ in ASKED.values():
        torch.testing.assert_close(make(1e-5, True, attention)(bits), make(1e-5, True)(bits))


def test_the_mirrored_norm_is_torchs():
    x = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    both = torch.cat([x, -x], dim=-1)
    for eps in (0.0, 1e-5, 0.3):
        expected = torch.nn.functional.layer_norm(both, (14,), eps=eps)
        torch.testing.assert_close(MirroredLayerNorm(eps)(both), expected)
    assert (MirroredLayerNorm(0.0)(torch.zeros(2, 4)) == 0).all()


def test_every_weight_is_readable():
    """Few weights are not zero, and each of them is a number that a reader can check."""
    for make, most in ((parity, 30), (first, 12)):
        model = make()
        values = torch.cat([weight.flatten() for weight in model.parameters()])
        assert 0 < values.count_nonzero() <= most and set(values.unique().tolist()) <= {-2, -1, -0.5, 0, 1}
        assert values.dtype == torch.float64
    assert len(parity_model.FEATURES) == 10 and len(first_model.FEATURES) == 6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_other_precisions_run(dtype):
    logits = parity().to(dtype)(every_bits(4))
    assert logits.dtype == dtype and torch.isfinite(logits).all()
    assert torch.equal(logits > 0, every_bits(4).sum(-1) % 2 == 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: parity(eps=-1.0), "eps is what a layer norm adds to the variance, 0 or more"),
        (lambda: first(eps=math.nan), "got nan"),
        (lambda: with_cls(torch.tensor([[0, 2]])), "A bit is 0 or 1"),
        (lambda: with_cls(torch.zeros(1, 0, dtype=torch.long)), r"one bit at least; got \(1, 0\)"),
        (lambda: with_cls([0, 1]), "got list"),
        (lambda: with_cls(torch.zeros(2, 3)), "float32"),
    ],
)
def test_what_cannot_be_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
