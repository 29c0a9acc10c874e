"""Lesson 13's widget: the models that were set by hand, in the browser against torch's."""

import pytest
import torch

from attn_course.attention import watching
from attn_course.models.first import first
from attn_course.models.parity import parity
from attn_course.show.widgets import LimitsWidget
from attn_course.tasks import bits as asked
from attn_course.training.exact import bits_lost, margins
from attn_course.training.experiments.influence import slope

pytestmark = pytest.mark.browser

MAKE = {"parity": parity, "first": first}
EPS = {"none": None, "0": 0.0, "1e-5": 1e-5}
SETTINGS = [
    (question, norm, log_n) for question in MAKE for norm, log_n in (("none", False), ("0", True), ("1e-5", False))
] + [("parity", "none", True), ("first", "none", True)]


@pytest.mark.parametrize(("question", "norm", "log_n"), SETTINGS)
def test_logit_scores_weights_and_bits_are_torchs(mount, question, norm, log_n):
    model, widget = MAKE[question](EPS[norm], log_n), LimitsWidget()
    shown = mount(widget)
    for bits, length in (([1, 0, 1, 1, 0, 1, 0, 0, 1, 0], 10), ([0], 1), ([0, 1, 1], 41), ([1] * 16, 1000)):
        shown.set(question=question, norm=norm, log_n=log_n, bits=bits, length=length)
        string = torch.tensor([LimitsWidget(bits=bits, length=length).string])
        with watching(model) as records:
            logit = model(string)
        label = getattr(asked, question)(string)
        assert shown.shown("logit") == pytest.approx(logit.item(), rel=1e-6, abs=1e-12)
        lost = bits_lost(logit, label).item()
        assert shown.shown("lost") == pytest.approx(lost, abs=1e-9)
        assert shown.shown("probability") == pytest.approx(margins(logit, label).sigmoid().item(), abs=1e-9)
        of_cls = records[1].weights[0, :, -1]  # (head, token)
        assert torch.tensor(shown.shown("weights")).sub(of_cls).abs().max() < 1e-7
        record = records[1]
        scale = 1.0 if log_n else 1 / record.q.shape[-1] ** 0.5
        dots = record.q[0, :, -1:] @ record.k[0].mT  # with log n, q was multiplied already
        scores = torch.tensor(shown.shown("scores"))
        torch.testing.assert_close(scores.softmax(-1), of_cls.float(), atol=1e-6, rtol=1e-5)
        if not log_n:
            assert torch.tensor(shown.shown("scores")).sub(dots[:, 0] * scale).abs().max() < 1e-6
        pick = model.steps(string)["layer 1"][0, :, model.features.index("pick")]
        assert torch.tensor(shown.shown("picks")).sub(pick).abs().max() < 1e-7


@pytest.mark.parametrize(("question", "norm", "log_n"), SETTINGS)
def test_the_curve_is_the_flip_of_the_first_bit(mount, question, norm, log_n):
    shown = mount(LimitsWidget(question=question, norm=norm, log_n=log_n, length=30))
    model, curve = MAKE[question](EPS[norm], log_n), shown.shown("curve")
    assert [n for n, _ in curve] == [10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000]
    for n, moved in curve[::3]:
        string = torch.tensor([LimitsWidget(length=n).string])
        expected = (model(asked.flipped(string, 0)) - model(string)).abs().item()
        assert moved == pytest.approx(expected, rel=1e-5)
    assert shown.shown("slope") == pytest.approx(slope(*zip(*curve, strict=True)), abs=1e-9)


def test_the_slopes_of_the_two_models(mount):
    shown = mount(LimitsWidget())
    assert shown.shown("slope") == pytest.approx(-2, abs=0.05)
    shown.set(question="first")
    assert shown.shown("slope") == pytest.approx(-1, abs=0.05)
    assert "n to the power of −0.97" in shown.words()
    for change in ({"log_n": True}, {"log_n": False, "norm": "0"}):
        shown.set(**change)
        assert shown.words().endswith("it does so at any length.")


def test_words(mount):
    shown = mount(LimitsWidget())
    assert shown.words().startswith("5 ones in 10 bits: odd. Place 5 is picked; head 0 gives it 0.0508, head 1 0.134,")
    assert "the logit is 0.00758: right, at a probability of 50.1894 %" in shown.words()
    shown.set(length=1000, norm="0")
    assert "With layer norm, ε = 0, the logit is" in shown.words() and "costs 0.0598 bits" in shown.words()
    shown.set(question="first", bits=[0, 1], norm="none")
    assert shown.words().startswith("The first of 1,000 bits is 0; it gets 0.0015 of the row.")


def test_bits_are_turned_over_by_pointer_and_by_keyboard(mount):
    shown = mount(LimitsWidget())
    before = shown.shown("logit")
    shown.control("bit 3").click()
    assert shown.get("bits") == [1, 0, 1, 0, 0, 1, 0, 0, 1, 0] and before > 0 > shown.shown("logit")
    shown.press("bit 3", "ArrowRight")
    shown.page.keyboard.press("Space")
    assert shown.get("bits") == [1, 0, 1, 0, 1, 1, 0, 0, 1, 0]
    assert shown.control("bit 4").get_attribute("aria-pressed") == "true"
    stops = shown.root.locator(".l-bits [tabindex='0']")
    assert stops.count() == 1 and stops.get_attribute("aria-label") == "bit 4"
    shown.set(bits=[1, 0])
    assert shown.root.locator(".l-bits button").count() == 2 and "8 more" in shown.root.locator(".l-bits").inner_text()


def test_the_other_controls(mount):
    shown = mount(LimitsWidget())
    shown.press("length", "End")
    assert shown.get("length") == 1000
    shown.press("length", "ArrowLeft")
    assert shown.get("length") == 700
    shown.control("question").select_option("first")
    shown.control("layer norm").select_option("1e-5")
    shown.control("scores × log n").click()
    assert (shown.get("question"), shown.get("norm"), shown.get("log_n")) == ("first", "1e-5", True)


def test_the_place_that_counts_is_in_the_picture(mount):
    shown = mount(LimitsWidget(bits=[1] * 12, length=12))
    for bits, length in (([1] * 12, 12), ([0] * 12, 12), ([1, 0], 1000)):
        shown.set(bits=bits, length=length)
        cells = shown.root.locator("rect.l-cell")
        assert cells.count() == 12 and shown.root.locator("rect.l-cell.l-chosen").count() == 1
        ones = sum(LimitsWidget(bits=bits, length=length).string)
        assert f"pick place k = {ones}" in shown.root.inner_text()
