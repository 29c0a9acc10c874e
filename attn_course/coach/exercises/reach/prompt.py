"""A few learned vectors before the text, and a model that is left as it is."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Model = Callable[[Tensor, Tensor], Tensor]


def slow_prompt(learned: Tensor, x: Tensor, model: Model) -> Tensor:
    """Sentence by sentence: the learned vectors, then the text; every place sees itself and what stands before it."""
    p, n = learned.shape[0], learned.shape[0] + x.shape[1]
    visible = torch.tensor([[j <= i for j in range(n)] for i in range(n)])
    outputs = [model(torch.cat([learned, sentence])[None], visible)[0, p:] for sentence in x]
    return torch.stack(outputs)


def reader(x: Tensor, visible: Tensor) -> Tensor:
    """A frozen model of two layers, (batch, token, d) → the same: it attends, and it knows where tokens stand."""
    n, d = x.shape[-2:]
    h = x + 0.5 * torch.sin(torch.arange(n, dtype=x.dtype)[:, None] + torch.arange(d, dtype=x.dtype))
    for _ in range(2):
        scores = (h @ h.transpose(-2, -1) / d**0.5).masked_fill(~visible, -torch.inf)
        h = torch.tanh(h + scores.softmax(-1).nan_to_num(0.0) @ h)
    return h


def _before(learned: Tensor, x: Tensor) -> Tensor:
    return torch.cat([learned.expand(len(x), -1, -1), x], dim=1)


def _causal(n: int, shift: int = 0) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool).tril(shift)


def _with(visible=lambda p, n: _causal(p + n), kept=lambda out, p: out[:, p:]):
    """The solution with another mask, or with other outputs kept."""

    def answer(learned, x, model):
        p = len(learned)
        return kept(model(_before(learned, x), visible(p, x.shape[1])), p)

    return answer


def _appended(learned: Tensor, x: Tensor, model: Model) -> Tensor:
    both = torch.cat([x, learned.expand(len(x), -1, -1)], dim=1)
    return model(both, _causal(both.shape[1]))[:, : x.shape[1]]


def _hides_the_prompt(p: int, n: int) -> Tensor:
    visible = _causal(p + n)
    visible[p:, :p] = False
    return visible


def _prompt_reads_all(p: int, n: int) -> Tensor:
    visible = _causal(p + n)
    visible[:p] = True
    return visible


def _prompt_reads_itself(p: int, n: int) -> Tensor:
    visible = _causal(p + n)
    visible[:p, :p] = True
    return visible


def _replaced(learned: Tensor, x: Tensor, model: Model) -> Tensor:
    p = min(len(learned), x.shape[1])
    return model(torch.cat([learned[:p].expand(len(x), -1, -1), x[:, p:]], dim=1), _causal(x.shape[1]))


def _added(learned: Tensor, x: Tensor, model: Model) -> Tensor:
    return model(x + learned.mean(0), _causal(x.shape[1]))


def _honest(out: Tensor, learned: Tensor, x: Tensor, model: Model) -> str | None:
    """Of an output that is right in its first tokens only."""
    right = slow_prompt(learned, x, model)
    wrong = (out - right).abs().amax((0, 2)) > 1e-9
    if wrong[0] or not wrong.any():
        return None
    return f"Your outputs are right up to token {int(wrong.nonzero()[0]) - 1}, and wrong from there on."


def _case(name: str, prompt: int, tokens: int, batch: int, d: int, seed: int) -> Case:
    return Case(name, (random(prompt, d, seed=seed), random(batch, tokens, d, seed=seed + 1), reader))


TASK = Task(
    id="reach.prompt",
    reference=slow_prompt,
    cases=(
        _case("1 learned vector, 2 tokens, 2 features", 1, 2, 1, 2, seed=1),
        _case("2 learned vectors, 3 tokens, 3 features", 2, 3, 1, 3, seed=3),
        _case("3 learned vectors, 2 sentences of 5 tokens, 4 features", 3, 5, 2, 4, seed=5),
    ),
    axes=("token", "feature"),
    properties=(_honest,),
    mistakes=(
        Mistake(
            "without_effect",
            "The learned vectors change nothing: they were left out, or they stand *after* the text, where in a causal "
            "model nobody looks. Their gradient is zero, so they would never learn. Put them before.",
            _appended,
        ),
        Mistake(
            "not_dropped",
            "You return the outputs of the learned vectors too. They are not part of the text: keep the outputs from "
            "place p on.",
            _with(kept=lambda out, p: out),
        ),
        Mistake(
            "dropped_at_the_end",
            "You dropped as many outputs as you put in, but at the end: what is left are the learned vectors' outputs "
            "and the text's first ones. Every token gets the answer of one before it. Drop the first p.",
            _with(kept=lambda out, p: out[:, :-p]),
        ),
        Mistake(
            "prompt_hidden",
            "The text does not see the learned vectors: the mask hides them, and what nobody sees cannot be learned. "
            "Everything before a token is visible to it, and they stand before all of it.",
            _with(visible=_hides_the_prompt),
        ),
        Mistake(
            "future_visible",
            "Everything sees everything. The model was trained causally: a token may see the learned vectors, the "
            "tokens before it, and itself.",
            _with(visible=lambda p, n: torch.ones(p + n, p + n, dtype=torch.bool)),
        ),
        Mistake(
            "diagonal_moved",
            "The triangle was moved by the number of learned vectors, so each token sees that many tokens of its "
            "future. `tril(p)` is right if only the text asks, (token, p + token). Here the learned vectors ask too, "
            "and the matrix is square: plain `tril()`.",
            _with(visible=lambda p, n: _causal(p + n, shift=p)),
        ),
        Mistake(
            "prompt_reads_the_text",
            "The learned vectors see the whole text, and the text sees them. In one layer nothing happens; in the "
            "next, early tokens read the future through them. They stand at the beginning, so they see only one "
            "another.",
            _with(visible=_prompt_reads_all),
        ),
        Mistake(
            "prompt_reads_itself",
            "The learned vectors see each other both ways. The model was trained causally, and was to be left as it "
            "is: they too see only themselves and what stands before.",
            _with(visible=_prompt_reads_itself),
        ),
        Mistake(
            "blind_to_itself",
            "The triangle leaves out its own diagonal: a token should see itself.",
            _with(visible=lambda p, n: _causal(p + n, shift=-1)),
        ),
        Mistake(
            "replaced",
            "The learned vectors were written *over* the first tokens of the text, which are gone now. Put them "
            "before: the row grows longer.",
            _replaced,
        ),
        Mistake(
            "added",
            "The learned vectors were added to the tokens. They are tokens of their own, before the text, for it to "
            "look at.",
            _added,
        ),
    ),
)
