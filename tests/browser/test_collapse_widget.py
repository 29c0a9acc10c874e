"""Lesson 11's widget: tokens, residual and cosine after every layer against torch's and the package's own vitals."""

import math

import pytest
import torch

from attn_course.diagnosis import vitals
from attn_course.show.widgets import CollapseWidget

pytestmark = pytest.mark.browser


def in_torch(widget, skip, sharpness, scaled):
    x = torch.tensor(widget.tokens, dtype=torch.float64)
    branch = len(widget.angles) ** -0.5 if scaled else 1.0
    states = [x]
    for scores, angle in zip(torch.tensor(widget.scores, dtype=torch.float64), widget.angles, strict=True):
        cos, sin = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
        weights = (sharpness * x @ scores @ x.T / math.sqrt(2)).softmax(-1)
        x = skip * x + branch * weights @ x @ turn
        states.append(x)
    return states


@pytest.mark.parametrize("seed", [0, 3])
def test_tokens_residual_and_cosine_are_torchs(mount, seed):
    widget = CollapseWidget(seed=seed)
    shown = mount(widget)
    for skip, sharpness, scaled in ((0, 1, False), (0, 16, False), (1, 1, True), (0.5, 0, False), (1, 3, False)):
        states = in_torch(widget, skip, sharpness, scaled)
        for layer in (0, 2, 12):
            shown.set(skip=skip, sharpness=sharpness, scaled=scaled, layer=layer)
            assert torch.tensor(shown.shown("points")).sub(states[layer]).abs().max() < 1e-7 * states[layer].abs().max()
        left = torch.cat([vitals.rank_residual(x[None]) for x in states])
        assert shown.shown("residuals") == pytest.approx(left.tolist(), rel=1e-6, abs=1e-14)
        cosines = torch.cat([vitals.token_cosine(x[None]) for x in states])
        assert shown.shown("cosines") == pytest.approx(cosines.tolist(), abs=1e-7)


def test_the_story_it_tells(mount):
    shown = mount(CollapseWidget(layer=3))
    assert shown.words().startswith("After layer 3 of 12, skip 0.00, sharpness 1.0: 12 tokens stand in one place.")
    assert shown.words().endswith("After the last layer: nothing but rounding.")
    shown.set(skip=1.0, scaled=True, layer=12)
    assert shown.shown("residuals")[-1] > 0.5 and "places that the eye can tell apart" in shown.words()
    shown.set(layer=0)
    assert shown.words().startswith("Before the first layer")


def test_controls_by_keyboard_move_traits_picture_and_words(mount):
    shown = mount(CollapseWidget())
    before, said = shown.shown("residuals"), shown.words()
    shown.press("layer", "ArrowRight")
    assert shown.get("layer") == 1
    shown.press("skip", "ArrowRight")
    assert shown.get("skip") == pytest.approx(0.05)
    shown.press("sharpness", "End")
    assert shown.get("sharpness") == 16
    shown.control("attention’s part divided by √12").click()
    assert shown.get("scaled") is True
    assert shown.shown("residuals") != before and shown.words() != said


def test_every_token_is_drawn_inside_the_plane(mount):
    shown = mount(CollapseWidget(skip=1.0, sharpness=8.0))
    for layer in (0, 6, 12):
        shown.set(layer=layer)
        dots = shown.root.locator(".c-token").all()
        assert len(dots) == 12
        assert all(0 <= float(dot.get_attribute("cx")) <= 300 for dot in dots)
