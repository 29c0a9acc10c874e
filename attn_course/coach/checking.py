"""`check(id, answer)`: does the learner's function do what the exercise asks, and if not, which mistake is it?"""

import inspect
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from attn_course.coach import catalogue, guard, progress
from attn_course.coach.exercises import task_for
from attn_course.coach.result import Result
from attn_course.coach.running import Outcome, close, run, same, shortcuts
from attn_course.coach.spec import Case, Task
from attn_course.show.compare import Comparison

SECONDS = 10.0


def check(id: str, answer: Any, seconds: float = SECONDS) -> Result:
    """Check a learner's `answer` (a function) to exercise `id`.

    Runs it on small cases against a slow reference in float64, gradients included. If it differs, shows the smallest
    case where it does, and names the mistake if it is one that the exercise knows. The learner's exceptions, endless
    loops (`seconds`), floods of print and hunger for memory end in a sentence. The try is noted in the progress file.
    Raises UnknownExercise for an id that the catalogue does not have.
    """
    exercise = catalogue.find(id)
    result = _judge(task_for(id), answer, seconds)
    progress.record_try(id, result.passed, result.mistake)
    return Result(id, result.passed, result.message, result.mistake, result.comparison, _footer(exercise, result))


def _judge(task: Task, answer: Any, seconds: float) -> Result:
    complaint = _not_a_function(task, answer)
    if complaint:
        return _refusal(task, complaint)
    printed = ""
    try:
        with guard.guarded(seconds) as output:
            shortcut = shortcuts(answer, task.cases[-1].args, task.refused)
            outcomes = [run(answer, case.args, task.gradients) for case in task.cases] if not shortcut else []
        printed = output.getvalue()
    except guard.TooSlow:
        return _refusal(
            task,
            f"Your function was still running after {seconds:g} seconds, so it was stopped. "
            "These cases take milliseconds: look for a loop that never ends.",
        )
    except guard.TooBig:
        return _refusal(
            task,
            "Your function took more than 2 GB of memory, so it was stopped. "
            "These cases are tiny: look for something that grows in a loop.",
        )
    except guard.TooMuchText:
        return _refusal(task, "Your function printed more than 20,000 characters, so it was stopped: remove the print.")
    except SystemExit:
        return _refusal(task, "Your function calls exit(), which would end the notebook. Return the answer instead.")
    if shortcut:
        return _refusal(
            task,
            f"Your answer calls {shortcut}, which is what this exercise asks you to build. Write it from its parts.",
        )
    result = _compare(task, answer, outcomes)
    if printed and not result.passed:
        return Result(
            task.id, False, f"{result.message}\n\nIt printed: {printed[:500]}", result.mistake, result.comparison
        )
    return result


def _compare(task: Task, answer: Callable, outcomes: list[Outcome]) -> Result:
    targets = [run(task.reference, case.args, task.gradients) for case in task.cases]
    for case, yours, target in zip(task.cases, outcomes, targets, strict=True):
        if _right(task, case, yours, target):
            continue
        mistake = _named(task, outcomes, case)
        picture = _picture(task, case, yours, target)
        if mistake is not None:
            return Result(task.id, False, mistake.sentence, mistake.id, picture)
        return Result(task.id, False, _explain(task, case, answer, yours, target), None, picture)
    return Result(task.id, True, f"`{task.id}` agrees with the reference on all {len(task.cases)} cases.")


def _right(task: Task, case: Case, yours: Outcome, target: Outcome) -> bool:
    if yours.error is not None or yours.changed is not None:
        return False
    if _wrong_kind(task, yours, target) is not None:
        return False
    seen, wanted = task.seen(yours.output, case.args), task.seen(target.output, case.args)
    if task.accepts is not None:
        return bool(task.accepts(seen, wanted))
    if not close(seen, wanted, case.tolerance):
        return False
    if not task.gradients or task.seen_through is not None:
        return True
    return same(Outcome(seen, yours.gradients), Outcome(wanted, target.gradients), case.tolerance)


