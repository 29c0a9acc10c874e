"""Watch a loss go back: how much each head matters for it, and what reaches queries and keys beside values.

with watching_gradients(model, record):
    loss = criterion(model(tokens), targets)
    loss.backward()
record.gradients                    # one GradientVitals a layer

A head's importance is Michel et al.'s (2019, 1905.10650): multiply its output by a gate of 1, and take |∂L/∂gate|, for
each example, averaged. The gate's derivative is Σ output · ∂L/∂output over the example's tokens and the head's
features, so no gate is needed: it is read off what goes into the output projection. `states.normalised_by_layer`
makes layers comparable.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.diagnosis.projections import OUTPUT, Projections, attention_modules, projections
from attn_course.diagnosis.record import GradientVitals, Record


@contextmanager
def watching_gradients(model: nn.Module, record: Record) -> Iterator[Record]:
    """While open, keep what a loss sends back to each attention layer; afterwards, add it to `record.gradients`.

    L is the loss that `backward` is called on. If it is a mean over a batch, so many times smaller are all numbers than
    for the sum; heads and layers compare all the same. Several backward passes: importances are averaged, as are those
    of a layer that is called several times; gradients of weights are added up, as torch does.

    Layers are known by the names of their projections (`projections.SEPARATE`, `projections.FUSED`). One that has other
    names, weights that are not trained, and a loss that was never taken back are told in `record.notes`.
    """
    layers, unknown = attention_modules(model)
    record.notes += unknown
    watchers = [_Watcher(name, layer) for name, layer in layers.items()]
    try:
        yield record
    finally:
        for watcher in watchers:
            watcher.remove()
    reached = [watcher for watcher in watchers if watcher.reached]
    if watchers and not reached:
        record.notes.append(
            "No gradient reached an attention layer: call loss.backward() inside the `with`, and run the model inside "
            "it too."
        )
    for watcher in reached:
        vitals, notes = watcher.vitals()
        record.gradients.append(vitals)
        record.notes += notes


def importance(
    output: Float[Tensor, "batch head query d"], gradient: Float[Tensor, "batch head query d"]
) -> Float[Tensor, "batch head"]:
    """|Σ output · ∂L/∂output| of each example: what a gate on the head would be sent. In units of the loss."""
    return (output * gradient).sum((-2, -1)).abs()


class _Watcher:
    """One layer: its heads' importances as they come in, and the gradients of its weights."""

    def __init__(self, name: str, layer: nn.Module):
        self.name = name
        self.parts: Projections = projections(layer)
        self.importances: list[Tensor] = []
        self.gradients: dict[int, Tensor] = {}
        weights = {id(weight): weight for weight, _ in self.parts.values()}
        self.frozen = [weight for weight in weights.values() if not weight.requires_grad]
        self.hooks = [
            weight.register_hook(self._adder(number)) for number, weight in weights.items() if weight.requires_grad
        ]
        joins = next(
            (getattr(layer, each) for each in OUTPUT if isinstance(getattr(layer, each, None), nn.Module)), None
        )
        if joins is not None:
            self.hooks.append(joins.register_forward_pre_hook(lambda _, args: self._hear(args[0])))
        else:  # the projection stands outside, as BERT's does: what the layer gives are the heads, side by side
            self.hooks.append(layer.register_forward_hook(lambda _, args, out: self._hear(_first(out))))

    @property
    def reached(self) -> bool:
        return bool(self.importances or self.gradients)

    def remove(self) -> None:
        for hook in self.hooks:
            hook.remove()

    def _adder(self, number: int):
        def add(gradient: Tensor) -> None:
            known = self.gradients.get(number)
            self.gradients[number] = gradient.detach().clone() if known is None else known + gradient.detach()

        return add

    def _hear(self, joined: Tensor) -> None:
        """The heads' outputs side by side, (batch, query, head · d): their importance when the loss comes back."""
        heads = self.parts.heads
        if heads is None or not joined.requires_grad or joined.dim() != 3 or joined.shape[-1] % heads:
            return
        output = joined.detach()

        def came_back(gradient: Tensor) -> None:
            self.importances.append(importance(*(_apart(x, heads) for x in (output, gradient))))

        joined.register_hook(came_back)

    def vitals(self) -> tuple[GradientVitals, list[str]]:
        notes = []
        heads = self.parts.heads
        if self.importances:
            each = torch.cat(self.importances).mean(0).cpu()
        else:
            each = torch.full((heads or 1,), torch.nan)
            notes.append(f"The outputs of {self.name}'s heads could not be heard, so their importance is not known.")
        if self.frozen:
            notes.append(f"{self.name} has weights that are not trained (requires_grad is off): no gradient of theirs.")
        norms = {part: self._norm(part) for part in ("query", "key", "value")}
        query_key = (norms["query"] ** 2 + norms["key"] ** 2) ** 0.5
        return GradientVitals(self.name, each, query_key, norms["value"]), notes

    def _norm(self, part: str) -> float:
        """The norm of the gradient of W_Q, W_K or W_V; NaN if that is not trained."""
        weight, taken = self.parts[part]
        gradient = self.gradients.get(id(weight))
        return float("nan") if gradient is None else float(taken(gradient).double().norm())


def _first(output) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _apart(joined: Float[Tensor, "batch query features"], heads: int) -> Float[Tensor, "batch head query d"]:
    """The heads one by one again, in float32 or wider."""
    wide = torch.promote_types(joined.dtype, torch.float32)
    return joined.detach().to(wide).unflatten(-1, (heads, -1)).transpose(1, 2)
