"""The few numbers of a patient by which the rules decide, for the recording: shares of the gain where it is a cost."""

from attn_course.diagnosis.rules.learned import best
from attn_course.diagnosis.thresholds import SINK_SHARE, SINK_VALUE, WINDOW_SHARE
from attn_course.diagnosis.trials import Trials


def decisive(tried: Trials) -> dict[str, float | None]:
    """loss, guess  nats
    evicted          what the dearest key costs of those that heads rest on
    irrelevant, needed, resting   where the head looks that gives needed tokens most
    entropy at length, needed left, lost at length   in the longest rows
    alike, folded    of the two heads most alike that do not rest: bits, and what it costs to let one do both works
    spared block     what the cheapest block costs, two standard errors added
    window           what it costs, two errors added, to see no further than the narrowest window beyond which needed
                     tokens lie for a fifth of the answers
    flips, others    of the kind of token that changes most answers: how many; and how many any other
    """
    gain = tried.gain
    sinks = [each.cost.mean / gain for each in tried.evictions if each.share > SINK_SHARE and each.value < SINK_VALUE]
    look = best(tried.looks)
    long = max(tried.longer, key=lambda each: each.tokens, default=None)
    far = best(long.looks) if long else None
    pairs = sorted((each for each in tried.pairs if not each.rests), key=lambda each: each.divergence)
    near = [
        each.cost.most / gain
        for each in tried.windows
        if each.reach <= WINDOW_SHARE * tried.tokens and (each.beyond or 0) >= 0.2
    ]
    top = max(tried.swaps, key=lambda each: each.flips, default=None)
    found = {
        "loss": tried.loss,
        "guess": tried.guess,
        "evicted": max(sinks, default=None),
        "needed": look and look.needed,
        "irrelevant": look and look.irrelevant,
        "resting": look and look.resting,
        "entropy at length": far and far.entropy,
        "needed left": far.needed / look.needed if far and look and look.needed else None,
        "lost at length": (long.loss - tried.loss) / gain if long else None,
        "alike": pairs[0].divergence if pairs else None,
        "folded": pairs[0].folded.most / gain if pairs else None,
        "spared block": min((each.cost.most / gain for each in tried.skipped), default=None),
        "window": min(near, default=None),
        "flips": top and top.flips,
        "others": max((each.apart for each in tried.swaps if each.kind not in (top.kind, top.other)), default=None)
        if top
        else None,
    }
    return {name: None if value is None else float(f"{value:.3g}") for name, value in found.items()}
