"""What the decoder reads, and what it should write: the same words, one step apart."""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task

PAD = 0


def slow_shift(words: Tensor, bos: int, eos: int) -> Tensor:
    """Sentence by sentence, word by word. The output is (batch, 2, token + 1): read, then wanted."""
    batch, longest = words.shape
    out = torch.full((batch, 2, longest + 1), PAD)
    for b in range(batch):
        sentence = [word for word in words[b].tolist() if word != PAD]
        out[b, 0, 0] = bos
        for t, word in enumerate(sentence):
            out[b, 0, t + 1] = word
            out[b, 1, t] = word
        out[b, 1, len(sentence)] = eos
    return out


def _column(words: Tensor, value: int) -> Tensor:
    return torch.full((len(words), 1), value)


def _ended(words: Tensor, eos: int) -> Tensor:
    """The words of each sentence and EOS right behind the last of them."""
    wider = torch.cat([words, _column(words, PAD)], dim=1)
    ends = (wider != PAD).sum(dim=1, keepdim=True)
    return wider.scatter(1, ends, eos)


def _both(read: Tensor, wanted: Tensor) -> Tensor:
    return torch.stack([read, wanted], dim=1)


def _read(words: Tensor, bos: int) -> Tensor:
    return torch.cat([_column(words, bos), words], dim=1)


def _in_step(out: Tensor, words: Tensor, bos: int, eos: int) -> str | None:
    read, before = out[:, 0, 1:], out[:, 1, :-1]
    if not ((read != PAD) & (read != before)).any():
        return None
    return "What is read at one step should be what was wanted at the step before."


_THREE = torch.tensor([[7, 8, 9], [5, 0, 0], [6, 4, 0]])

TASK = Task(
    id="transformer.shift",
    reference=slow_shift,
    cases=(
        Case("1 sentence of 2 words (7 8), BOS 1, EOS 2", (torch.tensor([[7, 8]]), 1, 2)),
        Case("2 sentences, 7 8 and 5; the second is filled up with 0", (torch.tensor([[7, 8], [5, 0]]), 1, 2)),
        Case("3 sentences of 3, 1 and 2 words, BOS 20, EOS 30", (_THREE, 20, 30)),
    ),
    axes=("read or wanted", "step"),
    gradients=False,
    properties=(_in_step,),
    mistakes=(
        Mistake(
            "not_shifted",
            "Nothing is shifted: at every step the decoder reads the very word that it should write. It will learn to "
            "copy, with a loss near zero, and have nothing to copy when it writes by itself.",
            lambda words, bos, eos: _both(_ended(words, eos), _ended(words, eos)),
        ),
        Mistake(
            "shifted_the_wrong_way",
            "Read and wanted are exchanged: the decoder would read the next word, and be asked for the one before it.",
            lambda words, bos, eos: _both(_ended(words, eos), _read(words, bos)),
        ),
        Mistake(
            "eos_after_the_filler",
            "EOS stands at the end of the row, behind the filler, so a short sentence is told to go on with filler. It "
            "belongs right behind the last word of each sentence.",
            lambda words, bos, eos: _both(_read(words, bos), torch.cat([words, _column(words, eos)], dim=1)),
        ),
        Mistake(
            "no_eos",
            "No EOS is ever wanted, so the decoder never learns to stop: behind the last word of each sentence it "
            "should write EOS.",
            lambda words, bos, eos: _both(_read(words, bos), torch.cat([words, _column(words, PAD)], dim=1)),
        ),
        Mistake(
            "no_bos",
            "The first word is already there when the decoder starts, so it is never asked for it. It should read BOS "
            "first, and be asked for the first word.",
            lambda words, bos, eos: _both(
                torch.cat([words, _column(words, PAD)], dim=1),
                torch.cat([_ended(words, eos)[:, 1:], _column(words, PAD)], dim=1),
            ),
        ),
        Mistake(
            "eos_is_read",
            "The decoder reads EOS too. By then the sentence is over: after the last word it reads only filler.",
            lambda words, bos, eos: _both(
                torch.cat([_column(words, bos), _ended(words, eos)[:, :-1]], dim=1), _ended(words, eos)
            ),
        ),
        Mistake(
            "bos_is_wanted",
            "BOS is wanted at the first step as well as read there. It is given, never written: the first thing to "
            "write is the first word.",
            lambda words, bos, eos: _both(_read(words, bos), _read(words, bos)),
        ),
    ),
)
