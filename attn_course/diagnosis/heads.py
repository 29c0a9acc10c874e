"""From a layer's texts to one number a head for each measure."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.diagnosis.close import Estimate
from attn_course.diagnosis.offsets import offsets_of
from attn_course.diagnosis.tables import CLOSE, PER_QUERY, Table, Text, all_rows, combined, not_numbers
from attn_course.diagnosis.thresholds import (
    KEYS_LEAST,
    LOW,
    REST_LEAST,
    ROWS_LEAST,
    SINK_SHARE,
    SINK_VALUE,
)

PerHead = Float[Tensor, "head"]


@dataclass(frozen=True)
class Measured:
    """One layer's numbers; NaN where there is nothing to measure."""

    values: dict[str, PerHead]
    errors: dict[str, PerHead]  # standard errors of the sampled ones
    sets: dict[str, PerHead]  # the share of each declared set
    nearest: list[int | None]  # the head most like each
    offset: list[int | None]  # the distance, key − query, that takes most
    strongest: list[int | None]  # the key that receives most, in the first text


def measured(table: Table) -> Measured:
    """Every measure of a layer."""
    names = dict.fromkeys(name for text in table.texts for name in text.rows)
    rows = {name: _over_queries(table, name) for name in names}
    values = {name: rows[name] for name in PER_QUERY}
    values["entropy_low"] = torch.stack([_low(x) for x in _by_head(table, "entropy")])
    values["first_token"] = _over_texts(table, _first_token)
    values["strongest_share"] = _over_texts(table, lambda text: text.share.amax(1))
    values["strongest_value"] = _over_texts(table, value_of_strongest)
    values["max_logit"] = torch.stack([text.max_logit for text in table.texts]).amax(0)
    if "null" in rows:
        values["null"] = rows["null"]
    estimates, near = _close(table)
    estimates |= _entropy_of_rest(table)
    followed: list[int | None] = [None] * table.heads
    if table.kind == "self":
        offsets = offsets_of(table)
        estimates |= {"previous_token": offsets.previous, "fixed_offset": offsets.most}
        followed = [
            None if most.isnan() else int(at) for most, at in zip(offsets.most.mean, offsets.which, strict=True)
        ]
    values |= {name: each.mean for name, each in estimates.items()}
    errors = {name: each.error.masked_fill(each.mean.isnan(), torch.nan) for name, each in estimates.items()}
    sets = {name: value for name, value in rows.items() if name not in (*PER_QUERY, "null")}
    return Measured(values, errors, sets, near, followed, strongest_of(table))


def strongest_of(table: Table) -> list[int | None]:
    """The key of the first text that receives most; None if what it receives is no number."""
    share = table.texts[0].share
    known = ~share.isnan().any(1)
    return [int(at) if sound else None for at, sound in zip(share.argmax(1), known, strict=True)]


def value_of_strongest(text: Text) -> PerHead:
    """‖v‖ of the key that receives most, by the median of the others'."""
    found = []
    for share, seen, norm in zip(text.share, text.seen, text.value_norm, strict=True):
        others = seen.clone()
        others[share.argmax()] = False
        known = others.any() and not share.isnan().any()
        found.append(norm[share.argmax()] / norm[others].median() if known else norm.new_tensor(torch.nan))
    return torch.stack(found)


def sinks_of(text: Text) -> Bool[Tensor, "head key"]:
    """The keys that an alarm about entropy must not count: the first token, declared sets, and a strongest key that
    takes much and has little to give."""
    marked = torch.zeros_like(text.seen)
    for members in text.sets.values():
        marked |= members
    marked[:, _first(text)] = True
    rests = (text.share.amax(1) > SINK_SHARE) & (value_of_strongest(text) < SINK_VALUE)
    marked[rests, text.share.argmax(1)[rests]] = True
    return marked


def _by_head(table: Table, name: str) -> list[Float[Tensor, "query"]]:
    """One measure of all queries that see something, head by head; entropy of those that have a choice."""
    texts = [text for text in table.texts if name in text.rows]
    value = torch.cat([text.rows[name] for text in texts], dim=1)
    seeing = torch.cat([text.choosing if name == "entropy" else text.seeing for text in texts], dim=1)
    return [each[sees] for each, sees in zip(value, seeing, strict=True)]


def _over_queries(table: Table, name: str) -> PerHead:
    return torch.stack([each.mean() for each in _by_head(table, name)])


def _over_texts(table: Table, measure) -> PerHead:
    """The mean over texts, each counted by its queries."""
    counts = torch.tensor([text.queries for text in table.texts], dtype=torch.float32)
    each = torch.stack([measure(text) for text in table.texts])  # (text, head)
    return (counts[:, None] * each).sum(0) / counts.sum()


