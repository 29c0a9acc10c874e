"""What looks like a fault and is none."""

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding, Place
from attn_course.diagnosis.rules import EVERY_ROW, count, figure, heads_where, rows_of, sampled, sureness, value_at
from attn_course.diagnosis.thresholds import FIXED_OFFSET, FOLLOWING_ROWS, SINK_SHARE, SINK_VALUE

DELIMITERS = frozenset(".,;:!?-–—'\"()[]{}/\\|<>") | {"\n", "\\n", "Ċ", "<0x0A>"}


def resting_sinks(case: Case) -> list[Finding]:
    """Heads that put their attention where it does nothing: one finding for each kind of place."""
    kinds: dict[str, list[Place]] = {"first": [], "declared": [], "delimiter": [], "elsewhere": []}
    for at, (table, layer) in enumerate(zip(case.tables, case.layers, strict=True)):
        text = table.texts[0]
        first = int(text.seen.any(0).int().argmax())
        for head, key in enumerate(layer.strongest):
            if _rests(layer.values["strongest_share"][head], layer.values["strongest_value"][head], text, head):
                kinds[_kind(key, first, text, layer.strongest_token[head])].append(Place(at, head))
    return [_sink(case, kind, places) for kind, places in kinds.items() if places]


def _rests(share: float | None, value: float | None, text, head: int) -> bool:
    if share is None or value is None:
        return False
    return share > max(SINK_SHARE, 2 * float(text.even[head])) and value < SINK_VALUE


def _kind(key: int, first: int, text, token: str | None) -> str:
    if key == first:
        return "first"
    if any(bool(members[key]) for members in text.sets.values()):
        return "declared"
    word = (token or "").removeprefix("Ġ").removeprefix("▁").removeprefix("##").strip(" ") or token
    return "delimiter" if word in DELIMITERS else "elsewhere"


def _sink(case: Case, kind: str, places: list[Place]) -> Finding:
    places = sorted(places, key=lambda place: -value_at(case, "strongest_share", place))
    shares = [value_at(case, "strongest_share", place) for place in places]
    values = [value_at(case, "strongest_value", place) for place in places]
    tokens = dict.fromkeys(case.layers[place.layer].strongest_token[place.head] for place in places)
    words = ", ".join(repr(token) for token in list(tokens)[:3] if token is not None)
    heads = sum(layer.heads for layer in case.layers)
    name, title, target = {
        "first": ("first-token-sink", "Heads that rest on the first token", "the first token"),
        "declared": ("special-token-sink", "Heads that rest on a special token", "a special token"),
        "delimiter": ("delimiter-sink", "Heads that rest on a delimiter", "a delimiter"),
        "elsewhere": (
            "word-sink",
            "Heads that rest on a word",
            "a token that is neither first, special nor a delimiter",
        ),
    }[kind]
    return Finding(
        name=name,
        title=title,
        severity="look" if kind == "elsewhere" else "normal",
        sure="hint" if kind == "elsewhere" else sureness(case, "strong"),
        measured=EVERY_ROW,
        where=tuple(places),
        evidence=f"{count(len(places), 'head')} of {heads} {'gives' if len(places) == 1 else 'give'} "
        f"{_range(shares)} of {'its' if len(places) == 1 else 'their'} attention to "
        f"{target}{f' ({words})' if words else ''}, whose value is {_range(values)} "
        "times the others'.",
        remedy="Nothing. Weights must sum to one, so a head that has nothing to do puts them where they add little. "
        "Keep that token in the cache, and leave it out before you read a map."
        if kind != "elsewhere"
        else "Look whether it is the same word in other texts. A head may rest anywhere; one that had learned a "
        "shortcut on this word would use its value.",
    )


def _range(values: list[float]) -> str:
    least, most = figure(min(values)), figure(max(values))
    return least if least == most else f"{least} to {most}"


def positional_heads(case: Case) -> list[Finding]:
    """Heads that look at one fixed distance, mostly at the token before."""
    places = [place for place in heads_where(case, "fixed_offset", lambda value: True) if _follows(case, place)]
    if not places:
        return []
    places = sorted(places, key=lambda place: -value_at(case, "fixed_offset", place))
    said = [
        f"{place} {_offset(case.layers[place.layer].offset[place.head])} "
        f"({figure(value_at(case, 'fixed_offset', place))})"
        for place in places[:3]
    ]
    known = [value for value in (value_at(case, "entropy", place) for place in places) if value is not None]
    whose = "Its" if len(places) == 1 else "Their"
    entropy = f" {whose} mean entropy is {_range(known)} of log n: order, and no collapse." if known else ""
    more = f", and {len(places) - 3} more" if len(places) > 3 else ""
    return [
        Finding(
            name="positional-heads",
            title="Heads that follow a position",
            severity="normal",
            sure=sureness(case, "strong"),
            measured=sampled(case.tables),
            where=tuple(places),
            evidence=f"{count(len(places), 'head gives', 'heads give')} more than half of "
            f"{'its' if len(places) == 1 else 'their'} attention to one fixed distance: {', '.join(said)}{more}."
            f"{entropy}",
            remedy="Nothing. Copying by context needs a head that looks at the token before. "
            "A distance that is the period of your data is a shortcut.",
        )
    ]


def _follows(case: Case, place: Place) -> bool:
    """More than half, two standard errors taken off."""
    if rows_of(case.tables[place.layer]) < FOLLOWING_ROWS:
        return False
    error = case.layers[place.layer].errors["fixed_offset"][place.head]
    return error is not None and value_at(case, "fixed_offset", place) - 2 * error > FIXED_OFFSET


def _offset(offset: int) -> str:
    if offset == 0:
        return "looks at the token itself"
    if abs(offset) == 1:
        return "looks at the token before" if offset < 0 else "looks at the token after"
    return f"looks {-offset} tokens back" if offset < 0 else f"looks {offset} tokens on"
