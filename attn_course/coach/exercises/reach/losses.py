"""One text, two ways to hide the answer: behind a mask, or in the future."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_losses(encoder: Tensor, decoder: Tensor, text: Tensor, masked: Tensor) -> Tensor:
    """Position by position: −log of the share that the softmax gives to the right token."""

    def surprise(scores: Tensor, token: Tensor) -> Tensor:
        powers = (scores - scores.max()).exp()
        return -(powers[int(token)] / powers.sum()).log()

    batch, tokens = text.shape
    hidden = [surprise(encoder[b, t], text[b, t]) for b in range(batch) for t in range(tokens) if masked[b, t]]
    following = [surprise(decoder[b, t], text[b, t + 1]) for b in range(batch) for t in range(tokens - 1)]
    return torch.stack([torch.stack(hidden).mean(), torch.stack(following).mean()])


def _each(scores: Tensor, text: Tensor) -> Tensor:
    """(batch, token): the surprise at each token, if the scores at this place are for it."""
    return F.cross_entropy(scores.transpose(1, 2), text, reduction="none")


def _masked(encoder: Tensor, text: Tensor, masked: Tensor) -> Tensor:
    return _each(encoder, text)[masked].mean()


def _next(decoder: Tensor, text: Tensor) -> Tensor:
    return _each(decoder[:, :-1], text[:, 1:]).mean()


def _with(hidden=_masked, following=lambda decoder, text, masked: _next(decoder, text)):
    """The solution with one of the two losses exchanged for a wrong one."""
    return lambda encoder, decoder, text, masked: torch.stack(
        [hidden(encoder, text, masked), following(decoder, text, masked)]
    )


def _both_shifted(encoder: Tensor, text: Tensor, masked: Tensor) -> Tensor:
    return _each(encoder[:, :-1], text[:, 1:])[masked[:, :-1]].mean()


def _one_is_right(out: Tensor, encoder: Tensor, decoder: Tensor, text: Tensor, masked: Tensor) -> str | None:
    first, second = (out - slow_losses(encoder, decoder, text, masked)).abs() < 1e-9
    if bool(first) == bool(second):
        return None
    good, bad = ("encoder's", "decoder's") if first else ("decoder's", "encoder's")
    return f"The {good} loss is right, the {bad} is not."


def _case(name: str, masked: list[list[int]], vocabulary: int, seed: int) -> Case:
    hidden = torch.tensor(masked, dtype=torch.bool)
    batch, tokens = hidden.shape
    text = torch.randint(vocabulary, (batch, tokens), generator=torch.Generator().manual_seed(seed))
    scores = [random(batch, tokens, vocabulary, seed=seed + i) for i in (1, 2)]
    return Case(name, (*scores, text, hidden))


TASK = Task(
    id="reach.losses",
    reference=slow_losses,
    cases=(
        _case("1 sentence of 3 tokens, the first hidden", [[1, 0, 0]], 4, seed=10),
        _case("1 sentence of 4 tokens, two hidden", [[0, 1, 1, 0]], 5, seed=20),
        _case("2 sentences of 5 tokens, one and three hidden", [[0, 0, 1, 0, 0], [1, 1, 0, 1, 0]], 6, seed=30),
    ),
    axes=("loss",),
    properties=(_one_is_right,),
    mistakes=(
        Mistake(
            "every_token_counts",
            "The encoder's loss counts every position. Where nothing was hidden the encoder *sees* the token that it "
            "should name, so most of this loss is for copying, and it will look splendid. Count the masked places "
            "alone.",
            _with(hidden=lambda encoder, text, masked: _each(encoder, text).mean()),
        ),
        Mistake(
            "the_visible_count",
            "The mask is the wrong way round: you score the encoder where it sees the token, and leave out the places "
            "where it has to guess. True in `masked` means hidden.",
            _with(hidden=lambda encoder, text, masked: _each(encoder, text)[~masked].mean()),
        ),
        Mistake(
            "divided_by_all",
            "The encoder's loss adds up the masked places, and then divides by the number of *all* places. It would "
            "fall if you hid less. Divide by the number of masked ones.",
            _with(hidden=lambda encoder, text, masked: (_each(encoder, text) * masked).mean()),
        ),
        Mistake(
            "encoder_shifted",
            "The encoder's targets are shifted by one. It answers *in place*: scores at position t are for the token "
            "at t, which was hidden there. Only the decoder looks ahead.",
            _with(hidden=_both_shifted),
        ),
        Mistake(
            "sentences_averaged",
            "Each sentence's masked places were averaged first, and then the sentences. A guess then weighs less in a "
            "sentence with more holes. One mean over all masked places of the batch.",
            _with(
                hidden=lambda encoder, text, masked: (
                    (
                        (_each(encoder, text) * masked).sum(1) / masked.sum(1)  # (batch,)
                    ).mean()
                )
            ),
        ),
        Mistake(
            "not_shifted",
            "The decoder's loss is not shifted. At position t it has already read token t; asked to name it, it learns "
            "to copy, and its loss goes to zero. Its scores at t are for the token at t + 1.",
            _with(following=lambda decoder, text, masked: _each(decoder, text).mean()),
        ),
        Mistake(
            "shifted_back",
            "The decoder is shifted the wrong way: scores at t are compared with the token at t − 1, which it has "
            "read. Drop the *last* scores and the *first* token, not the other way round.",
            _with(following=lambda decoder, text, masked: _each(decoder[:, 1:], text[:, :-1]).mean()),
        ),
        Mistake(
            "rolled",
            "The decoder's targets were moved with `roll`, which brings the first token round to the end: the last "
            "position is asked for the beginning of the text. After the last token nothing is known: leave it out.",
            _with(following=lambda decoder, text, masked: _each(decoder, text.roll(-1, dims=1)).mean()),
        ),
        Mistake(
            "decoder_masked",
            "The decoder's loss counts only masked places. Nothing is masked for a decoder: the future is hidden from "
            "it anyway, so every token but the first is a question.",
            _with(
                following=lambda decoder, text, masked: (
                    (_each(decoder[:, :-1], text[:, 1:]) * masked[:, 1:]).sum() / masked[:, 1:].sum()
                )
            ),
        ),
        Mistake(
            "exchanged",
            "The two losses stand in the wrong order: the encoder's first, then the decoder's.",
            lambda encoder, decoder, text, masked: torch.stack([_next(decoder, text), _masked(encoder, text, masked)]),
        ),
        Mistake(
            "summed",
            "These are sums over the positions. A loss that is to be compared between texts is a mean.",
            lambda encoder, decoder, text, masked: torch.stack(
                [_each(encoder, text)[masked].sum(), _each(decoder[:, :-1], text[:, 1:]).sum()]
            ),
        ),
    ),
)
