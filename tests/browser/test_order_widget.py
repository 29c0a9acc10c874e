"""Lesson 05's widget: every encoding's map against the numbers of attention/positions.py."""

import pytest
import torch

from attn_course.show.widgets import OrderWidget

pytestmark = pytest.mark.browser

STATES = [
    {"encoding": "sinusoidal"},
    {"encoding": "sinusoidal", "d": 8, "base": 100.0},
    {"encoding": "rotary", "d": 16, "pairs": "halves", "content": "random"},
    {"encoding": "rotary", "d": 16, "pairs": "interleaved", "content": "random", "base": 316.2277},
    {"encoding": "rotary", "d": 32, "pairs": "mixed", "content": "even"},
    {"encoding": "rotary", "d": 64, "pairs": "mixed", "content": "random"},
    {"encoding": "alibi", "heads": 8, "head": 3},
    {"encoding": "alibi", "heads": 6, "head": 5},
    {"encoding": "alibi", "heads": 1, "head": 0},
    {"encoding": "relative", "buckets": 32, "farthest": 48},
    {"encoding": "relative", "buckets": 8, "farthest": 20},
    {"encoding": "learned"},
    {"encoding": "none"},
]


def row_of(shown):
    return torch.tensor([torch.nan if value is None else value for value in shown.shown("row")], dtype=torch.float64)


def spread_of(values):
    diagonals = [values.diagonal(-distance) for distance in range(len(values))]
    return max((each.max() - each.min()).item() for each in diagonals)


@pytest.mark.parametrize("state", STATES, ids=lambda state: "-".join(map(str, state.values())))
def test_every_row_is_torchs(mount, state):
    widget = OrderWidget(**state)
    shown = mount(widget)
    values = widget.values()
    for query in (0, 1, 31, 63):
        shown.set(query=query)
        # torch's phases are float32, the browser's float64
        assert torch.allclose(row_of(shown), values[query], atol=2e-5, equal_nan=True), query
    assert shown.shown("spread") == pytest.approx(spread_of(values.nan_to_num(0)), abs=4e-5)


def test_a_table_of_the_readers_own(mount):
    table = torch.linspace(0, 3, 80)[:, None] + torch.tensor([1.0, -1.0])
    widget = OrderWidget(table, encoding="learned", query=5)
    unit = torch.nn.functional.normalize(table[:64].double(), dim=-1)
    assert torch.allclose(row_of(mount(widget)), (unit @ unit.T)[5], atol=1e-3)


def test_words_say_whether_only_the_distance_counts(mount):
    shown = mount(OrderWidget(encoding="rotary", d=64, content="random"))
    assert "Only the distance counts." in shown.words()
    shown.control("pairs").select_option("mixed")
    assert shown.get("pairs") == "mixed"
    assert "The same distance gives different numbers at different places" in shown.words()


def test_each_encoding_shows_its_own_controls(mount):
    shown = mount(OrderWidget())
    wanted = {
        "sinusoidal": {"d", "base"},
        "rotary": {"d", "base", "pairs", "query and key"},
        "alibi": {"heads", "head"},
        "relative": {"numbers", "last from distance"},
        "learned": set(),
        "none": set(),
    }
    every = set().union(*wanted.values())
    for encoding, own in wanted.items():
        shown.control("encoding").select_option(encoding)
        assert {label for label in every if shown.control(label).is_visible()} == own


def test_the_keyboard_moves_query_and_settings(mount):
    shown = mount(OrderWidget(query=10))
    shown.press("query at place", "ArrowRight")
    shown.press("d", "ArrowLeft")
    shown.press("base", "ArrowRight")
    assert (shown.get("query"), shown.get("d")) == (11, 32)
    assert shown.get("base") == pytest.approx(10**4.5)


def test_fewer_heads_take_the_head_along(mount):
    shown = mount(OrderWidget(encoding="alibi", heads=8, head=7))
    shown.press("heads", "ArrowLeft")
    assert (shown.get("heads"), shown.get("head")) == (7, 6)


def test_a_click_on_the_map_moves_the_query(mount):
    shown = mount(OrderWidget(query=10))
    box = shown.root.locator(".o-map").bounding_box()
    shown.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * (40.5 / 64))
    assert shown.get("query") == 40
