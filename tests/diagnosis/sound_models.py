"""Models that are sound: each with something for it to read. The doctor must find no fault in any."""

from collections.abc import Callable

import torch
from torch import nn

from attn_course.attention import Learned, Rotary
from attn_course.models.blocks import PostNorm, PreNorm
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.models.vit import ViT
from attn_course.tasks.digits import split
from attn_course.tasks.documentation import documentation, encode
from attn_course.tasks.fewshot import fewshot_batch
from attn_course.tasks.induction import induction_batch
from attn_course.tasks.translation import batch_of, numbers, pairs
from attn_course.training.checkpoints import trained
from attn_course.training.recipes.fusion import held_out_pairs
from attn_course.training.recipes.masked import covered, held_out_windows, places

SHIPPED = (
    "digits",
    "fewshot",
    "fewshot-fixed",
    "fusion",
    "fusion-mixed",
    "fusion-relayed",
    "induction",
    "induction-fixed-period",
    "induction-one-layer",
    "language",
    "masked",
    "translation",
)
UNTRAINED = ("gpt", "deep gpt", "bert", "vit", "post-norm gpt", "no positions")


def shipped(name: str, seed: int = 0) -> tuple[nn.Module, Callable[[], object]]:
    """A trained model of the course, and a call that has it read data it has not seen."""
    model = trained(name)
    draw = torch.Generator().manual_seed(1000 + seed)
    kind = name.partition("-")[0]
    if kind == "digits":
        images = split(0)[1].images[32 * seed : 32 * seed + 32]
        return model, lambda: model(images)
    if kind == "fewshot":
        tokens = fewshot_batch(draw, 16, 12, torch.arange(4) if name.endswith("fixed") else None).tokens
        return model, lambda: model(tokens)
    if kind == "fusion":
        drawn = held_out_pairs(0, count=32)
        return model, lambda: model(drawn.left, drawn.right, drawn.words)
    if kind == "induction":
        batch = induction_batch(draw, 8, 32 if name.endswith("period") else (8, 32))
        return model, lambda: model(batch.tokens[:, :-1])
    if kind == "translation":
        batch = batch_of(pairs(numbers()[1][16 * seed : 16 * seed + 16]))
        return model, lambda: model(batch.source, batch.target[:, :-1])
    windows = held_out_windows()[8 * seed : 8 * seed + 8]
    if kind == "masked":
        windows = covered(windows, places(windows))
    return model, lambda: model(windows)


def untrained(name: str, seed: int = 0) -> tuple[nn.Module, Callable[[], object]]:
    """A small model with random weights, and a call that has it read some text, or noise as images."""
    torch.manual_seed(seed)
    text = encode(documentation().held_out)[:512].unflatten(0, (4, 128))
    characters = len(documentation().characters)
    if name == "vit":
        model, read = ViT(image=8, patch=2, classes=10, d_model=48, heads=4, layers=2), torch.rand(8, 8, 8)
    else:
        model, read = _reader(name, characters), text
    model = model.eval()
    return model, lambda: model(read)


def _reader(name: str, characters: int) -> nn.Module:
    sizes = {"d_model": 64, "heads": 4, "layers": 12 if name == "deep gpt" else 4}
    if name == "bert":
        return Encoder(characters, positions=Learned(128, 64), block=PostNorm, **sizes)
    block = PostNorm if name == "post-norm gpt" else PreNorm
    return GPT(characters, positions=None if name == "no positions" else Rotary(16), block=block, **sizes)
