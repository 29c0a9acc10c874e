"""Lesson 04's widget: maps, and how well each head follows a rule, against torch's numbers."""

import pytest
import torch

from attn_course.show.widgets import HeadsWidget, Maps

pytestmark = pytest.mark.browser

TOKENS = ["[CLS]", "the", "old", "cup", "fell", ".", "[SEP]"]
LAYERS = [torch.randn(4, 7, 7, generator=torch.Generator().manual_seed(i)).mul(2).softmax(-1) for i in range(3)]
SPECIAL = [0, 5, 6]


def widget(**state):
    return HeadsWidget([Maps(TOKENS, LAYERS)], **state)


def in_torch(rule, distance, words_only):
    """Maps (layer, head, query, key), and how much follows the rule (layer, head)."""
    weights = torch.tensor(widget().sentences[0]["weights"], dtype=torch.float64)
    if words_only:
        weights[..., SPECIAL] = 0
    weights = weights / weights.sum(-1, keepdim=True)
    places = [(i, 0 if rule == "first" else i + distance) for i in range(7)]
    hidden = SPECIAL if words_only else []
    places = [(i, j) for i, j in places if 0 <= j < 7 and i not in hidden and j not in hidden]
    scores = torch.zeros(3, 4, dtype=torch.float64)
    for i, j in places:
        scores += weights[..., i, j] / len(places)
    return weights, scores


@pytest.mark.parametrize("words_only", [False, True])
@pytest.mark.parametrize("rule", ["distance", "first"])
def test_maps_and_scores_are_torchs(mount, rule, words_only):
    shown = mount(widget(rule=rule, words_only=words_only))
    for distance in (-6, -1, 0, 2, 8):
        for layer, head in ((0, 0), (2, 3)):
            shown.set(distance=distance, layer=layer, head=head)
            weights, scores = in_torch(rule, distance, words_only)
            assert torch.allclose(torch.tensor(shown.shown("map"), dtype=torch.float64), weights[layer, head])
            assert torch.allclose(torch.tensor(shown.shown("scores"), dtype=torch.float64), scores)
    layer, head = shown.shown("best")
    assert scores[layer, head] == scores.max()


def test_arrow_keys_walk_the_grid(mount):
    shown = mount(widget(layer=1, head=1))
    shown.root.locator('[aria-pressed="true"]').focus()
    for key, place in (("ArrowRight", (1, 2)), ("ArrowDown", (2, 2)), ("ArrowDown", (2, 2)), ("ArrowLeft", (2, 1))):
        shown.page.keyboard.press(key)
        assert (shown.get("layer"), shown.get("head")) == place
    assert shown.root.locator('.attn-heads [tabindex="0"]').count() == 1
    assert shown.words().startswith("Layer 2, head 1:")


def test_a_click_chooses_a_head_and_a_button_the_best(mount):
    shown = mount(HeadsWidget())
    shown.root.get_by_role("button", name="layer 1, head 2").click()
    assert (shown.get("layer"), shown.get("head")) == (1, 2)
    shown.press("distance", "ArrowRight")
    shown.press("distance", "ArrowRight")
    assert shown.get("distance") == 1
    shown.control("show the head that follows the rule best").click()
    assert (shown.get("layer"), shown.get("head")) == (0, 1)
    assert "1.00 of this head’s attention follows the rule “the token after”" in shown.words()


def test_the_token_that_asks_is_chosen_by_slider(mount):
    shown = mount(widget(token=1))
    shown.press("token that asks", "ArrowRight")
    assert shown.get("token") == 2 and "“old” looks mostly at" in shown.words()


def test_the_rule_is_framed_where_it_names_a_key(mount):
    shown = mount(widget(distance=-1))
    assert shown.root.locator(".h-rule").count() == 6
    shown.control("words only: no [CLS], [SEP], full stop").click()
    assert shown.root.locator(".h-rule").count() == 3
    shown.set(rule="first")
    assert shown.root.locator(".h-rule").count() == 0


def test_another_sentence_keeps_the_head(mount):
    shown = mount(
        HeadsWidget([Maps(TOKENS, LAYERS), Maps(TOKENS[:5], [w[:, :5, :5] for w in LAYERS])], head=2, token=6)
    )
    shown.control("sentence").select_option("1")
    assert (shown.get("sentence"), shown.get("head"), shown.get("token")) == (1, 2, 4)
    assert len(shown.shown("map")) == 5
