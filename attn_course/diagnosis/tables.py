"""A watched run put in order: what each attention layer did with each text, padding left out.

`watch` keeps calls. A text may be one of a batch, and may be read in one call or written over many, token by token.
Here all that one layer did with one text is one `Text`: (head, query), (head, key), and a few sampled rows. Keys are
counted from the beginning of the text, also where a cache has forgotten the first of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from attn_course.diagnosis.close import Estimate
from attn_course.diagnosis.record import AttentionCall, Record

PER_QUERY = ("entropy", "distance", "participation")
CLOSE = ("sparsity", "keys_needed", "coverage", "window", "divergence")


@dataclass(frozen=True)
class Text:
    """One text in one layer."""

    tokens: list[str] | None
    calls: int
    finite: bool
    rows: dict[str, Float[Tensor, "head query"]]  # PER_QUERY, every declared set, and "null" if there is a learned sink
    seeing: Bool[Tensor, "head query"]  # does the query see any key?
    choosing: Bool[Tensor, "head query"]  # does it see more than one? If not, its entropy says nothing
    even: Float[Tensor, "head"]  # mean of 1/n: what an even spread gives a key that every query sees
    received: Float[Tensor, "head key"]  # Σ of a key's weights over all queries
    value_norm: Float[Tensor, "head key"]
    seen: Bool[Tensor, "head key"]
    max_logit: Float[Tensor, "head"]
    sets: dict[str, Bool[Tensor, "key"]]
    places: Int[Tensor, "row"]  # of the sampled queries, counted as keys are
    weights: Float[Tensor, "head row key"]  # of the sampled queries
    visible: Int[Tensor, "head row"]  # how many keys they may look at
    close: dict[str, Estimate]  # (head,), "divergence": (head, head)

    @property
    def queries(self) -> int:
        return self.seeing.shape[1]

    @property
    def share(self) -> Float[Tensor, "head key"]:
        """What a key takes of the head's whole attention. Padding's queries count in it if they look at keys, that is,
        unless `watch` was told of them (`keep`)."""
        return self.received / self.seeing.sum(1, keepdim=True).clamp(min=1)


@dataclass(frozen=True)
class Table:
    """One attention layer with all its texts."""

    name: str
    kind: str
    calls: tuple[AttentionCall, ...]
    texts: tuple[Text, ...]

    @property
    def heads(self) -> int:
        return self.texts[0].seeing.shape[0]


def tables(records: Iterable[Record]) -> list[Table]:
    """One table a layer, in the order of their first call. The records are of one model, each of other texts."""
    calls: dict[str, list[AttentionCall]] = {}
    texts: dict[str, list[Text]] = {}
    for record in records:
        for name in record.layers:
            for run in _runs(record.of_layer(name)):
                calls.setdefault(name, []).extend(run)
                for b in range(run[0].value_norm.shape[0]):
                    texts.setdefault(name, []).append(_joined([_text(record, call, b) for call in run]))
    return [Table(name, calls[name][0].kind, tuple(calls[name]), tuple(texts[name])) for name in calls]


def _runs(calls: Sequence[AttentionCall]) -> list[list[AttentionCall]]:
    """Calls that go on with the same texts, together: the keys grow by the queries, or stay, in cross-attention."""
    runs: list[list[AttentionCall]] = []
    for call in calls:
        if runs and _goes_on(runs[-1][-1], call):
            runs[-1].append(call)
        else:
            runs.append([call])
    return runs


def _goes_on(before: AttentionCall, call: AttentionCall) -> bool:
    (batch, _, n_before), (same, _, n_key) = before.value_norm.shape, call.value_norm.shape
    n_query = call.vitals.entropy.shape[-1]
    if batch != same:
        return False
    if call.kind == "cross":
        return n_query == 1 and n_key == n_before
    return n_query < n_key and call.first_key + n_key == before.first_key + n_before + n_query


def _text(record: Record, call: AttentionCall, b: int) -> Text:
    """What one call did with the b-th sequence of its batch, without the queries of padding."""
    vitals = call.vitals
    visible = vitals.visible_keys[b].cpu()
    n_query, n_key = vitals.entropy.shape[-1], vitals.received.shape[-1]
    seen = vitals.key_seen[b].cpu()
    places = torch.arange(n_query) + (n_key - n_query if call.kind == "self" else 0)
    # A token that no query may look at is padding, and what it asks does not count.
    real = seen.any(0)[places] if call.kind == "self" else torch.ones(n_query, dtype=torch.bool)
    rows = {
        "entropy": vitals.normalised_entropy[b],
        "distance": vitals.mean_distance[b],
        "participation": vitals.participation[b],
        **{name: mass[b] for name, mass in vitals.set_mass.items()},
    }
    if vitals.null_mass is not None:
        rows["null"] = vitals.null_mass[b]
    at = call.rows.cpu()
    sampled = real[at]
    close = {} if vitals.close is None else {name: getattr(vitals.close, name) for name in CLOSE}
    gone = call.first_key

    def from_start(x: Tensor) -> Tensor:
        return pad(x.cpu(), (gone, 0))

    return Text(
        tokens=record.tokens[b] if record.tokens is not None and b < len(record.tokens) else None,
        calls=1,
        finite=call.finite,
        rows={name: value.cpu()[:, real].float() for name, value in rows.items()},
        seeing=(visible > 0)[:, real],
        choosing=(visible > 1)[:, real],
        even=(1 / visible[:, real].clamp(min=1)).mean(1),
        received=from_start(vitals.received[b]).float(),
        value_norm=from_start(call.value_norm[b]).float(),
        seen=from_start(seen),
        max_logit=vitals.max_logit[b].cpu().float(),
        sets={name: _members(members, b, gone + n_key) for name, members in record.token_sets.items()},
        places=places[at][sampled] + (gone if call.kind == "self" else 0),
        weights=from_start(call.weights[b])[:, sampled].float(),
        visible=visible[:, at][:, sampled],
        close={name: Estimate(each.mean[b].cpu().float(), each.error[b].cpu().float()) for name, each in close.items()},
    )


def _members(members, b: int, n_key: int) -> Bool[Tensor, "key"]:
    """A set as True and False; tokens that are still to be written belong to it later."""
    members = torch.as_tensor(members).cpu()
    marked = torch.zeros(n_key, dtype=torch.bool)
    if members.dtype == torch.bool:
        row = (members if members.dim() == 1 else members[b])[:n_key]
        marked[: len(row)] = row
    else:
        marked[members[members < n_key].long()] = True
    return marked


def _joined(pieces: list[Text]) -> Text:
    """Several calls that wrote one text, as one."""
    if len(pieces) == 1:
        return pieces[0]
    last = pieces[-1]
    n_key = last.seen.shape[1]
    names = set.intersection(*(set(each.rows) for each in pieces))  # a set that fits only some calls is left out

    def wide(x: Tensor) -> Tensor:
        return pad(x, (0, n_key - x.shape[-1]))

    return Text(
        tokens=last.tokens,
        calls=sum(each.calls for each in pieces),
        finite=all(each.finite for each in pieces),
        rows={name: torch.cat([each.rows[name] for each in pieces], dim=1) for name in names},
        seeing=torch.cat([each.seeing for each in pieces], dim=1),
        choosing=torch.cat([each.choosing for each in pieces], dim=1),
        even=combined([(each.queries, Estimate(each.even, each.even * 0)) for each in pieces]).mean,
        received=sum(wide(each.received) for each in pieces),
        value_norm=torch.stack([wide(each.value_norm) for each in pieces]).amax(0),
        seen=torch.stack([wide(each.seen) for each in pieces]).any(0),
        max_logit=torch.stack([each.max_logit for each in pieces]).amax(0),
        sets=last.sets,
        places=torch.cat([each.places for each in pieces]),
        weights=torch.cat([wide(each.weights) for each in pieces], dim=1),
        visible=torch.cat([each.visible for each in pieces], dim=1),
        close={name: combined([(each.queries, each.close[name]) for each in pieces]) for name in last.close},
    )


def combined(parts: list[tuple[int, Estimate]]) -> Estimate:
    """The mean of several means, each counted by its number of queries; errors add up as those of independent draws."""
    total = max(1, sum(count for count, _ in parts))
    mean = sum(count * each.mean for count, each in parts) / total
    error = sum((count * each.error) ** 2 for count, each in parts) ** 0.5 / total
    return Estimate(mean, error)


def all_rows(table: Table) -> bool:
    """Whether every row was taken, and none drawn."""
    return all(len(text.places) == text.queries for text in table.texts)


def not_numbers(table: Table) -> Bool[Tensor, "head"]:
    """Heads that gave some query weights that are not numbers."""
    sick = [(text.rows["entropy"].isnan() & text.choosing).any(1) | text.share.isnan().any(1) for text in table.texts]
    return torch.stack(sick).any(0)
