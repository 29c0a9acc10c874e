"""How much of its context does a model use? Give it less of it, and see when it begins to foresee worse.

Attention's own window (`vitals.window`) says how far back a head looks. What a model loses when the far part is not
there is another question, and here is the answer: the same tokens, foreseen from 1, 2, 4, … tokens before them.
Khandelwal et al. 2018 (arXiv 1805.04623) asked it of an LSTM.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

Passages = Int[Tensor, "passage token"]
Predict = Callable[[Int[Tensor, "batch token"]], Float[Tensor, "batch token vocabulary"]]
CHUNK = 64  # passages at a time


@dataclass(frozen=True)
class ContextLoss:
    """The loss at the last token of each passage, by how many tokens before it the model was given."""

    contexts: tuple[int, ...]  # rising
    losses: Float[Tensor, "context passage"]  # nats

    @property
    def mean(self) -> Float[Tensor, "context"]:
        """Nats a token."""
        return self.losses.mean(dim=1)

    @property
    def bits(self) -> Float[Tensor, "context"]:
        """Bits a token."""
        return self.mean / math.log(2)

    @property
    def error(self) -> Float[Tensor, "context"]:
        """Standard error of the mean, nats. Of a difference of two contexts, `gain` has a smaller one."""
        return self.losses.std(dim=1) / math.sqrt(self.losses.shape[1])

    def gain(self, less: int, more: int) -> tuple[float, float]:
        """How much a longer context saves over a shorter one: nats a token, and the standard error over passages."""
        for each in (less, more):
            if each not in self.contexts:
                raise ValueError(f"The contexts that were measured are {self.contexts}; {each} is not among them.")
        saved = self.losses[self.contexts.index(less)] - self.losses[self.contexts.index(more)]
        return saved.mean().item(), saved.std().item() / math.sqrt(len(saved))

    def used(self, share: float = 0.95) -> int | None:
        """The effective window: the shortest context from which on `share` of what the whole one saves is saved.

        What is saved is counted from the shortest context that was measured. None if the whole one saves nothing that
        stands out of the noise (less than two standard errors), or if there is a NaN among the losses.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share is a part of what the whole context saves, above 0 and up to 1; got {share}.")
        whole, error = self.gain(self.contexts[0], self.contexts[-1])
        if not whole > 2 * error or self.mean.isnan().any():
            return None
        saved = self.mean[0] - self.mean
        short = (saved < share * whole - 1e-9).nonzero().flatten().tolist()
        return self.contexts[max(short, default=-1) + 1]


@torch.no_grad()
def loss_by_context(
    predict: Predict, passages: Passages, contexts: Sequence[int], before: Sequence[int] = ()
) -> ContextLoss:
    """The loss at the last token of each passage, from so many tokens that stand before it.

    predict    a causal model, in evaluation mode: tokens → scores of the next. The library's: lambda t: model(t).logits
    passages   as long as the longest context, and one token more: the target
    contexts   how many tokens are given, e.g. (1, 2, 4, 8, …)
    before     tokens that always stand first and are not counted, such as a beginning-of-text
    """
    contexts = tuple(sorted(set(contexts)))
    _check(passages, contexts)
    target = passages[:, -1]
    rows = []
    for n in contexts:
        scores = _at_last(predict, passages[:, -n - 1 : -1], before)
        rows.append(F.cross_entropy(scores, target, reduction="none"))
    return ContextLoss(contexts, torch.stack(rows))


@torch.no_grad()
def change_by_distance(
    predict: Predict, passages: Passages, distances: Sequence[int], before: Sequence[int] = (), seed: int = 0
) -> Float[Tensor, "distance passage"]:
    """How far the prediction of the last token moves when one token before it is replaced: KL(as it was ‖ replaced).

    distances   1 is the token just before the target. Its stand-in is another token, drawn as often as it occurs in
                these passages. Nats.
    """
    _check(passages, tuple(distances))
    read, generator = passages[:, :-1], torch.Generator().manual_seed(seed)
    counts = torch.bincount(passages.flatten()).double().cpu()
    if (counts > 0).sum() < 2:
        raise ValueError("All tokens of these passages are the same, so there is no other one to put in their place.")
    was = _at_last(predict, read, before).log_softmax(dim=-1)
    rows = []
    for distance in distances:
        others = counts.repeat(len(read), 1).scatter(1, read[:, -distance, None].cpu(), 0.0)  # (passage, vocabulary)
        changed = read.clone()
        changed[:, -distance] = torch.multinomial(others, 1, generator=generator)[:, 0].to(read.device)
        now = _at_last(predict, changed, before).log_softmax(dim=-1)
        rows.append((was.exp() * (was - now)).sum(dim=-1))
    return torch.stack(rows)


def _at_last(predict: Predict, read: Passages, before: Sequence[int]) -> Float[Tensor, "passage vocabulary"]:
    first = torch.tensor(list(before), dtype=read.dtype, device=read.device).expand(len(read), len(before))
    read = torch.cat([first, read], dim=1)
    return torch.cat([predict(chunk)[:, -1].double() for chunk in read.split(CHUNK)])


def _check(passages: Tensor, lengths: tuple[int, ...]) -> None:
    if passages.dim() != 2 or passages.shape[0] < 2 or passages.shape[1] < 2:
        raise ValueError(f"Two passages of two tokens are the least: (passage, token); got {tuple(passages.shape)}.")
    if not lengths or min(lengths) < 1 or max(lengths) > passages.shape[1] - 1:
        raise ValueError(
            f"Passages of {passages.shape[1]} tokens have 1 to {passages.shape[1] - 1} tokens before the last; asked "
            f"were {lengths}."
        )
