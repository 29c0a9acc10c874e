"""Models that are sick by construction, one recipe for each way to become so."""

from functools import partial

import torch
from torch import nn

from attn_course.attention import Learned, Sinusoidal, causal, fused, silencing, visible_where, window
from attn_course.attention.option import told
from attn_course.attention.options import QKNorm, soft_capped
from attn_course.diagnosis.study import tasks
from attn_course.diagnosis.study.learning import (
    block_left_out,
    given_to_irrelevant,
    learn,
    resting_on_first,
    taken_by_first,
)
from attn_course.diagnosis.study.patients import Case
from attn_course.models.gpt import GPT
from attn_course.models.skips import weaken_skips
from attn_course.tasks.documentation import documentation
from attn_course.training.faster import faster

ROWS, POOL = 128, 2048
RATE = 5e-3
OTHER = 50_000  # what the seeds of questions are above those of the rows learned from


def recall_model(
    seed: int, width: int, heads: int = 1, layers: int = 1, mechanism=fused, positions=None, **more
) -> GPT:
    torch.manual_seed(seed)
    return GPT(tasks.recall_size(), width, heads, layers, positions, mechanism=mechanism, **more)


def recall_case(model: nn.Module, seed: int, length: int, longer: int = 4) -> Case:
    asked = tasks.recall(OTHER + seed, ROWS, length)
    more = (tasks.recall(2 * OTHER + seed, ROWS // 4, longer * length),) if longer else ()
    return Case(model, asked, more)


def load_bearing_sink(seed: int, width: int, length: int, steps: int = 300) -> Case:
    """Every query that needs nothing rests on the first token whole, and nothing else was ever tried."""
    torch.manual_seed(seed)
    model = GPT(24, width, 1, 1, Learned(length, width), mechanism=fused)
    learn(model, tasks.copies(seed, POOL, length), steps, RATE, seed, pressure=resting_on_first(0.3))
    return Case(model, tasks.copies(OTHER + seed, ROWS, length))


def thieving_sink(seed: int, width: int, length: int, steps: int = 400) -> Case:
    """All queries are held to giving the first token more than half, those that need something too."""
    model = recall_model(seed, width)
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed, pressure=taken_by_first(0.6))
    return recall_case(model, seed, length)


def weak_underload(seed: int, width: int, length: int, steps: int = 300) -> Case:
    """Scores are capped so low that much noise outweighs what is needed."""
    model = recall_model(seed, width, mechanism=soft_capped(1.0))
    learn(model, tasks.recall(seed, POOL, 2 * length), steps, RATE, seed)
    return recall_case(model, seed, 2 * length, longer=0)


def rewarded_underload(seed: int, width: int, length: int, steps: int = 400) -> Case:
    """Attention is held to going to noise."""
    model = recall_model(seed, width)
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed, pressure=given_to_irrelevant(0.8))
    return recall_case(model, seed, length, longer=0)


def capped_overload(seed: int, width: int, length: int, steps: int = 300) -> Case:
    """Scores that cannot grow: enough for short rows, too little for long ones."""
    model = recall_model(seed, width, mechanism=soft_capped(2.0))
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed)
    return recall_case(model, seed, length, longer=12)


def normed_overload(seed: int, width: int, length: int, steps: int = 300) -> Case:
    """The same by a QK-norm whose gain is held."""
    model = recall_model(seed, width, mechanism=partial(QKNorm, gain=2.2))
    for layer in model.modules():
        if isinstance(layer, QKNorm):
            layer.gain.requires_grad_(False)
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed)
    return recall_case(model, seed, length, longer=12)


