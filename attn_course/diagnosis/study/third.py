"""Recipes that are new in the third test set. None existed when the bounds took their present values."""

from functools import partial

import torch
from torch import nn

from attn_course.attention import Learned, Rotary, fused
from attn_course.attention.options import Gated, QKNorm
from attn_course.diagnosis.study import sick, sound, tasks, unseen
from attn_course.diagnosis.study.learning import learn, resting_on_first, taken_by_first
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.study.sick import OTHER, POOL, RATE, ROWS
from attn_course.diagnosis.study.unseen import kept_model, taught
from attn_course.models.blocks import PostNorm
from attn_course.models.gpt import GPT
from attn_course.models.skips import weaken_skips


def robbed_heads(seed: int, width: int, length: int) -> Case:
    """Two heads, and both are held to giving the first token 0.7."""
    model = sick.recall_model(seed, width, heads=2)
    learn(model, tasks.recall(seed, POOL, length), 400, RATE, seed, pressure=taken_by_first(0.7))
    return sick.recall_case(model, seed, length)


def normed_underload(seed: int, width: int, length: int) -> Case:
    """A QK-norm whose gain is held low, in rows with much noise."""
    model = unseen.held_gain(sick.recall_model(seed, width, mechanism=partial(QKNorm, gain=1.2)))
    learn(model, tasks.recall(seed, POOL, 2 * length), 300, RATE, seed)
    return sick.recall_case(model, seed, 2 * length, longer=0)


def kept_normed_thin(seed: int, width: int, length: int) -> Case:
    """A QK-norm whose gain does for the rows it learned from, and not for those sixteen times as long."""
    model = unseen.held_gain(kept_model(seed, width, mechanism=partial(QKNorm, gain=2.0)))
    return taught(model, seed, length, longer=16)


