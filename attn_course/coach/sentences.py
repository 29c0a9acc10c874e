"""One sentence, true and of use, about an answer that is wrong in a way that no listed mistake explains."""

import inspect
import sysconfig
import traceback
from typing import Any

import torch
from torch import Tensor

from attn_course.coach.running import Outcome, close, is_plain
from attn_course.coach.settings import Asked
from attn_course.coach.spec import AUTOGRAD, Case, Task

LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
COACH = __file__.rpartition("coach")[0]
INSTEAD = {  # what to do about an answer of the wrong type
    "coroutine": "take the word `async` away",
    "generator": "put `return` where `yield` is, and return everything at once",
    "list": "`torch.tensor` or `torch.stack` makes a tensor of it",
    "tuple": "return one tensor, and look for a comma at the end of the line",
    "ndarray": "stay in torch from start to end, or no gradient can flow",
    "function": "call it, and return what it gives",
    "type": "return an object of it, or better the result",
}


def not_a_function(task: Task, answer: Any) -> str | None:
    """A sentence if `answer` cannot even be called with the case's arguments."""
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


def wrong_kind(task: Task, yours: Outcome, target: Outcome) -> str | None:
    """A sentence if the output is not the kind of thing that was asked for: type, shape, or True and False."""
    out, wanted = yours.output, target.output
    if out is None:
        return "Your function returns None. Is there a `return` at its end?"
    fits = isinstance(out, Tensor) if isinstance(wanted, Tensor) else _is_like(out, wanted)
    if not fits:
        asked = "a torch tensor" if isinstance(wanted, Tensor) else _kind(wanted)
        instead = INSTEAD.get(type(out).__name__) if isinstance(wanted, Tensor) or not is_sequence(out) else None
        return f"Your function should return {asked}, it returned {_kind(out)}{f': {instead}' if instead else ''}."
    if not isinstance(wanted, Tensor):
        return None
    if not is_plain(out):
        return f"Your output should be an ordinary tensor of real numbers on the processor, it is {_oddity(out)}."
    if out.shape != wanted.shape:
        named = f": (…, {', '.join(task.axes)})" if task.axes and task.seen_through is None else ""
        return f"Your output has shape {tuple(out.shape)}, it should have {tuple(wanted.shape)}{named}."
    if (out.dtype == torch.bool) != (wanted.dtype == torch.bool):
        words = "True and False" if wanted.dtype == torch.bool else _numbers(wanted)
        return f"Your output should hold {words}, it holds {_type(out)}."
    if not wanted.is_floating_point() and out.dtype != wanted.dtype:
        return f"Your output is {_type(out)}, it should hold {_numbers(wanted)} ({_type(wanted)})."
    if task.accepts is None and out.dtype != wanted.dtype:
        return f"Your output is {_type(out)}, the inputs are {_type(wanted)}: keep their type, nothing need convert it."
    return None


def explain(task: Task, case: Case, yours: Outcome, target: Outcome) -> str:
    """The sentence for the first case that fails, most telling reason first."""
    place = f" The case: {case.name}."
    if isinstance(yours.error, NotImplementedError) and not str(yours.error):  # torch raises it too, with words
        return "This is still the empty stub. Replace the line that raises NotImplementedError, and run the cell again."
    if isinstance(yours.error, Asked):
        return "Your function waits at input() or breakpoint(). All that it needs is in its arguments: take that out."
    if "modified by an inplace operation" in str(yours.error):
        return (
            "Your function overwrites a tensor that the gradient still needs (`x += …`, `x[…] = …`, or an operation "
            "with a trailing underscore). Make a new tensor there."
        )
    if yours.error is not None:
        return _raised(yours.error, task, case)
    if yours.changed is not None:
        name = list(inspect.signature(task.reference).parameters)[yours.changed]
        return (
            f"Your function changes {name} in place, and whoever passed it will be surprised. "
            "Work on a copy (`x.clone()`), or use operations without a trailing underscore."
        )
    kind = wrong_kind(task, yours, target)
    if kind is not None:
        return kind + (_from_the_front(task, case) or place)
    bad = _not_finite(yours.output, target.output)
    if bad is not None:
        return bad + place
    for law in task.properties:
        broken = law(yours.output, *case.args)
        if broken:
            return broken + (_from_the_front(task, case) or place)
    seen, wanted = task.seen(yours.output, case.args), task.seen(target.output, case.args)
    if not close(seen, wanted, case.tolerance):
        return _largest_gap(task, seen, wanted) + (_from_the_front(task, case) or place)
    return _about_gradients(task, yours, target) + place


def kept_something() -> str:
    return (
        "Called twice with the same input, your function gives two different answers: it keeps something from one call "
        "to the next. Use only what is passed in, and what you make in this call."
    )


def _is_like(out: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool | str):
        return type(out) is type(wanted)
    return isinstance(out, (int, float))


def is_sequence(out: Any) -> bool:
    return isinstance(out, (list, tuple)) or type(out).__name__ == "ndarray"


def _oddity(out: Tensor) -> str:
    if out.is_complex():
        return "complex"
    if out.is_nested or out.layout != torch.strided:
        return "sparse or nested (`.to_dense()` mends a sparse one)"
    return f"on {out.device}"


