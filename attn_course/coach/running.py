"""Call a function on a case and keep what came of it: output, gradients, an exception, changed inputs."""

import inspect
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from attn_course.coach.guard import Limit
from attn_course.coach.settings import put_back

_allclose = torch.allclose  # as it was before any learner's code ran
TORCH = Path(torch.__file__).parent
# Where installed libraries lie; the course may be one of them.
LIBRARIES = tuple({str(TORCH.parent), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
PACKAGE = Path(__file__).parents[1]
# The rooms whose functions are what the exercises ask for; the coach itself may of course run.
WRAPPERS = ("shapes.py", "contents.py")  # they only check, and then call the function that has the name
OURS = tuple(str(PACKAGE / room) for room in ("attention", "models", "tasks", "training", "diagnosis"))


@dataclass
class Outcome:
    output: Any = None
    gradients: tuple[Tensor | None, ...] | None = None  # None: nothing to differentiate, or no gradient flows
    error: BaseException | None = None
    changed: int | None = None  # which argument was changed in place

    @property
    def is_tensor(self) -> bool:
        return isinstance(self.output, Tensor)


def run(function: Callable, args: tuple, gradients: bool) -> Outcome:
    """Call `function` on copies of `args`. Exceptions are kept; limits (see `guard`) and interrupts go through."""
    given = tuple(_copy(arg, gradients) for arg in args)
    try:
        # Through a clone, so that writing into an argument is noticed below instead of stopped by autograd.
        handed = tuple(arg.clone() if isinstance(arg, Tensor) else arg for arg in given)
        with put_back():
            output = _call(function, handed)
        outcome = Outcome(output, changed=_changed(args, handed))
        if gradients and is_plain(output) and outcome.changed is None:
            outcome.gradients = _gradients(output, given)
    except (Limit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a learner's own exception need not be an Exception
        return Outcome(error=error)
    return outcome


def _call(function: Callable, args: tuple) -> Any:
    output = function(*args)
    if inspect.iscoroutine(output):
        output.close()  # or Python warns, at some later time, that nobody awaited it
    return output


def is_plain(output: Any) -> bool:
    """A tensor whose numbers can be compared one by one: dense, real, on the processor where the inputs are."""
    return (
        isinstance(output, Tensor)
        and not output.is_nested
        and output.layout == torch.strided
        and output.device.type == "cpu"
        and not output.is_complex()
    )


def as_number(output: Any) -> Any:
    """A tensor without axes or a numpy number, where a Python number is asked for, is as good as one."""
    if is_plain(output) and output.dim() == 0:
        return output.item()
    return output.item() if isinstance(output, numpy.generic) else output


def same(a: Outcome, b: Outcome, tolerance: float) -> bool:
    """Do two outcomes agree, gradients included?"""
    if a.error is not None or b.error is not None:
        return False
    if not close(a.output, b.output, tolerance):
        return False
    if (a.gradients is None) != (b.gradients is None):
        return False
    pairs = zip(a.gradients or (), b.gradients or (), strict=True)
    return all(close(_or_zero(x, y), _or_zero(y, x), tolerance) for x, y in pairs)


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Equal shapes and numbers within `tolerance` (relative to max(1, |b|)); NaN equals NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if not (is_plain(a) and is_plain(b)):
            return False
        if a.shape != b.shape or (a.dtype == torch.bool) != (b.dtype == torch.bool):
            return False
        return _allclose(a.double(), b.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return False
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or abs(a - b) <= tolerance * max(1.0, abs(b)) or (a != a and b != b)
    return type(a) is type(b) and a == b


def shortcuts(function: Callable, args: tuple, refused: tuple[str, ...]) -> str | None:
    """The name of a ready-made function that the answer calls instead of doing the work; None if there is none."""
    seen = _Names(refused)
    own: list[str] = []

    def profile(frame, event, _):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(OURS) and not file.endswith(WRAPPERS):
            own.append(frame.f_code.co_name)
        elif event == "call" and frame.f_code.co_name in refused and file.startswith(LIBRARIES):
            # torch.autograd's functions are no tensor operations, and scipy's know nothing of torch.
            seen.found = seen.found or f"{_library(file)}'s {frame.f_code.co_name}"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        with put_back(), seen:
            _call(function, tuple(_copy(arg, False) for arg in args))
    except (Limit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # it will be met again, and explained, when the case is run
        pass
    finally:
        sys.setprofile(before)
    if own:
        return f"the course's own {own[0]}"
    return seen.found


def _library(file: str) -> str:
    """The library that a file belongs to: the folder's name, where libraries lie."""
    home = max((place for place in LIBRARIES if file.startswith(place)), key=len)
    return Path(file).relative_to(home).parts[0]


class _Names(TorchFunctionMode):
    """Notes the first refused torch function, whichever way it was imported."""

    def __init__(self, refused: tuple[str, ...]):
        super().__init__()
        self.refused = refused
        self.found: str | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "").split(".")[0]
        if name in self.refused and self.found is None:
            self.found = f"torch's {name}"
        return function(*args, **(kwargs or {}))


def _copy(arg: Any, gradients: bool) -> Any:
    if not isinstance(arg, Tensor):
        return arg
    copy = arg.detach().clone()
    return copy.requires_grad_() if gradients and copy.is_floating_point() else copy


def _changed(args: tuple, handed: tuple) -> int | None:
    for number, (before, after) in enumerate(zip(args, handed, strict=True)):
        if isinstance(before, Tensor) and not _unchanged(after.detach(), before):
            return number
    return None


def _unchanged(after: Tensor, before: Tensor) -> bool:
    return is_plain(after) and after.dtype == before.dtype and close(after, before, 0.0)


def _gradients(output: Tensor, given: tuple) -> tuple[Tensor | None, ...] | None:
    """Gradients of a fixed random projection of the output: a plain sum would hide mistakes (rows sum to one)."""
    wanted = [arg for arg in given if isinstance(arg, Tensor) and arg.requires_grad]
    if not wanted or not output.requires_grad:
        return None
    generator = torch.Generator().manual_seed(7)
    direction = torch.randn(output.shape, generator=generator, dtype=torch.float64).to(output.dtype)
    return torch.autograd.grad(output, wanted, direction, allow_unused=True)


def _or_zero(x: Tensor | None, like: Tensor | None) -> Tensor | None:
    return torch.zeros_like(like) if x is None and like is not None else x