def _low(x: Float[Tensor, "row"]) -> Tensor:
    """The value below which one in twenty lies; NaN if there is none."""
    if len(x) == 0 or x.isnan().any():
        return x.new_tensor(torch.nan)
    return x.kthvalue(max(1, round(LOW * len(x)))).values


def _error(x: Float[Tensor, "row"]) -> Tensor:
    return x.std() / len(x) ** 0.5


def _low_error(x: Float[Tensor, "row"]) -> Tensor:
    """Of `_low`: in a sample the place of a quantile is off by √(n p (1 − p)); half of what lies between."""
    n, at = len(x), max(1, round(LOW * len(x)))
    off = max(1, round((n * LOW * (1 - LOW)) ** 0.5))
    ordered = x.sort().values
    return (ordered[min(n, at + off) - 1] - ordered[max(1, at - off) - 1]) / 2


def _first(text: Text) -> int:
    """The first token that is not padding."""
    return int(text.seen.any(0).to(torch.int8).argmax())


def _first_token(text: Text) -> PerHead:
    return text.share[:, _first(text)]


def _entropy_of_rest(table: Table) -> dict[str, Estimate]:
    """Mean and lowest twentieth of H / log n over sampled rows, sinks taken out and the rest made to sum to 1."""
    by_head: list[list[Tensor]] = [[] for _ in range(table.heads)]
    for text in table.texts:
        sinks = sinks_of(text)
        beside = text.visible - _within_reach(text, sinks)
        for head in range(table.heads):
            by_head[head].append(_rest(text.weights[head], sinks[head], beside[head]))
    found = [torch.cat(each) for each in by_head]
    found = [x if len(x) >= ROWS_LEAST else x.new_full((ROWS_LEAST,), torch.nan) for x in found]
    exact = 0.0 if all_rows(table) else 1.0
    mean = Estimate(torch.stack([x.mean() for x in found]), torch.stack([exact * _error(x) for x in found]))
    low = Estimate(torch.stack([_low(x) for x in found]), torch.stack([exact * _low_error(x) for x in found]))
    return {"entropy_rest": mean, "entropy_rest_low": low}


def _within_reach(text: Text, sinks: Bool[Tensor, "head key"]) -> Int[Tensor, "head row"]:
    """How many sinks a row may look at. A row that sees no more keys than stand before it does not look ahead."""
    ahead = text.visible > text.places + 1
    before = sinks.long().cumsum(1)[:, text.places.clamp(max=sinks.shape[1] - 1)]
    return torch.where(ahead, sinks.sum(1, keepdim=True), before)


def _rest(weights: Float[Tensor, "row key"], sinks: Bool[Tensor, "key"], n: Int[Tensor, "row"]) -> Float[Tensor, "row"]:
    """Normalised entropy of each row beside its sinks; rows that rest on them, or have little choice, are left out."""
    p = weights * ~sinks
    rest = p.sum(1, keepdim=True)
    keep = (rest[:, 0] >= REST_LEAST) & (n >= KEYS_LEAST)
    p = p[keep] / rest[keep]
    return torch.special.entr(p).sum(1) / n[keep].float().log()


def _close(table: Table) -> tuple[dict[str, Estimate], list[int | None]]:
    """Sampled measures, one a head; of divergence that to the nearest other head, and which it is.

    A head whose weights are not all numbers has none of them, and is nobody's nearest.
    """
    nobody: list[int | None] = [None] * table.heads
    if not all(text.close for text in table.texts):
        return {}, nobody
    sick = not_numbers(table)
    found = {name: combined([(text.queries, text.close[name]) for text in table.texts]) for name in CLOSE}
    both = found.pop("divergence")
    found = {name: _without(sick, each) for name, each in found.items()}
    unlike = torch.eye(table.heads, dtype=torch.bool) | sick | sick[:, None] | both.mean.isnan()
    at, near = torch.arange(table.heads), both.mean.masked_fill(unlike, torch.inf).argmin(1)
    alone = unlike.all(1)
    nearest = _without(alone, Estimate(both.mean[at, near], both.error[at, near]))
    who = [None if nobody else each for nobody, each in zip(alone.tolist(), near.tolist(), strict=True)]
    return found | {"divergence": nearest}, who


def _without(heads: Bool[Tensor, "head"], of: Estimate) -> Estimate:
    """Not measured in these heads."""
    return Estimate(of.mean.masked_fill(heads, torch.nan), of.error.masked_fill(heads, torch.nan))
