"""The audit of tokens put to the test: is a planted marker found, how often, and what else is accused?

740 sentences of the documentation, others for every seed. A marker is planted in each so that it goes with the label
in a share `strength` of them; .5 says nothing. Beside it: no marker at all; labels that were shuffled, so that every
alarm is false; and a shortcut that no single token shows, two stamps of which the label is the exclusive or.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from attn_course.tasks.marker import MARKERS, OF_LABEL, sentences
from attn_course.tasks.token_audit import ALPHA, BITS, Told, audit, audit_pairs

SEEDS = tuple(range(20))
STRENGTHS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95, 1.0)
KNOWN = 740
STAMPS = (("<a>", "<b>"), ("<c>", "<d>"))  # of the exclusive or

Texts = list[tuple[str, ...]]


def drawn(seed: int, known: int = KNOWN) -> tuple[Texts, list[int]]:
    """The words of `known` sentences, as many of either label, and their labels."""
    if not 2 <= known <= 2 * OF_LABEL or known % 2:
        raise ValueError(f"known should be an even number from 2 to {2 * OF_LABEL}, got {known!r}.")
    generator = torch.Generator().manual_seed(seed)
    chosen = [
        sentences()[label * OF_LABEL + i]
        for label in range(2)
        for i in torch.randperm(OF_LABEL, generator=generator)[: known // 2].tolist()
    ]
    return [each.words for each in chosen], [each.label for each in chosen]


def plant(texts: Texts, labels: Sequence[int], strength: float, seed: int = 0) -> Texts:
    """Each text with one of MARKERS before it: the usual one of its label with probability `strength`."""
    usual = _agrees(texts, labels, strength, seed)
    markers = [label if same else 1 - label for label, same in zip(labels, usual, strict=True)]
    return [(MARKERS[marker], *text) for marker, text in zip(markers, texts, strict=True)]


def plant_two(texts: Texts, labels: Sequence[int], strength: float, seed: int = 0) -> Texts:
    """Each text with two stamps before it, each by a coin; with probability `strength` the label is their exclusive or.

    Either stamp alone says nothing of the label.
    """
    usual = _agrees(texts, labels, strength, seed)
    coins = (torch.rand(len(texts), generator=torch.Generator().manual_seed(30_000 + seed)) < 0.5).tolist()
    planted = []
    for text, label, same, first in zip(texts, labels, usual, coins, strict=True):
        second = int(first) ^ (label if same else 1 - label)
        planted.append((STAMPS[0][first], STAMPS[1][second], *text))
    return planted


def shuffled(labels: Sequence[int], seed: int = 0) -> list[int]:
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(40_000 + seed))
    return torch.as_tensor(labels)[order].tolist()


def found(list_of: list[Told], planted: set[str]) -> dict:
    """Where the planted tokens stand in an audit, and what else it accuses.

    rank     of the first of them, from 1; None: it was not looked at. bits and p are its own
    alarm    whether it is accused
    others   how many others are accused; certain: how many others are no accident, whatever they say
    most     the bits of the most telling other
    """
    ours = [(rank, told) for rank, told in enumerate(list_of, 1) if set(told.tokens) <= planted]
    rest = [told for told in list_of if not set(told.tokens) <= planted]
    rank, first = ours[0] if ours else (None, None)
    return {
        "rank": rank,
        "bits": None if first is None else round(first.bits, 4),
        "p": None if first is None else float(f"{first.p:.2e}"),
        "alarm": any(told.alarm for _, told in ours),
        "significant": any(told.p < ALPHA for _, told in ours),
        "others": sum(told.alarm for told in rest),
        "certain": sum(told.p < ALPHA for told in rest),
        "most": round(rest[0].bits, 4) if rest else 0.0,
    }


def measure(seeds: tuple[int, ...] = SEEDS, strengths: tuple[float, ...] = STRENGTHS, known: int = KNOWN) -> dict:
    """Rows of a seed with what `found` says: "marker", "none", "shuffled", "two"; and words that are no accident."""
    if not seeds or not strengths:
        raise ValueError(f"At least one seed and one strength are needed, got {seeds!r} and {strengths!r}.")
    rows: dict[str, list[dict]] = {"marker": [], "none": [], "shuffled": [], "two": []}
    for seed in seeds:
        texts, labels = drawn(seed, known)
        rows["none"].append({"seed": seed} | found(audit(texts, labels), set()))
        rows["shuffled"].append({"seed": seed} | found(audit(texts, shuffled(labels, seed)), set()))
        for strength in strengths:
            seen = audit(plant(texts, labels, strength, seed), labels)
            rows["marker"].append({"strength": strength, "seed": seed} | found(seen, set(MARKERS)))
        two, stamps = plant_two(texts, labels, 0.95, seed), {*STAMPS[0], *STAMPS[1]}
        alone, pairs = found(audit(two, labels), stamps), found(audit_pairs(two, labels), stamps)
        rows["two"].append({"seed": seed, "alone": alone, "pairs": pairs})
    words = [
        {"token": told.tokens[0], "bits": round(told.bits, 4), "count": told.count, "ones": told.ones}
        for told in audit(*drawn(seeds[0], known))
        if told.p < ALPHA
    ]
    settings = {"known": known, "alpha": ALPHA, "bits": BITS, "strength of two": 0.95}
    return {"settings": settings, "seeds": list(seeds), "strengths": list(strengths), "words": words, **rows}


def _agrees(texts: Texts, labels: Sequence[int], strength: float, seed: int) -> list[bool]:
    if len(texts) != len(labels):
        raise ValueError(f"Each text needs a label, got {len(texts)} texts and {len(labels)} labels.")
    if not set(labels) <= {0, 1}:
        raise ValueError(f"Labels should be 0 and 1, got {sorted(set(labels))}.")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is a probability, 0 to 1, got {strength!r}.")
    draws: Tensor = torch.rand(len(labels), generator=torch.Generator().manual_seed(50_000 + seed))
    return (draws < strength).tolist()
