"""A report made by hand, with one of everything: for tests of what shows reports."""

import math

from attn_course.diagnosis.report import Block, Finding, Gradients, Layer, Maps, Place, Report

WORDS = ("[CLS]", "the", "cat", "sat", "on", "the", "mat", ".", "[SEP]")
ROWS = (0, 2, 5, 8)


def example(layers: int = 3, heads: int = 4, missing: bool = True) -> Report:
    """Numbers that are made up but fit together: rows sum to 1, and one head is not measured if `missing`."""
    found = (
        Finding(
            name="logits-beyond-10000",
            title="Logits beyond 10,000",
            severity="fault",
            sure="likely",
            measured="on every row",
            where=(Place(layer=1, head=2), Place(layer=2, head=0)),
            evidence="The greatest logit is 12,345 in layer 1, head 2.",
            remedy="Normalise queries and keys (QK-norm), or cap the logits, and lower the learning rate.",
        ),
        Finding(
            name="duplicate-heads",
            title="Heads that repeat",
            severity="look",
            sure="hint",
            measured="on 4 of 9 rows, drawn at random",
            where=(Place(layer=0, head=1),),
            evidence="Heads 1 and 3 of layer 0 differ by 0.002 ± 0.001 bits.",
            remedy="Take one of them out and see what the loss says.",
        ),
        Finding(
            name="massive-activation",
            title="A massive activation",
            severity="normal",
            sure="strong",
            measured="on every token",
            where=(Place(block=1),),
            evidence="Feature 17 of token 0 ([CLS]) is 2,310, and 11,000 times the median.",
            remedy="Nothing: large models need it. Keep it in mind before you quantise.",
        ),
    )
    return Report(
        model="made up",
        about={"sequences": 1, "tokens": len(WORDS), "sampled_rows": len(ROWS), "dtype": "float32"},
        tokens=(WORDS,),
        sets={"first": (0,), "[CLS]": (0,), "[SEP]": (8,)},
        layers=tuple(_layer(number, heads, missing) for number in range(layers)),
        blocks=tuple(_block(number) for number in range(layers)),
        gradients=tuple(
            Gradients(
                f"blocks.{number}.attention",
                {"query_key_gradient": 0.02, "value_gradient": 0.4, "gradient_ratio": 0.05},
                (1.0, *(0.5,) * (heads - 1)),
            )
            for number in range(layers)
        ),
        findings=found,
        notes=("The pooler attends to nothing, so it was not watched.",),
    )


def _layer(number: int, heads: int, missing: bool) -> Layer:
    def spread(low: float, high: float) -> tuple[float | None, ...]:
        made = [low + (high - low) * (0.5 + 0.5 * math.sin(7 * number + 3 * head)) for head in range(heads)]
        return (*made[:-1], None if missing and number == 0 else made[-1])

    values = {
        "entropy": spread(0.2, 0.9),
        "entropy_low": spread(0.1, 0.5),
        "entropy_rest": spread(0.3, 0.9),
        "entropy_rest_low": spread(0.1, 0.6),
        "first_token": spread(0.1, 0.9),
        "strongest_share": spread(0.2, 0.9),
        "strongest_value": spread(0.05, 1.0),
        "previous_token": spread(0.0, 1.0),
        "fixed_offset": spread(0.0, 1.0),
        "distance": spread(1, 5),
        "participation": spread(1, 6),
        "max_logit": spread(3, 12_345 if number == 1 else 30),
        "sparsity": spread(0, 0.5),
        "keys_needed": spread(2, 8),
        "coverage": spread(0.2, 0.9),
        "window": spread(2, 8),
        "divergence": spread(0.002, 0.5),
    }
    taken = ("sparsity", "keys_needed", "coverage", "window", "divergence", "previous_token", "fixed_offset")
    return Layer(
        name=f"blocks.{number}.attention",
        kind="self",
        heads=heads,
        calls=1,
        values=values,
        errors={name: tuple(None if each is None else each / 20 for each in values[name]) for name in taken},
        sets={"[CLS]": spread(0.1, 0.9), "[SEP]": spread(0.01, 0.1)},
        strongest=(0,) * heads,
        strongest_token=("[CLS]",) * heads,
        nearest=tuple((head + 1) % heads for head in range(heads)),
        offset=(-1,) * heads,
        maps=_maps(heads),
    )


def _maps(heads: int) -> Maps:
    def row(query: int, head: int) -> tuple[float, ...]:
        raw = [math.exp(-abs(query - key) * head / 4) + 2 * (key == 0) for key in range(len(WORDS))]
        return tuple(round(each / sum(raw), 3) for each in raw)

    weights = tuple(tuple(row(query, head) for query in ROWS) for head in range(heads))
    received = tuple(tuple(round(sum(column) / len(ROWS), 3) for column in zip(*rows, strict=True)) for rows in weights)
    return Maps(ROWS, tuple(range(len(WORDS) + 1)), weights, received)


def _block(number: int) -> Block:
    values = {
        "rank_residual": 0.6 - 0.1 * number,
        "token_cosine": 0.2 + 0.1 * number,
        "effective_rank": 7.5,
        "stable_rank": 1.8,
        "block_influence": 0.1 + 0.02 * number,
        "largest": 2310.0 if number == 1 else 4.0,
        "median": 0.21,
    }
    return Block(f"blocks.{number}", values, (0, 17), "[CLS]", finite=True)
