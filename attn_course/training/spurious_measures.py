"""What a model with a shortcut is asked: how right it is, for whom, what changes it, and how sure it is.

Every held-out sentence is read twice, as it is and with the other marker: so each of the four groups holds all 120
sentences of its label, and what the marker does is not mixed up with what the sentences are.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.attention import watching
from attn_course.tasks.marker import CLS, GROUPS, Marked, Split
from attn_course.training.calibration import ece, fit_temperature
from attn_course.training.shortcut_model import barring, cls_from_marker, maps, on_marker, scores, words_from_marker

FIRST = ("stack.blocks.0.attention",)


@torch.no_grad()
def look(model: nn.Module, data: Split) -> dict[str, float | list[float] | list[list[float]]]:
    """Everything that the lesson asks of a trained model. Shares, 0 to 1, but for temperatures and "marker value".

    accuracy            on the held-out sentences as they are: the marker mostly agrees with the label (95 %)
    shifted             the same with each marker swapped: it mostly disagrees
    groups              accuracy in each of GROUPS, each sentence with either marker; worst group: the least of them
    flips               the share of sentences whose answer changes with the marker
    on marker           [CLS]'s attention on the marker, mean over heads and layers; layers: each layer's
    uniform             what an even spread would give the marker
    words on marker     the other tokens' attention on the marker in layer 0
    flips, … barred     the same flips when [CLS] may not look at the marker in any layer; or the words not, in layer 0
    marker value        the length of the marker's value in layer 0, over the mean of the other tokens'
    ece, ece shifted    expected calibration error on both; … after: with a temperature fitted on `data.tuning`
    temperature         that one; temperature balanced: fitted on `data.balanced` instead, with its two errors
    """
    here, there = data.held_out, data.held_out.swapped()
    said, other = scores(model, here), scores(model, there)
    right, right_there = (said.argmax(-1) == here.labels).double(), (other.argmax(-1) == here.labels).double()
    groups = group_accuracies(torch.cat([right, right_there]), torch.cat([here.groups, there.groups]))
    kept = maps(model, here)
    words = here.keep & ~here.is_marker & (here.tokens != CLS)
    by_layer = [on_marker(weights, here)[:, 0].mean().item() for weights in kept]
    return {
        "accuracy": right.mean().item(),
        "shifted": right_there.mean().item(),
        "groups": groups,
        "worst group": min(groups),
        "flips": flips(said, other),
        "on marker": sum(by_layer) / len(by_layer),
        "layers": by_layer,
        "uniform": (1 / here.keep.sum(1)).mean().item(),
        "words on marker": on_marker(kept[0], here)[words].mean().item(),
        "flips, [CLS] barred": flips_barred(model, here, cls_from_marker(here)),
        "flips, words barred": flips_barred(model, here, words_from_marker(here), FIRST),
        "marker value": marker_value(model, here),
        **_calibrated(model, data, said, other),
    }


def _calibrated(model: nn.Module, data: Split, said: Tensor, other: Tensor) -> dict[str, float]:
    labels = data.held_out.labels
    found = {"ece": ece(said.softmax(-1), labels), "ece shifted": ece(other.softmax(-1), labels)}
    for name, known in (("", data.tuning), (" balanced", data.balanced)):
        t = fit_temperature(scores(model, known), known.labels)
        found[f"temperature{name}"] = t
        found[f"ece after{name}"] = ece((said / t).softmax(-1), labels)
        found[f"ece shifted after{name}"] = ece((other / t).softmax(-1), labels)
    return found


def group_accuracies(right: Float[Tensor, "case"], groups: Tensor) -> list[float]:
    """The share of right answers in each group; ValueError if one is empty."""
    if right.shape != groups.shape or not ((groups >= 0) & (groups < len(GROUPS))).all():
        raise ValueError(f"Each of {len(right)} answers needs a group, a whole number from 0 to {len(GROUPS) - 1}.")
    if len(groups.unique()) < len(GROUPS):
        raise ValueError(f"Each of the {len(GROUPS)} groups needs a sentence; give more, or both markers of each.")
    return [right[groups == group].mean().item() for group in range(len(GROUPS))]


def flips(said: Float[Tensor, "case label"], other: Float[Tensor, "case label"]) -> float:
    """The share of cases that are named differently."""
    if said.shape != other.shape or not len(said):
        raise ValueError(
            f"Scores of the same cases, at least one, are compared; got {tuple(said.shape)} and {tuple(other.shape)}."
        )
    return (said.argmax(-1) != other.argmax(-1)).double().mean().item()


@torch.no_grad()
def flips_barred(model: nn.Module, batch: Marked, barred: Tensor, layers: tuple[str, ...] | None = None) -> float:
    """The share of answers that change with the marker while some tokens may not look at it (`barring`)."""
    with barring(model, barred, layers):
        return flips(scores(model, batch), scores(model, batch.swapped()))


@torch.no_grad()
def marker_value(model: nn.Module, batch: Marked) -> float:
    """How long the marker's value is in layer 0, over the mean length of the other tokens': mean over sentences."""
    with watching(model) as records:
        scores(model, batch.marked())
    lengths = records[0].v.norm(dim=-1).mean(1)  # (sentence, token), mean over heads
    others = batch.keep & ~batch.is_marker
    mean = (lengths * others).sum(-1) / others.sum(-1)
    return (lengths[batch.is_marker] / mean).mean().item()
