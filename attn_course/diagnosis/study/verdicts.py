"""From the numbers of a patient to what the doctor says of it, and from many verdicts to how often it is right."""

import math
from collections import Counter
from collections.abc import Iterable

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.findings import OF_TRIALS
from attn_course.diagnosis.study.measure import tried
from attn_course.diagnosis.study.patients import SOUND

Z = 1.959964  # of a normal distribution: 95 % lie within


def told(row: dict) -> list[str]:
    """The faults that the doctor names, from what `measure.examined` wrote down: by the bounds as they stand."""
    case = Case((), (), (), (), (), trials=tried(row))
    found = {finding.name for rule in OF_TRIALS for finding in rule(case) if finding.severity == "fault"}
    return sorted(found | set(row["record"]))


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, k of n (Wilson 1927, without correction for continuity); (0, 1) of none."""
    if not 0 <= k <= n:
        raise ValueError(f"k of n cases: k should be from 0 to n, got {k} of {n}.")
    if n == 0:
        return 0.0, 1.0
    p, z2 = k / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(k: int, n: int) -> dict:
    return {"k": k, "n": n, "share": round(k / n, 4) if n else None, "interval": [round(x, 4) for x in wilson(k, n)]}


def counted(rows: Iterable[dict]) -> dict:
    """rows: with "truth" and "told". Recall over the sick, over those that are not known to have stayed sound
    ("confirmed"), and by finding; false alarms over the sound; what was said of the sick beside what they have."""
    rows = list(rows)
    sick = [row for row in rows if row["truth"] != SOUND]
    sound = [row for row in rows if row["truth"] == SOUND]
    truths = list(dict.fromkeys(row["truth"] for row in sick))
    of = {truth: [row for row in sick if row["truth"] == truth] for truth in truths}
    return {
        "sick": len(sick),
        "sound": len(sound),
        "recall": rate(sum(row["truth"] in row["told"] for row in sick), len(sick)),
        "false_alarms": rate(sum(bool(row["told"]) for row in sound), len(sound)),
        "recall_confirmed": rate(
            sum(row["truth"] in row["told"] for row in sick if row.get("confirmed", True)),
            sum(row.get("confirmed", True) for row in sick),
        ),
        "by_finding": {truth: rate(sum(truth in row["told"] for row in of[truth]), len(of[truth])) for truth in truths},
        "confusion": {truth: dict(Counter(name for row in of[truth] for name in row["told"])) for truth in truths}
        | {SOUND: dict(Counter(name for row in sound for name in row["told"]))},
        "alone": rate(sum(row["told"] == [row["truth"]] for row in sick), len(sick)),
    }
