"""What pruning saves: parameters, bytes and time of models whose parts are really gone.

    python tools/bench_pruning.py

Times are ratios: the whole and the smaller model run in turn in one process, and the ratio is the median over the
neighbouring runs. Beside each stands the ratio of the multiplications, which is what the time would be if nothing else
took any; and the same heads merely silenced, which saves nothing. Heads go in the recorded order of what each costs
alone. `--record` writes all beside the course's other recorded measurements.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

HEADS = {"MiniLM": (12, 24, 36, 48, 60, 72), "language": (3, 6, 9, 12)}
BLOCKS = {"MiniLM": (1, 2, 3, 4, 5), "language": (1, 2)}
TEXTS = {"MiniLM": ((1, 32), (8, 128), (1, 512)), "language": ((1, 128), (8, 128))}  # (batch, tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="of each model, in turn with the whole one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(HEADS), choices=list(HEADS))
    parser.add_argument("--record", action="store_true", help="write attn_course/recorded/pruning_cost.json")
    options = parser.parse_args()
    if options.runs < 1 or options.threads < 1:
        parser.error("at least one run, on one thread")
    began = time.perf_counter()
    rows = [row for name in options.models for row in _rows(name, options)]
    result = _about(options, began) | {"rows": rows}
    if options.record:
        file = ROOT / "attn_course" / "recorded" / "pruning_cost.json"
        file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"Wrote {file.relative_to(ROOT)}.")


def _rows(name: str, options):
    """One row for each way of pruning: what is left, and its time beside the whole model's at each size of text."""
    import torch

    from attn_course.models.pruned import size
    from attn_course.training.waste import subject

    torch.set_num_threads(options.threads)
    whole = subject(name).model
    for what, count, model, doing in _models(name, whole):
        left = size(model)
        row = {"model": name, "what": what, "removed": count, "parameters": left.parameters, "bytes": left.nbytes}
        row |= {"cache_bytes": left.cache_bytes, "times": []}
        for batch, tokens in TEXTS[name]:
            text = torch.randint(10, 90, (batch, tokens), generator=torch.Generator().manual_seed(0))
            found = {"batch": batch, "tokens": tokens} | _ratio(whole, model, doing, text, options.runs)
            products = multiplications(model, tokens) / multiplications(whole, tokens)
            row["times"].append(found | {"multiplications": None if what == "silenced" else round(products, 4)})
        print(_line(row), flush=True)
        yield row


def _models(name: str, whole):
    """What is removed, how much, the model that is left, and a context in which it runs."""
    from attn_course.attention import silencing
    from attn_course.models.pruned import without_blocks, without_heads
    from attn_course.training.experiments.waste_heads import by_layer
    from attn_course.training.recorded import recorded

    order = [tuple(head) for head in recorded("waste_heads")[name]["orders"]["ablation"]]
    half = by_layer(order[: len(order) // 2])
    silent = {f"stack.blocks.{layer}.attention": heads for layer, heads in half.items()}
    yield "silenced", len(order) // 2, whole, lambda: silencing(whole, silent)
    for count in HEADS[name]:
        yield "heads", count, without_heads(whole, by_layer(order[:count])), contextlib.nullcontext
    for count in BLOCKS[name]:
        yield "blocks", count, without_blocks(whole, range(count)), contextlib.nullcontext


def multiplications(model, tokens: int) -> int:
    """Of one text of so many tokens: every matrix with every token, and each query with each key and value, in blocks
    and readout. (A causal kernel may leave out half of the latter.)"""
    from torch import nn

    matrices = [module for module in model.modules() if isinstance(module, nn.Linear)]
    heads = sum(block.attention.heads * block.attention.d_head for block in model.stack.blocks)
    return tokens * sum(each.weight.numel() for each in matrices) + 2 * tokens**2 * heads


def _ratio(whole, model, doing, text, runs: int) -> dict:
    """Seconds of the whole model, and how many times as long the other one takes: median, least and most."""
    _seconds(whole, text)
    with doing():
        _seconds(model, text)
    pairs = []
    for _ in range(runs):
        before = _seconds(whole, text)
        with doing():
            after = _seconds(model, text)
        pairs.append((before, after))
    ratios = sorted(after / before for before, after in pairs)
    middle = ratios[len(ratios) // 4 : -(len(ratios) // 4) or None]  # without the quarter at each end
    return {
        "whole_s": round(statistics.median(before for before, _ in pairs), 5),
        "ratio": round(statistics.median(ratios), 3),
        "middle half": [round(middle[0], 3), round(middle[-1], 3)],
    }


def _seconds(model, text) -> float:
    import torch

    with torch.no_grad():
        began = time.perf_counter()
        model(text)
        return time.perf_counter() - began


def _about(options, began: float) -> dict:
    import torch

    return {
        "command": "python tools/bench_pruning.py --record",
        "date": date.today().isoformat(),
        "torch": torch.__version__.split("+")[0],
        "device": "CPU",
        "threads": options.threads,
        "runs": options.runs,
        "seconds": round(time.perf_counter() - began),
    }


def _line(row: dict) -> str:
    times = "  ".join(f"{t['batch']}×{t['tokens']}: {t['ratio']} ({t['multiplications']})" for t in row["times"])
    return f"{row['model']:9} {row['what']:9} {row['removed']:3}  {row['parameters']:>10,} parameters  {times}"


if __name__ == "__main__":
    main()
