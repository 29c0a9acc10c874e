"""A report goes into JSON and back, fits its schema, and can be read in a terminal of any width."""

import json
import re
from importlib import resources

import jsonschema
import pytest
import torch
from example_report import example
from planted import keep, planted, random_qkv

from attn_course.diagnosis.diagnose import diagnose, number
from attn_course.diagnosis.measures import MEASURES
from attn_course.diagnosis.record import Record
from attn_course.diagnosis.report import Report
from attn_course.diagnosis.run import examine
from attn_course.models.pretrained import load

SCHEMA = json.loads((resources.files("attn_course.diagnosis") / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def sick() -> Report:
    q, k, v = random_qkv()
    q[0, 1, 5] = torch.nan
    v[0, 0, 3] = torch.inf
    return diagnose(keep(Record("sick"), q, k, v))


def empty() -> Report:
    return diagnose(keep(Record("one token"), *random_qkv(heads=1, n=1), sample=0))


REPORTS = {
    "an example": example,
    "a sick model": sick,
    "one token": empty,
    "MiniLM": lambda: examine(load(), ["The cat sat on the mat.", "A dog did not."], rows=4),
    "many heads": lambda: diagnose(planted(lambda head: torch.zeros(40, 40), heads=64)),
}


@pytest.fixture(params=REPORTS, scope="module")
def report(request) -> Report:
    return REPORTS[request.param]()


def test_the_schema_is_one():
    VALIDATOR.check_schema(SCHEMA)


def test_a_report_fits_the_schema_and_comes_back_from_json(report):
    text = json.dumps(report.to_dict(), allow_nan=False)
    VALIDATOR.validate(json.loads(text))
    assert Report.from_dict(json.loads(text)) == report


@pytest.mark.parametrize(
    "change",
    [
        {"edition": 2},
        {"layers": []},
        {"model": None},
        {"findings": [{"name": "x"}]},
        {"more": 1},
    ],
)
def test_the_schema_refuses_what_is_no_report(change):
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(example().to_dict() | change)


@pytest.mark.parametrize("other", [{}, [], {"format": "attn-course report", "edition": 2}])
def test_what_is_no_report_is_one_sentence(other):
    with pytest.raises(ValueError, match=r"^(This is no attn-course report: .*|The report is of edition 2, .*)\.$"):
        Report.from_dict(other)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": None},
        {"layers": [{}]},
        {"findings": [{"name": "x"}]},
        {"findings": [3]},
        {"blocks": [{"more": 1}]},
        {"gradients": 3},
    ],
)
def test_a_damaged_report_is_one_sentence(change):
    with pytest.raises(ValueError, match=r"^This attn-course report is damaged \(.*\): write it again with .*\.$"):
        Report.from_dict(example().to_dict() | change)
    with pytest.raises(ValueError, match=r"^This attn-course report is damaged \(KeyError: 'model'\): "):
        Report.from_dict({"format": "attn-course report", "edition": 1})


def test_numbers_that_are_none_are_null():
    assert [number(x) for x in (float("nan"), float("inf"), -float("inf"))] == [None] * 3
    assert number(1 / 3) == 0.33333 and number(123456.7) == 123460.0
    report = sick()
    assert report.layers[0].values["entropy"][1] is None and report.layers[0].values["max_logit"][1] is None
    assert report.layers[0].values["entropy"][2] is not None
    assert [finding.name for finding in report.of_severity("fault")] == ["not-finite"]


def test_a_grid_is_layers_by_heads():
    report = example(layers=2, heads=4)
    assert report.grid("entropy") == tuple(layer.values["entropy"] for layer in report.layers)
    assert report.grid("[SEP]") == tuple(layer.sets["[SEP]"] for layer in report.layers)
    assert report.grid("null") == ((None,) * 4,) * 2


def test_every_measure_of_a_report_stands_in_the_table():
    report = example()
    for layer in report.layers:
        assert set(layer.values) | set(layer.errors) <= set(MEASURES)
    assert set(report.blocks[0].values) | set(report.gradients[0].values) <= set(MEASURES)
    for name, measure in MEASURES.items():
        assert measure.name == name and measure.of in ("head", "block", "layer")
        assert measure.title and measure.unit and measure.meaning.endswith((".", ";")) and measure.source
        if measure.low is None and measure.high is None:
            continue
        assert re.search(r"\d", measure.usual), f"{name} has a range in numbers, and none in words"


def test_repr_is_short():
    assert repr(example()) == "Report(made up: 3 layers; findings: 1 fault, 1 look, 1 normal)"


@pytest.mark.parametrize("width", [10, 25, 40, 60, 80, 120, 200])
def test_text_keeps_its_width_and_says_every_finding(report, width):
    text = report.to_text(width)
    assert "\x1b" not in text and text.endswith("\n")
    assert max(map(len, text.splitlines())) <= max(20, width)
    assert not any(line != line.rstrip() for line in text.splitlines())
    words = " ".join(text.split())
    for finding in report.findings:
        for said in (finding.title, finding.evidence, finding.remedy, finding.measured):
            assert " ".join(said.split()) in words


def test_findings_come_before_numbers_and_faults_come_first():
    text = example().to_text(80)
    places = [text.index(word) for word in ("FAULT", "LOOK", "NORMAL", "layer   ", "block   ", "Entropy, in tenths")]
    assert places == sorted(places)
    assert text.splitlines()[0] == "made up: 3 attention layers, 12 heads, on 1 text with 9 tokens, in float32."


def test_a_grid_can_be_read_without_colour():
    """Tenths, a mark for each finding's head, and a dot for what was not measured."""
    report = example(layers=2, heads=4)
    lines = report.to_text(80).splitlines()
    title = next(line for line in lines if line.startswith("Entropy, in tenths"))
    rows = [line for line in lines[lines.index(title) + 1 :] if re.match(r" +\d   ", line)][:2]
    for at, row in enumerate(rows):
        digits = [row[8 + 2 * head] for head in range(4)]
        values = report.layers[at].values["entropy"]
        assert digits == ["·" if value is None else str(min(9, int(10 * value))) for value in values]
    assert rows[0][11] == "?" and rows[1][13] == "!"  # a pair of heads to look at; a fault


def test_colour_only_adds_colour():
    report = example()
    coloured = report.to_text(80, colour=True)
    assert "\x1b[1;35mFAULT" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == report.to_text(80)
