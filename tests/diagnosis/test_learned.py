"""The rules that read trials: numbers of a sick model, and of its sound twin one number away."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from planted import hidden, keep, random_qkv

from attn_course.diagnosis import report as report_module
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.record import Record
from attn_course.diagnosis.report import Place, Report
from attn_course.diagnosis.trials import Trials
from attn_course.diagnosis.trials.examine import about_trials
from attn_course.diagnosis.trials.tried import Cost, Eviction, Length, Look, Pair, Skipped, Swap, Window
from attn_course.show.report import page

SCHEMA = Path(report_module.__file__).with_name("report.schema.json")
NOTHING, MUCH = Cost(0.0, 0.001), Cost(0.5, 0.01)
LOOK = Look(layer=0, head=1, needed=0.8, irrelevant=0.1, resting=0.02, entropy=0.2)
SINK = Eviction(key=0, share=0.7, value=0.2, layer=0, head=2, cost=NOTHING)
PAIR = Pair(0, 0, 1, divergence=0.3, rests=False, folded=MUCH, silenced=MUCH, both=MUCH)
WINDOW = Window(w=4, reach=3, cost=MUCH, beyond=0.6)
SWAPS = tuple(Swap(kind, other=1, texts=0.8, flips=0.3, apart=0.25, must_not=False) for kind in range(1, 9))

SOUND = Trials(
    answers=400,
    tokens=32,
    loss=0.4,
    guess=1.4,
    evictions=(SINK,),
    others=(NOTHING, Cost(0.01, 0.001)),
    looks=(LOOK, replace(LOOK, head=0, needed=0.1, irrelevant=0.8)),
    without_irrelevant=NOTHING,
    longer=(Length(128, 0.45, (replace(LOOK, needed=0.6, entropy=0.3),)),),
    pairs=(PAIR,),
    skipped=(Skipped(0, MUCH), Skipped(1, MUCH)),
    windows=(replace(WINDOW, w=2, reach=1), WINDOW, Window(16, 15, NOTHING, 0.1)),
    swaps=SWAPS,
)
MARKED = (
    Swap(1, other=2, texts=0.5, flips=0.9, apart=0.5, must_not=False),
    Swap(2, other=1, texts=0.5, flips=0.8, apart=0.5, must_not=False),
    *(replace(each, flips=0.6, apart=0.1) for each in SWAPS[2:]),
)
SICK = {
    "sick-sink": {"evictions": (replace(SINK, cost=Cost(0.2, 0.01)),)},
    "underload": {"looks": (replace(LOOK, needed=0.1, irrelevant=0.7),), "longer": ()},
    "overload": {"longer": (Length(256, 2.0, (replace(LOOK, needed=0.1, entropy=0.95),)),)},
    "redundant-heads": {"pairs": (replace(PAIR, divergence=0.001, folded=NOTHING),)},
    "redundant-layers": {"skipped": (Skipped(0, MUCH), Skipped(1, NOTHING))},
    "short-window": {"windows": (replace(WINDOW, cost=NOTHING),)},
    "shortcut": {"swaps": MARKED},
}


def record() -> Record:
    found = keep(Record("m"), *random_qkv(sharp=1.5))
    found.hidden += [hidden("h.0"), hidden("h.1")]
    return found


def found(trials: Trials) -> dict:
    return {finding.name: finding for finding in diagnose(record(), trials=trials).findings}


def test_nothing_is_found_in_a_sound_model():
    assert found(SOUND) == {}


@pytest.mark.parametrize("name", SICK)
def test_a_failure_is_found_alone_and_with_its_numbers(name):
    findings = found(replace(SOUND, **SICK[name]))
    assert list(findings) == [name]
    fault = findings[name]
    assert (fault.severity == "fault" and fault.evidence.endswith("(The bounds are our proposal.)")) or name == (
        "redundant-layers"
    )
    assert fault.remedy.endswith(".") and any(letter.isdigit() for letter in fault.evidence)


@pytest.mark.parametrize("name", SICK)
def test_of_a_model_that_only_guesses_nothing_is_told(name):
    report = diagnose(record(), trials=replace(SOUND, loss=1.35, **SICK[name]))
    assert report.findings == () and "little better than guessing (1.35 nats against 1.4)" in report.notes[0]


def test_without_trials_nothing_of_the_kind_is_told():
    assert diagnose(record()).findings == () and diagnose(record()).notes == ()


@pytest.mark.parametrize(
    "change",
    [
        {"evictions": (replace(SINK, cost=Cost(0.2, 0.01), value=0.9),)},  # a key that is read
        {"evictions": (replace(SINK, cost=Cost(0.2, 0.2)),)},  # not certain
        {"evictions": (replace(SINK, cost=Cost(0.2, 0.01)),), "others": (Cost(0.15, 0.01),)},  # any key is missed
        {"looks": (replace(LOOK, needed=0.4, irrelevant=0.6),), "longer": ()},
        {"looks": (replace(LOOK, needed=0.1, irrelevant=None),), "longer": ()},
        {"longer": (Length(256, 0.41, (replace(LOOK, needed=0.1, entropy=0.95),)),)},  # answers as well
        {"longer": (Length(256, 2.0, (replace(LOOK, needed=0.1, entropy=0.5),)),)},  # lost, but not diluted
        {"pairs": (replace(PAIR, divergence=0.001),)},  # alike, and both needed
        {"pairs": (replace(PAIR, folded=NOTHING),)},  # not alike
        {"pairs": (replace(PAIR, divergence=0.001, folded=NOTHING, rests=True),)},
        {"skipped": (Skipped(0, Cost(0.0, 0.1)),)},  # not certain
        {"windows": (replace(WINDOW, cost=NOTHING, beyond=0.0),)},  # nothing is needed from further back
        {"windows": (replace(WINDOW, cost=NOTHING, reach=12),)},  # not short
        {"swaps": tuple(replace(each, flips=0.6, apart=0.55) for each in SWAPS)},  # every word counts
    ],
    ids=str,
)
def test_what_looks_like_a_failure_and_is_none(change):
    assert found(replace(SOUND, **change)) == {}


def test_a_sink_that_takes_what_is_needed():
    look = replace(LOOK, needed=0.2, irrelevant=0.1, resting=0.6)
    fault = found(replace(SOUND, looks=(look,), longer=()))["sick-sink"]
    assert fault.title == "A sink that takes what is needed elsewhere" and fault.where == (Place(0, 1),)
    assert found(replace(SOUND, looks=(look,), longer=(), evictions=(replace(SINK, value=1.5),))) == {}


def test_a_key_that_takes_much_more_than_what_is_needed_need_not_be_small():
    key = replace(SINK, value=0.7)

    def said(resting, value=0.7):
        look = replace(LOOK, needed=0.33, irrelevant=0.02, resting=resting)
        return list(found(replace(SOUND, looks=(look,), longer=(), evictions=(replace(key, value=value),))))

    assert said(0.6) == ["sick-sink"] and said(0.45) == [] and said(0.6, value=1.2) == []
    assert said(0.45, value=0.4) == ["sick-sink"]


def test_who_knows_the_answers_and_looks_more_at_noise_is_underloaded_and_who_still_learns_is_not():
    looks = (replace(LOOK, needed=0.3, irrelevant=0.45),)
    assert list(found(replace(SOUND, looks=looks, longer=(), loss=0.01))) == ["underload"]
    assert found(replace(SOUND, looks=looks, longer=(), loss=0.5)) == {}
    assert found(replace(SOUND, looks=(replace(looks[0], needed=0.42),), longer=(), loss=0.01)) == {}
    assert found(replace(SOUND, looks=(replace(looks[0], irrelevant=0.34),), longer=(), loss=0.01)) == {}


def test_heads_that_drifted_are_one_if_the_model_depends_on_what_they_share():
    pair = replace(PAIR, divergence=0.04, folded=Cost(0.03, 0.005), both=Cost(0.6, 0.01))
    assert list(found(replace(SOUND, pairs=(pair,)))) == ["redundant-heads"]
    for change in ({"divergence": 0.06}, {"folded": Cost(0.03, 0.02)}, {"both": Cost(0.05, 0.01)}, {"rests": True}):
        assert found(replace(SOUND, pairs=(replace(pair, **change),))) == {}


def test_a_kind_that_was_declared_not_to_decide_may_not():
    swaps = (replace(SWAPS[0], flips=0.25, must_not=True), *SWAPS[1:])
    fault = found(replace(SOUND, swaps=swaps))["shortcut"]
    assert fault.sure == "strong" and "declared not to decide" in fault.evidence
    assert found(replace(SOUND, swaps=(replace(swaps[0], flips=0.1), *SWAPS[1:]))) == {}


def test_where_nothing_was_declared_an_unused_context_is_a_hint():
    windows = (replace(WINDOW, cost=NOTHING, beyond=None),)
    look = found(replace(SOUND, windows=windows))["unused-context"]
    assert (look.severity, look.sure) == ("look", "hint")


def test_blocks_that_can_go_are_named_the_cheapest_first():
    skipped = (Skipped(0, Cost(0.004, 0.001)), Skipped(1, MUCH), Skipped(2, Cost(0.001, 0.001)))
    fault = found(replace(SOUND, skipped=skipped))["redundant-layers"]
    assert fault.where == (Place(block=2), Place(block=0)) and "each of block 2; block 0" in fault.evidence


@pytest.mark.parametrize("name", SICK)
def test_terminal_page_and_json_tell_it(name):
    tried = replace(SOUND, **SICK[name])
    report = diagnose(record(), trials=tried)
    report = replace(report, about=report.about | about_trials(tried))
    jsonschema.validate(report.to_dict(), json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    (fault,) = report.findings
    text = report.to_text(100)
    assert f"FAULT  {fault.title}" in text and "Taken away: keys, heads, blocks, context, kinds of tokens" in text
    assert "by the loss of 400 answers, 0.4 nats (guessing: 1.4)" in " ".join(text.split())
    assert fault.title in page(report) and "taken away" in page(report)


def test_what_was_not_taken_away_is_told_too():
    report = diagnose(record())
    text = replace(report, about=report.about | about_trials(None)).to_text(80)
    assert "redundant heads and layers, short windows and shortcuts were not tested." in " ".join(text.split())
