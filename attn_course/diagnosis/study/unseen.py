"""Recipes of the test set, for its own tasks (`unseen_tasks`). None existed when the bounds were drawn."""

from functools import partial

import torch
from torch import nn

from attn_course.attention import Learned, RelativeBias, Sinusoidal, causal, fused, window
from attn_course.attention.option import told
from attn_course.attention.options import Gated, NullKey, QKNorm, soft_capped
from attn_course.diagnosis.study.learning import block_left_out, given_to_irrelevant, learn, taken_by_first
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.study.sick import OTHER, POOL, RATE, ROWS
from attn_course.diagnosis.study.tasks import bigrams, letters
from attn_course.diagnosis.study.unseen_tasks import KEPT_SIZE, TOPICS, WORDS, kept, mirror, three
from attn_course.diagnosis.trials.asked import NOT_ASKED, Asked
from attn_course.models.blocks import PostNorm
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.models.skips import ReZero, weaken_skips


def kept_model(seed: int, width: int, heads: int = 1, layers: int = 1, positions=None, **more) -> GPT:
    torch.manual_seed(seed)
    return GPT(KEPT_SIZE, width, heads, layers, positions, **{"mechanism": fused} | more)


def taught(model: nn.Module, seed: int, length: int, longer: int = 0, steps: int = 300, **how) -> Case:
    """A model that has learned `kept`, with questions."""
    learn(model, kept(seed, POOL, length), steps, RATE, seed, **how)
    more = (kept(2 * OTHER + seed, ROWS // 4, longer * length),) if longer else ()
    return Case(model, kept(OTHER + seed, ROWS, length), more)


# ---- sick ----


def kept_by_thief(seed: int, width: int, length: int) -> Case:
    """Every query is held to giving the first token more than half."""
    return taught(kept_model(seed, width), seed, length, pressure=taken_by_first(0.65))


def kept_under_noise(seed: int, width: int, length: int, gain: float = 1.0) -> Case:
    """A QK-norm with a small gain, which is held: the one marked token has little more weight than each other."""
    return taught(held_gain(kept_model(seed, width, mechanism=partial(QKNorm, gain=gain))), seed, length)


def kept_for_noise(seed: int, width: int, length: int) -> Case:
    """Attention is held to going to what is not marked."""
    return taught(kept_model(seed, width), seed, length, pressure=given_to_irrelevant(0.85))


def kept_thin(seed: int, width: int, length: int) -> Case:
    """A cap that does for the rows it learned from, and not for those sixteen times as long."""
    return taught(kept_model(seed, width, mechanism=soft_capped(1.8)), seed, length, longer=16)


def held_gain(model: nn.Module) -> nn.Module:
    for layer in model.modules():
        if isinstance(layer, QKNorm):
            layer.gain.requires_grad_(False)
    return model


def no_attention_skip(seed: int, width: int, length: int, steps: int = 0) -> Case:
    """The sick model of the lesson: the skip around attention alone is missing."""
    torch.manual_seed(seed)
    model = GPT(16, width, 4, 12, Sinusoidal(width), mechanism=fused)
    weaken_skips(model, attention=0.0)
    if steps:
        learn(model, bigrams(seed, POOL, length), steps, RATE, seed)
    return Case(model.eval(), bigrams(OTHER + seed, ROWS // 2, length))


def over_the_edge(seed: int, width: int, length: int, part: str | None = None) -> Case:
    """The sick model of the lesson: three layers at a rate thirty times too large, or its queries and keys alone."""
    from attn_course.training.experiments import edge

    model = edge.make(d_model=2 * width, seed=seed)
    if part is not None:
        edge.hurry(model, part)
    edge.learn(model, edge.SANE if part else edge.TOO_FAST, steps=200, seed=seed)
    read = edge.read_twice(count=48)[1]
    return Case(model.eval(), Asked(read[:, :-1], read[:, 1:]))


def kept_twice(seed: int, width: int, length: int) -> Case:
    """Of four heads, two that began alike."""
    model = kept_model(seed, width, heads=4)
    layer = model.stack.blocks[0].attention
    d = layer.d_head
    with torch.no_grad():
        for projection in (layer.w_q, layer.w_k, layer.w_v):
            for each in projection.parameters():
                each[2 * d : 3 * d] = each[:d]
        layer.w_o.weight[:, 2 * d : 3 * d] = layer.w_o.weight[:, :d]
    return taught(model, seed, length)


def kept_and_nothing(seed: int, width: int, length: int) -> Case:
    """Two layers of which the first began as nothing and never learned: its α is held at 0."""
    model = kept_model(seed, width, layers=2, block=ReZero)
    model.stack.blocks[0].alpha.requires_grad_(False)
    with torch.no_grad():
        model.stack.blocks[1].alpha.fill_(1.0)
    return taught(model, seed, length)


def kept_without(seed: int, width: int, length: int) -> Case:
    """Of two layers the first was left out in nine steps of ten."""
    return taught(kept_model(seed, width, layers=2), seed, length, without=block_left_out(0, 0.9))


def kept_near(seed: int, width: int, length: int) -> Case:
    """Nobody may look further back than a sixth of a row."""

    def narrow(q, k, v, visible=None, **change):
        return fused(q, k, v, causal & window(length // 6), **change)

    return taught(kept_model(seed, width, mechanism=told(narrow, fused)), seed, length, steps=400)


def three_marked(seed: int, width: int, length: int, layers: int = 1, clear: float = 0.6) -> Case:
    """A marker went with the topic 97 times in 100."""
    torch.manual_seed(seed)
    model = GPT(1 + TOPICS + TOPICS * WORDS, width, 2, layers, mechanism=fused)
    learn(model, three(seed, POOL, length, 0.97, clear), 200, RATE / 2, seed)
    return Case(model, three(OTHER + seed, ROWS, length, 0.97, clear))


SICK = {
    "sick-sink": (kept_by_thief,),
    "underload": (kept_under_noise, kept_for_noise),
    "overload": (kept_thin,),
    "rank-collapse": (no_attention_skip, partial(no_attention_skip, steps=60)),
    "entropy-collapse": (over_the_edge, partial(over_the_edge, part="queries and keys")),
    "redundant-heads": (kept_twice,),
    "redundant-layers": (kept_and_nothing, kept_without),
    "short-window": (kept_near,),
    "shortcut": (three_marked, partial(three_marked, layers=2)),
}


AGAIN = SICK | {
    "underload": (partial(kept_under_noise, gain=0.6), kept_for_noise),
    "shortcut": (partial(three_marked, clear=0.35), partial(three_marked, layers=2, clear=0.35)),
}


# ---- sound ----


def kept_sound(seed: int, width: int, length: int, heads: int = 1, longer: int = 4, **more) -> Case:
    return taught(kept_model(seed, width, heads, **more), seed, length, longer)


def mirrored(seed: int, width: int, length: int, heads: int = 1, **more) -> Case:
    """Sharp heads that follow a place, each query another distance."""
    torch.manual_seed(seed)
    model = GPT(10, width, heads, 1, Learned(length, width), mechanism=fused, **more)
    nn.init.normal_(model.stack.positions.table.weight, std=0.5)
    learn(model, mirror(seed, POOL, length), 400, RATE, seed)
    return Case(model, mirror(OTHER + seed, ROWS, length))


def three_topics(seed: int, width: int, length: int, marker: float | None = None) -> Case:
    torch.manual_seed(seed)
    model = GPT(1 + TOPICS + TOPICS * WORDS, width, 1, 1, mechanism=fused)
    learn(model, three(seed, POOL, length, marker), 200, RATE / 2, seed)
    return Case(model, three(OTHER + seed, ROWS, length, marker))


def both_ways(seed: int, width: int, length: int) -> Case:
    """An encoder: everybody may look at everybody."""
    torch.manual_seed(seed)
    model = Encoder(KEPT_SIZE, width, 1, 1, head=nn.Linear(width, KEPT_SIZE), mechanism=fused)
    return taught(model, seed, length)


def shipped(seed: int, width: int, length: int, name: str = "language") -> Case:
    """A trained model of the course; width and length are its own."""
    from attn_course.tasks.induction import induction_batch
    from attn_course.training.checkpoints import trained

    model = trained(name)
    if name == "language":
        return Case(model, letters(OTHER + seed, 32, 96, held_out=True))
    period = 32 if name.endswith("period") else (8, 32)
    batch = induction_batch(torch.Generator().manual_seed(OTHER + seed), 48, period)
    wanted = torch.where(batch.predictable, batch.tokens[:, 1:], NOT_ASKED)
    return Case(model, Asked(batch.tokens[:, :-1], wanted))


SOUND_KINDS = {
    "kept": kept_sound,
    "kept, long rows": partial(kept_sound, longer=16),
    "kept, 2 heads": partial(kept_sound, heads=2),
    "kept, null key": partial(kept_sound, mechanism=NullKey),
    "kept, gate": partial(kept_sound, mechanism=Gated),
    "kept, QK-norm": partial(kept_sound, mechanism=QKNorm),
    "kept, 2 registers": partial(kept_sound, registers=2),
    "kept, shared keys": partial(kept_sound, heads=2, kv_heads=1),
    "kept, relative bias": lambda seed, width, length: kept_sound(
        seed, width, length, longer=0, positions=RelativeBias(1)
    ),
    "kept, post-norm": partial(kept_sound, block=PostNorm),
    "mirror": mirrored,
    "mirror, 2 heads": partial(mirrored, heads=2),
    "mirror, post-norm": partial(mirrored, block=PostNorm),
    "three topics": three_topics,
    "three topics, a marker by chance": partial(three_topics, marker=0.0),
    "both ways": both_ways,
    "shipped, language": shipped,
    "shipped, induction": partial(shipped, name="induction"),
    "shipped, induction, fixed period": partial(shipped, name="induction-fixed-period"),
    "shipped, induction, one layer": partial(shipped, name="induction-one-layer"),
}
