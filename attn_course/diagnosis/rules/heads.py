"""What heads' rows say: too sharp, too flat, too alike. Sinks are taken out before sharpness is judged."""

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding, Place
from attn_course.diagnosis.rules import (
    EVERY_ROW,
    count,
    figure,
    heads_where,
    listed,
    queries_of,
    rows_of,
    sampled,
    sureness,
    value_at,
)
from attn_course.diagnosis.thresholds import (
    COLLAPSED,
    COLLAPSED_HEADS,
    COLLAPSED_SHARE,
    DILUTED,
    DILUTED_ROWS,
    DUPLICATE,
    DUPLICATE_ROWS,
    FIXED_OFFSET,
    RESTING,
)


def entropy_collapse(case: Case) -> list[Finding]:
    """Most of the heads look at one key only, a key that differs from query to query."""
    judged = [place for place in heads_where(case, "entropy_rest", lambda value: True) if not _positional(case, place)]
    sharp = _sharpest_first(case, [place for place in judged if value_at(case, "entropy_rest", place) < COLLAPSED])
    if len(judged) < COLLAPSED_HEADS or len(sharp) <= COLLAPSED_SHARE * len(judged):
        return []
    greatest = max(value_at(case, "max_logit", place) or 0.0 for place in sharp)
    return [
        Finding(
            name="entropy-collapse",
            title="Entropy collapse",
            severity="fault",
            sure=sureness(case, "likely"),
            measured=sampled(case.tables),
            where=tuple(sharp),
            evidence=f"Beside their sinks, {len(sharp)} of {len(judged)} heads that follow no fixed distance have a "
            f"mean entropy below {COLLAPSED} of log n, {listed(sharp[:1])} only "
            f"{figure(value_at(case, 'entropy_rest', sharp[0]))}; their logits reach {figure(greatest)}. "
            "(The bound is our proposal.)",
            remedy="QK-norm, σReparam or a cap keep logits small; so does a lower learning rate, with a warm-up. Mend "
            "it in training: a model whose rows are one-hot passes no gradient to its queries and keys.",
        )
    ]


def sharp_heads(case: Case) -> list[Finding]:
    """Single heads with very sharp rows, in a model that has not collapsed."""
    if entropy_collapse(case):
        return []
    low = heads_where(case, "entropy_rest", lambda value: value < COLLAPSED)
    sharp = _sharpest_first(case, [place for place in low if not _positional(case, place)])
    if not sharp:
        return []
    heads = sum(layer.heads for layer in case.layers)
    return [
        Finding(
            name="sharp-heads",
            title="Heads that look at one key only",
            severity="look",
            sure="hint",
            measured=sampled(case.tables),
            where=tuple(sharp),
            evidence=f"Sinks and heads of a fixed distance left out, {count(len(sharp), 'head')} of {heads} "
            f"{'has' if len(sharp) == 1 else 'have'} a mean entropy below {COLLAPSED} of log n: {listed(sharp)}, down "
            f"to {figure(value_at(case, 'entropy_rest', sharp[0]))}. (The bound is our proposal.)",
            remedy="A head that looks up one word is as sharp, and sound. Compare with an earlier checkpoint, and look "
            "whether its logits grow.",
        )
    ]


def diluted(case: Case) -> list[Finding]:
    """Layers all of whose heads spread their attention over everything."""
    flat = []
    for at, layer in enumerate(case.layers):
        entropy = layer.values["entropy"]
        enough = queries_of(case.tables[at]) >= DILUTED_ROWS
        if enough and all(value is not None and value > DILUTED for value in entropy):
            flat.append((min(entropy), Place(layer=at)))
    if not flat:
        return []
    where = tuple(place for _, place in flat)
    return [
        Finding(
            name="diluted",
            title="Attention spread over everything",
            severity="look",
            sure="hint",
            measured=EVERY_ROW,
            where=where,
            evidence=f"In {listed(where)}, every head has an entropy above {DILUTED} of log n (the least "
            f"{figure(min(value for value, _ in flat))}): a query's output is nearly the mean of all values.",
            remedy="Before training that is as it should be. In a trained model on long texts, logits that stay "
            "bounded are diluted: scale them by log n, or let the layer see fewer keys.",
        )
    ]


def duplicates(case: Case) -> list[Finding]:
    """Two heads of a layer with the same rows, though they do not both rest or spread evenly."""
    pairs = {}
    for at, layer in enumerate(case.layers):
        if rows_of(case.tables[at]) < DUPLICATE_ROWS:
            continue
        for head, (bits, other) in enumerate(zip(layer.values.get("divergence", ()), layer.nearest, strict=False)):
            error = layer.errors["divergence"][head]
            if bits is None or error is None or bits + 2 * error >= DUPLICATE:
                continue
            if not (_has_nothing_to_say(case, Place(at, head)) or _has_nothing_to_say(case, Place(at, other))):
                pairs.setdefault((at, *sorted((head, other))), (bits, error))
    if not pairs:
        return []
    closest = sorted(pairs, key=lambda pair: pairs[pair][0])
    at, one, two = closest[0]
    bits, error = pairs[closest[0]]
    how_sure = f" ± {figure(error)}" if error else ""
    return [
        Finding(
            name="duplicate-heads",
            title="Heads that repeat one another",
            severity="look",
            sure="hint",
            measured=sampled(case.tables),
            where=tuple(Place(layer, head) for layer, one, two in closest for head in (one, two)),
            evidence=f"In one layer, {count(len(pairs), 'pair of heads attends', 'pairs of heads attend')} alike, to "
            f"less than {DUPLICATE} bits; the closest are heads {one} and {two} of layer {at}, with "
            f"{figure(bits)}{how_sure} bits. (The bound is our proposal.)",
            remedy="Alike on this text need not be alike on others, and their values may differ. Take one out and see "
            "what the loss says.",
        )
    ]


def _positional(case: Case, place: Place) -> bool:
    return (value_at(case, "fixed_offset", place) or 0.0) >= FIXED_OFFSET


def _has_nothing_to_say(case: Case, place: Place) -> bool:
    """It rests on one key, or spreads over all: so do many, and all such are alike."""
    return (value_at(case, "strongest_share", place) or 0.0) > RESTING or (
        value_at(case, "entropy", place) or 0.0
    ) > DILUTED


def _sharpest_first(case: Case, places: list[Place]) -> list[Place]:
    return sorted(places, key=lambda place: value_at(case, "entropy_rest", place))
