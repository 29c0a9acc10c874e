"""What the stream of tokens between the blocks says."""

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Block, Finding, Place
from attn_course.diagnosis.rules import figure, listed, queries_of, sureness
from attn_course.diagnosis.thresholds import (
    COLLAPSED_TOKENS,
    COSINE_COLLAPSED,
    IDLE_BLOCK,
    MASSIVE,
    MASSIVE_RATIO,
    RESIDUAL_COLLAPSED,
)

EVERY_TOKEN = "on every token"


def rank_collapse(case: Case) -> list[Finding]:
    """All tokens of a text have become one, and stay so to the last block."""
    begins = len(case.blocks)
    while begins > 0 and _one_token(case.blocks[begins - 1]):
        begins -= 1
    if begins == len(case.blocks) or queries_of(case.tables[0]) < COLLAPSED_TOKENS:
        return []
    block, last = case.blocks[begins], case.blocks[-1]
    return [
        Finding(
            name="rank-collapse",
            title="Rank collapse",
            severity="fault",
            sure=sureness(case, "likely"),
            measured=EVERY_TOKEN,
            where=tuple(Place(block=at) for at in range(begins, len(case.blocks))),
            evidence=f"From block {begins} on, the tokens of a text are one: their cosine is "
            f"{figure(block.values['token_cosine'])}, and what is not common to all is "
            f"{figure(block.values['rank_residual'])} of the norm, {figure(last.values['rank_residual'])} in the end. "
            "(The bounds are our proposal.)",
            remedy="Look whether the skips around attention are there and as large as they should be: without them "
            "attention averages tokens until they are one. Fewer layers, larger initial weights for queries and keys, "
            "and scaled skips help too.",
        )
    ]


def _one_token(block: Block) -> bool:
    cosine, residual = block.values["token_cosine"], block.values["rank_residual"]
    return cosine is not None and cosine > COSINE_COLLAPSED and residual is not None and residual < RESIDUAL_COLLAPSED


def idle_blocks(case: Case) -> list[Finding]:
    """Blocks that leave every token where it was."""
    idle = [
        (block.values["block_influence"], Place(block=at))
        for at, block in enumerate(case.blocks)
        if block.values["block_influence"] is not None and block.values["block_influence"] < IDLE_BLOCK
    ]
    if not idle:
        return []
    idle.sort(key=lambda each: each[0])
    where = tuple(place for _, place in idle)
    return [
        Finding(
            name="idle-blocks",
            title="Blocks that change nothing",
            severity="look",
            sure="hint",
            measured=EVERY_TOKEN,
            where=where,
            evidence=f"In {listed(where)}, a token comes out as it went in: 1 − cosine is {figure(idle[0][0])}. "
            "(The bound is our proposal.)",
            remedy="Take the block out and see what the loss says. If it was not meant to be idle, look at its output "
            "matrices: they may be zero, or the stream so large that nothing can be added to it.",
        )
    ]


def massive_activations(case: Case) -> list[Finding]:
    """A few numbers a thousand times the rest: usual in large models, at tokens where attention rests."""
    found = []
    for at, block in enumerate(case.blocks):
        largest, median = block.values["largest"], block.values["median"]
        if largest is not None and median is not None and largest > MASSIVE and largest >= MASSIVE_RATIO * median:
            found.append((largest, largest / median if median else float("inf"), block, Place(block=at)))
    if not found:
        return []
    found.sort(key=lambda each: -each[0])
    largest, ratio, block, _ = found[0]
    token, feature = block.largest_at
    word = f" ({block.largest_token})" if block.largest_token is not None else ""
    return [
        Finding(
            name="massive-activations",
            title="Massive activations",
            severity="normal",
            sure="strong",
            measured=EVERY_TOKEN,
            where=tuple(place for *_, place in found),
            evidence=f"Feature {feature} of token {token}{word} is {figure(largest)} after block "
            f"{case.blocks.index(block)}, {figure(ratio)} times the median.",
            remedy="Large models have such numbers and need them (Sun et al. 2024). They are in the way when weights "
            "or activations are quantised, or run in float16.",
        )
    ]
