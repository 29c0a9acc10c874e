"""One head's output from the clean run, put into the corrupted one: how much of the answer comes back?"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Readout = Callable[[Tensor], Tensor]


def slow_patch(clean: Tensor, corrupted: Tensor, head: int, readout: Readout) -> float:
    """Query by query, head by head; the patched run differs from the corrupted one in one head's output only."""
    good, bad = _slow_heads(clean), _slow_heads(corrupted)
    patched = torch.stack([good[:, h] if h == head else bad[:, h] for h in range(bad.shape[1])], dim=1)
    restored, lost = readout(patched) - readout(bad), readout(good) - readout(bad)
    return (restored / lost).item()


def _slow_heads(qkv: Tensor) -> Tensor:
    q, k, v = qkv
    batch, heads, n, d = q.shape
    output = torch.zeros_like(v)
    for b in range(batch):
        for h in range(heads):
            for i in range(n):
                powers = [(torch.dot(q[b, h, i], key) / math.sqrt(d)).exp() for key in k[b, h]]
                output[b, h, i] = sum(p * value for p, value in zip(powers, v[b, h], strict=True)) / sum(powers)
    return output


def bent(output: Tensor) -> Tensor:
    """A readout, as the rest of a network would be: heads are mixed, and a tanh squashes them."""
    at = torch.arange(output[0].numel(), dtype=output.dtype).view(output.shape[1:])
    return torch.tanh(0.5 + (output * torch.cos(1.7 * at)).flatten(1).sum(-1)).sum()


def _weights(qkv: Tensor) -> Tensor:
    q, k, _ = qkv
    return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)


def _heads(qkv: Tensor) -> Tensor:
    return _weights(qkv) @ qkv[2]


def _put(base: Tensor, other: Tensor, head: int) -> Tensor:
    """`base` with one head of `other`."""
    return torch.where(torch.arange(base.shape[1])[:, None, None] == head, other, base)


def _with(patched: Callable | None = None, share: Callable | None = None, heads: Callable = _heads) -> Callable:
    """The solution with another patched run, (clean, corrupted, head) → output, or another share of three readouts."""
    share = share or (lambda good, bad, new: (new - bad) / (good - bad))
    patched = patched or (lambda clean, corrupted, head: _put(heads(corrupted), heads(clean), head))

    def answer(clean, corrupted, head, readout):
        good, bad, new = (readout(x) for x in (heads(clean), heads(corrupted), patched(clean, corrupted, head)))
        return share(good, bad, new).item()

    return answer


def _on_axis(axis: int) -> Callable:
    """Patch number `head` of the wrong axis."""

    def patched(clean, corrupted, head):
        new = _heads(corrupted).clone()
        new.select(axis, head).copy_(_heads(clean).select(axis, head))
        return new

    return patched


def _weights_put(clean: Tensor, corrupted: Tensor, head: int) -> Tensor:
    return _put(_weights(corrupted), _weights(clean), head) @ corrupted[2]


def _values_put(clean: Tensor, corrupted: Tensor, head: int) -> Tensor:
    return _weights(corrupted) @ _put(corrupted[2], clean[2], head)


def _into_the_clean_run(clean: Tensor, corrupted: Tensor, head: int) -> Tensor:
    return _put(_heads(clean), _heads(corrupted), head)


def _unscaled(qkv: Tensor) -> Tensor:
    q, k, v = qkv
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v


def _case(name: str, head: int, batch: int, heads: int, tokens: int, d: int, seed: int) -> Case:
    """A batch has at least as many sentences as the number of the head, so that a wrong axis runs."""
    clean = random(3, batch, heads, tokens, d, seed=seed)
    return Case(name, (clean, clean + random(3, batch, heads, tokens, d, seed=seed + 1), head, bent))


def _one_corrupted(name: str) -> Case:
    """All that was lost was lost in head 1."""
    clean, noise = random(3, 2, 2, 3, 2, seed=43), random(3, 2, 1, 3, 2, seed=44)
    return Case(name, (clean, torch.cat([clean[:, :, :1], clean[:, :, 1:] + noise], dim=2), 1, bent))


