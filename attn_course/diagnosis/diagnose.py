"""From a watched run to a report: `diagnose(record)`."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.findings import RULES
from attn_course.diagnosis.heads import measured
from attn_course.diagnosis.maps import maps_of
from attn_course.diagnosis.record import HiddenVitals, Record
from attn_course.diagnosis.report import SEVERITIES, Block, Finding, Gradients, Layer, Numbers, Report
from attn_course.diagnosis.tables import Table, tables
from attn_course.diagnosis.thresholds import LEARNED
from attn_course.diagnosis.trials.tried import Trials

DIGITS = 5  # of a number in a report: more would be noise, and bytes


def diagnose(record: Record | Sequence[Record], unsound: Sequence[str] = (), trials: Trials | None = None) -> Report:
    """What is right and what is wrong with a model, from a run under `watch`; or from several, each of other texts.

    Measures are means over texts, calls and queries; padding's queries are left out. `unsound` names parameters that
    are not finite (`weights.unsound`), for a record does not hold weights. `trials`: what came of taking things away
    (`attn_course.diagnosis.trials`); without them nothing is said of what only the loss can tell. Raises ValueError
    with one sentence if no attention was watched, or if the records are of two models.
    """
    records = (record,) if isinstance(record, Record) else tuple(record)
    _check(records)
    found = tables(records)
    first = found[0].texts[0]
    case = Case(
        records,
        tuple(found),
        tuple(_layer(table, len(found)) for table in found),
        _blocks(records),
        _gradients(records),
        tuple(unsound),
        trials,
    )
    return Report(
        model=records[0].model,
        about=_about(found),
        tokens=tuple(tuple(text.tokens) for text in found[0].texts if text.tokens is not None),
        sets={name: tuple(members.nonzero()[:, 0].tolist()) for name, members in first.sets.items()},
        layers=case.layers,
        blocks=case.blocks,
        gradients=case.gradients,
        findings=_findings(case),
        notes=tuple(dict.fromkeys(_notes(records, trials))),
    )


def _notes(records: tuple[Record, ...], trials: Trials | None) -> list[str]:
    found = [note for record in records for note in record.notes]
    if trials is None:
        return found
    if trials.gain <= LEARNED * trials.guess:
        found.append(
            f"Here the model does little better than guessing ({trials.loss:.3g} nats against {trials.guess:.3g}), so "
            "what was taken away says nothing, and no fault was looked for in it."
        )
        return found
    return found + list(trials.untested)


def _check(records: tuple[Record, ...]) -> None:
    if not any(record.calls for record in records):
        raise ValueError(
            "No attention was watched: the model was not called inside `with watch(model)`, or it attends in a way "
            "that cannot be watched."
        )
    models = list(dict.fromkeys(record.model for record in records))
    if len(models) > 1:
        raise ValueError(f"The records are of different models ({', '.join(models)}): diagnose them one by one.")


def _about(found: list[Table]) -> dict[str, str | int | float | None]:
    first = found[0]
    sampled = sum(len(text.places) for text in first.texts)
    queries = sum(text.queries for text in first.texts)
    return {
        "sequences": len(first.texts),
        "tokens": queries,
        "sampled_rows": sampled,
        "dtype": str(first.calls[0].dtype).removeprefix("torch."),
    }


def _layer(table: Table, layers: int) -> Layer:
    found = measured(table)
    first = table.texts[0]
    words = first.tokens or []
    token = [words[at] if at is not None and at < len(words) else None for at in found.strongest]
    return Layer(
        name=table.name,
        kind=table.kind,
        heads=table.heads,
        calls=len(table.calls),
        values={name: numbers(value) for name, value in found.values.items()},
        errors={name: numbers(value) for name, value in found.errors.items()},
        sets={name: numbers(value) for name, value in found.sets.items()},
        strongest=tuple(found.strongest),
        strongest_token=tuple(token),
        nearest=tuple(found.nearest),
        offset=tuple(found.offset),
        maps=maps_of(first, layers),
    )


def _blocks(records: tuple[Record, ...]) -> tuple[Block, ...]:
    by_name: dict[str, list[tuple[Record, HiddenVitals]]] = {}
    for record in records:
        for vitals in record.hidden:
            by_name.setdefault(vitals.name, []).append((record, vitals))
    return tuple(_block(name, found) for name, found in by_name.items())


def _block(name: str, found: list[tuple[Record, HiddenVitals]]) -> Block:
    measures = ("rank_residual", "token_cosine", "effective_rank", "stable_rank", "block_influence", "median")
    values = {each: number(torch.cat([getattr(vitals, each) for _, vitals in found]).mean()) for each in measures}
    record, most = max(found, key=lambda each: float(each[1].largest.nan_to_num(torch.inf).max()))
    b = int(most.largest.nan_to_num(torch.inf).argmax())
    token, feature = most.largest_at[b].tolist()
    words = record.tokens[b] if record.tokens is not None and b < len(record.tokens) else []
    return Block(
        name=name,
        values=values | {"largest": number(most.largest[b])},
        largest_at=(token, feature),
        largest_token=words[token] if token < len(words) else None,
        finite=all(vitals.finite for _, vitals in found),
    )


def _gradients(records: tuple[Record, ...]) -> tuple[Gradients, ...]:
    """Means over the records, each of one loss."""
    by_name: dict[str, list] = {}
    for record in records:
        for vitals in record.gradients:
            by_name.setdefault(vitals.name, []).append(vitals)
    return tuple(_gradient(name, found) for name, found in by_name.items())


def _gradient(name: str, found: list) -> Gradients:
    query_key = sum(each.query_key for each in found) / len(found)
    value = sum(each.value for each in found) / len(found)
    importance = torch.stack([each.head_importance.float() for each in found]).mean(0)
    return Gradients(
        name,
        {
            "query_key_gradient": number(query_key),
            "value_gradient": number(value),
            "gradient_ratio": number(query_key / value) if value else None,
        },
        numbers(importance / importance.max()) if importance.max() > 0 else numbers(importance),
    )


def _findings(case: Case) -> tuple[Finding, ...]:
    """All that the listed rules find: faults first, then what deserves a look, then what is normal."""
    found = [finding for rule in RULES for finding in rule(case)]
    return tuple(sorted(found, key=lambda each: SEVERITIES.index(each.severity)))


def numbers(values: Tensor) -> Numbers:
    return tuple(number(each) for each in values.tolist())


def number(value: float | Tensor) -> float | None:
    """A few digits; None for what is not a finite number."""
    value = float(value)
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
