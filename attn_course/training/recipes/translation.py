"""The translator of number words: one layer to read, one to write, two heads, places as in the paper of 2017."""

from attn_course.attention import Sinusoidal
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.tasks.translation import SOURCE, TARGET, numbers, pairs
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine
from attn_course.training.translating import alignment_of, exact_match, loss_on

D_MODEL, HEADS, STEPS = 64, 2, 1250


def translator(d_model: int = D_MODEL, **parts) -> EncoderDecoder:
    """The model before its training. `parts`: what to exchange, as in `EncoderDecoder` (mechanism, block, …)."""
    sizes = {"heads": HEADS, "layers": 1, "positions": Sinusoidal(d_model)}
    return EncoderDecoder(len(SOURCE), len(TARGET), d_model, **sizes | parts)


def fit(model: EncoderDecoder, steps: int = STEPS, seed: int = 0, **options) -> History:
    """Train on the 4,000 numbers. About half a minute on one quiet thread."""
    examples = pairs(numbers()[0])
    return train(model, loss_on(examples), steps, lr=3e-3, seed=seed, schedule=warmup_cosine(100), **options)


def figures(model: EncoderDecoder) -> dict[str, float]:
    """On the 1,000 held-out numbers: share written without a wrong word; alignment error, read rightly and late."""
    unseen = pairs(numbers()[1])
    return {
        "exact": exact_match(model, unseen),
        "alignment_error": alignment_of(model, unseen),
        "alignment_error_late": alignment_of(model, unseen, late=1),
    }


RECIPES = {"translation": Recipe(make=translator, fit=fit, figures=figures)}
