"""What a token costs, by length: a training step and a step of writing, for a transformer and a GRU of equal size.

Seconds of one processor thread, so nothing here runs in parallel: it is the work that is compared. What could run at
the same time is another matter, and `waits` counts it.
"""

import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

from attn_course.tasks.distance import VOCABULARY
from attn_course.training.experiments.distance import KINDS, make, parameters

LENGTHS = (64, 256, 1024, 2048, 4096)
SEEDS = (0, 1, 2)
BATCH, ROUNDS, WRITTEN = 4, 5, 16


def waits(kind: str, n: int) -> int:
    """How many steps of a forward pass over n tokens must wait for one another.

    A transformer: its 2 layers, whatever n. A GRU: n, since each state is made from the one before.
    """
    return 2 if kind == "transformer" else n


def training_step(model: nn.Module, n: int) -> Callable[[], None]:
    """One pass forward and back over a batch of whole sequences of n tokens."""
    tokens = torch.randint(VOCABULARY, (BATCH, n + 1), generator=torch.Generator().manual_seed(n))

    def step() -> None:
        model.zero_grad()
        scores = model(tokens[:, :-1])  # (batch, token, vocabulary)
        F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten()).backward()

    return step


def writing(kind: str, model: nn.Module, n: int) -> tuple[Callable[[], None], int]:
    """Writing 16 tokens after n that were read (KV cache or state), and the bytes of what the model remembers then."""
    text = torch.randint(VOCABULARY, (1, n), generator=torch.Generator().manual_seed(n))
    new = text[:, -1:]
    with torch.no_grad():
        if kind == "transformer":
            read = model.stack.caches()
            model(text, caches=read)
            remembered = sum(cache.nbytes for cache in read)
        else:
            state = model.read(text)[1]
            remembered = state.nbytes

    @torch.no_grad()
    def write() -> None:
        if kind == "transformer":
            caches = model.stack.caches()
            for cache, old in zip(caches, read, strict=True):
                cache.k, cache.v = old.k, old.v  # extending makes new tensors, so the old ones stay n long
            for _ in range(WRITTEN):
                model(new, caches=caches)
        else:
            now = state
            for _ in range(WRITTEN):
                _, now = model.read(new, now)

    return write, remembered


def interleaved(jobs: dict[str, Callable[[], None]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Processor seconds of each job, in turns, so that a busy moment meets them all. The first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            began = time.process_time()
            job()
            if number:
                seconds[name].append(time.process_time() - began)
    return seconds


def pace(n: int, seed: int = 0, rounds: int = ROUNDS) -> dict:
    """Microseconds a token at length n for both, medians, and GRU against transformer as a ratio in the same run."""
    torch.manual_seed(seed)
    models = {kind: make(kind) for kind in KINDS}
    train = interleaved({kind: training_step(model, n) for kind, model in models.items()}, rounds)
    writers = {kind: writing(kind, model, n) for kind, model in models.items()}
    write = interleaved({kind: job for kind, (job, _) in writers.items()}, rounds)
    row = {"n": n, "seed": seed}
    for what, seconds, tokens in (("training", train, BATCH * n), ("writing", write, WRITTEN)):
        for kind in KINDS:
            row[f"{what}_{kind}_us"] = round(median(seconds[kind]) / tokens * 1e6, 2)
        row[f"{what}_ratio"] = round(median(seconds["GRU"]) / median(seconds["transformer"]), 3)
    for kind in KINDS:
        row[f"remembered_{kind}_bytes"] = writers[kind][1]
        row[f"waits_{kind}"] = waits(kind, n)
    return row


def measure() -> dict:
    """All lengths, three times over (seeds), on one thread. Ratio: GRU's time divided by the transformer's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [pace(n, seed, ROUNDS) for seed in SEEDS for n in LENGTHS]
    finally:
        torch.set_num_threads(threads)
    return {
        "settings": {
            "batch": BATCH,
            "rounds": ROUNDS,
            "written": WRITTEN,
            "parameters": {kind: parameters(make(kind)) for kind in KINDS},
        },
        "seeds": list(SEEDS),
        "lengths": list(LENGTHS),
        "rows": rows,
    }
