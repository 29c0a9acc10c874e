"""The doctor's page in a browser: it opens from the disk, its numbers are the report's, and each head can be opened."""

import re
from dataclasses import replace

import doctor_reports
import numpy as np
import pytest
from doctor_pages import CIVIDIS, SHADE, cells, close, every_report, rgb, shown, some

from attn_course.diagnosis.measures import MEASURES

pytestmark = pytest.mark.browser


@every_report
def test_it_opens_from_the_disk_without_errors_and_asks_for_nothing(opened, make):
    report = make()
    page = opened(report)
    assert page.title().endswith("attention, examined")
    assert page.locator("h1").count() == 1
    body = page.locator("body").inner_text()
    for finding in report.findings:
        assert finding.title in body and finding.evidence in body
    for finding in report.findings:  # whose sentences may speak of NaN
        body = body.replace(finding.evidence, "").replace(finding.remedy, "")
    everything = body + page.evaluate("[...document.querySelectorAll('[aria-label]')].map(n => n.ariaLabel).join()")
    assert not re.search(r"\b(NaN|undefined|null|Infinity|object Object)\b", everything)


def test_findings_come_before_the_grid_and_normal_things_after_faults(opened):
    page = opened(doctor_reports.report())
    order = page.locator("h1, .finding h3, .normal h3, .grid, .panel").evaluate_all(
        "nodes => nodes.map(n => n.className || n.textContent)"  # in the page's own order
    )
    first = [finding.title for finding in doctor_reports.FINDINGS[:2]]
    assert order == ["a made-up model", *first, "Looks like a fault and is none", "grid", "panel"]
    assert page.locator(".normal").inner_text().count("A sink on the first token") == 1
    assert page.locator(".verdict").inner_text() == (
        "1 fault to mend, 1 thing to look at, 1 thing that only looks like a fault."
    )


def test_the_text_stands_token_by_token_or_runs_where_tokens_are_characters(opened):
    words = opened(doctor_reports.report()).locator(".text")
    assert words.locator("span").all_inner_texts() == doctor_reports.TOKENS
    letters = opened(doctor_reports.report(tokens=list("the cat sat"))).locator(".text")
    assert letters.inner_text() == "the cat sat" and letters.locator("span").count() == 0


def test_the_head_of_the_first_place_is_open_from_the_start(opened):
    found = doctor_reports.report()
    assert opened(found).locator(".panel h3").inner_text() == "Layer 1, head 0"
    normal = replace(found.findings[2], where=found.findings[2].where[1:])
    assert opened(replace(found, findings=(normal,))).locator(".panel h3").inner_text() == "Layer 0, head 2"
    assert opened(replace(found, findings=())).locator(".panel h3").inner_text() == "Layer 0, head 0"


# The grid


@pytest.mark.parametrize("make", [doctor_reports.report, doctor_reports.sick], ids=["sound", "sick"])
def test_the_numbers_and_colours_of_every_measure_are_the_reports(opened, make):
    report = make()
    page = opened(report)
    chooser = page.get_by_label("Coloured by")
    names = chooser.locator("option").evaluate_all("options => options.map(o => o.value)")
    there = [name for name, each in MEASURES.items() if each.of == "head" and any(map(some, report.grid(name)))]
    assert names == [*there, "set CLS"]
    for name in names:
        chooser.select_option(name)
        grid = report.grid(name.removeprefix("set "))
        assert [len(row) for row in shown(page)] == [len(row) for row in grid]
        assert all(close(w, x) for row, xs in zip(shown(page), grid, strict=True) for w, x in zip(row, xs, strict=True))
        flat = [x for row in grid for x in row]
        known = [x for x in flat if x is not None]
        low, high = min(known), max(known)
        scale = np.log if low > 0 and high > 2 and high / low > 100 else np.asarray
        colours = cells(page).evaluate_all("nodes => nodes.map(n => getComputedStyle(n).backgroundColor)")
        for x, colour in zip(flat, colours, strict=True):
            if x is not None and low < high:
                share = (scale(x) - scale(low)) / (scale(high) - scale(low))
                assert np.abs(rgb(colour) - 255 * np.array(CIVIDIS(share)[:3])).max() < SHADE


def test_what_lies_outside_the_usual_range_is_marked_and_said(opened):
    found = doctor_reports.report()
    hot = replace(found.layers[0], values=found.layers[0].values | {"max_logit": (1656.0, 3.0, 100.0, 101.0)})
    page = opened(replace(found, layers=(hot, found.layers[1])))
    page.get_by_label("Coloured by").select_option("max_logit")
    assert page.locator(".cell.above").evaluate_all("nodes => nodes.map(n => n.textContent)") == ["1656", "101"]
    assert page.locator(".cell.below").count() == 0
    label = cells(page).first.get_attribute("aria-label")
    assert label == "layer 0, head 0: greatest logit 1656, above the usual range"
    legend = page.locator(".legend > :not(.unseen)").inner_text()
    assert "2 above the usual range" in legend
    assert all(each in legend for each in ("QK-clip", "on every row", "arXiv 2309.14322"))


def test_heads_that_a_finding_names_are_marked_and_said(opened):
    page = opened(doctor_reports.report())
    named = page.locator(".cell.named").evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))")
    assert [each.split(":")[0] for each in named] == ["layer 0, head 1", *(f"layer 1, head {h}" for h in range(3))]
    assert named[0].endswith("; found: Two heads do the same")
    assert "named by a finding" in page.locator(".legend > :not(.unseen)").inner_text()


