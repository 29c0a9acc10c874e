"""The scrubber in a browser: what it draws at a step against the tensors that it was given, and how it is moved."""

import math

import pytest
import torch

from attn_course.show.widgets import ScrubberWidget, scrubber

pytestmark = pytest.mark.browser

STEPS = [0, 5, 20, 60, 100]
SOURCE = torch.Generator().manual_seed(0)
WEIGHTS = torch.randn(5, 6, 6, generator=SOURCE).softmax(-1)
SCORES = 9 * torch.randn(5, 6, 6, generator=SOURCE)
PLACES = torch.randn(5, 6, 2, generator=SOURCE)
LOSS = [4.0, 3.0, 1.0, 0.5, 0.25]
GROWS = [1.0, 10.0, 1e3, 1e4, 1e5]
BROKEN = [4.0, 3.0, math.nan, math.inf, math.nan]
PIXELS = """canvas => { const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]) }"""
CIVIDIS = [(0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115)]
CIVIDIS += [(138, 134, 120), (165, 156, 116), (195, 179, 105), (225, 204, 85), (254, 232, 56)]


def cividis(share: torch.Tensor) -> torch.Tensor:
    """Shares to red, green and blue, between the ten colours of the kit."""
    table = torch.tensor(CIVIDIS, dtype=torch.float64)
    place = share.double() * 9
    low = place.floor().clamp(max=8)
    return torch.lerp(table[low.long()], table[low.long() + 1], (place - low)[..., None])


def near_colours(shown, shares: torch.Tensor) -> bool:
    pixels = torch.tensor(shown, dtype=torch.float64).reshape(*shares.shape, 4)
    return bool((pixels[..., :3] - cividis(shares)).abs().max() <= 2.0 and (pixels[..., 3] == 255).all())


def whole(**more) -> ScrubberWidget:
    return scrubber(STEPS, {"loss": LOSS, "grows": GROWS}, {"a head": WEIGHTS}, list("abcdef"), **more)


def test_the_map_of_each_step_is_torchs(mount):
    shown = mount(whole())
    for at in range(5):
        shown.set(at=at)
        assert near_colours(shown.root.locator("canvas").evaluate(PIXELS), WEIGHTS[at].sqrt())


def test_a_map_of_anything_has_one_range_and_no_colour_where_there_is_no_number(mount):
    broken = SCORES.clone()
    broken[1, 2, 3], broken[3:] = math.nan, math.inf
    shown = mount(scrubber(STEPS, maps={"scores": broken}))
    low, high = SCORES[:3].min(), SCORES[:3].max()
    kept = broken[:3][broken[:3].isfinite()]
    assert (kept.min(), kept.max()) == (low, high)
    assert near_colours(shown.root.locator("canvas").evaluate(PIXELS), (SCORES[0] - low) / (high - low))
    shown.set(at=1)
    assert shown.root.locator("canvas").evaluate(PIXELS)[2 * 6 + 3][3] == 0
    shown.set(at=3)
    assert {pixel[3] for pixel in shown.root.locator("canvas").evaluate(PIXELS)} == {0}
    assert shown.root.locator(".r-caption").inner_text() == "no number left"


def test_what_lies_ahead_of_a_causal_map_is_left_empty(mount):
    past = SCORES.masked_fill(torch.ones(6, 6).triu(1) > 0, -torch.inf).softmax(-1)
    shown = mount(scrubber(STEPS, maps={"a head": past}))
    alpha = torch.tensor(shown.root.locator("canvas").evaluate(PIXELS))[:, 3].reshape(6, 6)
    assert torch.equal(alpha > 0, torch.ones(6, 6).tril() > 0)


