"""How well the course's language model foresees held-out text: three seeds, beside rivals that count or compress."""

import torch

from attn_course.tasks.documentation import documentation
from attn_course.tasks.ngrams import COMPRESSORS, NGram, compressed_bits
from attn_course.training.recipes.language import STEPS, figures, fit, make

SEEDS, ORDERS = (0, 1, 2), (1, 2, 3, 5)


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """Bits a held-out character: "rows" of the model, one a seed, and "rivals" by name, all on the same text.

    A compressor is given the whole held-out text as one block, where the model reads 128 characters at a time.
    """
    text = documentation()
    rows = []
    for seed in seeds:
        torch.manual_seed(seed)
        model = make()
        history = fit(model, steps, seed)
        held_out = figures(model.eval())["held_out_bits"]
        rows.append({"seed": seed, "held_out_bits": round(held_out, 4), "last_losses": round(history.tail(50), 4)})
    rivals = {f"{order}-gram": _counted(order) for order in ORDERS}
    rivals |= {name: compressed_bits(name, text.train, text.held_out) for name in COMPRESSORS}
    return {
        "settings": {"steps": steps, "held out": len(text.held_out), "read": len(text.train)},
        "rivals": {name: round(bits, 4) for name, bits in rivals.items()},
        "rows": rows,
    }


def _counted(order: int) -> float:
    text = documentation()
    bits = NGram(text.train, order, text.characters).surprise(text.held_out)
    return sum(bits) / len(bits)
