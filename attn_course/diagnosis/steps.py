"""A forward pass, module by module: what went into each, and what came out.

A module is seen twice: as it is entered, with what it is given, and as it is left, with what it gives. So the code that
stands between two modules (heads joined, a residual added) can be told from the modules on either side of it.
"""

import inspect
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from attn_course.attention import Visibility

ROOT = "the model"
LONGEST_RULE = 4096  # a visibility for more tokens is not written out: 16 MB of True and False


@dataclass(frozen=True)
class Step:
    """One call of one module, or of one attention mechanism."""

    name: str  # "stack.blocks.0.attention.w_q"; of a second call "stack.blocks.0.attention.w_q (2)"
    kind: str  # the module's class, or "mechanism"
    parent: str | None  # the module that called it; None: nobody, it is the model itself
    inputs: dict[str, Tensor]  # every tensor it was given, by the name of its parameter
    output: Tensor | None  # the first tensor of what it gave; None: there is none
    drew: bool  # did its own code draw random numbers? Dropout does
    entered: int  # when it was called and when it was done, in one count for the whole run
    left: int | None  # None: never, the run stopped inside it

    @property
    def shape(self) -> tuple[int, ...] | None:
        return None if self.output is None else tuple(self.output.shape)

    @property
    def norm(self) -> float:
        """Euclidean norm of the output."""
        return 0.0 if self.output is None else float(self.output.double().norm())

    @property
    def finite(self) -> bool:
        """Whether the output holds no NaN and no infinity."""
        return self.output is None or bool(self.output.isfinite().all())


@dataclass
class Trace:
    """A forward pass, in the order in which its modules were done; those in which it stopped come last."""

    steps: list[Step] = field(default_factory=list)
    stopped: Exception | None = None  # what the model raised on its way

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"Nothing called {name!r} ran. There are: {', '.join(step.name for step in self.steps)}.")

    def __str__(self) -> str:
        longest = max(len(step.name) for step in self.steps)
        lines = [
            f"{step.name:<{longest}}  {step.kind:<20}  {step.shape!s:<20}  norm {step.norm:.4g}"
            + ("" if step.finite else "  not finite")
            for step in self.steps
        ]
        stopped = [] if self.stopped is None else [f"stopped: {type(self.stopped).__name__}: {self.stopped}"]
        return "\n".join(lines + stopped)

    @property
    def first_not_finite(self) -> str | None:
        """The first module whose output holds NaN or infinity."""
        return next((step.name for step in self.steps if not step.finite), None)

    @property
    def random(self) -> list[str]:
        """The modules whose own code drew random numbers: the same input will not give the same output."""
        return [step.name for step in self.steps if step.drew]

    def events(self) -> list[tuple[bool, Step]]:
        """Each step twice, in the order of the run: (True, step) as it is entered, (False, step) as it is left."""
        both = [(step.entered, True, step) for step in self.steps]
        both += [(step.left, False, step) for step in self.steps if step.left is not None]
        return [(entered, step) for _, entered, step in sorted(both, key=lambda event: event[0])]