def deeper_no_skips(seed: int, width: int, length: int, block=None) -> Case:
    """Sixteen layers without skips, of either place of the norm."""
    torch.manual_seed(seed)
    model = GPT(16, width, 2, 16, Learned(length, width), mechanism=fused, **({"block": block} if block else {}))
    weaken_skips(model, 0.0, 0.0)
    return Case(model.eval(), tasks.bigrams(OTHER + seed, ROWS // 2, length))


def grown_keys(seed: int, width: int, length: int) -> Case:
    """A sound language model of one layer, in which the keys alone then grew to a hundred times their length."""
    model = sick.letters_model(seed, width, length, layers=1)
    learn(model, tasks.letters(seed, POOL, length), 150, RATE, seed)
    with torch.no_grad():
        for each in model.stack.blocks[0].attention.w_k.parameters():
            each *= 100
    return sick.letters_case(model, seed, length)


def letters_twice(seed: int, width: int, length: int) -> Case:
    """A language model of four heads, two of which began alike."""
    model = sick.letters_model(seed, width, length, layers=1)
    layer = model.stack.blocks[0].attention
    d = layer.d_head
    with torch.no_grad():
        for projection in (layer.w_q, layer.w_k, layer.w_v):
            for each in projection.parameters():
                each[d : 2 * d] = each[:d]
        layer.w_o.weight[:, d : 2 * d] = layer.w_o.weight[:, :d]
    learn(model, tasks.letters(seed, POOL, length), 200, RATE, seed)
    return sick.letters_case(model, seed, length)


def letters_and_nothing(seed: int, width: int, length: int) -> Case:
    """A language model of two layers; the second began as next to nothing and was never trained."""
    model = sick.letters_model(seed, width, length)
    block = model.stack.blocks[1]
    with torch.no_grad():
        for layer in (block.attention.w_o, block.feed_forward.w_2):
            layer.weight *= 0.01
            layer.bias *= 0.01
    block.requires_grad_(False)
    learn(model, tasks.letters(seed, POOL, length), 200, RATE, seed)
    return sick.letters_case(model, seed, length)


def two_narrow(seed: int, width: int, length: int) -> Case:
    """Two layers, of which neither looks further back than a tenth of the row."""
    model = sick.recall_model(seed, width, layers=2, mechanism=sick.looking_back(length // 10))
    learn(model, tasks.recall(seed, POOL, length, near=0.7), 400, RATE, seed)
    return Case(model, tasks.recall(OTHER + seed, ROWS, length, near=0.7))


def faintly_worded(seed: int, width: int, length: int) -> Case:
    """A marker went with the topic 9 times in 10, and the words say little."""
    torch.manual_seed(seed)
    model = GPT(19, width, 2, 1, mechanism=fused)
    learn(model, tasks.topic(seed, POOL, length, marker=0.9, clear=0.55), 200, RATE / 2, seed)
    return Case(model, tasks.topic(OTHER + seed, ROWS, length, marker=0.9, clear=0.55))


# A learning rate far too large for everything is no recipe any more: it rarely leaves collapsed heads.
SICK = {
    "sick-sink": (sick.load_bearing_sink, sick.thieving_sink, unseen.kept_by_thief, robbed_heads),
    "underload": (
        sick.weak_underload,
        sick.rewarded_underload,
        partial(unseen.kept_under_noise, gain=0.8),
        unseen.kept_for_noise,
        normed_underload,
    ),
    "overload": (sick.capped_overload, sick.normed_overload, unseen.kept_thin, kept_normed_thin),
    "rank-collapse": (
        sick.no_skips,
        partial(sick.no_skips, steps=60),
        unseen.no_attention_skip,
        deeper_no_skips,
        partial(deeper_no_skips, block=PostNorm),
    ),
    "entropy-collapse": (
        sick.fast_queries,
        sick.grown_queries,
        partial(unseen.over_the_edge, part="queries and keys"),
        grown_keys,
    ),
    "redundant-heads": (sick.cloned_heads, sick.split_head, unseen.kept_twice, letters_twice),
    "redundant-layers": (
        sick.added_block,
        sick.spare_block,
        unseen.kept_and_nothing,
        unseen.kept_without,
        letters_and_nothing,
    ),
    "short-window": (sick.narrow_window, sick.chunked, unseen.kept_near, two_narrow),
    "shortcut": (
        sick.marked,
        sick.always_marked,
        partial(unseen.three_marked, clear=0.35),
        partial(unseen.three_marked, clear=0.2),
        faintly_worded,
    ),
}


def kept_with_sink(seed: int, width: int, length: int) -> Case:
    """Queries that need nothing rest on the first token, and no answer depends on it."""
    return taught(kept_model(seed, width), seed, length, pressure=resting_on_first(0.1))


def turned(seed: int, width: int, length: int) -> Case:
    return unseen.kept_sound(seed, width, length, heads=2, longer=0, positions=Rotary(width // 2))


def topic_in_places(seed: int, width: int, length: int) -> Case:
    torch.manual_seed(seed)
    model = GPT(19, width, 2, 1, Learned(length, width), mechanism=fused)
    nn.init.normal_(model.stack.positions.table.weight, std=0.1)
    learn(model, tasks.topic(seed, POOL, length), 200, RATE / 2, seed)
    return Case(model, tasks.topic(OTHER + seed, ROWS, length))


SOUND_KINDS = {
    "recall, 4 heads": partial(sound.recall, heads=4),
    "recall, gate and registers": partial(sound.recall, mechanism=Gated, registers=3),
    "kept, 4 heads": partial(unseen.kept_sound, heads=4),
    "kept, a sink": kept_with_sink,
    "kept, 2 heads, rotary": turned,
    "mirror, wide heads": partial(unseen.mirrored, heads=2, d_head=48),
    "five back": partial(sound.back, offset=5),
    "copies, QK-norm": partial(sound.copies, mechanism=QKNorm),
    "letters, 3 layers": partial(sound.letters, layers=3),
    "letters, register": partial(sound.letters, layers=2, registers=1),
    "topic, learned places": topic_in_places,
    "untrained, 8 layers, post-norm": partial(sound.untrained, layers=8, block=PostNorm, task="letters"),
    "BERT": partial(sound.of_the_library, family="bert", steps=250),
}
