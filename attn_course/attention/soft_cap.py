"""A soft-cap: scores that grow towards a limit and never beyond it."""

from attn_course.attention.formula import ScoreChange


def soft_cap(cap: float) -> ScoreChange:
    """cap · tanh(score / cap), for `attention(…, score=soft_cap(50))`: small scores stay, none leaves ±cap.

    A weight can then exceed another at most e^(2·cap) times. It is applied after the scale and before the mask. Raises
    ValueError for a cap that is not above 0. Source: Gemma 2 (Gemma Team 2024, arXiv 2408.00118), with a cap of 50.
    """
    if not cap > 0:
        raise ValueError(f"A soft-cap is the largest score that is let through, so above 0; got {cap!r}.")
    return lambda scores, i, j: cap * (scores / cap).tanh()
