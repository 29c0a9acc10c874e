"""Is a model of the third test set sick? One measure for each failure, written down before a verdict was looked at.

None of them is the doctor's: answers are counted instead of losses, blocks are really taken out, tokens exchanged
instead of hidden. A model that is not confirmed is no patient: it is left out of the sick, and counted apart.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from attn_course.attention import hiding, watching
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.study.truth import collapsed, decided_by_marker, twins
from attn_course.diagnosis.trials.asked import Asked, scores

LEANS = 0.03  # of the answers that were right are wrong without the first token
DILUTED = 0.2  # of the answers that were right in short rows are wrong in long ones
ONE = 0.99  # of the squares of the last states lies in one direction
UNMISSED = 0.02  # answers, of all, that are wrong without a block, at most
UNREAD = 0.02  # answers that change, at most, when all that stands further back is another row's


def sick(truth: str, case: Case) -> bool:
    asks = {
        "sick-sink": lambda case: robbed(case) or leans(case),
        "underload": noisy,
        "overload": lost_at_length,
        "rank-collapse": one_direction,
        "entropy-collapse": collapsed,
        "redundant-heads": twins,
        "redundant-layers": unmissed,
        "short-window": unread,
        "shortcut": decided_by_marker,
    }
    return bool(asks[truth](case))


def right(model: nn.Module, asked: Asked) -> float:
    """The share of the answers that are right."""
    return (scores(model, asked).argmax(-1) == asked.wanted[asked.places]).double().mean().item()


def masses(case: Case) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each layer, from queries that need something: all weights (query, head, key), and which keys are needed."""
    asked, n = case.asked, case.asked.tokens.shape[1]
    with watching(case.model) as records, torch.no_grad():
        case.model(asked.tokens)
    needs = asked.needed.any(-1)
    for each in records:
        yield each.weights[:, :, -n:, -n:].transpose(1, 2)[needs], asked.needed[needs]


def robbed(case: Case) -> bool:
    """In every head the first token gets more than what is needed."""
    return all(
        (weights[:, :, 0].mean(0) > (weights * needed[:, None]).sum(-1).mean(0)).all()
        for weights, needed in masses(case)
    )


def leans(case: Case) -> bool:
    """Answers are lost if nobody may look at the first token, but not if nobody may look at one in the middle."""
    before, lost = right(case.model, case.asked), []
    for key in (0, case.asked.tokens.shape[1] // 2):
        keep = torch.ones_like(case.asked.places)
        keep[:, key] = False
        with hiding(case.model, keep):
            lost.append(1 - right(case.model, case.asked) / before)
    return lost[0] > LEANS > lost[1]


def noisy(case: Case) -> bool:
    """In every head tokens that nobody needs get more than what is needed."""
    asked = case.asked
    rows = asked.needed.any(-1).nonzero()[:, 0]
    noise = asked.irrelevant[rows][:, None]
    return all(
        ((weights * noise).sum(-1).mean(0) > (weights * needed[:, None]).sum(-1).mean(0)).all()
        for weights, needed in masses(case)
    )


def lost_at_length(case: Case) -> bool:
    return right(case.model, case.longer[-1]) < (1 - DILUTED) * right(case.model, case.asked)


def one_direction(case: Case) -> bool:
    """The tokens of a row are one vector, but for its length: by the singular values of the last block's output."""
    kept = []
    handle = case.model.stack.blocks[-1].register_forward_hook(lambda block, given, made: kept.append(made))
    try:
        with torch.no_grad():
            case.model(case.asked.tokens)
    finally:
        handle.remove()
    squares = torch.linalg.svdvals(kept[0].double()).square()
    return (squares[:, 0] / squares.sum(1)).mean().item() > ONE


def unmissed(case: Case) -> bool:
    """Of a copy with a block really taken out, as many answers are right."""
    before = right(case.model, case.asked)
    for block in range(len(case.model.stack.blocks)):
        shorter = copy.deepcopy(case.model)
        del shorter.stack.blocks[block]
        shorter.stack.layers -= 1
        if before - right(shorter, case.asked) <= UNMISSED:
            return True
    return False


def unread(case: Case) -> bool:
    """The last answer is the same if all further back than a quarter of the row, but the first, is another row's."""
    tokens = case.asked.tokens
    at = torch.arange(tokens.shape[1])
    far = (at > 0) & (at < tokens.shape[1] - 1 - tokens.shape[1] // 4)
    mixed = torch.where(far, tokens.roll(1, 0), tokens)
    with torch.no_grad():
        one, other = (case.model(read)[:, -1].argmax(-1) for read in (tokens, mixed))
    return (one != other).double().mean().item() <= UNREAD
