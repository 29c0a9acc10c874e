"""Does attention to an image say that the answer comes from it? Images are exchanged to find out.

Three models, three seeds. For the questions "which digit is left" and "which digit is right", the image asked about or
the other one is replaced by another digit, and we count how many answers change. Once more with a mask that keeps the
words from looking at the patches of the image that is asked about: its attention is zero then, not just small.
"""

import torch
from torch import Tensor, nn

from attn_course.models.fusion import Fusion, RelayedFusion, mass_on_left
from attn_course.tasks.digits import split
from attn_course.tasks.two_images import LEFT, RIGHT, SIDES, Pairs, chance, exchanged, text_only
from attn_course.training.recipes.fusion import HEADS, KINDS, STEPS, figures, fit_fusion, held_out_pairs, make_fusion

SEEDS = (0, 1, 2)


def one_side(model: Fusion, side: str) -> Tensor:
    """The mask under which the words see the patches of one image only: (1, 1, 1, patch of both)."""
    patches = torch.arange(2 * model.n)
    return ((patches < model.n) == (side == "left"))[None, None, None]


@torch.no_grad()
def changed(model: nn.Module, before: Pairs, after: Pairs, readable: Tensor | None = None) -> float:
    """Share of the answers that are others after the exchange."""
    one, other = (model(drawn.left, drawn.right, drawn.words, readable).argmax(dim=-1) for drawn in (before, after))
    return (one != other).float().mean().item()


def exchange(model: Fusion, question: int, seed: int = 0) -> dict[str, float]:
    """Asked for one digit (LEFT or RIGHT): the attention paid to each image, and what exchanging it does."""
    drawn = held_out_pairs(seed, question)
    asked, other = SIDES[question], SIDES[1 - question]
    _, held_out = split(seed)
    dice = torch.Generator().manual_seed(2)
    new = {side: exchanged(drawn, side, held_out, dice) for side in SIDES}
    mass = mass_on_left(model, drawn.left, drawn.right, drawn.words).mean().item()
    found = {
        "mass on asked": mass if asked == "left" else 1 - mass,
        "changed, asked exchanged": changed(model, drawn, new[asked]),
        "changed, other exchanged": changed(model, drawn, new[other]),
    }
    if isinstance(model, RelayedFusion):  # its words see one image only as it is
        return found
    unseen = one_side(model, other)
    return found | {
        "asked unseen: changed, asked exchanged": changed(model, drawn, new[asked], unseen),
        "asked unseen: changed, other exchanged": changed(model, drawn, new[other], unseen),
    }


def measure() -> dict:
    """Rows of (model, seed): figures, and what exchanges do for each of the two questions."""
    rows = []
    for kind in KINDS:
        for seed in SEEDS:
            model = make_fusion(kind, seed)
            fit_fusion(model, seed)
            model.eval()
            exchanges = {"left": exchange(model, LEFT, seed), "right": exchange(model, RIGHT, seed)}
            rows.append({"model": kind, "seed": seed, "figures": figures(model, seed), "asked": exchanges})
    settings = {
        "model": "4 × 4 patches, 48 features, 1 block for the images, 1 with cross-attention for the words",
        "heads": HEADS,
        "steps": STEPS,
        "batch": 64,
        "lr": 3e-3,
        "held-out pairs a question": 500,
    }
    baselines = {"text only": text_only(), "chance": chance()}
    return {"settings": settings, "seeds": list(SEEDS), "baselines": baselines, "rows": _rounded(rows)}


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
