"""How often the doctor is right: what was measured on models whose truth is known (`attn_course.diagnosis.study`)."""

from functools import cache

from attn_course.training.recorded import recorded

NAME = "doctor_trial"
EARLIER = ("test", "again")  # the rounds before the last, by their sets


@cache
def how_often_right() -> str:
    """One sentence, from the recording; empty if nothing was recorded."""
    try:
        found = recorded(NAME)
    except FileNotFoundError:
        return ""
    sick, sound = found["third"]["recall"], found["third"]["false_alarms"]
    first, again = found["test"]["recall"], found["again"]["recall"]
    return (
        f"of {sick['n']} small models made sick on purpose, and confirmed to be so in another way, it named the "
        f"failure of {sick['k']} ({_share(sick)}); it told a fault of {sound['k']} of {sound['n']} sound ones "
        f"({_share(sound)}); in two rounds before, after which bounds were moved, it had named {first['k']} of "
        f"{first['n']} and {again['k']} of {again['n']}; nothing larger was tested so"
    )


def _share(rate: dict) -> str:
    low, high = (f"{100 * x:.1f}" for x in rate["interval"])
    return f"{100 * rate['share']:.1f} %, 95 % interval {low} to {high}"


def by_finding(found: dict) -> str:
    """A table for docs/doctor.md: how many of the sick were named, and how many were left out or named before."""
    lines = ["| failure | named | left out | first test | again |", "|---|---|---|---|---|"]
    for name in found["third"]["by_finding"]:
        sick = [row for row in found["third"]["rows"] if row["truth"] == name]
        out = [row for row in sick if not row["confirmed"]]
        cells = [_named([row for row in sick if row["confirmed"]], name), str(len(out))]
        cells += [_named([row for row in found[which]["rows"] if row["truth"] == name], name) for which in EARLIER]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _named(sick: list[dict], name: str) -> str:
    return f"{sum(name in row['told'] for row in sick)} of {len(sick)}"