def _numbers(wanted: Tensor) -> str:
    return "floating-point numbers" if wanted.is_floating_point() else "whole numbers"


def _type(out: Tensor) -> str:
    return str(out.dtype).removeprefix("torch.")


def _not_finite(out: Any, wanted: Any) -> str | None:
    if not isinstance(wanted, Tensor) or not wanted.isfinite().all():
        return None
    for name, bad in (("NaN", out.isnan()), ("infinite", out.isinf())):
        if bad.any():
            is_or_has = "has NaN" if name == "NaN" else "is infinite"
            return f"Your output {is_or_has} at {int(bad.sum())} of {out.numel()} places."
    return None


def _from_the_front(task: Task, case: Case) -> str | None:
    """Right on every smaller case, and this is the first with one more leading axis: then that is the news."""
    axes = [[arg.dim() for arg in one.args if isinstance(arg, Tensor)] for one in task.cases]
    number = task.cases.index(case)
    smaller = [dim for each in axes[:number] for dim in each]
    if not axes[number] or not smaller or max(smaller) >= max(axes[number]):
        return None
    return (
        " It was right with fewer leading axes (batches, heads): look for an axis that is counted from the front, and "
        f"count from the end, −1 and −2. The case: {case.name}."
    )


def _raised(error: BaseException, task: Task, case: Case) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((COACH, *LIBRARIES))]
    where = f" on line {frames[-1].lineno} (`{frames[-1].line}`)" if frames and frames[-1].line else ""
    shapes = ", ".join(str(tuple(arg.shape)) for arg in case.args if isinstance(arg, Tensor))
    given = f" It was given tensors of shape {shapes}." if shapes else ""
    text = " ".join(str(error).split())[:200].rstrip(".")
    words = f": {text}." if text else "."
    return f"Your function raised {type(error).__name__}{where}{words}{given}" + (
        _from_the_front(task, case) or f" The case: {case.name}."
    )


def _largest_gap(task: Task, seen: Any, wanted: Any) -> str:
    if not isinstance(wanted, Tensor):
        return f"Your answer is {_short(seen)}, it should be {_short(wanted)}."
    if wanted.dtype == torch.bool:
        wrong = (seen != wanted).nonzero()
        at, n = tuple(wrong[0].tolist()), len(wrong)
        place = _place(task, at)
        return f"{n} of {wanted.numel()} cells differ, the first {place}: should be {bool(wanted[at])}."
    gaps = (seen.double() - wanted.double()).abs().nan_to_num(torch.inf)
    at = tuple((gaps == gaps.max()).nonzero()[0].tolist())
    if gaps.max() < 1e-4 * max(1.0, wanted.abs().max().item()):
        return _nearly(gaps.max().item())
    target, yours = wanted[at].item(), seen[at].item()
    return f"The largest difference is {_place(task, at)}: it should be {target:.4g}, yours is {yours:.4g}."


def _short(answer: float | bool | str) -> str:
    if isinstance(answer, str):
        return f'"{answer[:60]}"'
    return f"{answer:.6g}" if isinstance(answer, float) else str(answer)


def _nearly(gap: float) -> str:
    return (
        f"Nearly: your output is off by up to {gap:.1g}, which is more than rounding explains. "
        "Look for a small number added for safety, a constant with few digits, or a detour through float32."
    )


def _place(task: Task, at: tuple[int, ...]) -> str:
    names = task.axes[-len(at) :] if at else ()
    last = at[len(at) - len(names) :]
    return "at " + (", ".join(f"{n} {i}" for n, i in zip(names, last, strict=True)) or f"index {at}")


def _about_gradients(task: Task, yours: Outcome, target: Outcome) -> str:
    if yours.gradients is None:
        return (
            "The numbers are right, but no gradient flows back through them, so nothing could train. Look for "
            "`.item()`, `.detach()`, `.data`, `torch.no_grad()`, `torch.tensor(…)` or a detour through numpy."
        )
    names = list(inspect.signature(task.reference).parameters)
    for name, mine, wanted in zip(names, yours.gradients, target.gradients or (), strict=False):
        if mine is None and wanted is not None:
            return f"The numbers are right, but no gradient reaches {name}: look for `.detach()` or `.data` on its way."
        if mine is not None and mine.isnan().any():
            return f"The numbers are right, but the gradient of {name} has NaN, which would break training."
    return "The numbers are right, but the gradients are not: look for `.detach()`, `.data` or `torch.no_grad()`."


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    known = {int: "a number", float: "a number", list: "a list", tuple: "a tuple", str: "a string", dict: "a dict"}
    module = type(value).__module__.split(".")[0]
    home = "" if module in ("builtins", "__main__") else f"{module} "
    name = f"{home}{type(value).__name__}"
    return known.get(type(value), f"{'an' if name[0] in 'aeiou' else 'a'} {name}")


def refuse_shortcut(shortcut: str) -> str:
    if shortcut.removeprefix("torch's ") in AUTOGRAD:
        return f"Your answer calls {shortcut}. This exercise is to be differentiated by hand, not by autograd."
    return f"Your answer calls {shortcut}, which is what this exercise asks you to build. Write it from its parts."
