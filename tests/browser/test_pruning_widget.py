"""Lesson 14's widget of heads and layers: what it shows is what was recorded, and what a model made smaller has."""

import pytest

from attn_course.models.pruned import size, without_attention, without_blocks, without_feed_forward, without_heads
from attn_course.show.widgets import PruningWidget
from attn_course.training.experiments.waste_heads import by_layer
from attn_course.training.experiments.waste_layers import along
from attn_course.training.recorded import recorded
from attn_course.training.waste import MODELS, subject

pytestmark = pytest.mark.browser

REMOVE = {"blocks": without_blocks, "attention": without_attention, "feed-forward": without_feed_forward}


@pytest.mark.parametrize("number", [0, 1])
def test_heads_go_in_the_recorded_order_with_the_recorded_loss(mount, number):
    name = MODELS[number]
    found = recorded("waste_heads")[name]
    shown = mount(PruningWidget(model=number))
    for order in ("ablation", "importance", "random 2"):
        shown.set(order=order)
        for point in (0, 2, len(found["curves"][order]) - 1):
            shown.set(point=point)
            row = found["curves"][order][point]
            assert (shown.shown("loss"), shown.shown("parameters")) == (row["loss"], row["parameters"])
            assert shown.shown("drift") == row["drift"]
            assert shown.shown("gone") == found["orders"][order][: row["removed"]]
            assert shown.root.locator(".p-gone:visible").count() == row["removed"]
            assert f"without {row['removed']} of its {len(found['heads'])} heads" in shown.words()
    smaller = without_heads(subject(name).model, by_layer([tuple(head) for head in found["orders"]["ablation"][:6]]))
    shown.set(order="ablation", point=1 if number == 0 else 6)
    assert shown.shown("parameters") == size(smaller).parameters


@pytest.mark.parametrize(("number", "gone"), [(0, [4, 1]), (1, [2, 0])])
def test_layers_go_by_a_click_and_every_subset_has_its_loss(mount, number, gone):
    name = MODELS[number]
    found = recorded("waste_layers")[name]
    shown = mount(PruningWidget(model=number))
    for what, remove in REMOVE.items():
        shown.control("take out").select_option(what)
        shown.set(gone=[])
        for layer in gone:
            shown.root.locator(".p-layer:visible").get_by_text(f"layer {layer}", exact=True).click()
        assert shown.get("gone") == gone
        rows = found["subsets"][what]
        assert shown.shown("loss") == along(rows, gone)[-1]
        assert shown.shown("drift") == along(rows, gone, figure="drift")[-1]
        assert shown.shown("parameters") == size(remove(subject(name).model, gone)).parameters
        pressed = shown.root.locator(".p-layer[aria-pressed=true]:visible")
        assert (
            pressed.count() == 2 and shown.root.locator(".p-subset").count() == len(rows) + 1
        )  # and one in the legend
        pressed.first.click()
        assert len(shown.get("gone")) == 1


def test_the_line_of_influence_is_that_of_the_recording(mount):
    found = recorded("waste_layers")["MiniLM"]
    shown = mount(PruningWidget(what="blocks"))
    influence = found["influence"]["block"]
    order = sorted(range(6), key=lambda layer: influence[layer])
    for figure in ("loss", "drift"):
        shown.set(figure=figure)
        wanted = along(found["subsets"]["blocks"], order, figure=figure)
        heights = [float(point.split()[1]) for point in path(shown, ".p-influence").split("L")]
        dots = {float(dot.get_attribute("cy")) for dot in shown.root.locator("circle.p-subset").all()}
        assert all(min(abs(height - dot) for dot in dots) < 0.06 for height in heights)
        assert [heights[i] > heights[i + 1] for i in range(6)] == [wanted[i] < wanted[i + 1] for i in range(6)]
    shown.set(what="feed-forward")
    assert shown.root.locator("path.p-influence").count() == 0


def path(shown, kind: str) -> str:
    return shown.root.locator(f".p-body > div > div > svg {kind}").first.get_attribute("d").removeprefix("M")


def test_a_head_is_told_of_by_keyboard(mount):
    found = recorded("waste_heads")["MiniLM"]
    shown = mount(PruningWidget())
    shown.root.locator('.attn-heads:visible [tabindex="0"]').focus()
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("ArrowRight")
    assert (shown.get("layer"), shown.get("head")) == (1, 1)
    place = found["heads"].index([1, 1])
    importance = found["importance"]["choose"]
    rank = 1 + sum(value > importance[place] for value in importance)
    assert "Layer 1, head 1, taken out alone" in shown.words() and f"number {rank} of 72" in shown.words()
    shown.control("colour").select_option("importance")
    label = shown.root.locator('.attn-heads:visible [aria-pressed="true"]').get_attribute("aria-label")
    assert float(label.split("importance ")[1]) == pytest.approx(importance[place], rel=0.05)


def test_an_order_that_a_model_does_not_have_gives_way(mount):
    shown = mount(PruningWidget(order="greedy", point=3))
    assert "in the order “ablation”" in shown.words()
    shown.control("model").select_option("1")
    assert shown.get("point") == 0
    shown.press("heads gone", "ArrowRight")
    assert "Language model without 1 of its 12 heads, in the order “greedy”" in shown.words()
