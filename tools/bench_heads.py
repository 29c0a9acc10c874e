"""How the course's `MultiHead` keeps up with torch's own layer. `python tools/bench_heads.py`.

Both layers hold the same weights and run in turn on one thread. Counted is the processor time of this process, so that
what else the machine does hardly matters. The ratio is the median of the ratios of neighbouring runs; compare it, and
not the milliseconds, with that of another machine.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from torch import nn  # noqa: E402

from attn_course.attention import MultiHead, causal, fused  # noqa: E402

TOKENS, D_MODEL, HEADS = 1024, 512, 8
MODES = ("forward", "forward+backward", "inference")


def layers() -> tuple[MultiHead, nn.MultiheadAttention]:
    """Ours on torch's fused kernel, and torch's layer with the same weights."""
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(D_MODEL, HEADS, batch_first=True)
    ours = MultiHead(D_MODEL, HEADS, mechanism=fused)
    with torch.no_grad():
        for layer, weight, bias in zip(
            (ours.w_q, ours.w_k, ours.w_v), theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3), strict=True
        ):
            layer.weight.copy_(weight), layer.bias.copy_(bias)
    ours.w_o.load_state_dict(theirs.out_proj.state_dict())
    return ours, theirs


def milliseconds(work) -> float:
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def in_turn(a, b, runs: int) -> tuple[list[float], list[float]]:
    """The milliseconds of each run of both, one after the other, the first to run alternating."""
    a(), b()  # the first run pays for memory
    times: tuple[list[float], list[float]] = [], []
    for run in range(runs):
        for which in (0, 1) if run % 2 == 0 else (1, 0):
            times[which].append(milliseconds((a, b)[which]))
    return times


def compare(mode: str, batch: int, is_causal: bool, runs: int) -> tuple[list[float], list[float]]:
    """One row of the table; raises if the two layers disagree."""
    ours, theirs = layers()
    if mode == "inference":  # where torch's layer has a way of its own
        ours.eval(), theirs.eval()
    x = torch.randn(batch, TOKENS, D_MODEL)
    future = nn.Transformer.generate_square_subsequent_mask(TOKENS) if is_causal else None

    def a():
        return ours(x, visible=causal if is_causal else None)

    def b():
        return theirs(x, x, x, attn_mask=future, is_causal=is_causal, need_weights=False)[0]

    with torch.inference_mode(mode == "inference"):
        torch.testing.assert_close(a(), b(), atol=1e-5, rtol=1e-5)
        if mode == "forward+backward":
            return in_turn(lambda: a().sum().backward(), lambda: b().sum().backward(), runs)
        return in_turn(a, b, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="runs of each layer, for each row")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    print(f"{TOKENS} tokens, d_model {D_MODEL}, {HEADS} heads, float32, one thread")
    print(f"processor time in ms, medians of {runs} runs of each")
    print(f"{'':36} {'ours':>7} {'torch':>7} {'ratio':>6}  (lowest to highest)")
    for mode in MODES:
        for batch in (1, 4):
            for is_causal in (False, True):
                ours, theirs = compare(mode, batch, is_causal, runs)
                ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
                name = f"{mode}, batch {batch}{', causal' if is_causal else ''}"
                print(
                    f"{name:36} {statistics.median(ours):7.1f} {statistics.median(theirs):7.1f} "
                    f"{statistics.median(ratios):6.2f}  ({min(ratios):.2f} to {max(ratios):.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
