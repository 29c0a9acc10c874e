"""A translator is trained, read and scored: the loss, the words it writes, and where it looked as it wrote them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from attn_course.attention import watching
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.tasks.alignment import alignment_error, looks, read_at
from attn_course.tasks.translation import BOS, EOS, LONGEST, PAD, Pair, TranslationBatch, batch_of, words
from attn_course.training.loop import LossOfBatch

CROSS = "decoder.stack.blocks.0.cross"  # the name of the first cross-attention layer in an EncoderDecoder


def translation_loss(model: EncoderDecoder, batch: TranslationBatch) -> Tensor:
    """Cross-entropy of the next German word (nats), with the right words before it: teacher forcing.

    The decoder reads BOS w₁ … wₙ and is asked for w₁ … wₙ EOS: the target, shifted by one. Filler is not counted.
    """
    read, wanted = batch.target[:, :-1], batch.target[:, 1:]
    scores = model(batch.source, read)  # (batch, token, vocabulary)
    return F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=PAD)


def loss_on(pairs: Sequence[Pair], size: int = 64) -> LossOfBatch:
    """For `train`: draws `size` of these pairs, with replacement, and returns their loss."""
    every = batch_of(pairs)

    def loss(model, generator):
        return translation_loss(model, every[torch.randint(len(every), (size,), generator=generator)])

    return loss


def written(model: EncoderDecoder, pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    """The German words that the model writes for each, likeliest word by likeliest word."""
    return [words(row) for row in model.translate(batch_of(pairs).source, BOS, EOS, LONGEST)]


def exact_match(model: EncoderDecoder, pairs: Sequence[Pair]) -> float:
    """Share of the pairs that the model writes without a single wrong word."""
    return sum(got == one.target for got, one in zip(written(model, pairs), pairs, strict=True)) / len(pairs)


@torch.no_grad()
def cross_weights(
    model: EncoderDecoder, pairs: Sequence[Pair], layer: str = CROSS
) -> Float[Tensor, "batch head step source"]:
    """Where the decoder looks in the English words at each step, the right words before it.

    Step t reads what stands before German word t, and chooses word t; the last step chooses EOS.
    """
    batch = batch_of(pairs)
    with watching(model) as records:
        model(batch.source, batch.target[:, :-1])
    return next(record.weights for record in records if record.name == layer)


def alignment_of(model: EncoderDecoder, pairs: Sequence[Pair], late: int = 0, layer: str = CROSS) -> float:
    """Alignment error (AER) of the links to the English word that all heads together look at most.

    `late=1` reads them one step late, at the step that *reads* the German word.
    """
    weights = cross_weights(model, pairs, layer).mean(dim=1)  # (batch, step, source)
    return alignment_error([looks(rows) for rows in read_at(weights, pairs, late)], pairs)
