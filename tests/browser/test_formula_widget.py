"""Lesson 01's widget: its numbers against torch's, its keyboard, its words."""

import pytest
import torch

from attn_course.attention import attention, attention_weights
from attn_course.show.widgets import FormulaWidget, Head

pytestmark = pytest.mark.browser

TOKENS = ["[CLS]", "the", "cat", "sat", "because", "it", "was", "tired", "[SEP]"]


def heads(seed: int = 0) -> list[Head]:
    rng = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(2, len(TOKENS), 8, generator=rng) for _ in range(2))
    return [Head("layer 1, head 1", TOKENS, q[0], k[0]), Head("layer 2, head 3", TOKENS, q[1], k[1], scale=0.5)]


def in_torch(q, k, v):
    q, k, v = (torch.tensor(x, dtype=torch.float64) for x in ([q], k, v))
    return attention_weights(q, k)[0].tolist(), attention(q, k, v)[0].tolist()


def test_weights_and_output_are_torchs(mount):
    shown = mount(FormulaWidget())
    rng = torch.Generator().manual_seed(1)
    for n_keys in (3, 4, 5) * 8:
        points = (torch.rand(1 + 2 * n_keys, 2, generator=rng, dtype=torch.float64) * 4 - 2).tolist()
        q, k, v = points[0], points[1 : 1 + n_keys], points[1 + n_keys :]
        shown.set(q=q, k=k, v=v)
        weights, output = in_torch(q, k, v)
        assert shown.shown("weights") == pytest.approx(weights, abs=1e-9)
        assert shown.shown("output") == pytest.approx(output, abs=1e-9)


def test_sentence_weights_are_torchs_for_every_head_and_token(mount):
    widget = FormulaWidget(heads=heads())
    shown = mount(widget)
    for index, head in enumerate(widget.heads):
        q, k = (torch.tensor(head[name], dtype=torch.float64) for name in "qk")
        expected = attention_weights(q, k, scale=head["scale"])
        shown.set(head=index)
        for token in range(len(TOKENS)):
            shown.set(token=token)
            assert shown.shown("weights") == pytest.approx(expected[token].tolist(), abs=1e-6)
            assert f"“{TOKENS[token]}” looks mostly at" in shown.words()


def test_numbers_on_the_page_are_the_computed_ones(mount):
    shown = mount(FormulaWidget())
    written = shown.root.locator(".f-row:not(.f-sum) .f-weight").all_inner_texts()
    assert written == [f"{weight:.2f}" for weight in shown.shown("weights")]
    assert shown.root.locator(".f-sum .f-weight").inner_text() == "1.00"


def test_arrow_keys_move_the_query_and_tell_python(mount):
    shown = mount(FormulaWidget(q=(1.0, 0.0)))
    before, said = shown.shown("weights"), shown.words()
    shown.root.get_by_label("query at").focus()
    shown.page.keyboard.press("ArrowUp")
    shown.page.keyboard.press("Shift+ArrowLeft")
    assert shown.get("q") == [0.5, 0.1]
    assert shown.shown("weights") != before and shown.words() != said
    assert shown.root.get_by_label("query at (0.5, 0.1)").evaluate("node => node === document.activeElement")


def test_points_stay_in_the_plane(mount):
    shown = mount(FormulaWidget(q=(1.9, 0.0)))
    shown.root.get_by_label("query at").focus()
    for _ in range(5):
        shown.page.keyboard.press("ArrowRight")
    assert shown.get("q") == [2, 0]


@pytest.mark.parametrize(("label", "trait"), [("key 2 at", "k"), ("value 3 at", "v")])
def test_pointer_drags_a_point(mount, label, trait):
    shown = mount(FormulaWidget())
    before = shown.get(trait)
    box = shown.root.get_by_label(label).locator(".grip").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 20, y - 10)
    shown.page.mouse.up()
    shown.page.mouse.move(x, y)  # let go: this move no longer counts
    moved = [i for i, (old, new) in enumerate(zip(before, shown.get(trait), strict=True)) if old != new]
    assert moved == [int(label.split()[1]) - 1]
    old, new = before[moved[0]], shown.get(trait)[moved[0]]
    assert new[0] - old[0] == pytest.approx(2 * (new[1] - old[1]), abs=0.03) and new[0] > old[0]


def test_tab_reaches_every_point_and_each_has_a_name(mount):
    shown = mount(FormulaWidget())
    names = []
    for _ in range(12):
        shown.page.keyboard.press("Tab")
        names.append(shown.page.evaluate("document.activeElement.getAttribute('aria-label')") or "")
    assert [name.split(" at ")[0] for name in names[2:11]] == [
        "query", *(f"key {i}" for i in (1, 2, 3, 4)), *(f"value {i}" for i in (1, 2, 3, 4))
    ]  # fmt: skip


def test_keys_are_added_and_taken_away_with_their_values(mount):
    shown = mount(FormulaWidget())
    shown.press("keys", "ArrowRight")
    assert len(shown.get("k")) == len(shown.get("v")) == len(shown.shown("weights")) == 5
    shown.press("keys", "Home")
    assert len(shown.get("k")) == len(shown.get("v")) == 3
    shown.control("Start again").click()
    assert len(shown.get("k")) == 4


def test_arrow_keys_choose_the_asking_token(mount):
    shown = mount(FormulaWidget(heads=heads(), token=4))
    shown.root.locator('[role=option][aria-selected="true"]').focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.get("token") == 5
    assert shown.root.get_by_label("it, token 6").get_attribute("aria-selected") == "true"
    shown.page.keyboard.press("Home")
    assert shown.get("token") == 0
    shown.root.get_by_label("cat, token 3").click()
    assert shown.get("token") == 2


def test_the_menu_changes_the_head_and_the_tabs_the_mode(mount):
    shown = mount(FormulaWidget(heads=heads()))
    before = shown.shown("weights")
    shown.control("head").select_option("1")
    assert shown.get("head") == 1 and shown.shown("weights") != before
    shown.control("In the plane").click()
    assert shown.get("mode") == "plane" and shown.root.get_by_label("query at").is_visible()
    assert shown.control("head").is_hidden()


def test_without_heads_there_is_no_sentence(mount):
    shown = mount(FormulaWidget())
    assert shown.root.get_by_role("button", name="On a real sentence").count() == 0
