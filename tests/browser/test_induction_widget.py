"""Lesson 07's widget: a whole small model in the browser, against the course's own model in torch."""

from base64 import b64decode

import numpy
import pytest
import torch
import torch.nn.functional as F

from attn_course.attention import watching
from attn_course.show.widgets import InductionWidget
from attn_course.tasks.induction import InductionBatch, prefix_match, previous_token, repeat_accuracy
from attn_course.training.experiments import induction_steps
from attn_course.training.recorded import recorded

pytestmark = pytest.mark.browser

RECORD = recorded("induction_steps")
BEST = "its best head: the one that looks most at what is framed"


def model_of(trained: str, step: int):
    """The course's model with the weights that the page has."""
    moment = RECORD["models"][trained]["moments"][RECORD["steps"].index(step)]
    whole = numpy.frombuffer(b64decode(moment["weights"]), dtype=numpy.int8).reshape(10, 32, 32)
    model = induction_steps.make(seed=0).double().eval()
    with torch.no_grad():
        for place, numbers, scale in zip(induction_steps.matrices(model), whole, moment["scales"], strict=True):
            place.copy_(torch.tensor(numbers.astype(float)) * scale)
    return model


def in_torch(trained: str, step: int, row: list[int], period: int):
    """Maps, one layer after the other (1, head, query, key); the row as a batch; scores of its next tokens."""
    batch = InductionBatch(torch.tensor([row]), torch.tensor([period]))
    model = model_of(trained, step)
    with torch.no_grad(), watching(model) as records:
        scores = model(batch.tokens[:, :-1])
    return [record.weights for record in records], batch, scores


def near(shown, wanted, atol=1e-5) -> bool:
    return torch.allclose(torch.as_tensor(shown, dtype=torch.float64), wanted.double(), atol=atol)


@pytest.mark.parametrize(("trained", "step"), [("random", 0), ("random", 300), ("random", 800), ("fixed", 800)])
def test_the_browser_runs_the_courses_model(mount, trained, step):
    shown = mount(InductionWidget(trained=trained, step=step))
    for period, layer, head in ((4, 0, 0), (11, 0, 3), (16, 1, 2), (24, 1, 1)):
        shown.set(period=period, layer=layer, head=head)
        row = shown.shown("row")
        assert len(row) == 33 and len(set(row)) == period and row == [row[i % period] for i in range(33)]
        maps, batch, scores = in_torch(trained, step, row, period)
        lower = [numbers + [0] * (32 - len(numbers)) for numbers in shown.shown("map")]
        assert near(lower, maps[layer][0, head])
        assert near(shown.shown("next"), torch.stack([prefix_match(each, batch) for each in maps]))
        assert near(shown.shown("before"), torch.stack([previous_token(each) for each in maps]))
        where = batch.predictable
        assert near(shown.shown("loss"), F.cross_entropy(scores[where], batch.tokens[:, 1:][where]), 1e-4)
        right = shown.shown("right") / shown.shown("places")
        assert right == pytest.approx(repeat_accuracy(scores, batch), abs=1e-6)


def test_the_favourite_distance_is_torchs(mount):
    shown = mount(InductionWidget(step=800, layer=1))
    for head in range(4):
        for period in (7, 16):
            shown.set(head=head, period=period)
            weights = in_torch("random", 800, shown.shown("row"), period)[0][1][0, head, period:]  # (query, key)
            back = torch.arange(period, 32)[:, None] - torch.arange(32)[None, :]
            shares = torch.stack([weights[back == k].sum() for k in range(32)]) / (32 - period)
            found = shown.shown("favourite")
            assert found["back"] == int(shares.argmax()) and near(found["share"], shares.max())


def test_the_curves_are_the_recorded_ones(mount):
    shown = mount(InductionWidget(period=9))
    chart = shown.root.get_by_role("img", name="Curves over the training")
    for kind, name in ((".i-loss", "loss"), (".i-before", "previous_token"), (".i-next", "prefix_match")):
        line = chart.locator(f"path{kind}").get_attribute("d")
        heights = torch.tensor([float(pair.split(" ")[1]) for pair in line[1:].split("L")], dtype=torch.float64)
        values = [float(value) for value in RECORD["models"]["random"]["curves"][name][9 - 4].split()]
        values = torch.tensor(values, dtype=torch.float64)
        span = values.max() - values.min()
        rise = (heights.max() - heights) / (heights.max() - heights.min())
        assert torch.allclose(rise, (values - values.min()) / span, atol=1e-6)


def test_the_step_goes_from_moment_to_moment(mount):
    shown = mount(InductionWidget(step=0))
    for step in RECORD["steps"][1:4]:
        shown.press("training step", "ArrowRight")
        assert shown.get("step") == step and shown.words().startswith(f"Step {step} of the model that learns")


def test_a_false_head_is_found_by_hand(mount):
    """Trained on one period it copies; let the row repeat after another number, and it looks where it always looked."""
    shown = mount(InductionWidget(trained="fixed", step=800, period=16))
    shown.control(BEST).click()
    assert shown.get("layer") == 1 and shown.shown("favourite")["back"] == 15
    assert "which is where the continuation of this row stands" in shown.words()
    assert shown.shown("right") == shown.shown("places") == 16
    shown.set(period=11)
    assert "it does not read, it counts" in shown.words()
    assert shown.shown("right") < 5
    shown.control("trained on rows of").select_option("random")
    shown.control(BEST).click()
    assert shown.shown("right") == shown.shown("places") == 21


def test_arrow_keys_walk_the_heads(mount):
    shown = mount(InductionWidget(layer=0, head=1))
    shown.root.locator('[aria-pressed="true"]').focus()
    for key, place in (("ArrowRight", (0, 2)), ("ArrowDown", (1, 2)), ("ArrowDown", (1, 2)), ("ArrowLeft", (1, 1))):
        shown.page.keyboard.press(key)
        assert (shown.get("layer"), shown.get("head")) == place
    assert shown.root.locator('.i-heads [tabindex="0"]').count() == 1


def test_frames_name_what_came_next_or_the_token_before(mount):
    shown = mount(InductionWidget(period=12))
    frames = shown.root.locator(".i-frame")
    # places 12 to 31 have one earlier occurrence, 24 to 31 a second one
    assert frames.get_attribute("d").count("M") == 20 + 8
    shown.control("framed").select_option("before")
    assert frames.get_attribute("d").count("M") == 31


def test_another_row_and_another_place(mount):
    shown = mount(InductionWidget(period=12, place=20))
    before = shown.shown("row")
    shown.control("another row").click()
    assert shown.get("row") == 1 and shown.shown("row") != before
    shown.press("asking place", "ArrowLeft")
    assert shown.get("place") == 19
    shown.set(place=3)
    assert "at place 3 is new, so nothing follows from it" in shown.words()
