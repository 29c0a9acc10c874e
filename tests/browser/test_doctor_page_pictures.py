"""The doctor's page in a browser: what its pictures show is what was measured, and they can be read point by point."""

import json
from dataclasses import replace

import doctor_reports
import numpy as np
import pytest
from doctor_pages import CIVIDIS, SHADE, cells, close, pixels

from attn_course.diagnosis.measures import MEASURES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("head", [0, 1])
def test_the_pixels_of_the_heat_map_are_the_weights(opened, head):
    found = doctor_reports.report()
    page = opened(found)
    cells(page).nth(head).click()
    maps = found.layers[0].maps
    weights, seen = np.array(maps.weights[head]), pixels(page)
    assert seen.shape[:2] == weights.shape
    later = np.array(maps.columns[:-1])[None] > np.array(maps.rows)[:, None]
    assert (seen[..., 3] == np.where(later, 0, 255)).all() and weights[later].max() == 0
    wanted = 255 * CIVIDIS(np.sqrt(weights / weights.max()))[..., :3]
    assert np.abs(seen[..., :3] - wanted)[~later].max() < SHADE


def test_a_map_has_two_halves_where_any_head_of_the_layer_looks_ahead(opened):
    found = doctor_reports.report(1, 2)
    maps = found.layers[0].maps
    ahead = [list(row) for row in maps.weights[1]]
    ahead[3][7] = 0.4
    maps = replace(maps, weights=(maps.weights[0], tuple(map(tuple, ahead))))
    page = opened(replace(found, layers=(replace(found.layers[0], maps=maps),)))
    cells(page).nth(0).click()
    assert (pixels(page)[..., 3] == 255).all()
    assert "blank" not in page.locator(".panel").inner_text()


def test_what_is_not_finite_is_left_blank_and_said(opened):
    page = opened(doctor_reports.sick())
    cells(page).nth(4).click()  # the first head of the second layer
    assert (pixels(page)[6, :, 3] == 0).all() and (pixels(page)[7, :8, 3] == 255).all()
    assert "a blank row holds no finite number" in page.locator(".panel").inner_text()
    assert "Not measured, or not a finite number: entropy" in page.locator(".panel .lead").inner_text()


def test_the_heat_map_is_read_with_the_pointer_and_with_the_arrow_keys(opened):
    found = doctor_reports.report()
    page = opened(found)
    cells(page).nth(1).click()
    maps, tokens = found.layers[0].maps, found.tokens[0]
    field = page.locator(".field")
    out = page.locator(".map + .readout")
    box = field.bounding_box()
    for r, c in [(5, 2), (11, 11), (7, 0)]:
        at = ((c + 0.5) / 12 * box["width"], (r + 0.5) / 12 * box["height"])
        field.hover(position={"x": at[0], "y": at[1]})
        start = f"“{tokens[r]}” (token {r}) gives “{tokens[c]}” (token {c}) "
        assert out.inner_text().startswith(start)
        assert close(out.inner_text().removeprefix(start), maps.weights[1][r][c])
    field.focus()
    for key, (r, c) in {"ArrowRight": (7, 1), "ArrowUp": (6, 1), "End": (6, 11), "ArrowRight ": (6, 11)}.items():
        page.keyboard.press(key.strip())
        assert out.inner_text().startswith(f"“{tokens[r]}” (token {r}) gives “{tokens[c]}” (token {c}) ")


def test_what_is_received_is_drawn_and_said(opened):
    found = doctor_reports.report()
    page = opened(found)
    cells(page).nth(2).click()
    chart = page.locator(".panel .chart[role=img]:has(.bar)")
    received = found.layers[0].maps.received[2]
    heights = np.array(chart.locator(".bar").evaluate_all("bars => bars.map(b => Number(b.getAttribute('height')))"))
    wanted = np.array(received) / max(received) * heights.max()
    assert np.allclose(heights, np.maximum(0.8, wanted), atol=0.01)  # what is next to nothing is still seen
    chart.focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    words = page.locator(".panel .readout").first.inner_text()
    assert words == f"“[CLS]” (token 0) {round(100 * received[0])} %"


def test_the_entropy_along_the_text_is_that_of_the_rows(opened):
    found = doctor_reports.report()
    page = opened(found)
    cells(page).nth(1).click()
    chart = page.locator(".panel .chart[role=img]:has(.line)")
    chart.focus()
    page.keyboard.press("End")
    weights = np.array(found.layers[0].maps.weights[1][-1])
    entropy = -(weights[weights > 0] * np.log(weights[weights > 0])).sum()
    words = page.locator(".panel .readout").nth(1).inner_text()
    assert words.startswith("“[SEP]” (token 11) ") and close(words.split()[-2], entropy)


def test_blocks_are_drawn_by_depth_and_what_is_not_finite_is_crossed(opened):
    page = opened(doctor_reports.sick())
    section = page.locator("section", has_text="block by block")
    assert "Not finite after block 1" in section.inner_text()
    charts = section.locator(".chart")
    assert charts.count() == sum(each.of == "block" for each in MEASURES.values())
    assert all(chart.locator(".dot").count() == 1 and chart.locator(".bad").count() == 1 for chart in charts.all())
    assert "1 point without a finite number" in charts.first.get_attribute("aria-label")


def test_the_page_says_when_its_rows_were_made_coarser(opened):
    page = opened(doctor_reports.report(2, 4, None, n=64), room=20_000)
    carried = json.loads(page.locator("#report").text_content())["report"]["layers"][1]["maps"]
    assert "neighbouring keys" in page.locator(".notes").inner_text()
    assert pixels(page).shape[:2] == (len(carried["rows"]), len(carried["columns"]) - 1)
    assert "A column holds up to" in page.locator(".panel").inner_text()
