"""The doctor's rules, and how they put numbers into words."""

from collections.abc import Sequence

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import SURENESS, Place
from attn_course.diagnosis.tables import Table
from attn_course.diagnosis.thresholds import SHORT

EVERY_ROW = "on every row"


def listed(places: Sequence[Place], most: int = 3) -> str:
    """layer 2, head 7; layer 3, head 1; and 4 more"""
    named = [str(place) for place in places[:most]]
    more = len(places) - len(named)
    if more:
        return "; ".join(named) + f"; and {more} more"
    return "; ".join(named)


def count(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def figure(value: float) -> str:
    """Three digits, and thousands that can be read: 0.0123, 45.6, 12,300."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def queries_of(table: Table) -> int:
    """How many queries were seen, padding left out."""
    return sum(text.queries for text in table.texts)


def rows_of(table: Table) -> int:
    """How many of them were sampled as whole rows."""
    return sum(len(text.places) for text in table.texts)


def sureness(case: Case, usual: str) -> str:
    """One step less sure on a short text."""
    at = SURENESS.index(usual) + (queries_of(case.tables[0]) < SHORT)
    return SURENESS[min(at, len(SURENESS) - 1)]


def sampled(tables: Sequence[Table]) -> str:
    """How what needs whole rows was measured: on every row, or on some."""
    taken, queries = rows_of(tables[0]), queries_of(tables[0])
    return EVERY_ROW if taken == queries else f"on {taken} of {queries} rows, drawn at random"


def heads_where(case: Case, measure: str, holds) -> list[Place]:
    """The heads whose number is there and holds."""
    return [
        Place(layer=at, head=head)
        for at, layer in enumerate(case.layers)
        for head, value in enumerate(layer.values.get(measure, ()))
        if value is not None and holds(value)
    ]


def value_at(case: Case, measure: str, place: Place) -> float | None:
    """One head's number; None if it was not measured."""
    values = case.layers[place.layer].values.get(measure)
    return None if values is None else values[place.head]
