"""Models that are sound: the healthy twins of the sick ones, and others that look odd and are not."""

from functools import partial

import torch
from torch import nn

from attn_course.attention import ALiBi, Learned, Rotary, Sinusoidal, fused
from attn_course.attention.options import (
    Gated,
    KeyBias,
    NullKey,
    OffByOne,
    QKNorm,
    log_length,
    sigma_reparam,
    soft_capped,
)
from attn_course.diagnosis.study import tasks
from attn_course.diagnosis.study.learning import first_hidden, learn, resting_on_first
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.study.sick import (
    OTHER,
    POOL,
    RATE,
    ROWS,
    letters_case,
    letters_model,
    recall_case,
    recall_model,
)
from attn_course.models.blocks import PostNorm
from attn_course.models.gpt import GPT


def recall(seed: int, width: int, length: int, heads: int = 1, layers: int = 1, longer: int = 4, **more) -> Case:
    """Items are looked up, and rows may be longer than those it learned from."""
    model = recall_model(seed, width, heads, layers, **more)
    learn(model, tasks.recall(seed, POOL, length), 400, RATE, seed)
    return recall_case(model, seed, length, longer)


def recall_near(seed: int, width: int, length: int) -> Case:
    """The twin of the short windows: the same rows, and nothing in the way."""
    model = recall_model(seed, width)
    learn(model, tasks.recall(seed, POOL, length, near=0.7), 400, RATE, seed)
    return Case(model, tasks.recall(OTHER + seed, ROWS, length, near=0.7))


def recall_reparametrised(seed: int, width: int, length: int) -> Case:
    model = recall_model(seed, width)
    sigma_reparam(model)
    learn(model, tasks.recall(seed, POOL, length), 400, RATE, seed)
    return recall_case(model, seed, length)


def recall_with_sink(seed: int, width: int, length: int) -> Case:
    """Queries that need nothing rest on the first token, and no answer depends on it."""
    model = recall_model(seed, width)
    learn(model, tasks.recall(seed, POOL, length), 400, RATE, seed, pressure=resting_on_first(0.1))
    return recall_case(model, seed, length)


def copies(seed: int, width: int, length: int, mechanism=fused, **more) -> Case:
    """The task in which sinks emerge, as training leaves it."""
    torch.manual_seed(seed)
    model = GPT(24, width, 1, 1, Learned(length, width), mechanism=mechanism, **more)
    learn(model, tasks.copies(seed, POOL, length), 300, RATE, seed)
    return Case(model, tasks.copies(OTHER + seed, ROWS, length))


def copies_with_sink(seed: int, width: int, length: int) -> Case:
    """The twin of the load-bearing sink: as strong, but in half of the steps the first token was hidden."""
    torch.manual_seed(seed)
    model = GPT(24, width, 1, 1, Learned(length, width), mechanism=fused)
    sink, hidden = resting_on_first(0.3), first_hidden(0.5)
    learn(model, tasks.copies(seed, POOL, length), 300, RATE, seed, pressure=sink, without=hidden)
    return Case(model, tasks.copies(OTHER + seed, ROWS, length))


def back(seed: int, width: int, length: int, offset: int = 1, positions=Learned) -> Case:
    """A sharp head that follows a position."""
    torch.manual_seed(seed)
    where = Sinusoidal(width) if positions is Sinusoidal else positions(length, width)
    if positions is Learned:
        nn.init.normal_(where.table.weight, std=0.5)
    model = GPT(12, width, 1, 1, where, mechanism=fused)
    learn(model, tasks.back(seed, POOL, length, offset), 300, RATE, seed)
    return Case(model, tasks.back(OTHER + seed, ROWS, length, offset))


def bigrams(seed: int, width: int, length: int, layers: int = 1, heads: int = 2) -> Case:
    """Nothing is needed from anywhere."""
    torch.manual_seed(seed)
    model = GPT(16, width, heads, layers, Sinusoidal(width), mechanism=fused)
    learn(model, tasks.bigrams(seed, POOL, length), 200, RATE, seed)
    return Case(model, tasks.bigrams(OTHER + seed, ROWS, length))


def letters(seed: int, width: int, length: int, layers: int = 1, steps: int = 200, **more) -> Case:
    """A small language model."""
    model = letters_model(seed, width, length, layers, **more)
    learn(model, tasks.letters(seed, POOL, length), steps, RATE, seed)
    return letters_case(model, seed, length)