TASK = Task(
    id="reading-maps.patch",
    reference=slow_patch,
    cases=(
        _case("head 0 of 2, 1 sentence of 2 tokens", 0, 1, 2, 2, 2, seed=8),
        _one_corrupted("only head 1 of 2 was corrupted, and head 1 is put back (expected: 1)"),
        _case("head 1 of 2, 2 sentences of 3 tokens", 1, 2, 2, 3, 2, seed=43),
        _case("head 1 of 3, 2 sentences of 3 tokens", 1, 2, 3, 3, 2, seed=66),
        _case("head 2 of 3, 3 sentences of 5 tokens", 2, 3, 3, 5, 4, seed=6),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "weights_patched",
            "You patched the head's *weights*: clean attention over corrupted values. That asks a narrower question, "
            "where the head looks. Asked is the head's output, so its values come from the clean run too.",
            _with(_weights_put),
        ),
        Mistake(
            "values_patched",
            "You patched the head's *values*: corrupted attention over clean values. Take its whole output from the "
            "clean run.",
            _with(_values_put),
        ),
        Mistake(
            "into_the_clean_run",
            "You put the corrupted head into the clean run. That asks what breaks without the head; where two heads do "
            "the same, nothing does. Asked is what it brings back: the clean head in the corrupted run.",
            _with(_into_the_clean_run, share=lambda good, bad, new: (good - new) / (good - bad)),
        ),
        Mistake(
            "damage_of_the_clean_run",
            "You patched all heads but this one; or, which is the same, put the corrupted head into the clean run. It "
            "goes the other way: this head clean, all others corrupted.",
            _with(_into_the_clean_run),
        ),
        Mistake(
            "what_is_still_missing",
            "This is the share that is still missing: (clean − patched) / (clean − corrupted). Restored is the rest of "
            "it: (patched − corrupted) / (clean − corrupted).",
            _with(share=lambda good, bad, new: (good - new) / (good - bad)),
        ),
        Mistake(
            "share_of_the_answer",
            "You divide by the clean answer. What could be restored at all is what the corruption took away: divide "
            "by clean − corrupted, so that a patch of everything gives 1.",
            _with(share=lambda good, bad, new: (new - bad) / good),
        ),
        Mistake(
            "share_of_the_corrupted",
            "You divide by the corrupted answer. What could be restored at all is what the corruption took away: "
            "clean − corrupted.",
            _with(share=lambda good, bad, new: (new - bad) / bad),
        ),
        Mistake(
            "answers_divided",
            "You divide the patched answer by the clean one. A corrupted run that was never patched would then seem "
            "half restored: take the corrupted answer away above and below the line.",
            _with(share=lambda good, bad, new: new / good),
        ),
        Mistake(
            "not_divided",
            "This is the change itself, in the readout's unit. Asked is its share of what was lost: divide by "
            "clean − corrupted.",
            _with(share=lambda good, bad, new: new - bad),
        ),
        Mistake(
            "sign_flipped",
            "The sign is turned round: below the line stands corrupted − clean, above it patched − corrupted. Let both "
            "begin at the corrupted run.",
            _with(share=lambda good, bad, new: (new - bad) / (bad - good)),
        ),
        Mistake(
            "size_only",
            "You took absolute values. A patch can make things worse, and then its share is negative: keep the sign.",
            _with(share=lambda good, bad, new: ((new - bad) / (good - bad)).abs()),
        ),
        Mistake(
            "sentence_patched",
            "You patched a *sentence*: output[head] is axis 0, the batch. Heads stand on axis 1: output[:, head].",
            _with(_on_axis(0)),
        ),
        Mistake(
            "token_patched",
            "You patched a *token* in all heads: output[:, :, head] is axis 2. Heads stand on axis 1: output[:, head].",
            _with(_on_axis(2)),
        ),
        Mistake(
            "all_patched",
            "Every head was patched, so everything comes back, whichever head was asked about.",
            _with(lambda clean, corrupted, head: _heads(clean)),
        ),
        Mistake("unscaled", "The scores are not divided by √d.", _with(heads=_unscaled)),
    ),
)
