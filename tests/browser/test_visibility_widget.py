"""Lesson 03's widget against attn_course.attention.visibility, for many compositions."""

import random

import pytest
import torch

from attn_course import attention
from attn_course.show.widgets import VisibilityWidget

pytestmark = pytest.mark.browser

SWITCHES = ("causal", "window", "sinks", "document", "padding", "invert")


def any_state(rng: random.Random) -> dict:
    n_tokens = rng.randint(4, 24)
    return {
        **{name: rng.random() < 0.5 for name in SWITCHES},
        "w": rng.randint(1, 24),
        "n_sinks": rng.randint(0, 8),
        "join": rng.choice("|&"),
        "ids": [rng.randint(0, 3) for _ in range(24)],
        "keep": [rng.random() < 0.6 for _ in range(24)],
        "n_tokens": n_tokens,
        "n_query": rng.choice([None, rng.randint(1, 24)]),
        "block": rng.randint(1, 8),
    }


def run(code: str, widget) -> attention.Visibility:
    """The code that the widget shows, run as a learner would run it."""
    tokens = {"ids": torch.tensor(widget.ids[: widget.n_tokens]), "keep": torch.tensor(widget.keep[: widget.n_tokens])}
    return eval(code, vars(attention) | tokens)


def agree(shown, widget) -> None:
    """The page shows what the course's own objects give: code, matrix, blocks, share computed."""
    n_query, n_key = widget.shape
    rule = widget.visibility
    blocks = rule.blocks(n_query, n_key, widget.block)
    matrix = shown.shown("matrix")
    assert matrix == rule.dense(n_query, n_key).int().tolist()
    assert matrix == run(shown.root.locator(".v-code").inner_text(), widget).dense(n_query, n_key).int().tolist()
    assert shown.shown("kinds") == blocks.kind.tolist()
    assert shown.shown("computed") == pytest.approx(blocks.computed, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_any_composition_is_the_courses_own(mount, seed):
    rng = random.Random(seed)
    widget = VisibilityWidget()
    shown = mount(widget)
    for _ in range(100):
        state = any_state(rng)
        for name, value in state.items():
            setattr(widget, name, value)
        shown.set(**state)
        agree(shown, widget)


def test_every_combination_of_switches(mount):
    widget = VisibilityWidget(n_tokens=7, block=3, w=2, n_sinks=2, n_query=5)
    shown = mount(widget)
    for case in range(2 ** len(SWITCHES) * 2):
        state = {name: bool(case >> bit & 1) for bit, name in enumerate(SWITCHES)}
        state["join"] = "&" if case >> len(SWITCHES) & 1 else "|"
        for name, value in state.items():
            setattr(widget, name, value)
        shown.set(**state)
        agree(shown, widget)


@pytest.mark.parametrize("label", ["causal", "window(w)", "sinks(n)", "document(ids)", "padding(keep)"])
def test_the_space_bar_switches_a_predicate(mount, label):
    widget = VisibilityWidget(n_tokens=12)
    shown = mount(widget)
    trait, said = label.split("(")[0], shown.words()
    before = shown.root.locator(".v-visible").get_attribute("d")
    shown.press(label, "Space")
    assert shown.get(trait) is not getattr(widget, trait)
    assert shown.words() != said
    assert shown.root.locator(".v-visible").get_attribute("d") != before


def test_sliders_and_menu_move_their_traits(mount):
    shown = mount(VisibilityWidget(window=True, sinks=True))
    for label, trait in (("w", "w"), ("n", "n_sinks"), ("tokens (keys)", "n_tokens"), ("block", "block")):
        before = shown.get(trait)
        shown.press(label, "ArrowRight")
        assert shown.get(trait) == before + 1
    shown.control("join by").select_option("&")
    assert shown.get("join") == "&"
    shown.press("queries, the last", "ArrowLeft")
    assert shown.get("n_query") == 12 and len(shown.shown("matrix")) == 12
    shown.press("queries, the last", "End")
    assert shown.get("n_query") is None


def test_a_blind_row_is_marked_and_said(mount):
    shown = mount(VisibilityWidget(padding=True, keep=[False, False] + [True] * 22))
    assert shown.root.locator(".v-blind").count() == 1
    assert "2 queries (0, 1) see nothing: their output is zeros." in shown.words()
    shown.set(padding=False)
    assert shown.root.locator(".v-blind").count() == 0
    assert "Every query sees something." in shown.words()


def test_kinds_of_blocks_differ_without_colour(mount):
    shown = mount(VisibilityWidget())
    styles = {
        kind: shown.root.locator(f"svg .{kind}").first.evaluate(
            "node => [getComputedStyle(node).fill, getComputedStyle(node).strokeDasharray].join()"
        )
        for kind in ("v-none", "v-part", "v-full")
    }
    assert "url(" in styles["v-part"]  # hatched
    assert styles["v-none"].startswith("none") and "3px" in styles["v-none"]  # empty, dashed
    assert styles["v-full"].startswith("rgb") or "color(" in styles["v-full"]  # solid
    counted = [shown.root.locator(f"svg .{kind}").count() for kind in ("v-none", "v-part", "v-full")]
    assert counted == [sum(row.count(kind) for row in shown.shown("kinds")) for kind in (0, 1, 2)]


def test_tokens_of_documents_and_padding_by_keyboard(mount):
    shown = mount(VisibilityWidget(document=True, padding=True, ids=[0, 0, 1, 1], keep=[True] * 24))
    first = shown.root.get_by_label("token 0: document 0")
    first.focus()
    for key in ("ArrowRight", "Enter"):  # a document begins at token 1
        shown.page.keyboard.press(key)
    assert shown.get("ids")[:4] == [0, 1, 2, 2]
    shown.page.keyboard.press("Enter")
    assert shown.get("ids")[:4] == [0, 0, 1, 1]
    shown.root.get_by_label("token 3: kept").click()
    assert shown.get("keep")[:5] == [True, True, True, False, True]


def test_the_sources_shown_are_those_in_use(mount):
    shown = mount(VisibilityWidget(causal=True, window=True, sinks=True, invert=True))
    text = shown.root.locator("pre").inner_text()
    for name in ("causal = ", "def window(", "def sinks(", "def __and__(", "def __or__(", "def __invert__("):
        assert name in text
    assert "def padding(" not in text
    shown.set(causal=False, window=False, invert=False)
    assert shown.root.locator("pre").inner_text().startswith("def sinks(")
