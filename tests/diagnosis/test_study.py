"""How often the doctor is right: the arithmetic, the recording, and a few of its models made anew."""

import copy
import itertools
from pathlib import Path

import pytest
import torch
from scipy.stats import binomtest

from attn_course.diagnosis import thresholds
from attn_course.diagnosis.study import __main__ as study
from attn_course.diagnosis.study.measure import examine_all, examined, read, tried
from attn_course.diagnosis.study.patients import SOUND
from attn_course.diagnosis.study.sets import third
from attn_course.diagnosis.study.sick import SICK
from attn_course.diagnosis.study.sickness import sick
from attn_course.diagnosis.study.verdicts import counted, told, wilson
from attn_course.diagnosis.trusted import NAME, by_finding, how_often_right
from attn_course.training.recorded import recorded

FOUND = recorded(NAME)
SETS = study.SETS


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 7), (7, 7), (57, 60), (1, 160), (0, 160)])
def test_intervals_are_wilson_s(k, n):
    low, high = binomtest(k, n).proportion_ci(0.95, "wilson")
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-6)


def test_of_nothing_nothing_is_known():
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="from 0 to n, got 3 of 2"):
        wilson(3, 2)


def test_what_is_counted():
    def row(truth, *names):
        return {"truth": truth, "told": list(names)}

    found = counted(
        [row("a", "a"), row("a", "a", "b"), row("a"), row("b", "b"), row(SOUND), row(SOUND, "a"), row(SOUND)]
    )
    assert (found["sick"], found["sound"]) == (4, 3)
    assert (found["recall"]["k"], found["alone"]["k"], found["false_alarms"]["k"]) == (3, 2, 1)
    assert found["by_finding"]["a"]["k"] == 2 and found["confusion"]["a"] == {"a": 2, "b": 1}
    assert found["confusion"][SOUND] == {"a": 1}


# ---- the recording ----


def test_the_bounds_are_those_that_were_tested():
    assert FOUND["bounds"] == {name: getattr(thresholds, name) for name in study.BOUNDS}
    assert FOUND["first_bounds"]["LEARNED"] == 0.1 and "THIEF" not in FOUND["first_bounds"]
    assert FOUND["command"] == study.COMMAND and FOUND["date"] and FOUND["torch"] and FOUND["history"]


@pytest.mark.parametrize("name", SETS)
def test_every_patient_of_a_set_was_examined_and_counted(name):
    rows, patients = FOUND[name]["rows"], SETS[name]()
    assert [(row["kind"], row["seed"], row["size"]) for row in rows] == [
        (each.kind, each.seed, each.size) for each in patients
    ]
    assert [row["truth"] for row in rows] == [each.truth for each in patients]
    again = counted(study.counting(name, rows))
    assert {key: FOUND[name][key] for key in again} == again


def test_of_the_third_set_only_confirmed_ones_count_as_sick():
    rows = [row for row in FOUND["third"]["rows"] if row["truth"] != SOUND]
    assert FOUND["third"]["sick"] == sum(row["confirmed"] for row in rows)
    assert {each.confirm for each in third() if each.truth != SOUND} == {sick}


@pytest.mark.parametrize("name", study.SPENT)
def test_of_a_spent_set_both_verdicts_are_kept(name):
    rows = FOUND[name]["rows"]
    now = counted([row | {"told": row["now"]} for row in rows])
    assert FOUND[name]["now"] == {key: now[key] for key in study.RATES}
    assert now["false_alarms"]["k"] == 0 and now["recall"]["k"] >= FOUND[name]["recall"]["k"]


@pytest.mark.parametrize(("name", "least"), [("test", 60), ("third", 40)])
def test_the_test_sets_are_large(name, least):
    test = FOUND[name]
    assert test["sick"] >= least and test["sound"] >= 150
    assert set(test["by_finding"]) == set(SICK) and min(each["n"] for each in test["by_finding"].values()) >= 4


def test_the_test_sets_are_new():
    seeds = {name: {row["seed"] for row in FOUND[name]["rows"]} for name in SETS}
    sizes = {name: {tuple(row["size"].values()) for row in FOUND[name]["rows"]} for name in SETS}
    for one, other in itertools.combinations(SETS, 2):
        assert not seeds[one] & seeds[other] and not sizes[one] & sizes[other]
    kinds = {name: {row["kind"] for row in FOUND[name]["rows"]} for name in SETS}
    assert len(kinds["test"] - kinds["calibration"]) >= 10
    assert len(kinds["third"] - kinds["calibration"] - kinds["test"] - kinds["again"]) >= 20


def test_what_is_said_of_the_doctor_is_what_was_recorded():
    said, third = how_often_right(), FOUND["third"]
    confirmed = [row for row in third["rows"] if row["truth"] != SOUND and row["confirmed"]]
    sound = [row for row in third["rows"] if row["truth"] == SOUND]
    assert f"of {len(confirmed)} small models made sick on purpose" in said
    assert f"named the failure of {sum(row['truth'] in row['told'] for row in confirmed)} (" in said
    assert f"told a fault of {sum(bool(row['told']) for row in sound)} of {len(sound)} sound ones (" in said
    assert "had named 52 of 64 and 59 of 64" in said, "what the first rounds gave does not change any more"


def few() -> list:
    """One of each failure, and some sound ones: of the third set, the quickest to make."""
    patients, seen = [], set()
    for patient in third():
        quick = patient.truth != SOUND or "untrained" in patient.kind or "topic" in patient.kind
        if quick and (patient.truth not in seen or (patient.truth == SOUND and len(seen) < 14)):
            seen.add(patient.truth if patient.truth != SOUND else patient.name)
            patients.append(patient)
    return patients


@pytest.mark.parametrize("patient", few(), ids=lambda patient: patient.name)
def test_a_model_made_anew_gets_the_verdict_that_was_recorded(patient, one_thread):
    row = next(row for row in FOUND["third"]["rows"] if (row["kind"], row["seed"]) == (patient.kind, patient.seed))
    found = examined(patient)
    assert told(found) == row["told"] and found.get("confirmed") == row.get("confirmed")


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_page_about_the_doctor_says_what_was_recorded():
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert how_often_right() in page and by_finding(FOUND) in page


def test_the_recording_is_written_a_line_for_each_model():
    text = (study.FOLDER / f"{NAME}.json").read_text(encoding="utf-8")
    assert study.written(copy.deepcopy(FOUND)) == text
    assert sum('"truth": ' in line for line in text.splitlines()) == sum(len(FOUND[name]["rows"]) for name in SETS)


def test_an_examination_goes_on_where_it_was_interrupted(tmp_path):
    patients = [each for each in third() if each.kind == "sound: untrained, recall"]
    file = tmp_path / "lines"
    examine_all(patients[:1], file)
    first = file.read_text(encoding="utf-8")
    examine_all(patients, file)
    assert file.read_text(encoding="utf-8").startswith(first) and len(read(file)) == len(patients) == 2
    assert [row["name"] for row in read(file)] == [each.name for each in patients]
    assert tried(read(file)[0]).gain < 0 and told(read(file)[0]) == []


def test_how_many_of_the_sound_had_learned_is_said():
    sound = [row["numbers"] for row in FOUND["third"]["rows"] if row["truth"] == SOUND]
    learned = [each for each in sound if each["guess"] - each["loss"] > thresholds.LEARNED * each["guess"]]
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert f"{len(learned)} of the {len(sound)} sound ones had learned something" in page
