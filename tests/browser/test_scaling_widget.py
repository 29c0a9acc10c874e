"""Lesson 02's widget: scores, softmax, entropy and gradient against torch's."""

import math

import pytest
import torch

from attn_course.attention import masked_softmax
from attn_course.show.widgets import ScalingWidget

pytestmark = pytest.mark.browser


def in_torch(widget, d_k, exponent, n_keys, query=0):
    products = torch.tensor(widget.products, dtype=torch.float64)[int(math.log2(d_k)), query, :n_keys]
    scores = products * d_k**-exponent
    weights = masked_softmax(scores)
    jacobian = torch.autograd.functional.jacobian(masked_softmax, scores)
    entropy = -(weights * weights.clamp_min(1e-300).log()).sum() / math.log(n_keys)
    return scores, weights, jacobian, entropy


@pytest.mark.parametrize("d_k", [1, 8, 64, 512])
def test_scores_weights_and_gradient_are_torchs(mount, d_k):
    widget = ScalingWidget()
    shown = mount(widget)
    for exponent in (0.0, 0.25, 0.5, 1.0):
        for n_keys, query in ((2, 0), (7, 5), (24, 31)):
            shown.set(d_k=d_k, exponent=exponent, n_keys=n_keys, query=query)
            scores, weights, jacobian, entropy = in_torch(widget, d_k, exponent, n_keys, query)
            assert shown.shown("scores") == pytest.approx(scores.tolist(), abs=1e-9)
            assert shown.shown("weights") == pytest.approx(weights.tolist(), abs=1e-9)
            assert shown.shown("gradient") == pytest.approx(jacobian.diagonal().tolist(), abs=1e-9)
            assert shown.shown("norm") == pytest.approx(jacobian.norm().item(), abs=1e-7)
            assert shown.shown("entropy") == pytest.approx(entropy.item(), abs=1e-9)


@pytest.mark.parametrize("measure", ["gradient", "entropy"])
def test_the_curve_is_the_mean_over_all_queries(mount, measure):
    widget = ScalingWidget(n_keys=6, exponent=0.2, measure=measure)
    here = mount(widget).shown("here")
    for power in (0, 4, 9):
        found = [in_torch(widget, 2**power, 0.2, 6, query) for query in range(32)]
        values = [jacobian.norm() if measure == "gradient" else entropy for _, _, jacobian, entropy in found]
        assert here[power] == pytest.approx(torch.stack(values).mean().item(), abs=1e-7)


def test_sliders_by_keyboard_move_traits_picture_and_words(mount):
    shown = mount(ScalingWidget(d_k=64, exponent=0.5))
    before, said = shown.shown("weights"), shown.words()
    shown.press("d_k", "ArrowRight")
    assert shown.get("d_k") == 128
    shown.press("scale 1/d_kᵃ, a", "ArrowLeft")
    assert shown.get("exponent") == pytest.approx(0.45)
    shown.press("keys", "ArrowLeft")
    assert shown.get("n_keys") == 11
    shown.press("random query", "End")
    assert shown.get("query") == 31
    assert shown.shown("weights") != before and shown.words() != said
    assert shown.words().startswith("d_k = 128")


def test_marks_set_the_exponent(mount):
    shown = mount(ScalingWidget())
    shown.control("a = 0, no scale").click()
    assert shown.get("exponent") == 0
    assert shown.control("a = 0, no scale").get_attribute("aria-pressed") == "true"
    assert shown.control("a = ½, the paper").get_attribute("aria-pressed") == "false"


def test_a_trait_set_from_python_moves_the_slider(mount):
    shown = mount(ScalingWidget())
    shown.set(d_k=512, n_keys=5)
    assert shown.control("d_k").input_value() == "9"
    assert shown.control("d_k").get_attribute("aria-valuetext") == "512"
    assert len(shown.shown("weights")) == 5
    assert shown.root.locator(".s-weight").count() == 5


def test_the_bars_are_as_high_as_the_weights(mount):
    shown = mount(ScalingWidget(n_keys=3, d_k=1))
    heights = [float(bar.get_attribute("height")) for bar in shown.root.locator(".s-weight").all()]
    total = sum(heights)
    assert [height / total for height in heights] == pytest.approx(shown.shown("weights"), abs=1e-6)
