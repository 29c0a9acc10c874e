"""Numbers that are none, or soon will be; and queries with nothing to look at."""

import torch

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding, Place
from attn_course.diagnosis.rules import EVERY_ROW, count, figure, heads_where, listed, value_at
from attn_course.diagnosis.thresholds import FLOAT16_MAX, LOGIT_DIVERGES, LOGIT_LARGE


def not_finite(case: Case) -> list[Finding]:
    """NaN or infinity anywhere, with the module that made it."""
    layers = [Place(layer=at) for at, table in enumerate(case.tables) if not all(call.finite for call in table.calls)]
    blocks = [Place(block=at) for at, block in enumerate(case.blocks) if not block.finite]
    first = next((record.first_not_finite for record in case.records if record.first_not_finite), None)
    if not (layers or blocks or first):
        return _not_finite_and_not_used(case)
    where = tuple(layers + blocks)
    begins = f"It begins in {first}, the first module whose output is not finite. " if first else ""
    spread = f"Of the attention layers, {len(layers)} of {len(case.tables)} are touched" if layers else ""
    spread += f", {listed(layers[:1])} first." if layers else "No attention layer is touched."
    spread += f" The first parameter that is not finite itself is {case.unsound[0]}." if case.unsound else ""
    return [
        Finding(
            name="not-finite",
            title="Numbers that are not finite",
            severity="fault",
            sure="strong",
            measured="on every number",
            where=where,
            evidence=begins + spread,
            remedy="Look at that module's weights and at what goes into it. Weights that are NaN were saved after a "
            "training that had diverged: go back to an earlier checkpoint. Infinity out of finite numbers is overflow: "
            "compute that module in float32 or bfloat16.",
        )
    ]


def _not_finite_and_not_used(case: Case) -> list[Finding]:
    """Weights that are no numbers, though every number that the texts gave rise to was one."""
    if not case.unsound:
        return []
    first, more = case.unsound[0], len(case.unsound) - 1
    others = f" and {count(more, 'other parameter')} hold" if more else " holds"
    return [
        Finding(
            name="not-finite",
            title="Numbers that are not finite",
            severity="fault",
            sure="strong",
            measured="on every weight",
            where=(),
            evidence=f"{first}{others} NaN or infinity. These texts did not use {'them' if more else 'it'}, or not "
            "those rows; another will.",
            remedy="Weights that are NaN were saved after a training that had diverged, or written wrongly: go back to "
            "an earlier checkpoint.",
        )
    ]


def blind_queries(case: Case) -> list[Finding]:
    """Queries, not of padding, that may look at no key."""
    where, blind, queries, example = [], 0, 0, None
    for at, table in enumerate(case.tables):
        for number, text in enumerate(table.texts):
            dark = ~text.seeing
            heads = dark.any(1).nonzero()[:, 0].tolist()
            where += [Place(layer=at, head=head) for head in heads]
            blind, queries = max(blind, int(dark.any(0).sum())), max(queries, text.queries)
            if heads and example is None:
                example = f"query {int(dark.any(0).to(torch.int8).argmax())} of text {number}"
    if not where:
        return []
    where = list(dict.fromkeys(where))
    return [
        Finding(
            name="blind-queries",
            title="Queries that see nothing",
            severity="fault",
            sure="strong",
            measured=EVERY_ROW,
            where=tuple(where),
            evidence=f"Up to {blind} of {queries} queries may look at no key, {example} among them, in "
            f"{listed(where)}.",
            remedy="Look at how the mask is made. A softmax over nothing is NaN in one kernel, zero in another, and "
            "the mean of all values, hidden ones too, where the mask is a large negative number: let such a row see "
            "itself, or set its output to zero.",
        )
    ]


def half_precision_overflow(case: Case) -> list[Finding]:
    """q·k before the scale, against the largest number of float16."""
    certain = [(_product(table), Place(layer=at)) for at, table in enumerate(case.tables)]
    certain = sorted((each for each in certain if each[0] > FLOAT16_MAX), key=lambda each: -each[0])
    half = any(call.dtype == torch.float16 for table in case.tables for call in table.calls)
    if certain:
        runs = (
            "and the model runs in float16" if half else "which would be infinite in float16; the model does not run so"
        )
        return [_overflow(certain, half, "strong", f"q·k reaches {figure(certain[0][0])} before the scale, {runs}")]
    if not half:
        return []
    bounds = [
        (max(call.largest_product for call in table.calls), Place(layer=at)) for at, table in enumerate(case.tables)
    ]
    possible = sorted((each for each in bounds if each[0] > FLOAT16_MAX), key=lambda each: -each[0])
    if not possible:
        return []
    said = f"‖q‖·‖k‖ is up to {figure(possible[0][0])}: q·k is not larger, and may be as large"
    return [_overflow(possible, False, "hint", said)]


def _product(table) -> float:
    """The greatest q·k that certainly occurred: the greatest logit, before its scale."""
    found = [
        float(call.vitals.max_logit.max()) / call.scale
        for call in table.calls
        if call.scale is not None and call.scale > 0
    ]
    return max(found, default=0.0)


def _overflow(found: list, fault: bool, sure: str, said: str) -> Finding:
    where = tuple(place for _, place in found)
    return Finding(
        name="float16-overflow",
        title="Products too large for float16",
        severity="fault" if fault else "look",
        sure=sure,
        measured=EVERY_ROW,
        where=where,
        evidence=f"In {listed(where)}, {said}. float16 ends at 65,504.",
        remedy="Scale q by 1/√d before the product and not after it, or run attention in bfloat16 or float32.",
    )


def logits(case: Case) -> list[Finding]:
    """Logits beyond what any run survived, and large ones."""
    found = []
    beyond = _greatest_first(case, heads_where(case, "max_logit", lambda value: value > LOGIT_DIVERGES))
    if beyond:
        found.append(
            Finding(
                name="logits-beyond-10000",
                title="Logits beyond 10,000",
                severity="fault",
                sure="likely",
                measured=EVERY_ROW,
                where=tuple(beyond),
                evidence=f"The greatest logit is {figure(value_at(case, 'max_logit', beyond[0]))}, in "
                f"{listed(beyond)}. In Wortsman et al. (2023) every run that came so far diverged.",
                remedy="Normalise queries and keys (QK-norm), cap the logits, or rescale W_Q and W_K when they pass a "
                "bound (QK-clip); and lower the learning rate.",
            )
        )
    large = heads_where(case, "max_logit", lambda value: LOGIT_LARGE < value <= LOGIT_DIVERGES)
    if large:
        large = _greatest_first(case, large)
        heads = sum(layer.heads for layer in case.layers)
        found.append(
            Finding(
                name="large-logits",
                title="Large logits",
                severity="look",
                sure="hint",
                measured=EVERY_ROW,
                where=tuple(large),
                evidence=f"Of {heads} heads, {count(len(large), 'has', 'have')} logits above {figure(LOGIT_LARGE)}, up "
                f"to {figure(value_at(case, 'max_logit', large[0]))} in {listed(large[:1])}.",
                remedy="Compare with an earlier checkpoint: it is growth that announces trouble, and a steady value "
                "does not. QK-norm, a cap, or QK-clip with its bound of 100 hold it back.",
            )
        )
    return found


def _greatest_first(case: Case, places: list[Place]) -> list[Place]:
    return sorted(places, key=lambda place: -value_at(case, "max_logit", place))
