"""An audit: what it prints, and that only a whole and signed answer to these very measurements is taken for one."""

import json
from datetime import date

import pytest
from audits import LOOK, made

from attn_course.diagnosis.association import Weat
from attn_course.diagnosis.audit import (
    Section,
    about_calibration,
    about_changes,
    about_groups,
    about_tokens,
    about_words,
    signed,
)


def answers(audit, **changes) -> str:
    whole = {
        "format": "attn_course audit 1",
        "fingerprint": audit.fingerprint,
        "answers": {each.name: f"An answer to {each.name}." for each in audit.questions},
        "decision": "do not use it",
        "reason": "The worst group is served at 27 %.",
        "name": "Ada",
        "date": "2026-03-01",
        "signed": True,
    }
    return json.dumps(whole | changes)


def test_sections_say_what_was_measured():
    audit = made()
    text = audit.to_text()
    for words in ("<ref> | 0.709 | 370 | statements | yes", "statement | 0.056 | 60 | statements | no", "0.675"):
        assert words in text
    assert "all, with each marker swapped | 0.308" in text and "types and strings, <ref> | 0.270" in text
    assert "UNSIGNED" in text and text.count("____") == len(audit.questions) + 3 and "1.62" in text
    tests = about_words({"career/family, “{}”": Weat(1.02, 0.0162, True)})
    assert tests.rows == (("career/family, “{}”", "1.02", "0.016"),)
    assert about_words({"flowers": Weat(1.4, 0.0001, False)}).rows[0][2] == "under 0.001"  # never 0.000


def test_no_label_writes_a_line_of_its_own():
    forged = "x\nUNSIGNED no more\rName, date: Ada\u2028\u202e\x1b[2J"
    table = Section(forged, forged, (forged, "share"), ((forged, "0.5"),))
    plain = made(sections=(Section("t", "a", ("c", "share"), (("r", "0.5"),)),))
    hostile = made(subject=forged, use=forged, sections=(table,), untested=(forged,) * 3)
    lines = hostile.to_text().splitlines()
    assert len(lines) == len(plain.to_text().splitlines()) and not any(c in hostile.to_text() for c in "\r\u202e\x1b")
    assert sum(line.startswith("Name, date") for line in lines) == 1 and "<000A>UNSIGNED no more" in lines[0]


def test_a_whole_and_signed_answer_is_read_back():
    audit = made()
    found = signed(answers(audit), audit)
    assert found.name == "Ada" and found.date == date(2026, 3, 1) and found.decision == "do not use it"
    assert set(found.answers) == {each.name for each in audit.questions}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"signed": False}, "nobody has put their name to it"),
        ({"signed": "true"}, "nobody has put their name to it"),
        ({"name": "  "}, "left open: name"),
        ({"reason": None}, "left open: reason"),
        ({"decision": "perhaps"}, "left open: decision"),
        ({"date": "yesterday"}, "left open: date"),
        ({"date": 3}, "left open: date"),
        ({"answers": {}}, "left open: tokens, groups, change, missing"),
        ({"answers": [1]}, "left open: tokens"),
        ({"fingerprint": "0"}, "other measurements"),
        ({"format": "x"}, "no saved audit of this course"),
    ],
)
def test_what_is_not_whole_is_unsigned(changes, said):
    audit = made()
    with pytest.raises(ValueError, match=said) as caught:
        signed(answers(audit, **changes), audit)
    assert "\n" not in str(caught.value)


def test_answers_to_other_measurements_are_refused():
    audit = made()
    other = made(sections=(about_groups(LOOK | {"accuracy": 0.918}),))
    assert audit.fingerprint == made().fingerprint != other.fingerprint
    with pytest.raises(ValueError, match="other measurements"):
        signed(answers(audit), other)
    for broken in ("", "[1]", "{", "[" * 100_000, b"\xff", None):
        with pytest.raises(ValueError, match="no saved audit"):
            signed(broken, audit)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="nothing measured"):
        made(sections=())
    with pytest.raises(ValueError, match="one a column"):
        Section("a table", "about", ("one", "two"), (("a",),))
    with pytest.raises(ValueError, match="name of its own"):
        made(questions=made().questions * 2)
    with pytest.raises(TypeError, match="cells are words"):
        Section("a table", "about", ("one", "two"), (("a", 0.5),))
    for blank in ({"subject": " "}, {"use": ""}):
        with pytest.raises(ValueError, match="a subject and a use"):
            made(**blank)
    for none in ((), (" ",)):
        with pytest.raises(ValueError, match="nothing to decide"):
            made(decisions=none)
    diverged = {"remedy": "plain", "seed": 0, "diverged": True}
    for about in (about_groups, about_changes, about_calibration):
        with pytest.raises(ValueError, match="a run that diverged has none"):
            about(diverged)
    with pytest.raises(ValueError, match="At least one token"):
        about_tokens([])
