"""One loop that trains: seed, AdamW, a loss a step, a progress bar, and a state that a run can be resumed from."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from attn_course.training.history import History
from attn_course.training.nonfinite import first_nonfinite
from attn_course.training.runs import Run, resume, save_run
from attn_course.training.schedules import Schedule, constant

LossOfBatch = Callable[[nn.Module, torch.Generator], Tensor]


def train(
    model: nn.Module,
    loss_of_batch: LossOfBatch,
    steps: int,
    lr: float = 1e-3,
    seed: int = 0,
    *,
    schedule: Schedule = constant,
    weight_decay: float = 0.01,
    clip: float | None = None,
    measure: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int = 50,
    save: str | Path | None = None,
) -> History:
    """Train `model` in place and return its loss at every step.

    loss_of_batch   draws a batch from the generator it is given and returns the loss, a tensor of one number
    seed            of the data; the model's own start is its maker's business
    schedule        a factor on lr, from `training.schedules`
    clip            the largest norm that all gradients together may have; longer ones are scaled down
    measure         called after every `every` steps and after the last one, in evaluation mode, without gradients
    save            a file for the whole state, written every `every` steps. If it is there already, the run goes on
                    from it, and ends as it would have without the interruption, bit for bit on one thread

    Only parameters that require gradients are trained. Raises FloatingPointError with one sentence when the loss or a
    gradient is no longer finite, and names the first layer that made such a number.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no parameter that requires gradients: nothing can be trained.")
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    rates = [lr * schedule(step, steps) for step in range(steps)]
    run = Run(model, optimizer, generator, History(), rates)
    if save is not None and Path(save).exists():
        resume(run, Path(save))
    history = run.history
    training = model.training
    done = len(history)
    # Said here, too: in a notebook tqdm does not look at this variable by itself.
    quiet = os.environ.get("TQDM_DISABLE", "") not in ("", "0")
    bar = tqdm(range(done, steps), "training", initial=done, total=steps, leave=False, delay=2, disable=quiet)
    for step in bar:
        optimizer.param_groups[0]["lr"] = rates[step]
        loss = _loss(model, loss_of_batch, generator, step, rates[step])
        optimizer.zero_grad()
        loss.backward()
        _check_gradients(model, step, loss.item())
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        history.append(loss.item())
        if step % 20 == 0:
            bar.set_postfix_str(f"loss {history.tail():.3g}", refresh=False)
        if (step + 1) % every == 0 or step + 1 == steps:
            if measure is not None:
                history.measure(step + 1, _measured(model, measure))
                model.train(training)
            if save is not None:
                save_run(run, Path(save))
    return history


def _measured(model: nn.Module, measure: Callable) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        return measure(model)


def _loss(model: nn.Module, loss_of_batch: LossOfBatch, generator: torch.Generator, step: int, lr: float) -> Tensor:
    """The loss of the next batch. If it is not finite, the same batch is run again to find out where that began."""
    before, dice = generator.get_state(), torch.get_rng_state()

    def again() -> None:
        generator.set_state(before)
        torch.set_rng_state(dice)
        loss_of_batch(model, generator)

    try:
        loss = loss_of_batch(model, generator)
    except ValueError as error:  # attention refuses NaN before a loss is made of it
        where = first_nonfinite(model, again)
        if where is None:
            raise
        raise FloatingPointError(_sentence("not a number", step, where, lr)) from error
    if loss.numel() != 1:
        raise ValueError(f"loss_of_batch should return one number, got shape {tuple(loss.shape)}: take the mean.")
    if not torch.isfinite(loss):
        raise FloatingPointError(_sentence(str(loss.item()), step, first_nonfinite(model, again), lr))
    return loss


def _sentence(loss: str, step: int, where: str | None, lr: float) -> str:
    made = (
        "All layers gave finite numbers, so the loss function made it."
        if where is None
        else f"The first layer that gave a number that is not finite: {where}."
    )
    return f"The loss is {loss} at step {step}. {made} A smaller lr than {lr:g} may help."


def _check_gradients(model: nn.Module, step: int, loss: float) -> None:
    gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    if torch.isfinite(nn.utils.get_total_norm(gradients.values())):
        return
    # The backward pass runs from the last layer to the first, so the last sick one was the first to be so.
    sick = [name for name, gradient in gradients.items() if not torch.isfinite(gradient).all()]
    where = f"of {sick[-1]}" if sick else "of all parameters together"
    raise FloatingPointError(
        f"The loss is finite ({loss:.3g}) at step {step}, but the gradient {where} is not, so the step was not made. "
        "Look for a root, a logarithm or a division at zero on its way, or clip later and scale earlier."
    )
