"""Equal translations, unequal maps: exact match and alignment error of translators with 1, 2 and 4 heads, 3 seeds."""

import torch

from attn_course.tasks.alignment import alignment_error, diagonal, looks, read_at
from attn_course.tasks.translation import Pair, numbers, pairs
from attn_course.training.recipes.translation import STEPS, fit, translator
from attn_course.training.translating import alignment_of, cross_weights, exact_match

HEADS, SEEDS = (1, 2, 4), (0, 1, 2)


def head_errors(model: torch.nn.Module, unseen: list[Pair]) -> list[float]:
    """The alignment error of each head alone."""
    weights = cross_weights(model, unseen)  # (batch, head, step, source)
    heads = [read_at(weights[:, head], unseen) for head in range(weights.shape[1])]
    return [alignment_error([looks(rows) for rows in head], unseen) for head in heads]


def measure(heads: tuple[int, ...] = HEADS, seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """On the 1,000 held-out numbers, after the recipe's training from other starts and on other batches.

    Rows: "exact" (share without a wrong word), "error" (AER, all heads together), "late" (read one step late),
    "alone" (AER of each head), and "curve": step, exact and error on the way.
    """
    unseen = pairs(numbers()[1])
    rows = []
    for count in heads:
        for seed in seeds:
            torch.manual_seed(seed)
            model = translator(heads=count)
            history = fit(
                model,
                steps,
                seed,
                measure=lambda m: {"exact": exact_match(m, unseen), "error": alignment_of(m, unseen)},
                every=max(1, steps // 5),
            )
            model.eval()
            measured = zip(history.measured["exact"], history.measured["error"], strict=True)
            rows.append(
                {
                    "heads": count,
                    "seed": seed,
                    "exact": history.measured["exact"][-1][1],
                    "error": round(history.measured["error"][-1][1], 4),
                    "late": round(alignment_of(model, unseen, late=1), 4),
                    "alone": [round(error, 4) for error in head_errors(model, unseen)],
                    "curve": [[step, exact, round(error, 4)] for (step, exact), (_, error) in measured],
                }
            )
    rule = alignment_error([diagonal(len(one.target), len(one.source)) for one in unseen], unseen)
    return {"settings": {"steps": steps, "unseen": len(unseen)}, "diagonal": round(rule, 4), "rows": rows}
