"""Which patients are examined: one set to draw the bounds on, and one to test them on, made after they were drawn."""

from functools import partial

from attn_course.diagnosis.study import third as new
from attn_course.diagnosis.study import unseen
from attn_course.diagnosis.study.patients import SOUND, Patient
from attn_course.diagnosis.study.sick import SICK
from attn_course.diagnosis.study.sickness import sick as is_sick
from attn_course.diagnosis.study.sound import SOUND_KINDS
from attn_course.diagnosis.study.truth import confirmed


def calibration() -> list[Patient]:
    """The bounds in `thresholds` were drawn on these: seeds 0, 1 and 2, two widths and two lengths."""
    sizes = ({"width": 32, "length": 24}, {"width": 24, "length": 32}, {"width": 32, "length": 32})
    found = [
        _patient(truth, f"{truth}: {name_of(recipe)}", recipe, seed, sizes[seed])
        for seed in range(3)
        for truth, recipes in SICK.items()
        for recipe in recipes
    ]
    found += [
        _patient(SOUND, f"{SOUND}: {kind}", recipe, seed, sizes[seed])
        for seed in range(2)
        for kind, recipe in SOUND_KINDS.items()
    ]
    return found


def test() -> list[Patient]:
    """Other seeds, widths and lengths; the recipes of the calibration set, and the tasks and recipes of `unseen`."""
    sizes = ({"width": 40, "length": 28}, {"width": 48, "length": 36}, {"width": 20, "length": 40})

    def sick(seed: int) -> list[Patient]:
        return [
            _patient(truth, f"{truth}: {name_of(recipe)}", recipe, seed, sizes[seed - 1000], confirmed)
            for recipes in (SICK, unseen.SICK)
            for truth in recipes
            for recipe in recipes[truth]
        ]

    found = sick(1000)
    for seed in (1000, 1001, 1002):
        kinds = unseen.SOUND_KINDS if seed == 1002 else SOUND_KINDS | unseen.SOUND_KINDS
        found += [_patient(SOUND, f"{SOUND}: {kind}", kinds[kind], seed, sizes[seed - 1000]) for kind in kinds]
    return found + sick(1001)


def again() -> list[Patient]:
    """Sick models once more, with other seeds and sizes, each asked in another way whether it has become sick."""
    sizes = {2000: {"width": 36, "length": 32}, 2001: {"width": 28, "length": 44}}
    return [
        _patient(truth, f"{truth}: {name_of(recipe)}", recipe, seed, sizes[seed], confirmed)
        for seed in sizes
        for recipes in (SICK, unseen.AGAIN)
        for truth in recipes
        for recipe in recipes[truth]
    ]


def third() -> list[Patient]:
    """For the bounds as they stand now: other seeds and sizes, new recipes among the old, each sick one asked in
    another way (`study.sickness`). One that is not confirmed is no patient, and is counted apart."""
    sizes = {
        3000: {"width": 44, "length": 26},
        3001: {"width": 24, "length": 38},
        3002: {"width": 52, "length": 30},
    }
    found = [
        _patient(truth, f"{truth}: {name_of(recipe)}", recipe, seed, sizes[seed], is_sick)
        for seed in (3000, 3001)
        for truth, recipes in new.SICK.items()
        for recipe in recipes
    ]
    for seed, size in sizes.items():
        kinds = new.SOUND_KINDS | unseen.SOUND_KINDS | ({} if seed == 3002 else SOUND_KINDS)
        found += [_patient(SOUND, f"{SOUND}: {kind}", kinds[kind], seed, size) for kind in kinds]
    return found


def _patient(truth: str, kind: str, recipe, seed: int, size: dict[str, int], confirm=None) -> Patient:
    return Patient(truth, kind, seed, size, partial(recipe, seed, **size), confirm)


def name_of(recipe) -> str:
    """The recipe's name in words; of one with an argument set, both."""
    if isinstance(recipe, partial):
        more = ", ".join(f"{name} {getattr(value, '__name__', value)}" for name, value in recipe.keywords.items())
        return f"{name_of(recipe.func)}, {more}"
    return recipe.__name__.replace("_", " ")


# What was done, and in which order: told in the recording.
HISTORY = (
    "The bounds were drawn on the calibration set and committed before a task, a recipe or a seed of the test set "
    "existed. They were not changed afterwards.",
    "The recipes that are new in the test set were tried with seed 7, to see that a model learns its task, before the "
    "set was run. It was to have three seeds of each sick recipe; before any verdict was looked at it was cut to two, "
    "for want of time. It was run once.",
    "A first look at the verdicts of its first 49 models showed 6 of 32 sick ones missed. For some of the recipes the "
    "model had not become sick, so a way to ask that apart from the doctor was written (study/truth.py: do answers go "
    "wrong when the marker is another topic's, are two heads' weights alike, has more than half of the heads collapsed "
    'by the lesson\'s measure) and asked of all its sick models afterwards: "confirmed".',
    "The sick recipes were then run again with two other seeds and sizes, the marker among weaker words and the "
    'QK-norm with a smaller gain ("again"); each model was asked in that way, too. The bounds stayed.',
    "The aim, 95 in 100 of the sick, was missed on both. All three sets were then looked at, model by model, and "
    "bounds were moved or added ((3) in `thresholds`): a thief's key need not be small, a model that knows its answers "
    "may not give noise more than what is needed, heads that began as one may have drifted a little, a shortcut may "
    'have up to four markers, and an answer may be learned a little less well. "told" is what was said of these models '
    'when they were new, by "first_bounds"; "now" what is said of them by the present ones.',
    "A third test set was written after that, with other seeds and sizes, nine sick and a dozen sound recipes that are "
    "new, and a measure of truth for each failure (study/sickness), which looks at answers, weights, states or where a "
    "model looks, and not at what the doctor decides by. What it does not confirm is no patient: it is left out of the "
    "sick, and counted apart. Recipes and measures were tried with seed 7, without a verdict, and one measure was "
    "mended: with a block taken out, the other had run twice. All was committed, the set was run once, and its "
    "verdicts were looked at when it had ended. The bounds stayed.",
)
