"""One patient examined: the trials' numbers, and what the record alone gives rise to."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.study.patients import Case, Patient
from attn_course.diagnosis.trials import Trials, trials
from attn_course.diagnosis.watch import watch

WATCHED = 32  # rows of the questions that the record is of
DIGITS = 4


def watched(case: Case):
    """The record of a run on some of the questions."""
    with watch(case.model, hidden=True, sample=None) as record, torch.no_grad():
        case.model(case.asked.tokens[:WATCHED])
    return record


def examined(patient: Patient) -> dict:
    """About the patient, "trials" (as `Trials.to_dict`) and "record": the names of the faults that need no loss."""
    case = patient.make()
    found = trials(case.model, case.asked, case.longer)
    faults = diagnose(watched(case)).of_severity("fault")
    about = {"confirmed": patient.confirm(patient.truth, case)} if patient.confirm else {}
    return about | {
        "truth": patient.truth,
        "kind": patient.kind,
        "seed": patient.seed,
        "size": patient.size,
        "record": sorted(fault.name for fault in faults),
        "trials": rounded(found.to_dict()),
    }


def rounded(value):
    """Few digits: what a rule decides by is what was written down."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def examine_all(patients: Iterable[Patient], file: Path) -> None:
    """Examine those that the file does not hold yet, and add a line for each as soon as it is done."""
    done = {row["name"] for row in read(file)}
    for patient in patients:
        if patient.name in done:
            continue
        row = {"name": patient.name} | examined(patient)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def read(file: Path) -> list[dict]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def tried(row: dict) -> Trials:
    return Trials.from_dict(row["trials"])
