"""Examine all sets of patients and write down what came of it: attn_course/recorded/doctor_trial.json.

python -m attn_course.diagnosis.study FOLDER

FOLDER keeps a line for each patient that was examined, so that a run that was interrupted goes on from there.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import torch

from attn_course.diagnosis import thresholds
from attn_course.diagnosis.study.measure import examine_all, read, tried
from attn_course.diagnosis.study.numbers import decisive
from attn_course.diagnosis.study.sets import HISTORY, again, calibration, test, third
from attn_course.diagnosis.study.verdicts import counted, told
from attn_course.diagnosis.trusted import NAME
from attn_course.training.recorded import FOLDER

SETS = {"calibration": calibration, "test": test, "again": again, "third": third}
SPENT = ("calibration", "test", "again")  # seen before the bounds took their present values
RATES = ("recall", "recall_confirmed", "false_alarms")
COMMAND = "python -m attn_course.diagnosis.study FOLDER"
BOUNDS = (
    "LEARNED",
    "EVICTED",
    "SINK_SHARE",
    "SINK_VALUE",
    "THIEF",
    "THIEF_VALUE",
    "UNDERLOAD",
    "UNDERLOAD_NEEDED",
    "UNDERLOAD_RATIO",
    "UNDERLOAD_KNOWS",
    "UNDERLOAD_LEAST",
    "OVERLOAD_ENTROPY",
    "OVERLOAD_NEEDED",
    "OVERLOAD_COST",
    "ALIKE",
    "ALIKE_WORKING",
    "FOLDED",
    "ALIKE_WORK",
    "SPARED",
    "WINDOW_SHARE",
    "WINDOW_BEYOND",
    "SHORTCUT",
    "SHORTCUT_RATIO",
    "COLLAPSED",
    "COLLAPSED_HEADS",
    "COLLAPSED_SHARE",
    "RESIDUAL_COLLAPSED",
    "COSINE_COLLAPSED",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m attn_course.diagnosis.study", description=__doc__)
    parser.add_argument("folder", type=Path, help="where lines are kept while it runs")
    parser.add_argument("--only", choices=tuple(SETS), help="examine this set, and record nothing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, patients in SETS.items():
        if options.only in (None, name):
            examine_all(patients(), options.folder / f"{name}.jsonl")
    if options.only is None:
        record(options.folder)


def record(folder: Path, to: Path = FOLDER) -> dict:
    """Of spent sets, "told" stays what was told when they were new; "now" is what is told by the present bounds."""
    before = json.loads((to / f"{NAME}.json").read_text(encoding="utf-8"))
    then = {(row["kind"], row["seed"]): row["told"] for name in SPENT for row in before[name]["rows"]}
    found = {
        "command": COMMAND,
        "date": date.today().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "threads": 1,
        "history": list(HISTORY),
        "bounds": {name: getattr(thresholds, name) for name in BOUNDS},
        "first_bounds": before.get("first_bounds", before["bounds"]),
    }
    for name, patients in SETS.items():
        known = {row["name"]: row for row in read(folder / f"{name}.jsonl")}
        rows = [row | {"told": told(row)} for row in (known[each.name] for each in patients())]
        now = {}
        if name in SPENT:
            now = {"now": {key: value for key, value in counted(rows).items() if key in RATES}}
            rows = [row | {"told": then[row["kind"], row["seed"]], "now": row["told"]} for row in rows]
        found[name] = counted(counting(name, rows)) | now | {"rows": [_short(row) for row in rows]}
    (to / f"{NAME}.json").write_text(written(found), encoding="utf-8")
    return found


def counting(name: str, rows: list[dict]) -> list[dict]:
    """In the third set one that was made to be sick and is not confirmed to be so is no patient."""
    return [row for row in rows if name in SPENT or row.get("confirmed", True)]


def _short(row: dict) -> dict:
    kept = {name: row[name] for name in ("truth", "kind", "seed", "size", "told", "now", "confirmed") if name in row}
    return kept | {"numbers": {name: value for name, value in decisive(tried(row)).items() if value is not None}}


def written(found: dict) -> str:
    """A line for each patient, so that a difference can be read."""
    rows = {name: found[name].pop("rows") for name in SETS}
    for name in rows:
        found[name]["rows"] = f"rows of {name}"
    text = json.dumps(found, indent=1, ensure_ascii=False)
    for name, lines in rows.items():
        found[name]["rows"] = lines
        plain = ",\n   ".join(json.dumps(each, ensure_ascii=False) for each in lines)
        text = text.replace(f'"rows of {name}"', f"[\n   {plain}\n  ]")
    return text + "\n"


if __name__ == "__main__":
    main()