def _named(task: Task, outcomes: list[Outcome], first: Case):
    """The mistake that gives the learner's outcomes on every case, errors by their type; None if there is none.

    Where several outputs are right, mistakes come in families too (a key made 50 or 100 times longer): then what
    counts is the effect on the first case that fails.
    """
    for mistake in task.mistakes:
        theirs = [run(mistake.answer, case.args, task.gradients) for case in task.cases]
        pairs = list(zip(outcomes, theirs, task.cases, strict=True))
        if task.seen_through is not None:
            yours, wrong, _ = pairs[task.cases.index(first)]
            if _same_effect(task, first, yours, wrong):
                return mistake
        elif all(_alike(a, b, case.tolerance) for a, b, case in pairs):
            return mistake
    return None


def _same_effect(task: Task, case: Case, a: Outcome, b: Outcome) -> bool:
    if a.error is not None or b.error is not None or type(a.output) is not type(b.output):
        return False
    if isinstance(a.output, Tensor) and a.output.shape != b.output.shape:
        return False
    return close(task.seen(a.output, case.args), task.seen(b.output, case.args), 0.02)


def _alike(a: Outcome, b: Outcome, tolerance: float) -> bool:
    if a.error is not None or b.error is not None:
        return type(a.error) is type(b.error)
    return a.changed == b.changed and same(a, b, tolerance)


def _not_a_function(task: Task, answer: Any) -> str | None:
    name = task.id.split(".")[1]
    if answer is None or answer is Ellipsis:
        return f'There is nothing to check yet. Write the function, run its cell, then `check("{task.id}", {name})`.'
    if not callable(answer):
        return (
            f"The check wants the function itself, not what it returns (got {_kind(answer)}): "
            f'`check("{task.id}", {name})`, without brackets after {name}.'
        )
    try:
        inspect.signature(answer).bind(*task.cases[0].args)
    except TypeError:
        wanted = ", ".join(inspect.signature(task.reference).parameters)
        return f"Your function should take ({wanted}); yours takes {inspect.signature(answer)}."
    except ValueError:  # a builtin without a signature: let it run
        pass
    return None


def _wrong_kind(task: Task, yours: Outcome, target: Outcome) -> str | None:
    """A sentence if the output is not the kind of thing that was asked for: type, shape, or whole-number masks."""
    out, wanted = yours.output, target.output
    if out is None:
        return "Your function returns None. Is there a `return` at its end?"
    if not isinstance(wanted, Tensor):
        fits = isinstance(out, bool) if isinstance(wanted, bool) else isinstance(out, (int, float))
        return None if fits else f"Your function should return {_kind(wanted)}, it returned {_kind(out)}."
    if not isinstance(out, Tensor):
        return f"Your function should return a torch tensor, it returned {_kind(out)}."
    if out.shape != wanted.shape:
        named = f": (…, {', '.join(task.axes)})" if task.axes else ""
        return f"Your output has shape {tuple(out.shape)}, it should have {tuple(wanted.shape)}{named}."
    if (out.dtype == torch.bool) != (wanted.dtype == torch.bool):
        words = "True and False" if wanted.dtype == torch.bool else "floating-point numbers"
        return f"Your output should hold {words}, it holds {out.dtype}."
    return None


