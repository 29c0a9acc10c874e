"""Questions to the fused kernel against the map in float64: exact, no map made, no plain kernel; and their limits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from attn_course.attention import attention_scores, attention_weights
from attn_course.attention import causal as looking_back
from attn_course.diagnosis import asking, vitals


def draw(*shape, seed, dtype=torch.float64, scale=1.0):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (scale * x).to(dtype)


def qkv(n, d=16, d_v=16, scale=1.0, dtype=torch.float64, seed=0, n_key=None):
    shapes = ((n, d, scale), (n_key or n, d, 1.0), (n_key or n, d_v, 1.0))
    return [draw(2, 3, m, w, seed=seed + at, dtype=dtype, scale=s) for at, (m, w, s) in enumerate(shapes)]


def the_map(q, k, causal, scale=None):
    visible = looking_back if causal else None
    return (f(q.double(), k.double(), visible, scale) for f in (attention_scores, attention_weights))


def errors(q, k, v, causal, scale=None):
    """The greatest error of each vital, relative to max(1, value)."""
    scores, weights = the_map(q, k, causal, scale)
    n = k.shape[-2]
    found = asking.asked_vitals(q, k, v, causal, scale, {"first": [0, 1], "last": torch.arange(n) == n - 1})
    pairs = {
        "output": (found.output, weights @ v.double()),
        "entropy": (found.entropy, vitals.entropy(weights)),
        "energy": (found.energy, vitals.energy(weights, scores)),
        "mean_distance": (found.mean_distance, vitals.mean_distance(weights)),
        "participation": (found.participation, vitals.participation(weights)),
        "first": (found.set_mass["first"], vitals.set_mass(weights, [0, 1])),
        "last": (found.set_mass["last"], vitals.set_mass(weights, [n - 1])),
        "received": (found.received, vitals.received(weights)),
        "max_logit": (found.max_logit, vitals.max_logit(scores)),
    }
    return {name: float(((a.double() - b).abs() / b.abs().clamp(min=1)).max()) for name, (a, b) in pairs.items()}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("n", [2, 65, 300])
@pytest.mark.parametrize(
    ("dtype", "scale", "tolerance"),
    [
        (torch.float64, 1.0, 1e-12),
        (torch.float64, 30.0, 1e-11),
        (torch.float32, 1.0, 1e-5),
        (torch.float32, 30.0, 1e-4),  # peaked: a score of about a hundred is rounded before it competes
    ],
)
def test_answers_are_those_of_the_map(causal, n, dtype, scale, tolerance):
    found = errors(*qkv(n, scale=scale, dtype=dtype), causal)
    assert max(found.values()) < tolerance, found


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(1, 9), st.integers(1, 9), st.booleans(), st.floats(0.05, 2), st.integers(0, 99))
def test_any_width_and_scale(n, d, d_v, causal, scale, seed):
    found = errors(*qkv(n, d, d_v, seed=seed), causal, scale)
    assert max(found.values()) < 1e-11, found


def test_queries_of_another_text_can_be_asked_all_but_distance():
    q, k, _ = qkv(5, n_key=9)
    scores, weights = the_map(q, k, causal=False)
    assert torch.allclose(asking.entropy(q, k), vitals.entropy(weights), atol=1e-12)
    assert torch.allclose(asking.received(q, k), vitals.received(weights), atol=1e-12)
    assert torch.allclose(asking.participation(q, k), vitals.participation(weights), atol=1e-12)
    assert torch.allclose(asking.maximum(q, k), scores.amax(-1), atol=1e-9)
    assert torch.allclose(asking.log_partition(q, k), scores.logsumexp(-1), atol=1e-12)
    with pytest.raises(ValueError, match="as many queries as keys, got 5 and 9"):
        asking.mean_distance(q, k)


@pytest.mark.parametrize("n", [1, 10, 200])
def test_the_probe_gets_one_over_one_plus_e_to_the_entropy(n):
    """Between 1/(n + 1), for a row that spreads evenly, and 1/2, for a row with one key."""
    q, k, _ = qkv(n)
    _, weights = the_map(0 * q, k, causal=False)
    beside = asking.beside_probe(0 * q, k, asking.energy(0 * q, k), torch.ones(n, 1, dtype=torch.float64))[..., 0]
    assert torch.allclose(1 / (1 + beside), torch.tensor(1 / (n + 1), dtype=torch.float64))
    sharp = asking.entropy(1000 * q, k)
    assert sharp.min() >= 0 and torch.allclose(asking.entropy(0 * q, k), vitals.entropy(weights))
    assert torch.allclose(sharp, vitals.entropy(the_map_of(1000 * q, k)), atol=1e-9)


def the_map_of(q, k):
    return list(the_map(q, k, causal=False))[1]


def test_received_mass_is_also_the_gradient_of_the_values():
    """The other way to the transpose, three times as dear: Σ_i P_ij = ∂⟨PV, 1⟩/∂V_j."""
    q, k, v = qkv(20)
    v.requires_grad_()
    total = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)[..., 0].sum()
    (gradient,) = torch.autograd.grad(total, v)
    assert torch.allclose(asking.received(q, k, causal=True), gradient[..., 0], atol=1e-12)


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation returned."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else (result,):
            if isinstance(part, torch.Tensor):
                self.numel = max(self.numel, part.numel())
        return result


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("d_v", [16, 21])
def test_no_map_is_made_and_the_flash_kernel_runs_every_time(causal, d_v):
    n = 256
    q, k, v = (x[:1, :1].float() for x in qkv(n, d_v=d_v))
    with Largest() as largest:
        asking.asked_vitals(q, k, v, causal, token_sets={"first": [0]})
    assert 0 < largest.numel < n * n / 3
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        asking.asked_vitals(q, k, v, causal, token_sets={"first": [0]})
    calls = {event.key: event.count for event in seen.key_averages() if "scaled_dot_product" in event.key}
    flash = "aten::_scaled_dot_product_flash_attention_for_cpu"
    assert set(calls) == {"aten::scaled_dot_product_attention", flash}
    assert calls[flash] == calls["aten::scaled_dot_product_attention"] == (8 if causal else 9)


def test_without_one_width_the_kernel_would_fall_back_to_the_plain_one():
    """Why `columns` pads: the control of the test above."""
    q, k, v = (x.float() for x in qkv(16, d_v=21))
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert "aten::_scaled_dot_product_attention_math" in {event.key for event in seen.key_averages()}


def test_in_bfloat16_the_probe_is_off_by_a_tenth_of_a_nat_and_asked_vitals_widens():
    q, k = (draw(1, 2, 1024, 64, seed=at, dtype=torch.bfloat16, scale=s) for at, s in ((0, 10.0), (1, 1.0)))
    exact = vitals.entropy(the_map_of(q, k))
    off = (asking.entropy(q, k).double() - exact).abs().max()
    assert 0.1 < off < 0.4
    assert (asking.entropy(q.float(), k.float()).double() - exact).abs().max() < 1e-4
    assert (asking.asked_vitals(q, k, k).entropy.double() - exact).abs().max() < 1e-4
    far = vitals.mean_distance(list(the_map(q, k, causal=True))[1])
    assert (asking.mean_distance(q, k, causal=True).double() - far).abs().max() > 2  # positions are rounded as well


def test_bad_input_gets_one_sentence():
    q, k, v = qkv(4, n_key=6)
    with pytest.raises(ValueError, match="as many queries as keys, got 4 and 6"):
        asking.entropy(q, k, causal=True)
    with pytest.raises(ValueError, match="The token set 'a' names key 6, but keys go from 0 to 5"):
        asking.asked_vitals(q, k, v, token_sets={"a": [6]})
    with pytest.raises(ValueError, match=r"'a' has marks of shape .*one for each of the 6 keys"):
        asking.asked_vitals(q, k, v, token_sets={"a": torch.ones(4).bool()})
    with pytest.raises(ValueError, match="Scores are dot products"):
        asking.asked_vitals(q, k[..., :3], v)
    assert math.isfinite(asking.energy(q, k).sum())
