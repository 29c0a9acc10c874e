"""Failures that are trained into a model, told by what the loss says when something is taken away."""

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding, Place
from attn_course.diagnosis.rules import count, figure
from attn_course.diagnosis.thresholds import (
    EVICTED,
    LEARNED,
    OVERLOAD_COST,
    OVERLOAD_ENTROPY,
    OVERLOAD_NEEDED,
    SINK_SHARE,
    SINK_VALUE,
    THIEF,
    THIEF_VALUE,
    UNDERLOAD,
    UNDERLOAD_KNOWS,
    UNDERLOAD_LEAST,
    UNDERLOAD_NEEDED,
    UNDERLOAD_RATIO,
)
from attn_course.diagnosis.trials.tried import Eviction, Length, Look, Trials


def learned(case: Case) -> Trials | None:
    """The trials of a model that does better than guessing: in any other nothing was learned that could be wrong."""
    tried = case.trials
    return tried if tried is not None and tried.gain > LEARNED * tried.guess else None


def measured(tried: Trials) -> str:
    return f"by the loss of {count(tried.answers, 'answer')}"


def share(cost: float, tried: Trials) -> str:
    """A cost in nats, and beside what the model gained over guessing."""
    return f"{figure(cost)} nats, {figure(100 * cost / tried.gain)} % of what the model gained over guessing"


def sick_sink(case: Case) -> list[Finding]:
    """A key to rest on that the loss depends on, or that takes what should go to needed tokens."""
    tried = learned(case)
    if tried is None:
        return []
    bearing, thieving = _bearing(tried), _thieving(tried)
    if not (bearing or thieving):
        return []
    said = []
    if bearing:
        said.append(
            f"{_resting(bearing)}, and without key {bearing.key} the loss rises by {share(bearing.cost.mean, tried)}; "
            f"without another key by {figure(max((each.mean for each in tried.others), default=0.0))} nats."
        )
    if thieving:
        look, sink = thieving
        said.append(
            f"Queries that need something give {figure(look.resting)} of their attention to key {sink.key}, whose "
            f"value is {figure(sink.value)} times the others', and {figure(look.needed)} to what they need."
        )
    places = [Place(each.layer, each.head) for each in (bearing, thieving and thieving[0]) if each]
    return [
        Finding(
            name="sick-sink",
            title="A sink that the model depends on" if bearing else "A sink that takes what is needed elsewhere",
            severity="fault",
            sure="likely",
            measured=measured(tried),
            where=tuple(dict.fromkeys(places)),
            evidence=" ".join(said) + " (The bounds are our proposal.)",
            remedy="Keep that key in the cache whatever else goes. A place to rest that is no token (a null key, a "
            "register, a gate) takes its part, if the model is trained with it.",
        )
    ]


def _rests(eviction: Eviction) -> bool:
    return eviction.share > SINK_SHARE and eviction.value < SINK_VALUE


def _resting(eviction: Eviction) -> str:
    place = Place(eviction.layer, eviction.head)
    return (
        f"In {place}, key {eviction.key} takes {figure(eviction.share)} of all attention, with a value "
        f"{figure(eviction.value)} times the others'"
    )


def _bearing(tried: Trials) -> Eviction | None:
    bound = EVICTED * tried.gain
    if any(each.mean > bound for each in tried.others):
        return None
    found = [each for each in tried.evictions if _rests(each) and each.cost.mean > bound and each.cost.least > 0]
    return max(found, key=lambda each: each.cost.mean, default=None)


def _thieving(tried: Trials) -> tuple[Look, Eviction] | None:
    look = best(tried.looks)
    if look is None or look.resting <= max(SINK_SHARE, look.needed):
        return None
    # Where much more rests there than goes to what is needed, the key need not be one that says next to nothing.
    value = THIEF_VALUE if look.resting > THIEF * look.needed else SINK_VALUE
    sinks = [each for each in tried.evictions if each.share > SINK_SHARE and each.value < value]
    return (look, max(sinks, key=lambda each: each.share)) if sinks else None


def best(looks: tuple[Look, ...]) -> Look | None:
    """The head that gives needed tokens most."""
    return max(looks, key=lambda each: each.needed, default=None)


def underload(case: Case) -> list[Finding]:
    """Queries that need something spend their attention on what nobody needs."""
    tried = learned(case)
    look = None if tried is None else best(tried.looks)
    if look is None or look.irrelevant is None:
        return []
    if not (_starved(look) or _wasteful(tried, look)):
        return []
    effect = tried.without_irrelevant
    said = f" With these tokens hidden the loss changes by {figure(effect.mean)} nats." if effect else ""
    return [
        Finding(
            name="underload",
            title="Attention spent on what is not needed",
            severity="fault",
            sure="likely",
            measured=measured(tried),
            where=(Place(look.layer, look.head),),
            evidence=f"Queries that need something give {figure(look.irrelevant)} of their attention to tokens "
            f"declared irrelevant and {figure(look.needed)} to what they need, in the head that gives it most.{said} "
            "(The bounds are our proposal.)",
            remedy="Look whether scores are bounded too low (a cap, a norm with a small gain, weight decay) or the "
            "loss rewards such attention; fewer irrelevant tokens, or a head that subtracts them, help too.",
        )
    ]


def _starved(look: Look) -> bool:
    return look.irrelevant >= UNDERLOAD and look.needed <= UNDERLOAD_NEEDED


def _wasteful(tried: Trials, look: Look) -> bool:
    """More for what is not needed than for what is, and yet it knows the answers: it has not to learn where to look."""
    knows = tried.gain > UNDERLOAD_KNOWS * tried.guess
    return knows and look.irrelevant >= UNDERLOAD_LEAST and look.irrelevant > UNDERLOAD_RATIO * look.needed


def overload(case: Case) -> list[Finding]:
    """In longer rows attention is spread thin, and answers are lost."""
    tried = learned(case)
    if tried is None or not tried.longer or best(tried.looks) is None:
        return []
    long = max(tried.longer, key=lambda each: each.tokens)
    before, after = best(tried.looks), best(long.looks)
    if after is None or not _diluted(tried, before, after, long):
        return []
    return [
        Finding(
            name="overload",
            title="Attention diluted in long rows",
            severity="fault",
            sure="likely",
            measured=f"by the loss of {count(tried.answers, 'answer')}, and in rows of {long.tokens} tokens",
            where=(Place(after.layer, after.head),),
            evidence=f"From {tried.tokens} to {long.tokens} tokens, what needed tokens receive falls from "
            f"{figure(before.needed)} to {figure(after.needed)}, the entropy rises to {figure(after.entropy)} of "
            f"log n, and the loss from {figure(tried.loss)} to {figure(long.loss)} nats. (The bounds are our "
            "proposal.)",
            remedy="Scores that stay bounded are diluted: scale them by log n, raise the bound, or let the layer see "
            "fewer keys; and train on rows as long as those to be read.",
        )
    ]


def _diluted(tried: Trials, before: Look, after: Look, long: Length) -> bool:
    return (
        after.entropy > OVERLOAD_ENTROPY
        and after.needed < OVERLOAD_NEEDED * before.needed
        and long.loss - tried.loss > OVERLOAD_COST * tried.gain
    )