def trace(model: nn.Module, *inputs, **named) -> Trace:
    """Run model(*inputs, **named) without gradients and keep what went into each module and what came out.

    Copies are kept in the processor's memory, in float32 or wider. The model stays in the mode that it is in: in
    training mode with dropout, `Trace.random` names the modules that draw. If the model raises on its way, the trace
    goes as far as that and says so (`stopped`); an error before the first module is done is raised.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"trace follows a torch module, got {type(model).__name__}.")
    recorder = _Recorder()
    stopped = None
    try:
        with torch.inference_mode(False), torch.no_grad(), _listening(model, recorder):
            model(*inputs, **named)
    except Exception as error:
        if not recorder.steps:
            raise
        stopped = error
    return Trace(recorder.all_steps(), stopped)


class _Recorder:
    """Which modules are open, and what is known of those that were."""

    def __init__(self):
        self.steps: list[Step] = []
        self.open: list[dict] = []
        self.calls: dict[str, int] = {}
        self.clock = 0
        self.random = _random_state()
        self.copies = _Copies()

    def enter(self, name: str, kind: str, function: Callable, args: tuple, kwargs: dict) -> None:
        self._notice_random()
        self.calls[name] = self.calls.get(name, 0) + 1
        called = name if self.calls[name] == 1 else f"{name} ({self.calls[name]})"
        parent = self.open[-1]["name"] if self.open else None
        given = _tensors(_by_parameter(function, args, kwargs))
        inputs = {key: copy for key, x in given.items() if (copy := self.copies.of(x, given)) is not None}
        self.open.append({"name": called, "kind": kind, "parent": parent, "inputs": inputs, "drew": False})
        self.open[-1]["entered"] = self._tick()

    def leave(self, result) -> None:
        self._notice_random()
        output = next(iter(_tensors({"": result}).values()), None)
        step = self.open.pop()
        self.steps.append(Step(**step, output=self.copies.of(output, {}), left=self._tick()))

    def all_steps(self) -> list[Step]:
        return self.steps + [Step(**step, output=None, left=None) for step in reversed(self.open)]

    def _tick(self) -> int:
        self.clock += 1
        return self.clock

    def _notice_random(self) -> None:
        """Random numbers drawn since the last event were drawn by the code of the module that is open."""
        now = _random_state()
        if self.open and not torch.equal(now, self.random):
            self.open[-1]["drew"] = True
        self.random = now


def _random_state() -> Tensor:
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():
        states.append(torch.cuda.get_rng_state())
    return torch.cat(states)


class _Copies:
    """Copies of tensors. What goes out of one module and into the next as it is, is copied once."""

    def __init__(self):
        self.known: dict[int, tuple[weakref.ref, int, Tensor]] = {}

    def of(self, x: Tensor | Visibility | None, beside: dict) -> Tensor | None:
        if x is None:
            return None
        if isinstance(x, Visibility):
            return _written_out(x, beside)
        if x.is_inference():  # such a tensor does not count its changes
            return _copied(x)
        reference, version, copy = self.known.get(id(x), (None, None, None))
        if reference is None or reference() is not x or version != x._version:
            copy = _copied(x)
            self.known[id(x)] = (weakref.ref(x), x._version, copy)
        return copy


def _copied(x: Tensor) -> Tensor:
    x = x.detach()
    x = torch.view_as_real(x) if x.is_complex() else x
    wide = torch.promote_types(x.dtype, torch.float32) if x.is_floating_point() else x.dtype
    return x.to("cpu", wide, copy=True)


def _written_out(rule: Visibility, beside: dict) -> Tensor | None:
    """The rule as True and False, for as many tokens as the tensors beside it have."""
    x = next((x for x in beside.values() if isinstance(x, Tensor) and x.dim() >= 2), None)
    if x is None:
        return None
    n_query = x.shape[2] if x.dim() == 4 else x.shape[1]
    n_key = beside["k"].shape[-2] if x.dim() == 4 and isinstance(beside.get("k"), Tensor) else n_query
    n_key = n_key if rule.length is None else rule.length
    if max(n_query, n_key) > LONGEST_RULE or n_query > n_key:
        return None
    return rule.dense(n_query, n_key, device=x.device).cpu()


@contextmanager
def _listening(model: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """While open, the recorder hears of every module of the model, and of every mechanism that is a plain function."""
    hooks, exchanged = [], []
    try:
        for name, module in model.named_modules():
            hooks += _hooks(name or ROOT, module, recorder)
            mechanism = module.__dict__.get("mechanism")
            if callable(mechanism):
                exchanged.append((module, mechanism))
                where = f"{name}.mechanism" if name else "mechanism"
                module.__dict__["mechanism"] = _followed(where, mechanism, recorder)
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, mechanism in exchanged:
            module.__dict__["mechanism"] = mechanism


def _hooks(name: str, module: nn.Module, recorder: _Recorder) -> list:
    def enter(module, args, kwargs):
        recorder.enter(name, type(module).__name__, module.forward, args, kwargs)

    def leave(module, args, kwargs, output):
        recorder.leave(output)

    return [
        module.register_forward_pre_hook(enter, with_kwargs=True),
        module.register_forward_hook(leave, with_kwargs=True),
    ]


def _followed(name: str, mechanism: Callable, recorder: _Recorder) -> Callable:
    def followed(*args, **kwargs):
        recorder.enter(name, "mechanism", mechanism, args, kwargs)
        output = mechanism(*args, **kwargs)
        recorder.leave(output)
        return output

    return followed


def _by_parameter(function: Callable, args: tuple, kwargs: dict) -> dict:
    """The arguments under the names that the function gives them; by number where it does not say."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {**{str(number): value for number, value in enumerate(args)}, **kwargs}
    spread = {}
    for name, value in bound.items():
        spread |= value if name == "kwargs" and isinstance(value, dict) else {name: value}
    return spread


def _tensors(values: dict) -> dict[str, Tensor | Visibility]:
    """Every tensor and every rule among the values, in tuples, lists and dicts too: "x", "x[0]"."""
    found: dict[str, Tensor | Visibility] = {}
    for name, value in values.items():
        if isinstance(value, Tensor | Visibility):
            found[name] = value
        elif isinstance(value, dict):
            found |= _tensors({f"{name}[{key!r}]": inner for key, inner in value.items()})
        elif isinstance(value, list | tuple):
            found |= _tensors({f"{name}[{number}]": inner for number, inner in enumerate(value)})
    return found