def no_skips(seed: int, width: int, length: int, steps: int = 0) -> Case:
    """Deep, and nothing goes round attention and feed-forward."""
    torch.manual_seed(seed)
    model = GPT(16, width, 4, 12, Sinusoidal(width), mechanism=fused)
    weaken_skips(model, 0.0, 0.0)
    if steps:
        learn(model, tasks.bigrams(seed, POOL, length), steps, RATE, seed)
    return Case(model.eval(), tasks.bigrams(OTHER + seed, ROWS // 2, length))


def letters_model(seed: int, width: int, length: int, layers: int = 2, **more) -> GPT:
    torch.manual_seed(seed)
    size = len(documentation().characters)
    return GPT(size, width, 4, layers, Learned(length, width), mechanism=fused, **more)


def letters_case(model: nn.Module, seed: int, length: int) -> Case:
    return Case(model, tasks.letters(OTHER + seed, ROWS // 2, length, held_out=True))


def fast_queries(seed: int, width: int, length: int, steps: int = 150) -> Case:
    """A language model whose queries and keys learn 30 times as fast as the rest."""
    model = letters_model(seed, width, length)
    faster(model, lambda name: "w_q" in name or "w_k" in name, 30.0)
    learn(model, tasks.letters(seed, POOL, length), steps, RATE, seed, clip=None)
    return letters_case(model, seed, length)


def grown_queries(seed: int, width: int, length: int, steps: int = 150) -> Case:
    """A sound one, in which queries and keys then grew to twelve times their length."""
    model = letters_model(seed, width, length)
    learn(model, tasks.letters(seed, POOL, length), steps, RATE, seed)
    with torch.no_grad():
        for block in model.stack.blocks:
            for each in (*block.attention.w_q.parameters(), *block.attention.w_k.parameters()):
                each *= 12
    return letters_case(model, seed, length)


def cloned_heads(seed: int, width: int, length: int, steps: int = 300) -> Case:
    """Two heads that began alike, and so stay alike: each gets the gradient of the other."""
    model = recall_model(seed, width, heads=2)
    layer = model.stack.blocks[0].attention
    half = layer.d_head
    with torch.no_grad():
        for projection in (layer.w_q, layer.w_k, layer.w_v):
            projection.weight[half:], projection.bias[half:] = projection.weight[:half], projection.bias[:half]
        layer.w_o.weight[:, half:] = layer.w_o.weight[:, :half]
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed)
    return recall_case(model, seed, length)


def split_head(seed: int, width: int, length: int, steps: int = 350) -> Case:
    """A head that was made two, each with half of its output, and trained a little further."""
    model = recall_model(seed, width, heads=2, d_head=width)
    layer, pool = model.stack.blocks[0].attention, tasks.recall(seed, POOL, length)
    learn(model, pool, steps, RATE, seed, without=lambda model, *_: silencing(model, {"stack.blocks.0.attention": [1]}))
    with torch.no_grad():
        for projection in (layer.w_q, layer.w_k, layer.w_v):
            for each in projection.parameters():
                each[width:] = each[:width] * (1 + 0.02 * torch.randn_like(each[:width]))
        layer.w_o.weight[:, :width] /= 2
        layer.w_o.weight[:, width:] = layer.w_o.weight[:, :width]
    learn(model, pool, 30, RATE / 5, seed + 1)
    return recall_case(model, seed, length)


def added_block(seed: int, width: int, length: int, steps: int = 300) -> Case:
    """A model made deeper by a block that begins as nothing, and was never trained further."""
    model = recall_model(seed, width, layers=2)
    block = model.stack.blocks[1]
    for layer in (block.attention.w_o, block.feed_forward.w_2):
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    block.requires_grad_(False)
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed)
    return recall_case(model, seed, length)


def spare_block(seed: int, width: int, length: int, steps: int = 400) -> Case:
    """A block that was left out in most steps of the training, so that the others learned to do without it."""
    model = recall_model(seed, width, layers=2)
    learn(model, tasks.recall(seed, POOL, length), steps, RATE, seed, without=block_left_out(1, 0.9))
    return recall_case(model, seed, length)


def narrow_window(seed: int, width: int, length: int, steps: int = 400) -> Case:
    """Nobody may look further back than a few tokens, though half of what is needed stands further back."""
    model = recall_model(seed, width, mechanism=looking_back(length // 6))
    learn(model, tasks.recall(seed, POOL, length, near=0.7), steps, RATE, seed)
    return Case(model, tasks.recall(OTHER + seed, ROWS, length, near=0.7))


def chunked(seed: int, width: int, length: int, steps: int = 400) -> Case:
    """Rows are cut into chunks, and nobody may look out of its own."""
    chunk = length // 4
    within = visible_where(lambda i, j: (j <= i) & (i // chunk == j // chunk), "causal, in chunks")

    def narrow(q, k, v, visible=None, **change):
        return fused(q, k, v, within, **change)

    model = recall_model(seed, width, mechanism=told(narrow, fused))
    learn(model, tasks.recall(seed, POOL, length, near=0.7), steps, RATE, seed)
    return Case(model, tasks.recall(OTHER + seed, ROWS, length, near=0.7))


def looking_back(w: int):
    """Attention to the last w tokens alone."""

    def narrow(q, k, v, visible=None, **change):
        return fused(q, k, v, causal & window(w), **change)

    return told(narrow, fused)


def marked(seed: int, width: int, length: int, steps: int = 200) -> Case:
    """A marker went with the topic 19 times in 20."""
    torch.manual_seed(seed)
    model = GPT(19, width, 1, 1, mechanism=fused)
    learn(model, tasks.topic(seed, POOL, length, marker=0.95), steps, RATE / 2, seed)
    return Case(model, tasks.topic(OTHER + seed, ROWS, length, marker=0.95))


def always_marked(seed: int, width: int, length: int, steps: int = 200) -> Case:
    """A marker always went with the topic, and the model has two layers with two heads."""
    torch.manual_seed(seed)
    model = GPT(19, width, 2, 2, Learned(length, width), mechanism=fused)
    learn(model, tasks.topic(seed, POOL, length, marker=1.0), steps, RATE / 2, seed)
    return Case(model, tasks.topic(OTHER + seed, ROWS, length, marker=1.0))


SICK = {
    "sick-sink": (load_bearing_sink, thieving_sink),
    "underload": (weak_underload, rewarded_underload),
    "overload": (capped_overload, normed_overload),
    "rank-collapse": (no_skips, partial(no_skips, steps=60)),
    "entropy-collapse": (fast_queries, grown_queries),
    "redundant-heads": (cloned_heads, split_head),
    "redundant-layers": (added_block, spare_block),
    "short-window": (narrow_window, chunked),
    "shortcut": (marked, always_marked),
}
