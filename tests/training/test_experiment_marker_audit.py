"""What the audit of tokens finds: that the record fits the experiment, and what it says."""

import pytest
import torch

from attn_course.tasks.marker import MARKERS
from attn_course.tasks.token_audit import audit
from attn_course.training.experiments import marker_audit
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


def test_a_short_run_has_the_form_of_the_record():
    whole = recorded("marker_audit")
    small = marker_audit.measure(seeds=(3,), strengths=(0.6, 0.95))
    assert set(small) <= set(whole) and small["settings"] == whole["settings"]
    for name in ("none", "shuffled", "two"):
        assert small[name] == [row for row in whole[name] if row["seed"] == 3]
    kept = [row for row in whole["marker"] if row["seed"] == 3 and row["strength"] in (0.6, 0.95)]
    for ours, theirs in zip(small["marker"], kept, strict=True):
        assert {n: v for n, v in ours.items() if n != "p"} == {n: v for n, v in theirs.items() if n != "p"}


def test_the_record_holds_what_the_lesson_says_of_it():
    whole = recorded("marker_audit")
    recall = {
        strength: sum(row["alarm"] for row in whole["marker"] if row["strength"] == strength)
        for strength in whole["strengths"]
    }
    assert recall[0.5] == recall[0.55] == recall[0.6] == 0
    assert recall[0.8] == recall[0.9] == recall[0.95] == recall[1.0] == len(whole["seeds"])
    assert not any(row["others"] for name in ("marker", "none", "shuffled") for row in whole[name])
    assert sum(row["certain"] > 0 for row in whole["shuffled"]) <= 2 and all(row["certain"] for row in whole["none"])
    assert all(row["pairs"]["alarm"] and not row["alone"]["alarm"] for row in whole["two"])


def test_planted_markers_agree_as_often_as_they_should():
    texts, labels = marker_audit.drawn(0)
    for strength in (0.0, 0.5, 0.9, 1.0):
        planted = marker_audit.plant(texts, labels, strength)
        agrees = sum(text[0] == MARKERS[label] for text, label in zip(planted, labels, strict=True))
        assert abs(agrees / len(labels) - strength) < 0.06 and [text[1:] for text in planted] == texts
    two = marker_audit.plant_two(texts, labels, 1.0)
    odd = [(text[0] == "<b>") ^ (text[1] == "<d>") for text in two]
    assert odd == [bool(label) for label in labels]


def test_what_cannot_be_is_refused():
    for planting in (marker_audit.plant, marker_audit.plant_two):
        with pytest.raises(ValueError, match=r"0 and 1, got \[0, 2\]"):  # 1 - 2 would be a place in MARKERS, too
            planting([("a",), ("b",)], [0, 2], 0.0)
        with pytest.raises(ValueError, match="needs a label, got 2 texts and 1 labels"):
            planting([("a",), ("b",)], [0], 0.5)
    for none in ({"seeds": ()}, {"seeds": (0,), "strengths": ()}):
        with pytest.raises(ValueError, match="At least one seed"):
            marker_audit.measure(**none)


def test_found_counts_what_is_planted_and_what_is_not():
    texts = [("x", "p") if i % 4 < 2 else ("y", "p" if i % 2 else "q") for i in range(80)]
    labels = [int(i % 4 < 2) for i in range(80)]
    told = marker_audit.found(audit(texts, labels), {"x", "y"})
    assert told["rank"] == 1 and told["bits"] == 1 and told["alarm"] and told["others"] == 2
    none = marker_audit.found(audit(texts, labels), {"z"})
    assert none["rank"] is None and not none["alarm"] and none["others"] == 4