def test_one_cell_is_followed_through_the_steps_and_the_maps(mount):
    shown = mount(
        scrubber(STEPS, maps={"a head": WEIGHTS, "another": WEIGHTS.flip(0)}, tokens=list("abcdef"), cell=[2, 4])
    )
    for at in (0, 3):
        shown.set(at=at)
        one, other = shown.root.locator(".r-caption").all_inner_texts()
        assert one.startswith("“c” → “e”: ") and float(one.split()[-1]) == pytest.approx(
            WEIGHTS[at, 2, 4].item(), abs=6e-4
        )
        assert float(other.split()[-1]) == pytest.approx(WEIGHTS[4 - at, 2, 4].item(), abs=6e-4)
    first = shown.root.locator(".r-map").first
    first.focus()
    for key, cell in (("ArrowRight", [2, 5]), ("ArrowRight", [2, 5]), ("ArrowDown", [3, 5]), ("Escape", [])):
        shown.page.keyboard.press(key)
        assert shown.get("cell") == cell
    assert "most on" in first.get_attribute("aria-label")
    first.hover(position={"x": 2, "y": 2})
    assert shown.root.locator(".r-caption").first.inner_text().startswith("“a” → “a”: ")
    first.click(position={"x": 2, "y": 2})
    assert shown.get("cell") == [0, 0]


def test_the_key_that_takes_most_is_torchs(mount):
    shown = mount(whole())
    for at in range(5):
        shown.set(at=at)
        taken = WEIGHTS[at].sum(0) / WEIGHTS[at].sum()
        words = f"most on “{'abcdef'[taken.argmax()]}”: {taken.max():.2f} of all"
        assert shown.root.locator(".r-caption").inner_text() == words


def heights(shown, curve: int) -> torch.Tensor:
    line = shown.root.locator(".r-chart").nth(curve).locator(".r-line").first.get_attribute("d")
    return torch.tensor([[float(x) for x in pair.split(" ")] for pair in line[1:].split("L")], dtype=torch.float64)


def test_curves_share_the_steps_and_have_axes_of_their_own(mount):
    shown = mount(whole())
    for curve, wanted in enumerate((torch.tensor(LOSS), torch.tensor(GROWS).log10())):
        along, down = heights(shown, curve).T
        assert torch.allclose(
            (along - along[0]) / (along[-1] - along[0]), torch.tensor(STEPS).double() / 100, atol=1e-3
        )
        rise = (down - down[0]) / (down[-1] - down[0])
        assert torch.allclose(rise, ((wanted - wanted[0]) / (wanted[-1] - wanted[0])).double(), atol=1e-3)


def test_the_cursor_and_its_dot_stand_on_the_curve(mount):
    shown = mount(whole())
    for at in (0, 2, 4):
        shown.set(at=at)
        for curve in (0, 1):
            chart = shown.root.locator(".r-chart").nth(curve)
            dot = [float(chart.locator(".r-dot").get_attribute(name)) for name in ("cx", "cy")]
            assert dot == pytest.approx(heights(shown, curve)[at].tolist(), abs=0.01)
            assert float(chart.locator(".r-cursor").get_attribute("x1")) == pytest.approx(dot[0])


def test_words_say_what_has_changed_since_the_start(mount):
    more = {"axes": {"loss": "nats"}, "healthy": {"loss": (0.2, 0.6), "grows": (-math.inf, 50)}}
    shown = mount(whole(**more, marks={15: "the head forms"}, at=2))
    assert shown.words() == (
        "Step 20 of 100 (the head forms), compared with step 0. Loss 1.00 nats, down 3.00, above its healthy range, "
        "0.2 to 0.6; grows 1000, 1000 times what it was, above what is healthy, at most 50."
    )
    shown.set(at=3)
    assert shown.words().startswith(
        "Step 60 of 100, compared with step 0. Loss 0.500 nats, down 3.50, within its healthy range"
    )
    shown.set(at=0)
    assert (
        "Loss 4.00 nats, as at the start" in shown.words() and "grows 1.00, as at the start, healthy" in shown.words()
    )


def test_a_run_that_diverged_is_a_gap_and_said(mount):
    runs = {"plain": {"curves": {"loss": BROKEN}}, "with a remedy": {"curves": {"loss": LOSS}}}
    shown = mount(scrubber(STEPS, runs=runs, at=3))
    assert "plain: loss diverged after step 5. with a remedy: loss 0.500, down 3.50." in shown.words()
    assert shown.root.locator(".r-now b").all_inner_texts() == ["diverged", "0.500"]
    lines = shown.root.locator(".r-chart .r-line")
    assert lines.nth(0).get_attribute("d").count("L") == 1 and lines.nth(1).get_attribute("d").count("L") == 4
    assert shown.root.locator(".r-end").count() == 1
    assert shown.root.locator(".r-dot").nth(0).get_attribute("visibility") == "hidden"