def test_sampled_measures_say_how_many_rows_and_how_sure(opened):
    found = doctor_reports.report(2, 4, None, n=40)  # 24 of 40 rows
    page = opened(found)
    page.get_by_label("Coloured by").select_option("coverage")
    assert "24 rows drawn at random; standard error up to" in page.locator(".legend > :not(.unseen)").inner_text()
    value, error = found.layers[0].values["coverage"][3], found.layers[0].errors["coverage"][3]
    words = cells(page).nth(3).get_attribute("aria-label").rsplit(" ± ", 1)
    assert close(words[0].split()[-1], value) and close(words[1], error) and error > 0


@pytest.mark.parametrize("shape", [(12, 12), (32, 32), (1, 1)], ids=str)
def test_nothing_moves_when_the_reader_chooses(opened, shape):
    found = doctor_reports.report(1, shape[1], None, n=24)
    page = opened(replace(found, layers=found.layers * shape[0]))
    boxes = "[...document.querySelectorAll('.cell, .panel, .chooser')].map(n => n.getBoundingClientRect())"
    where = f"{boxes}.map(b => [b.x, b.y, b.width].join())"
    before = page.evaluate(where)
    assert len(before) == shape[0] * shape[1] + 2
    for name in ("max_logit", "strongest_value", "divergence", "entropy_rest_low"):
        if page.locator(f"option[value={name}]").count():
            page.get_by_label("Coloured by").select_option(name)
            assert page.evaluate(where) == before


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_under_the_pointer(opened, width):
    page = opened(doctor_reports.report(), width=width)
    tops = "n => n.getBoundingClientRect().top + scrollY"
    below = f"[...document.querySelectorAll('.panel, .panel h4, section')].map({tops})"
    before = page.evaluate(below)
    words = set()
    for cell in (1, 2, 4):  # named by a finding, or not
        cells(page).nth(cell).hover()
        words.add(page.locator(".scroll + .readout").inner_text())
        assert page.evaluate(below) == before
    assert len(words) == 3
    for column in (0, 5, 11):
        page.locator(".field").hover(position={"x": 3 + 11 * column, "y": 60})
        assert page.evaluate(below) == before


# One head


def test_a_click_opens_a_head(opened):
    found = doctor_reports.report()
    page = opened(found)
    page.get_by_label("Coloured by").select_option("distance")
    cells(page).nth(3).click()
    panel = page.locator(".panel")
    assert panel.locator("h3").inner_text() == "Layer 0, head 3"
    assert page.locator("[aria-selected=true]").count() == 1
    named = {(each.title, "" if each.unit == "–" else each.unit): each.name for each in MEASURES.values()}
    rows = panel.locator("tbody tr").all()
    for row in rows:
        title, unit = row.locator("button").inner_text(), row.locator(".unit").text_content().strip()
        name = named.get((title, unit), title.removeprefix("on "))
        shown = row.locator("td.number").inner_text().split(" ± ")
        assert close(shown[0], found.grid(name)[0][3])
    assert len(rows) > 12
    strongest = found.layers[0]
    assert f"“{strongest.strongest_token[3]}” (token {strongest.strongest[3]})" in panel.inner_text()


def test_a_head_is_opened_and_left_with_the_keyboard_alone(opened):
    page = opened(doctor_reports.report())
    page.get_by_label("Coloured by").focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    assert page.evaluate(focused).startswith("layer 1, head 0:")  # the first place of the first finding
    for key, place in [
        ("ArrowUp", (0, 0)),
        ("ArrowRight", (0, 1)),
        ("ArrowLeft", (0, 0)),
        ("ArrowLeft", (0, 0)),
        ("End", (0, 3)),
        ("ArrowRight", (0, 3)),
        ("PageDown", (1, 3)),
        ("ArrowDown", (1, 3)),
        ("Home", (1, 0)),
        ("Control+End", (1, 3)),
        ("Control+Home", (0, 0)),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(focused).startswith("layer {}, head {}:".format(*place)), key
        assert page.locator("[role=gridcell][tabindex='0']").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.locator(".panel").get_attribute("data-head") == "1,0"  # moving opens nothing
    page.keyboard.press("Enter")
    assert page.evaluate(focused) == "Layer 0, head 1"
    page.keyboard.press("Escape")
    assert page.evaluate(focused).startswith("layer 0, head 1:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert page.evaluate(focused) == "Layer 1, head 1"


def test_a_findings_place_leads_to_its_head(opened):
    page = opened(doctor_reports.report())
    page.locator(".finding").nth(1).get_by_role("button", name="layer 0, head 1").click()
    assert page.locator(".panel h3").inner_text() == "Layer 0, head 1"
    assert page.evaluate("document.activeElement.textContent") == "Layer 0, head 1"


def test_many_places_are_folded_and_can_be_unfolded(opened):
    found = doctor_reports.report(2, 12)
    place = type(found.findings[0].where[0])
    many = replace(found.findings[0], where=tuple(place(l, h) for l in range(2) for h in range(12)))  # noqa: E741
    page = opened(replace(found, findings=(many,)))
    places = page.locator(".finding .place")
    assert places.count() == 11 and places.last.inner_text() == "and 14 more"
    places.last.press("Enter")
    assert places.count() == 24
    assert page.evaluate("document.activeElement.textContent") == "layer 0, head 10"
