"""The whole state of a training run in one file, so that it can be interrupted and ends as if it had not been.

Safetensors throughout: tensors by name, and text beside them. Nothing is unpickled.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from attn_course.training.files import save_tensors
from attn_course.training.history import History

FORMAT = "attn_course training run 1"


@dataclass(frozen=True)
class Run:
    """What changes while a model trains, and the learning rate of every step."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    history: History
    rates: list[float]


def save_run(run: Run, path: Path) -> None:
    """Write the state: weights, the optimizer's memory, the states of both random generators, history."""
    tensors = {f"model.{name}": each for name, each in run.model.state_dict().items()}
    for number, memory in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": each for name, each in memory.items()}
    tensors["generator"] = run.generator.get_state()
    tensors["torch_generator"] = torch.get_rng_state()
    tensors["losses"] = torch.tensor(run.history, dtype=torch.float64)
    tensors["rates"] = torch.tensor(run.rates[: len(run.history)], dtype=torch.float64)
    text = {"format": FORMAT, "seed": str(run.generator.initial_seed()), "measured": json.dumps(run.history.measured)}
    save_tensors(tensors, path, text)


def resume(run: Run, path: Path) -> None:
    """Bring `run` to the saved state. Raises ValueError with one sentence if the file is damaged or of another run."""
    tensors, text = _read(path)
    _check_fits(run, tensors, path)
    _check_same_training(run, tensors, text, path)
    run.model.load_state_dict(_below("model.", tensors))
    state = run.optimizer.state_dict()
    memory: dict[int, dict[str, Tensor]] = {}
    for name, each in _below("optimizer.", tensors).items():
        number, key = name.split(".")
        memory.setdefault(int(number), {})[key] = each
    run.optimizer.load_state_dict(state | {"state": memory})
    run.generator.set_state(tensors["generator"])
    torch.set_rng_state(tensors["torch_generator"])
    run.history[:] = tensors["losses"].tolist()
    run.history.measured.update(
        {name: [tuple(pair) for pair in pairs] for name, pairs in json.loads(text["measured"]).items()}
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or cut short. Move it away, and the run begins anew.") from error
    if text.get("format") != FORMAT:
        raise ValueError(f"{path} holds no training run of this course. Give save=… another name.")
    return tensors, text


def _check_fits(run: Run, tensors: dict[str, Tensor], path: Path) -> None:
    ours = {name: tuple(each.shape) for name, each in run.model.state_dict().items()}
    theirs = {name: tuple(each.shape) for name, each in _below("model.", tensors).items()}
    if ours != theirs:
        name = next(name for name in [*ours, *theirs] if ours.get(name) != theirs.get(name))
        raise ValueError(
            f"{path} is the run of another model: {name} is {theirs.get(name, 'missing')} there and "
            f"{ours.get(name, 'missing')} here. Give save=… another name."
        )


def _check_same_training(run: Run, tensors: dict[str, Tensor], text: dict[str, str], path: Path) -> None:
    if int(text["seed"]) != run.generator.initial_seed():
        raise ValueError(
            f"{path} was begun with seed={text['seed']}, this call has {run.generator.initial_seed()}. Give the same "
            "seed, or save=… another name."
        )
    before = tensors["rates"].tolist()
    if len(before) > len(run.rates):
        raise ValueError(f"{path} has run {len(before)} steps already, more than steps={len(run.rates)}.")
    for step, (then, now) in enumerate(zip(before, run.rates, strict=False)):
        if then != now:
            raise ValueError(
                f"{path} trained step {step} with lr {then:g}, this call would have with {now:g}. To go on, give the "
                "same lr, schedule and steps; to begin anew, give save=… another name."
            )


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
