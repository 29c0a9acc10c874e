"""A forward pass, module by module: what went into each, and what came out.

A module is seen twice: as it is entered, with what it is given, and as it is left, with what it gives. So the code that
stands between two modules (heads joined, a residual added) can be told from the modules on either side of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from attn_course.diagnosis.copies import Copies, by_parameter, tensors

ROOT = "the model"


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
    if not isinstance(model, nn.Module) and isinstance(getattr(model, "model", None), nn.Module):
        model = model.model  # what `models.pretrained.load` gives
    if not isinstance(model, nn.Module):
        raise TypeError(f"trace follows a torch module, got {type(model).__name__}.")
    if any(weight.is_meta for weight in model.parameters()):
        raise ValueError(
            f"{type(model).__name__} is on the meta device, which holds shapes and no numbers: load its weights first."
        )
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
        self.open: list[dict] = []  # what is known of the modules that are open, the innermost last
        self.names: list[str] = []  # their names
        self.calls: dict[str, int] = {}
        self.clock = 0
        self.random = _random_state()
        self.copies = Copies()

    def enter(self, name: str, kind: str, function: Callable, args: tuple, kwargs: dict) -> None:
        self._notice_random()
        self.calls[name] = self.calls.get(name, 0) + 1
        called = name if self.calls[name] == 1 else f"{name} ({self.calls[name]})"
        parent = self.open[-1]["name"] if self.open else None
        given = tensors(by_parameter(function, args, kwargs))
        inputs = {key: copy for key, x in given.items() if (copy := self.copies.of(x, given)) is not None}
        step = {"name": called, "kind": kind, "parent": parent, "inputs": inputs, "drew": False}
        self.open.append(step | {"entered": self._tick()})
        self.names.append(name)

    def leave(self, name: str, result) -> None:
        self._notice_random()
        while self.names[-1] != name:  # it stopped inside a module, and caught the error
            self._give_up()
        output = next(iter(tensors({"": result}).values()), None)
        self.names.pop()
        self.steps.append(Step(**self.open.pop(), output=self.copies.of(output, {}), left=self._tick()))

    def all_steps(self) -> list[Step]:
        """Those that are done; then those, from the inside out, in which the run stopped."""
        while self.open:
            self._give_up()
        return self.steps

    def _give_up(self) -> None:
        self.names.pop()
        self.steps.append(Step(**self.open.pop(), output=None, left=None))

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
        recorder.leave(name, output)

    return [
        module.register_forward_pre_hook(enter, with_kwargs=True),
        module.register_forward_hook(leave, with_kwargs=True),
    ]


def _followed(name: str, mechanism: Callable, recorder: _Recorder) -> Callable:
    def followed(*args, **kwargs):
        recorder.enter(name, "mechanism", mechanism, args, kwargs)
        output = mechanism(*args, **kwargs)
        recorder.leave(name, output)
        return output

    return followed
