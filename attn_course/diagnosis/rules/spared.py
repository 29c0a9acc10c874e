"""What a model could do without: heads, blocks, the context beyond a few tokens; and what it should do without."""

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding, Place
from attn_course.diagnosis.rules import figure, listed
from attn_course.diagnosis.rules.learned import learned, measured, share
from attn_course.diagnosis.thresholds import (
    ALIKE,
    ALIKE_WORK,
    ALIKE_WORKING,
    FOLDED,
    MUST_NOT,
    SHORTCUT,
    SHORTCUT_RATIO,
    SPARED,
    WINDOW_BEYOND,
    WINDOW_SHARE,
)
from attn_course.diagnosis.trials.tried import Cost, Pair, Swap, Trials, Window


def free(cost: Cost, tried: Trials) -> bool:
    """Whether it costs next to nothing for certain: two standard errors added."""
    return cost.most < SPARED * tried.gain


def redundant_heads(case: Case) -> list[Finding]:
    """Two heads that look alike, and one can do the work of both."""
    tried = learned(case)
    if tried is None:
        return []
    found = [each for each in tried.pairs if not each.rests and (_one(each, tried) or _drifted(each, tried))]
    if not found:
        return []
    found.sort(key=lambda each: each.divergence)
    first = found[0]
    where = [Place(each.layer, head) for each in found for head in (each.head, each.other)]
    return [
        Finding(
            name="redundant-heads",
            title="Heads that are one head twice",
            severity="fault",
            sure="likely",
            measured=measured(tried),
            where=tuple(where),
            evidence=f"Heads {first.head} and {first.other} of layer {first.layer} differ by "
            f"{figure(first.divergence)} bits, and with both giving what head {first.other} gives the loss rises by "
            f"{share(first.folded.mean, tried)}. (The bounds are our proposal.)",
            remedy="Take one out: add its columns of W_O to those of the other. If it is to learn something else, "
            "begin it anew.",
        )
    ]


def _one(pair: Pair, tried: Trials) -> bool:
    return pair.divergence < ALIKE and free(pair.folded, tried)


def _drifted(pair: Pair, tried: Trials) -> bool:
    """A little apart, but the model depends on what they have in common, and on next to nothing that they have not."""
    works = pair.both.least > ALIKE_WORK * tried.gain
    return works and pair.divergence < ALIKE_WORKING and pair.folded.most < FOLDED * tried.gain


def redundant_layers(case: Case) -> list[Finding]:
    """Blocks without which the loss is the same."""
    tried = learned(case)
    if tried is None:
        return []
    found = sorted((each for each in tried.skipped if free(each.cost, tried)), key=lambda each: each.cost.mean)
    if not found:
        return []
    where = tuple(Place(block=each.block) for each in found)
    return [
        Finding(
            name="redundant-layers",
            title="Blocks that the loss does not miss",
            severity="fault",
            sure="likely",
            measured=measured(tried),
            where=where,
            evidence=f"Without {listed(where[:1])}, the loss rises by {share(found[0].cost.mean, tried)}"
            + (f"; each of {listed(where)} can be left out by itself" if len(where) > 1 else "")
            + ". (The bound is our proposal.)",
            remedy="Leave it out and tune the rest a little. One by one: what can go alone need not be able to go "
            "with another.",
        )
    ]


def short_window(case: Case) -> list[Finding]:
    """What stands further back than a few tokens changes nothing, though answers need it."""
    tried = learned(case)
    if tried is None:
        return []
    near = [each for each in tried.windows if each.reach <= WINDOW_SHARE * tried.tokens and free(each.cost, tried)]
    if not near:
        return []
    window = min(near, key=lambda each: each.reach)
    if window.beyond is None:
        return [_unused(window, tried)]
    needs = [each for each in near if each.beyond >= WINDOW_BEYOND]
    if not needs:
        return []
    window = needs[-1]
    return [
        Finding(
            name="short-window",
            title="A window much shorter than the context",
            severity="fault",
            sure="likely",
            measured=measured(tried),
            where=(),
            evidence=f"{_within(window, tried)}, but {figure(100 * window.beyond)} % of the answers need tokens that "
            "all stand further back. (The bounds are our proposal.)",
            remedy="Look for a mask or a bias by distance that ends too soon, and at the rows it was trained on: what "
            "is never needed from afar is never fetched from there.",
        )
    ]


def _within(window: Window, tried: Trials) -> str:
    return (
        f"With everything further back than {window.reach} of {tried.tokens} tokens hidden, but for the first, the "
        f"loss rises by {share(window.cost.mean, tried)}"
    )


def _unused(window: Window, tried: Trials) -> Finding:
    return Finding(
        name="unused-context",
        title="Context that makes no difference",
        severity="look",
        sure="hint",
        measured=measured(tried),
        where=(),
        evidence=f"{_within(window, tried)}. (The bounds are our proposal.)",
        remedy="It may be that these texts need no more. If they do, declare what an answer needs, or compare with a "
        "model of words that are counted.",
    )


def shortcut(case: Case) -> list[Finding]:
    """One kind of token decides the answer."""
    tried = learned(case)
    if tried is None or not tried.swaps:
        return []
    forbidden = [each for each in tried.swaps if each.must_not and each.flips > MUST_NOT]
    top = max(forbidden or tried.swaps, key=lambda each: each.flips)
    rest = max((each.apart for each in tried.swaps if each.kind not in (top.kind, top.other)), default=0.0)
    if not forbidden and not _decides(top, rest):
        return []
    declared = ", which was declared not to decide," if top.must_not else ""
    return [
        Finding(
            name="shortcut",
            title="A token that decides the answer",
            severity="fault",
            sure="strong" if top.must_not else "likely",
            measured=f"by exchanging {len(tried.swaps)} kinds of tokens for one another",
            where=(),
            evidence=f"With token {top.kind}{declared} exchanged for {top.other}, {figure(100 * top.flips)} % of the "
            f"answers change in rows that hold it; any other exchange changes {figure(100 * rest)} % at most. (The "
            "bounds are our proposal.)",
            remedy="If it is not the reason: train on pairs of rows that differ in this token alone and should have "
            "one answer. A map that does not show it proves nothing.",
        )
    ]


def _decides(top: Swap, rest: float) -> bool:
    return top.flips > SHORTCUT and top.flips > SHORTCUT_RATIO * rest