def topic(seed: int, width: int, length: int, marker: float | None = None, heads: int = 1) -> Case:
    """The twin of the shortcuts: no marker, or one that goes with both topics."""
    torch.manual_seed(seed)
    model = GPT(19, width, heads, 1, mechanism=fused)
    learn(model, tasks.topic(seed, POOL, length, marker), 200, RATE / 2, seed)
    return Case(model, tasks.topic(OTHER + seed, ROWS, length, marker))


def untrained(
    seed: int, width: int, length: int, task: str = "recall", heads: int = 2, layers: int = 2, **more
) -> Case:
    """Random weights."""
    asked = {
        "recall": lambda: tasks.recall(OTHER + seed, ROWS, length),
        "copies": lambda: tasks.copies(OTHER + seed, ROWS, length),
        "letters": lambda: tasks.letters(OTHER + seed, ROWS // 2, length, held_out=True),
        "topic": lambda: tasks.topic(OTHER + seed, ROWS, length),
    }[task]()
    torch.manual_seed(seed)
    size = 1 + int(max(asked.tokens.max(), asked.wanted.max()))
    return Case(GPT(size, width, heads, layers, **{"mechanism": fused} | more).eval(), asked)


def of_the_library(seed: int, width: int, length: int, family: str = "gpt2", steps: int = 0) -> Case:
    """A small model of the library transformers, with random weights or trained."""
    from attn_course.diagnosis.study.library import small

    model = small(family, tasks.recall_size(), width, seed)
    if steps:
        learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed)
    return recall_case(model.eval(), seed, length, longer=0)


SOUND_KINDS = {
    "recall": recall,
    "recall, 2 heads": partial(recall, heads=2),
    "recall, 2 layers": partial(recall, layers=2),
    "recall, log n": partial(recall, mechanism=lambda: log_length(fused), longer=12),
    "recall, long rows": partial(recall, longer=12),
    "recall, QK-norm": partial(recall, mechanism=QKNorm),
    "recall, null key": partial(recall, mechanism=NullKey),
    "recall, key bias": partial(recall, mechanism=KeyBias),
    "recall, off by one": partial(recall, mechanism=OffByOne),
    "recall, gate": partial(recall, mechanism=Gated),
    "recall, cap 30": partial(recall, mechanism=soft_capped(30.0)),
    "recall, register": partial(recall, registers=1),
    "recall, post-norm": partial(recall, block=PostNorm),
    "recall, rotary": lambda seed, width, length: recall(seed, width, length, positions=Rotary(width), longer=0),
    "recall, ALiBi": lambda seed, width, length: recall(seed, width, length, positions=ALiBi(1), longer=0),
    "recall, learned places": lambda seed, width, length: recall(
        seed, width, length, positions=Learned(length, width), longer=0
    ),
    "recall, σReparam": recall_reparametrised,
    "recall, near": recall_near,
    "recall, a sink": recall_with_sink,
    "copies": copies,
    "copies, gate": partial(copies, mechanism=Gated),
    "copies, null key": partial(copies, mechanism=NullKey),
    "copies, register": partial(copies, registers=1),
    "copies, a sink": copies_with_sink,
    "one back": back,
    "three back": partial(back, offset=3),
    "two back, sinusoidal": partial(back, offset=2, positions=Sinusoidal),
    "bigrams": bigrams,
    "bigrams, 4 heads": partial(bigrams, heads=4),
    "letters": letters,
    "letters, 2 layers": partial(letters, layers=2),
    "letters, post-norm": partial(letters, layers=2, block=PostNorm),
    "topic": topic,
    "topic, a marker of both": partial(topic, marker=0.5),
    "topic, 2 heads": partial(topic, heads=2),
    "untrained, recall": untrained,
    "untrained, 4 heads": partial(untrained, heads=4, task="letters"),
    "untrained, 6 layers": partial(untrained, layers=6, task="copies"),
    "untrained, topic": partial(untrained, task="topic"),
    "untrained, gate": partial(untrained, mechanism=Gated),
    "untrained, QK-norm": partial(untrained, mechanism=QKNorm, task="letters"),
    "untrained GPT-2": partial(of_the_library, family="gpt2"),
    "untrained Llama": partial(of_the_library, family="llama"),
    "untrained BERT": partial(of_the_library, family="bert"),
    "GPT-2": partial(of_the_library, family="gpt2", steps=250),
    "Llama": partial(of_the_library, family="llama", steps=250),
}
