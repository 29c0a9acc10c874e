"""Gates: every head's output times a number. At 0 a head is silent, at 1 it is itself; the loss has a slope between.

gates = {name: torch.ones(layer.heads, requires_grad=True) for name, layer in layers_of(model).items()}
with gating(model, gates):
    loss(model).backward()
gates["stack.blocks.0.attention"].grad      # what closing a head a little would do; its size is the head's importance

That is how Michel et al. 2019 (1905.10650) define a head's importance: E|∂L/∂gate|, one gate for each example.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor, nn

from attn_course.attention.option import told
from attn_course.attention.watching import exchanged, layers_of

Gate = Float[Tensor, "*batch head"]


@contextmanager
def gating(model: nn.Module, gates: Mapping[str, Gate]) -> Iterator[None]:
    """While open, each head of these layers gives its output times its gate, (head,) or (batch, head).

    Raises ValueError with one sentence for a layer that is not there, or for another number of gates than heads; when
    the model runs, for another number of examples than there are rows of gates.
    """
    layers = layers_of(model)
    for name, gate in gates.items():
        if name not in layers:
            raise ValueError(f"There is no attention layer {name!r}. There are: {', '.join(layers)}.")
        if not isinstance(gate, Tensor) or gate.dim() not in (1, 2) or gate.shape[-1] != layers[name].heads:
            raise ValueError(f"{name} has {layers[name].heads} heads, so many gates; got {_shape(gate)}.")
    chosen = {name: layers[name] for name in gates}
    with exchanged(chosen, lambda name, mechanism: _gated(mechanism, gates[name])):
        yield


def _shape(gate) -> str:
    return f"shape {tuple(gate.shape)}" if isinstance(gate, Tensor) else f"a {type(gate).__name__}: give a tensor"


def _gated(mechanism: Callable, gate: Gate) -> Callable:
    def gated_by(call: Callable) -> Callable:
        def gated(q, k, v, visible=None, **change):
            if gate.dim() == 2 and gate.shape[0] not in (1, q.shape[0]):
                raise ValueError(f"There are gates for {gate.shape[0]} examples, and the model was given {q.shape[0]}.")
            return call(q, k, v, visible, **change) * gate[..., None, None]

        return gated

    gated = told(gated_by(mechanism), mechanism)
    if hasattr(mechanism, "looks"):
        gated.looks = gated_by(mechanism.looks)
    return gated
