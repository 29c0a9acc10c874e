"""The doctor's page as text: it holds the report and nothing that runs or fetches; and it keeps to its size."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import doctor_reports
import jsonschema
import pytest

from attn_course import show
from attn_course.diagnosis import report as report_module
from attn_course.diagnosis.measures import MEASURES
from attn_course.show.report import NOTEBOOK, page
from attn_course.show.report_room import fitted


@pytest.fixture(scope="module")
def found():
    return doctor_reports.report()


def scripts(text: str) -> list[tuple[str, str]]:
    return re.findall(r"<script([^>]*)>(.*?)</script>", text, flags=re.DOTALL)


def data(text: str) -> dict:
    return json.loads(scripts(text)[0][1])


def test_the_same_report_gives_the_same_page(found):
    assert page(found) == page(doctor_reports.report())


def test_the_page_carries_the_report_and_the_measures(found):
    carried = data(page(found))
    assert carried["report"] == found.to_dict()  # weights have three digits, and a small report is not made coarser
    assert [each["name"] for each in carried["measures"]] == list(MEASURES)
    assert carried["given"] == []


@pytest.mark.parametrize("room", [None, 20_000])
def test_what_the_page_carries_is_a_report_as_the_schema_describes_it(room):
    schema = json.loads((Path(report_module.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
    for found in (doctor_reports.report(2, 4, None, n=120), doctor_reports.sick(), doctor_reports.malicious()):
        jsonschema.validate(data(page(found, room))["report"], schema)


def test_nothing_is_fetched_from_anywhere(found):
    text = page(found)
    own = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert re.findall(r"(?:src|href|action)\s*=\s*[\"']?([^\"' >]*)", own.split("<script>")[0]) == ["data:,"]
    assert not re.search(r"\b(import|fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|eval)\b\s*\(", own)
    assert "@import" not in own and "url(" not in own
    assert set(re.findall(r"https?://[^\"'`\s]*", own)) == {"http://www.w3.org/2000/svg"}


def test_the_policy_lets_the_pages_own_script_and_style_run_and_no_other(found):
    text = page(found)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(each.split(" ", 1) for each in policy.split("; "))
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    for rule, body in {"script-src": scripts(text)[1][1], "style-src": style}.items():
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'" and "unsafe" not in policy and "http" not in policy


def test_a_models_text_cannot_become_markup():
    found = doctor_reports.malicious()
    text = page(found)
    assert text.encode("utf-8")  # a half of a surrogate pair in a token breaks no file
    assert [kind for kind, _ in scripts(text)] == [' type="application/json" id="report"', ""]
    assert len(re.findall(r"<script", text)) == 2 and "<img" not in text
    assert data(text)["report"]["tokens"] == found.to_dict()["tokens"]


def test_what_a_reader_without_scripts_gets(found):
    (aside,) = re.findall(r"<noscript><pre>(.*?)</pre></noscript>", page(found), flags=re.DOTALL)
    assert html.unescape(aside) == found.to_text()


# Size


@pytest.fixture(scope="module")
def minilm():
    from attn_course.diagnosis.diagnose import diagnose
    from attn_course.diagnosis.watch import watch
    from attn_course.models.pretrained import load

    model = load()
    text = " ".join(["The trophy did not fit into the suitcase because it was too large."] * 9)
    with watch(model.model, hidden=True) as record:
        tokens = list(model.read(text).tokens)
    record.tokens = [tokens]
    return diagnose(record)


def test_a_page_of_minilm_is_below_a_megabyte_and_a_half(minilm):
    assert len(minilm.layers) == 6 and len(minilm.tokens[0]) >= 128
    assert len(page(minilm).encode()) < 1.5e6


def wide_and_deep():
    """48 × 25 heads, with as many rows and columns as a report ever has of each head."""
    found = doctor_reports.report(1, 25, None, n=256)
    layer = found.layers[0]
    assert len(layer.maps.columns) > 100 and len(layer.maps.rows) > 20
    return replace(found, layers=(layer,) * 48)


def test_a_page_of_48_by_25_heads_is_below_six_megabytes():
    text = page(wide_and_deep())
    assert len(text.encode()) < 6e6
    (note,) = data(text)["given"]
    assert "added up" in note


def test_less_room_makes_the_rows_coarser_and_nothing_else():
    whole = doctor_reports.report(4, 4, None, n=120).to_dict()
    before = json.dumps(whole)
    same, notes = fitted(whole)
    assert notes == [] and same == whole
    for room, said in {60_000: 1, 30_000: 2, 5_000: 3}.items():
        small, notes = fitted(whole, room)
        assert len(notes) == said
        assert [{**layer, "maps": None} for layer in small["layers"]] == [
            {**layer, "maps": None} for layer in whole["layers"]
        ]
        assert {**small, "layers": []} == {**whole, "layers": []}
        assert said == 3 or len(json.dumps(small, separators=(",", ":"))) <= room
    assert json.dumps(whole) == before


def test_pooled_columns_cover_the_keys_and_keep_each_rows_sum():
    whole = doctor_reports.report(2, 2, None, n=120).to_dict()
    small, _ = fitted(whole, 20_000)
    for old, new in zip(whole["layers"], small["layers"], strict=True):
        old, new = old["maps"], new["maps"]
        assert len(new["columns"]) < len(old["columns"]) and set(new["columns"]) <= set(old["columns"])
        assert (new["columns"][0], new["columns"][-1]) == (0, 120)
        assert all(a < b for a, b in pairwise(new["columns"]))
        assert new["rows"][-1] == old["rows"][-1] and set(new["rows"]) <= set(old["rows"])
        for h, (coarse, fine) in enumerate(zip(new["weights"], old["weights"], strict=True)):
            assert sum(new["received"][h]) == pytest.approx(sum(old["received"][h]), abs=1e-3)
            for place, row in zip(new["rows"], coarse, strict=True):
                of_row = fine[old["rows"].index(place)]
                assert sum(row) == pytest.approx(sum(of_row), abs=1e-3)
                for c, (first, end) in enumerate(pairwise(new["columns"])):
                    between = slice(old["columns"].index(first), old["columns"].index(end))
                    assert row[c] == pytest.approx(sum(of_row[between]), abs=1e-3)


def test_numbers_that_are_not_finite_stay_unknown_when_pooled():
    sick = doctor_reports.diagnose(doctor_reports.record(2, 2, None, n=60, sick=True)).to_dict()
    small, _ = fitted(sick, 15_000)
    maps = small["layers"][1]["maps"]
    rows = [row for place, row in zip(maps["rows"], maps["weights"][0], strict=True) if place == 30]
    assert len(maps["columns"]) < 61 and all(set(row) == {None} for row in rows)


# In a notebook


def test_a_notebook_shows_the_page_in_a_frame_that_may_run_its_script_and_no_more(found):
    shown = show.report(found)
    frame = shown._repr_html_()
    inside = html.unescape(re.search(r"srcdoc='([^']*)'", frame)[1])
    assert inside == page(found, NOTEBOOK)
    assert re.search(r'sandbox="([^"]*)"', frame)[1] == "allow-scripts"
    assert frame.endswith(f"><pre>{html.escape(found.to_text())}</pre></iframe>")
    assert frame == show.report(doctor_reports.report())._repr_html_()


def test_a_notebook_shows_a_name_that_tries_to_be_markup_as_text():
    frame = show.report(doctor_reports.malicious())._repr_html_()
    assert len(re.findall("<iframe", frame)) == 1 and frame.count("</iframe>") == 1
    title = re.match(r'<iframe title="([^"]*)" sandbox', frame)[1]
    assert html.unescape(title) == f"Doctor's report: {doctor_reports.MALICE}"


def test_what_a_notebook_stores_is_small(minilm):
    assert len(json.dumps(show.report(minilm)._repr_html_())) < 300_000  # the limit of a whole lesson


def test_its_repr_is_one_short_line(found):
    assert repr(show.report(found)) == (
        "ReportPage(Report(a made-up model: 2 layers; findings: 1 fault, 1 look, 1 normal))"
    )


def test_the_page_is_had_by_either_name(found):
    from attn_course.show.report import page as by_module

    assert show.report.page is by_module is page
