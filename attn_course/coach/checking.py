"""`check(id, answer)`: does the learner's function do what the exercise asks, and if not, which mistake is it?"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from attn_course.coach import catalogue, guard, progress, sentences
from attn_course.coach.exercises import task_for
from attn_course.coach.result import Result
from attn_course.coach.running import Outcome, as_number, close, is_plain, run, same, shortcuts
from attn_course.coach.spec import Case, Mistake, Task
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
    complaint = sentences.not_a_function(task, answer)
    if complaint:
        return _refusal(task, complaint)
    printed, targets = "", _outcomes(task, task.reference, task.cases)
    try:
        with guard.guarded(seconds) as output:
            # The first case once more at the end: an answer that keeps something between calls gives itself away.
            outcomes = _outcomes(task, answer, (*task.cases, task.cases[0]))
            shortcut = shortcuts(answer, task.cases[-1].args, task.refused)
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
        return _refusal(task, sentences.refuse_shortcut(shortcut))
    result = _compare(task, outcomes, targets)
    if printed and not result.passed:
        return Result(
            task.id,
            False,
            f"{result.message}\n\nIt printed: {printed[:500].strip()}",
            result.mistake,
            result.comparison,
        )
    return result


def _outcomes(task: Task, function: Callable, cases: tuple[Case, ...]) -> list[Outcome]:
    return [_outcome(task, function, case) for case in cases]


def _outcome(task: Task, function: Callable, case: Case) -> Outcome:
    called = function if case.within is None else case.within(function)
    return run(called, case.args, task.gradients)


def _compare(task: Task, outcomes: list[Outcome], targets: list[Outcome]) -> Result:
    if not isinstance(targets[0].output, Tensor):
        outcomes = [replace(outcome, output=as_number(outcome.output)) for outcome in outcomes]
    *outcomes, again = outcomes
    if _differ(outcomes[0], again):
        return _refusal(task, sentences.kept_something())
    for case, yours, target in zip(task.cases, outcomes, targets, strict=True):
        if _right(task, case, yours, target):
            continue
        mistake = _named(task, outcomes, case)
        task = replace(task, axes=case.axes or task.axes)
        words = mistake.sentence if mistake else sentences.explain(task, case, yours, target)
        caption = "" if "The case:" in words else f"Smallest case where it shows: {case.name}."
        return Result(
            task.id, False, words, mistake.id if mistake else None, _picture(task, case, yours, target, caption)
        )
    return Result(task.id, True, f"`{task.id}` agrees with the reference on every case.")


def _differ(first: Outcome, again: Outcome) -> bool:
    """Did the second call of the same thing go another way?"""
    if first.error is not None:
        return False
    if again.error is not None:
        return True
    comparable = is_plain(first.output) or isinstance(first.output, (int, float))
    return comparable and not close(again.output, first.output, 1e-6)


def _right(task: Task, case: Case, yours: Outcome, target: Outcome) -> bool:
    if yours.error is not None or yours.changed is not None:
        return False
    if sentences.wrong_kind(task, yours, target) is not None:
        return False
    seen, wanted = task.seen(yours.output, case.args), task.seen(target.output, case.args)
    if task.accepts is not None:
        return bool(task.accepts(seen, wanted))
    if not close(seen, wanted, case.tolerance):
        return False
    if not task.gradients or task.seen_through is not None:
        return True
    return same(Outcome(seen, yours.gradients), Outcome(wanted, target.gradients), case.tolerance)


def _named(task: Task, outcomes: list[Outcome], first: Case) -> Mistake | None:
    """The mistake that gives the learner's outcomes on every case, errors by their type; None if there is none.

    Where several outputs are right, what counts is their effect. If mistakes come in families too (a key made 50 or
    100 times longer), all outputs must be of the family, and the effect the same on the first case that fails.
    """
    for mistake in task.mistakes:
        alike = _same_effect if task.seen_through is not None else _alike
        for case, yours in zip(task.cases, outcomes, strict=True):
            theirs = _outcome(task, mistake.answer, case)  # one by one: most mistakes are ruled out by the first case
            related = task.family is None or _related(task, yours, theirs)
            counts = task.family is None or case is first
            if not related or (counts and not alike(task, case, yours, theirs)):
                break
        else:
            return mistake
    return None


def _same_effect(task: Task, case: Case, a: Outcome, b: Outcome) -> bool:
    if not _same_form(a, b):
        return False
    return close(task.seen(a.output, case.args), task.seen(b.output, case.args), 0.02)


def _related(task: Task, a: Outcome, b: Outcome) -> bool:
    return _same_form(a, b) and task.family(a.output, b.output)


def _same_form(a: Outcome, b: Outcome) -> bool:
    if a.error is not None or b.error is not None or type(a.output) is not type(b.output):
        return False
    return not isinstance(a.output, Tensor) or a.output.shape == b.output.shape


def _alike(task: Task, case: Case, a: Outcome, b: Outcome) -> bool:
    if a.error is not None or b.error is not None:
        return type(a.error) is type(b.error)
    return a.changed == b.changed and same(a, b, case.tolerance)


def _picture(task: Task, case: Case, yours: Outcome, target: Outcome, caption: str) -> Comparison | None:
    if not isinstance(target.output, Tensor):
        return None
    wanted = task.seen(target.output, case.args)
    try:
        mine = task.seen(yours.output, case.args) if is_plain(yours.output) else None
    except (RuntimeError, ValueError, IndexError):  # an output of the wrong shape cannot be looked through
        mine = None
    return Comparison(wanted.detach(), mine.detach() if isinstance(mine, Tensor) else None, caption, task.axes)


def _refusal(task: Task, sentence: str) -> Result:
    return Result(task.id, False, sentence)


def _footer(exercise: catalogue.Exercise, result: Result) -> str:
    if result.passed:
        return ""
    left = len(exercise.hints) - progress.hints_taken(exercise.id)
    number = {0: "No hint", 1: "One hint", 2: "Two hints", 3: "Three hints"}[max(0, left)]
    return f'{number} left: `hint("{exercise.id}")`.' if left > 0 else f'Stuck? `solution("{exercise.id}")`.'
