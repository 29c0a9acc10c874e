"""How much does a head look at what came next the last time?"""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_prefix(weights: Tensor, tokens: Tensor) -> Tensor:
    """Position by position: find the last place where this token stood, and read the weight on the place after it."""
    found = []
    for b in range(tokens.shape[0]):
        for i in range(tokens.shape[1]):
            earlier = [j for j in range(i) if int(tokens[b, j]) == int(tokens[b, i])]
            if earlier:
                found.append(weights[b, :, i, earlier[-1] + 1])
    return torch.stack(found).mean(dim=0)


def _pairs(tokens: Tensor, pick: int = -1) -> list[tuple[int, int, int]]:
    """(sentence, position, place of an earlier occurrence): the last one, or the first with pick=0."""
    pairs = []
    for b, row in enumerate(tokens.tolist()):
        for i, token in enumerate(row):
            earlier = [j for j in range(i) if row[j] == token]
            if earlier:
                pairs.append((b, i, earlier[pick]))
    return pairs


def _at(weights: Tensor, pairs: list[tuple[int, int, int]], shift: int = 1, turned: bool = False) -> Tensor:
    """The weight of each pair: (pair, head)."""
    b, i, j = torch.tensor(pairs).T
    query, key = (j + shift, i) if turned else (i, j + shift)
    return weights[b, :, query, key]


def _all_earlier(weights: Tensor, tokens: Tensor) -> Tensor:
    same = (tokens[:, :, None] == tokens[:, None, :]).tril(-1)  # (batch, query, key): the same token, earlier
    after = same.roll(1, dims=-1)
    asked = same.any(-1)[:, None]  # (batch, 1, query)
    return (weights * after[:, None]).sum(-1).mul(asked).sum((0, 2)) / asked.sum()


def _by_sentence(weights: Tensor, tokens: Tensor) -> Tensor:
    pairs = _pairs(tokens)
    rows = _at(weights, pairs)
    owner = torch.tensor([b for b, _, _ in pairs])
    return torch.stack([rows[owner == b].mean(0) for b in owner.unique()]).mean(0)


def _case(name: str, rows: list[list[int]], heads: int, seed: int) -> Case:
    """Random causal maps on these sentences."""
    tokens = torch.tensor(rows)
    n = tokens.shape[1]
    scores = random(len(rows), heads, n, n, seed=seed)
    future = torch.ones(n, n, dtype=torch.bool).triu(1)
    return Case(name, (scores.masked_fill(future, -torch.inf).softmax(-1), tokens))


TASK = Task(
    id="reach.prefix",
    reference=slow_prefix,
    cases=(
        _case("the tokens 5 7 5, 1 head", [[5, 7, 5]], 1, seed=1),
        _case("the tokens 1 2 3 1 2 3, 2 heads", [[1, 2, 3, 1, 2, 3]], 2, seed=2),
        _case("the tokens 4 4 9 4 9, 2 heads: some stand there three times", [[4, 4, 9, 4, 9]], 2, seed=3),
        _case(
            "3 sentences of 6 tokens, 2 heads; in one nothing comes twice",
            [[1, 2, 1, 2, 1, 3], [6, 5, 4, 3, 2, 1], [8, 0, 7, 8, 9, 9]],
            2,
            seed=4,
        ),
    ),
    axes=("head",),
    mistakes=(
        Mistake(
            "the_token_itself",
            "You read the weight on the earlier occurrence itself. A head that finds equal tokens is something else (a "
            "duplicate-token head). What helps to predict is what came *next*: one place further on.",
            lambda weights, tokens: _at(weights, _pairs(tokens), shift=0).mean(0),
        ),
        Mistake(
            "the_token_before",
            "You went one step the wrong way, to the token *before* the earlier occurrence. Copying goes forward: "
            "after A B … A, the token to look at is B.",
            lambda weights, tokens: _at(weights, _pairs(tokens), shift=-1).mean(0),
        ),
        Mistake(
            "the_first_occurrence",
            "Where a token stood several times before, you took its first occurrence. Asked was the last one. (With "
            "`argmax` on True and False you get the first: turn the axis round, or take the largest j.)",
            lambda weights, tokens: _at(weights, _pairs(tokens, pick=0)).mean(0),
        ),
        Mistake(
            "all_occurrences",
            "Where a token stood several times before, you added up the weights after all of these places. That is "
            "what the lesson's prefix_match does, and it is larger; asked was the place after the last one alone.",
            _all_earlier,
        ),
        Mistake(
            "over_all_positions",
            "You divide by the number of all positions. Those whose token is new have nowhere to look, and should not "
            "count against the head: take the mean over the positions whose token has stood there before.",
            lambda weights, tokens: _at(weights, _pairs(tokens)).sum(0) / tokens.numel(),
        ),
        Mistake(
            "wrong_way_round",
            "You read column for row: the weight that the *earlier* place gives to the later one. In a causal model "
            "that is the future, and nearly always 0. Rows are queries: weights[…, i, j] is what i gives to j.",
            lambda weights, tokens: _at(weights, _pairs(tokens), turned=True).mean(0),
        ),
        Mistake(
            "sentences_averaged",
            "You took each sentence's mean, and then the mean of these. A sentence with one repeated token then weighs "
            "as much as one with three. Put all the positions of all the sentences into one mean.",
            _by_sentence,
        ),
        Mistake(
            "heads_averaged",
            "The heads were averaged too, so all of them get the same number. A model has one or two heads that do "
            "this, and a mean over all heads would hide them.",
            lambda weights, tokens: _at(weights, _pairs(tokens)).mean(0).mean().expand(weights.shape[1]),
        ),
        Mistake(
            "summed",
            "This is the sum over the positions. Divide by how many there are.",
            lambda weights, tokens: _at(weights, _pairs(tokens)).sum(0),
        ),
    ),
)