def test_what_diverges_together_is_said_once(mount):
    shown = mount(scrubber(STEPS, {"loss": BROKEN, "vital": BROKEN}, at=4))
    assert "All curves diverged after step 5." in shown.words()
    shown.set(at=1)
    assert "Loss 3.00, down 1.00; vital 3.00, down 1.00." in shown.words()


def test_a_gap_that_ends_is_no_divergence(mount):
    shown = mount(scrubber(STEPS, {"vital": [1.0, math.nan, 2.0, 3.0, 4.0]}, at=1))
    assert "Vital has no number here" in shown.words() and "diverged" not in shown.words()


def test_points_keep_one_plane(mount):
    shown = mount(scrubber(STEPS, points={"tokens": PLACES}, tokens=list("abcdef")))
    low, high = PLACES.flatten(0, 1).min(0).values, PLACES.flatten(0, 1).max(0).values
    side = (high - low).max()
    for at in (0, 4):
        shown.set(at=at)
        dots = shown.root.locator(".r-cloud circle[data-i]").all()
        drawn = torch.tensor([[float(dot.get_attribute(name)) for name in ("cx", "cy")] for dot in dots])
        wanted = (PLACES[at] - ((low + high) / 2 - side / 2)) / side * 200
        wanted[:, 1] = 200 - wanted[:, 1]
        assert torch.allclose(drawn, wanted, atol=0.05)
        apart = torch.pdist(PLACES[at]).mean()
        caption = shown.root.locator(".r-caption").inner_text()
        assert float(caption.split()[0]) == pytest.approx(apart.item(), abs=6e-3)
    shown.root.locator(".r-points").focus()
    for name in ("a", "b"):
        shown.page.keyboard.press("ArrowRight")
        assert shown.root.locator(".r-label").text_content() == f"“{name}”"


def test_keys_and_the_pointer_drag(mount):
    shown = mount(whole())
    for key, at in (("ArrowRight", 1), ("End", 4), ("ArrowLeft", 3), ("Home", 0)):
        shown.press("step", key)
        assert shown.get("at") == at
    assert shown.control("step").get_attribute("aria-valuetext") == "0 of 100"
    chart = shown.root.locator(".r-chart").first
    box = chart.bounding_box()
    shown.page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 40)
    shown.page.mouse.down()
    assert shown.get("at") == 4
    shown.page.mouse.move(box["x"] + box["width"] * 0.66, box["y"] + 60)
    assert shown.get("at") == 3
    shown.page.mouse.up()
    shown.page.mouse.move(box["x"] + 41, box["y"] + 60)
    assert shown.get("at") == 3


def test_it_plays_to_the_end_and_is_quiet_meanwhile(mount):
    shown = mount(whole())
    shown.control("play all steps").click()
    assert shown.root.locator(".attn-words").get_attribute("aria-live") == "off"
    shown.page.wait_for_function("id => course.models[id].get('at') === 4", arg=shown.id)
    shown.control("play all steps").wait_for()
    assert shown.root.locator(".attn-words").get_attribute("aria-live") == "polite"
    shown.control("play all steps").click()
    assert shown.get("at") == 0
    shown.control("pause all steps").click()
    shown.page.wait_for_timeout(700)
    assert shown.get("at") == 0


def test_who_wants_less_motion_is_offered_none(mount, page):
    page.emulate_media(reduced_motion="reduce")
    assert not mount(whole()).root.locator(".r-play").is_visible()


def test_nothing_moves_under_the_pointer(mount, page):
    """A run diverges, a mark appears, a sentence gets longer: charts and maps stay where they are."""
    page.set_viewport_size({"width": 400, "height": 900})
    runs = {"plain": {"curves": {"loss": BROKEN, "vital": GROWS}}, "other": {"curves": {"loss": LOSS, "vital": LOSS}}}
    runs["other"]["maps"] = {"a head": WEIGHTS}
    shown = mount(scrubber(STEPS, runs=runs, marks={20: "it diverges"}))
    places = set()
    for at in range(5):
        shown.set(at=at)
        parts = [shown.root.locator(name).first for name in (".r-chart", ".r-map", ".r-scale")]
        places.add(tuple(round(part.bounding_box()["y"]) for part in parts))
    assert len(places) == 1
