"""How often the doctor is right: what was measured on models whose truth is known (`attn_course.diagnosis.study`)."""

from functools import cache

from attn_course.training.recorded import recorded

NAME = "doctor_trial"


@cache
def how_often_right() -> str:
    """One sentence, from the recording; empty if nothing was recorded."""
    try:
        found = recorded(NAME)
    except FileNotFoundError:
        return ""
    sick, sound, again = found["test"]["recall"], found["test"]["false_alarms"], found["again"]["recall_confirmed"]
    return (
        f"of {sick['n']} small models made sick on purpose it named the failure of {sick['k']} ({_share(sick)}); it "
        f"told a fault of {sound['k']} of {sound['n']} sound ones ({_share(sound)}); of {again['n']} others, "
        f"sick by construction or by another measure, it named {again['k']} ({_share(again)}); nothing larger was "
        "tested so"
    )


def _share(rate: dict) -> str:
    low, high = (f"{100 * x:.1f}" for x in rate["interval"])
    return f"{100 * rate['share']:.1f} %, 95 % interval {low} to {high}"


def by_finding(found: dict) -> str:
    """A table for docs/doctor.md: how many of the sick were named, and how many of those confirmed to be so."""
    lines = ["| failure | test: named | of those confirmed | again: of those confirmed |", "|---|---|---|---|"]
    for name in found["test"]["by_finding"]:
        cells = [_named(found["test"]["rows"], name, asked=False)]
        cells += [_named(found[which]["rows"], name, asked=True) for which in ("test", "again")]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _named(rows: list[dict], name: str, asked: bool) -> str:
    sick = [row for row in rows if row["truth"] == name and (row["confirmed"] or not asked)]
    return f"{sum(name in row['told'] for row in sick)} of {len(sick)}"
