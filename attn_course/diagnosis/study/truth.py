"""Has a model become as sick as its recipe meant? Asked of its answers and weights, and not as the doctor asks.

Where sickness is built in, nothing need be asked: an attention that is held to go elsewhere, scores that cannot grow, a
mask, a missing skip, a block that was never there in training.
"""

import torch
from torch import nn

from attn_course.attention import MultiHead
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.trials.asked import scores

LOST = 0.3  # of the answers: fewer right once the marker is another topic's
TWINS = 0.99  # cosine of two heads' weights


def confirmed(truth: str, case: Case) -> bool:
    asks = {"shortcut": decided_by_marker, "redundant-heads": twins, "entropy-collapse": collapsed}
    return asks[truth](case) if truth in asks else True


def decided_by_marker(case: Case) -> bool:
    """Whether three answers in ten go wrong when each marker becomes that of another topic, all words left in place."""
    asked = case.asked
    topics = int(asked.wanted.max()) + 1
    label, tokens = asked.wanted[asked.places], asked.tokens
    other = torch.where((tokens >= 1) & (tokens <= topics), tokens % topics + 1, tokens)
    right = [(scores(case.model, asked, read).argmax(-1) == label).double().mean().item() for read in (tokens, other)]
    return right[0] - right[1] >= LOST


def twins(case: Case) -> bool:
    """Whether two heads of a layer have the same queries, keys and values, by their weights."""
    for layer in (each for each in case.model.modules() if isinstance(each, MultiHead)):
        parts = [
            each.weight.detach().unflatten(0, (layer.heads, -1)).flatten(1)
            for each in (layer.w_q, layer.w_k, layer.w_v)
        ]
        alike = [nn.functional.cosine_similarity(each[:, None], each[None], dim=-1) for each in parts]
        least = torch.stack(alike).amin(0).fill_diagonal_(-1)
        if least.max() > TWINS:
            return True
    return False


def collapsed(case: Case) -> bool:
    """Whether more than half of the heads have collapsed by the lesson's own measure."""
    from attn_course.training.experiments.edge import vitals

    read = torch.cat([case.asked.tokens, case.asked.tokens[:, -1:]], 1)
    return vitals(case.model, read)["collapsed"] > 0.5
