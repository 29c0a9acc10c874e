"""How often the doctor is right: what was measured on models whose truth is known (`attn_course.diagnosis.study`)."""

from functools import cache

from attn_course.training.recorded import recorded

NAME = "doctor_trial"


@cache
def how_often_right() -> str:
    """One sentence, from the recording; empty if nothing was recorded."""
    try:
        found = recorded(NAME)["test"]
    except FileNotFoundError:
        return ""
    sick, sound = found["recall"], found["false_alarms"]
    return (
        f"on {sick['n']} small models with a planted failure it named {sick['k']} ({_share(sick)}), and on "
        f"{sound['n']} sound ones it told a fault of {sound['k']} ({_share(sound)}); nothing larger was tested so"
    )


def _share(rate: dict) -> str:
    low, high = (f"{100 * x:.1f}" for x in rate["interval"])
    return f"{100 * rate['share']:.1f} %, 95 % interval {low} to {high}"


def by_finding(found: dict) -> str:
    """A table for docs/doctor.md: of the recording, how many of the sick were named, and what else was told of them."""
    lines = ["| finding | sick models | named | with others |", "|---|---|---|---|"]
    test = found["test"]
    for name, rate in test["by_finding"].items():
        rows = [row for row in test["rows"] if row["truth"] == name]
        more = sum(row["told"] != [name] for row in rows if name in row["told"])
        lines.append(f"| `{name}` | {rate['n']} | {rate['k']} | {more} |")
    return "\n".join(lines)
