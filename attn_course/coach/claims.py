"""A statement that a lesson makes about an experiment, executed."""


class ClaimFailed(AssertionError):
    """The condition of a claim was false: the text and the experiment disagree."""


def claim(id: str, condition: bool, sentence: str, figures: str = "") -> None:
    """Print one stable line if the condition holds; raise ClaimFailed if it does not.

    id         "lesson.number", as in "sinks.3"
    condition  one truth value; a tensor or array of one element will do
    sentence   what the experiment shows, in words that no other machine can change
    figures    measured numbers for the brackets, rounded so far that every machine prints the same
    """
    if getattr(condition, "shape", ()) not in ((), (1,)):
        raise TypeError(f"Claim {id} got {tuple(condition.shape)} truth values; give one, for example (…).all().")
    brackets = f"   ({figures})" if figures else ""
    if not bool(condition):
        raise ClaimFailed(f"{id} does not hold: {sentence}{brackets}")
    print(f"✓ {id}  {sentence}{brackets}")
