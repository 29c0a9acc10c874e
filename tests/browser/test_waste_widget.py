"""Lesson 14's widget of weights: what is left of a head, and what its output is then, against torch and the package."""

import pytest
import torch

from attn_course.attention import LayerRecord, attention_weights, causal
from attn_course.attention.fewer import above
from attn_course.diagnosis import vitals
from attn_course.models.pretrained import Reading, load
from attn_course.show.widgets import WasteWidget, waste

pytestmark = pytest.mark.browser

N, HEADS, D = 10, 2, 8


def reading(visible=None, n=N, gain=2.0) -> Reading:
    q, k, v = torch.randn(3, 1, HEADS, n, D, generator=torch.Generator().manual_seed(0))
    weights = attention_weights(gain * q, k, visible)
    seen = None if visible is None else visible.dense(n).expand(weights.shape)
    return Reading(
        tuple(f"w{i}" for i in range(n)), (LayerRecord(gain * q, k, v, D**-0.5, weights, weights @ v, seen),)
    )


def the_same_as_torchs(shown, layer, head, exponent, even=False, rescale=True, visible=None):
    """All that is said of one head at one ε. A weight that is near ε may fall to either side."""
    weights, v = layer.weights[:1, head : head + 1].double(), layer.v[0, head].double()
    n = weights.shape[-1]
    seen = vitals.visible_keys(weights, visible)[..., None]  # (1, 1, query, 1)
    epsilon = 10**exponent / (seen if even else torch.ones_like(seen))
    dense = torch.ones(n, n, dtype=torch.bool) if visible is None else visible.dense(n)
    near = (((weights / epsilon - 1).abs() < 0.03)[0, 0] & dense).sum().item() / dense.sum().item()
    below = (((weights < epsilon) & dense).sum(-1) / seen[..., 0]).mean().item()
    assert shown.shown("below") == pytest.approx(below, abs=1e-6 + 2 * near)
    if not even:
        assert below == pytest.approx(vitals.sparsity(weights, visible, float(10**exponent)).mean().item())
    left = above(weights, epsilon.clamp(max=1))
    if not rescale:
        left = torch.where(left > 0, weights, 0)
    assert shown.shown("kept") == pytest.approx((left > 0).sum(-1).double().mean().item(), abs=1e-6 + 2 * near * n)
    mass = 1 - torch.where(left > 0, weights, 0).sum(-1).mean().item()
    assert shown.shown("mass") == pytest.approx(mass, abs=3e-3 + 2 * near)
    change = ((left - weights)[0, 0] @ v).norm() / (weights[0, 0] @ v).norm()
    assert shown.shown("moved") == pytest.approx(change.item(), abs=5e-3 + 2 * near)
    coverage = vitals.coverage(weights, visible).mean().item()
    assert shown.shown("coverage") == pytest.approx(coverage, abs=0.5 / n)
    found = torch.tensor(shown.shown("left")).view(n, n)
    if near == 0:
        assert torch.equal(found[dense] < 0, (left[0, 0] == 0)[dense])
        torch.testing.assert_close(found.clamp(min=0).double(), left[0, 0], atol=2e-3, rtol=0.03)
    return near


@pytest.mark.parametrize("visible", [None, causal], ids=["everything", "causal"])
def test_what_is_left_and_what_it_does_are_torchs(mount, visible):
    read = reading(visible)
    shown = mount(waste(read, heads=[(0, 0), (0, 1)]))
    certain = 0
    for head in range(HEADS):
        for even, exponents in ((False, (-4, -2.3, -1.4, -0.6, 0)), (True, (-2, -0.85, 0.05, 1))):
            for exponent in exponents:
                for rescale in (True, False):
                    shown.set(head=head, even=even, exponent=exponent, rescale=rescale)
                    certain += the_same_as_torchs(shown, read.layers[0], head, exponent, even, rescale, visible) == 0
    assert certain >= 12


def test_heads_of_the_real_model_are_torchs_too(mount):
    texts = ["The cat sat on the mat.", "The cat that the dog saw sat on the mat because it was tired of the long day."]
    readings = [load().read(text) for text in texts]
    heads = [(0, 2), (2, 7), (5, 0)]
    shown = mount(waste(readings, heads))
    for text, read in enumerate(readings):
        for number, (layer, head) in enumerate(heads):
            for exponent in (-4, -3, -2, -1):
                shown.set(text=text, head=number, exponent=exponent)
                the_same_as_torchs(shown, read.layers[layer], head, exponent)


def test_the_curves_pass_through_what_is_shown(mount):
    shown = mount(waste(reading(), heads=[(0, 0)], exponent=-1.0))
    at = shown.root.locator(".w-now").evaluate_all("all => all.map(c => [c.getAttribute('cx'), c.getAttribute('cy')])")
    paths = shown.root.locator(".w-curve").evaluate_all("all => all.map(p => p.getAttribute('d'))")
    for (x, y), path in zip(at, paths, strict=True):
        points = [tuple(map(float, point.split())) for point in path.replace("M", "").split("L")]
        assert any(abs(px - float(x)) < 0.1 and abs(py - float(y)) < 0.1 for px, py in points)


def test_the_map_has_holes_where_weights_are_taken_out(mount):
    read = reading()
    shown = mount(waste(read, heads=[(0, 0)], exponent=-1.5))
    pixels = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    alphas = shown.root.locator(".w-map").evaluate(pixels)[3::4]
    left = torch.tensor(shown.shown("left"))
    assert torch.equal(torch.tensor(alphas) == 255, left >= 0) and (left < 0).any()


def test_saying_epsilon_the_other_way_keeps_it(mount):
    shown = mount(waste(reading(), heads=[(0, 0)], exponent=-2.0))
    before = shown.shown("left")
    shown.control("ε in even shares, 1/n").click()
    assert shown.get("even") is True and shown.shown("left") == before
    assert shown.get("exponent") == pytest.approx(-2 + torch.tensor(float(N)).log10().item(), abs=1e-6)
    assert "even shares" in shown.words()


def test_controls_by_keyboard_move_traits_picture_and_words(mount):
    shown = mount(WasteWidget())
    before, said = shown.shown("left"), shown.words()
    shown.press("ε", "End")
    assert shown.get("exponent") == 0 and shown.shown("kept") == 1  # a row keeps its largest
    assert shown.shown("left") != before and shown.words() != said
    shown.control("scale up what is left").click()
    assert shown.get("rescale") is False
    shown.control("text").select_option("1")
    shown.control("head").select_option("1")
    assert (shown.get("text"), shown.get("head")) == (1, 1) and "12 words" in shown.words()
