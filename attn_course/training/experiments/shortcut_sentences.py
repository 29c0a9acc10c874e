"""Eight held-out sentences under the four shipped encoders, with either stamp and with none: what a widget shows."""

import torch
from torch import nn

from attn_course.tasks.marker import GROUPS, LABELS, MARKERS, UNKNOWN, Marked, split, vocabulary
from attn_course.training.checkpoints import trained
from attn_course.training.recipes.shortcut import NAMES
from attn_course.training.shortcut_model import maps, on_marker, scores
from attn_course.training.spurious import trimmed

NONE = "none"
STAMPS = (*MARKERS, NONE)
SHORTEST, LONGEST, EACH = 8, 14, 4  # tokens; sentences of either label


def chosen(each: int = EACH) -> Marked:
    """Held-out sentences of either label in turn: the first of 8 to 14 tokens whose words all are known.

    Nothing that a model makes of them has a part in the choice.
    """
    held_out = split(0).held_out
    length, known = held_out.keep.sum(1), (held_out.tokens != UNKNOWN).all(1)
    fits = known & (length >= SHORTEST) & (length <= LONGEST)
    sides = [(fits & (held_out.labels == label)).nonzero()[:each, 0] for label in range(2)]
    return trimmed(held_out[torch.stack(sides, dim=1).flatten()])


@torch.no_grad()
def read(model: nn.Module, batch: Marked) -> list[dict]:
    """For each sentence: "p", the probability of label 1; "cls", what [CLS] gives each token, by layer; "stamp", what
    each token gives the stamp in layer 0 (where there is one). Means over heads."""
    said, layers = scores(model, batch).softmax(-1)[:, 1], maps(model, batch)
    looks = torch.stack([layer.mean(1)[:, 0] for layer in layers], dim=1)  # (sentence, layer, token)
    stamp = on_marker(layers[0], batch) if (batch.at >= 0).all() else None
    return [
        {
            "p": round(said[i].item(), 4),
            "cls": [rounded(layer[:n]) for layer in looks[i]],
            "stamp": None if stamp is None else rounded(stamp[i, :n]),
        }
        for i, n in enumerate(batch.keep.sum(1).tolist())
    ]


def table(batch: Marked, models: dict[str, nn.Module]) -> dict:
    """Everything the browser needs of the sentences: words, labels, and what each model makes of each stamp."""
    bare = batch.removed()
    of_stamp = [_all(batch, 0), _all(batch, 1), bare]
    return {
        "sentences": [
            {
                "words": [vocabulary()[t] for t in bare.tokens[i][bare.keep[i]].tolist()],
                "at": int(batch.at[i]),
                "label": int(batch.labels[i]),
                "came": MARKERS[batch.markers[i]],
            }
            for i in range(len(batch))
        ],
        "answers": {
            name: {stamp: read(model, each) for stamp, each in zip(STAMPS, of_stamp, strict=True)}
            for name, model in models.items()
        },
    }


def _all(batch: Marked, marker: int) -> Marked:
    """All sentences with this marker."""
    other = batch.swapped()
    tokens = torch.where((batch.markers == marker)[:, None], batch.tokens, other.tokens)
    return Marked(tokens, batch.labels, torch.full_like(batch.markers, marker), batch.at)


def rounded(weights: torch.Tensor) -> list[float]:
    return [round(weight, 4) for weight in weights.tolist()]


def measure() -> dict:
    """ "sentences": words, where the stamp stands, label; "answers"[remedy][stamp][sentence]: what `read` says."""
    found = table(chosen(), {remedy: trained(name) for name, remedy in NAMES.items()})
    return {"labels": LABELS, "groups": GROUPS, "stamps": STAMPS, **found}