def _explain(task: Task, case: Case, answer: Callable, yours: Outcome, target: Outcome) -> str:
    """One sentence about an answer that is wrong in a way nobody has named."""
    if isinstance(yours.error, NotImplementedError):
        return "This is still the empty stub. Replace the line that raises NotImplementedError, and run the cell again."
    if yours.error is not None:
        return _raised(yours.error, answer, case)
    if yours.changed is not None:
        name = list(inspect.signature(task.reference).parameters)[yours.changed]
        return (
            f"Your function changes {name} in place, and whoever passed it will be surprised. "
            "Work on a copy (`x.clone()`), or use operations without a trailing underscore."
        )
    kind = _wrong_kind(task, yours, target)
    if kind is not None:
        return f"{kind} The case: {case.name}."
    if isinstance(yours.output, Tensor) and yours.output.isnan().any() and not target.output.isnan().any():
        count = f"{int(yours.output.isnan().sum())} of {yours.output.numel()}"
        return f"Your output has NaN at {count} places. The case: {case.name}."
    for law in task.properties:
        broken = law(yours.output, *case.args)
        if broken:
            return f"{broken} The case: {case.name}."
    seen, wanted = task.seen(yours.output, case.args), task.seen(target.output, case.args)
    if not close(seen, wanted, case.tolerance):
        return f"{_largest_gap(task, seen, wanted)} The case: {case.name}."
    if yours.gradients is None:
        return (
            "The numbers are right, but no gradient flows back through them, so nothing could train. Look for "
            "`.item()`, `.detach()`, `.data`, `torch.no_grad()` or a detour through numpy."
        )
    return f"The numbers are right, but the gradients are not. The case: {case.name}."


def _raised(error: BaseException, answer: Callable, case: Case) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == _file_of(answer)]
    where = f" on line {frames[-1].lineno} (`{frames[-1].line}`)" if frames and frames[-1].line else ""
    shapes = ", ".join(str(tuple(arg.shape)) for arg in case.args if isinstance(arg, Tensor))
    given = f" It was given tensors of shape {shapes}." if shapes else ""
    text = " ".join(str(error).split())
    return f"Your function raised {type(error).__name__}{where}: {text[:200]}.{given}".replace("..", ".")


def _file_of(answer: Callable) -> str | None:
    return getattr(getattr(inspect.unwrap(answer), "__code__", None), "co_filename", None)


def _largest_gap(task: Task, seen: Any, wanted: Any) -> str:
    if not isinstance(wanted, Tensor):
        return f"Your answer is {seen!r}, it should be {wanted!r}."
    if wanted.dtype == torch.bool:
        wrong = (seen != wanted).nonzero()
        at, n = tuple(wrong[0].tolist()), len(wrong)
        place = _place(task, at)
        return f"{n} of {wanted.numel()} cells differ, the first {place}: {bool(wanted[at])}, yours {bool(seen[at])}."
    gaps = (seen.double() - wanted.double()).abs().nan_to_num(torch.inf)
    at = tuple((gaps == gaps.max()).nonzero()[0].tolist())
    target, yours = wanted[at].item(), seen[at].item()
    return f"The largest difference is {_place(task, at)}: it should be {target:.4g}, yours is {yours:.4g}."


def _place(task: Task, at: tuple[int, ...]) -> str:
    names = task.axes[-len(at) :] if at else ()
    last = at[len(at) - len(names) :]
    return "at " + (", ".join(f"{n} {i}" for n, i in zip(names, last, strict=True)) or f"index {at}")


def _picture(task: Task, case: Case, yours: Outcome, target: Outcome) -> Comparison | None:
    if not isinstance(target.output, Tensor):
        return None
    wanted = task.seen(target.output, case.args)
    try:
        mine = task.seen(yours.output, case.args) if yours.is_tensor else None
    except (RuntimeError, ValueError, IndexError):  # an output of the wrong shape cannot be looked through
        mine = None
    caption = f"Smallest case where it shows: {case.name}."
    return Comparison(wanted.detach(), mine.detach() if isinstance(mine, Tensor) else None, caption, task.axes)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return {int: "a number", float: "a number", list: "a list", tuple: "a tuple", str: "a string"}.get(
        type(value), f"a {type(value).__module__.split('.')[0]} {type(value).__name__}".replace("a builtins ", "a ")
    )


def _refusal(task: Task, sentence: str) -> Result:
    return Result(task.id, False, sentence)


def _footer(exercise: catalogue.Exercise, result: Result) -> str:
    if result.passed:
        return ""
    left = len(exercise.hints) - progress.hints_taken(exercise.id)
    number = {0: "No hint", 1: "One hint", 2: "Two hints", 3: "Three hints"}[max(0, left)]
    return f'{number} left: `hint("{exercise.id}")`.' if left > 0 else f'Stuck? `solution("{exercise.id}")`.'
