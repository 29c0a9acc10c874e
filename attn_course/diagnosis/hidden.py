"""Watch the residual stream: what each block makes of its tokens, taken as the model runs and dropped.

with watching_hidden(model, ["blocks.0.attention", "blocks.1.attention"], record):
    model(tokens)
record.hidden                       # one HiddenVitals a block and call

Definitions are those of `states`. Two of them are taken another way here, so that nothing of tokens × tokens is built:

    token cosine      Σ_{s≠t} u_s·u_t = ‖Σ u_t‖² − Σ ‖u_t‖², u the tokens scaled to length 1
    singular values   roots of the eigenvalues of XᵀX, or of XXᵀ with fewer tokens than features, in float64
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.diagnosis.record import HiddenVitals, Record
from attn_course.diagnosis.states import block_influence, rank_residual

MEASURES = (
    "rank_residual",
    "effective_rank",
    "stable_rank",
    "token_cosine",
    "block_influence",
    "largest",
    "median",
)
SINGLE = "Steps of a single token are left out of the vitals of hidden states: one token has no other to be like."


@contextmanager
def watching_hidden(
    model: nn.Module, layers: Iterable[str], record: Record, keep: Bool[Tensor, "batch token"] | None = None
) -> Iterator[Record]:
    """While open, each block that holds one of these attention layers adds a `HiddenVitals` to `record.hidden`.

    layers   names of attention layers; their block is the nearest module around them that stands in a ModuleList
    keep     True for the tokens of a text, False for padding, which is left out

    A layer without such a block, a step of a single token and a mask of another size are told in `record.notes`.
    Raises ValueError for a layer that the model does not have.
    """
    blocks = _blocks(model, layers, record)
    hooks = [
        block.register_forward_hook(_listener(name, block, record, keep), with_kwargs=True)
        for name, block in blocks.items()
    ]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()


def hidden_vitals(
    name: str,
    before: Float[Tensor, "batch token d"],
    after: Float[Tensor, "batch token d"],
    keep: Bool[Tensor, "batch token"] | None = None,
) -> HiddenVitals:
    """The vitals of one block: of the stream after it, and of what it did to the stream before it.

    A sequence with NaN or infinity has NaN in all measures but `largest`, and `largest_at` is its first such place; so
    has a sequence of nothing but padding.
    """
    everyone = torch.ones(after.shape[:2], dtype=torch.bool, device=after.device)
    keep = everyone if keep is None else keep.to(after.device)
    rows = [_of_sequence(x, y, k) for x, y, k in zip(before.detach(), after.detach(), keep, strict=True)]
    values = {measure: torch.tensor([row[measure] for row in rows]) for measure in MEASURES}
    at = torch.tensor([row["largest_at"] for row in rows])
    finite = all(bool(y[k].isfinite().all()) for y, k in zip(after.detach(), keep, strict=True))
    return HiddenVitals(name, **values, largest_at=at, finite=finite)


def _of_sequence(before: Tensor, after: Tensor, keep: Bool[Tensor, "token"]) -> dict:
    nothing = dict.fromkeys(MEASURES, torch.nan)
    if not keep.any():
        return nothing | {"largest_at": (0, 0)}
    before, after = before[keep].double(), after[keep].double()  # (token, d)
    size = after.abs()
    flat = int(size.nan_to_num(nan=torch.inf).argmax())
    token, feature = divmod(flat, after.shape[1])
    token = int(keep.nonzero()[token])  # in the text as it was given
    largest = {"largest": float(size.flatten()[flat]), "largest_at": (token, feature)}
    if not (before.isfinite().all() and after.isfinite().all()):
        return nothing | largest
    effective, stable = _ranks(after)
    return largest | {
        "rank_residual": float(rank_residual(after[None])),
        "effective_rank": effective,
        "stable_rank": stable,
        "token_cosine": _token_cosine(after),
        "block_influence": float(block_influence(before[None], after[None])),
        "median": float(size.median()),
    }


def _ranks(x: Float[Tensor, "token d"]) -> tuple[float, float]:
    """exp H(σ/Σσ) and Σσ²/max σ², from the smaller of the two Gram matrices; 0 for zeros."""
    scale = x.abs().max()
    if scale == 0:
        return 0.0, 0.0
    x = x / scale
    gram = x.T @ x if x.shape[0] > x.shape[1] else x @ x.T
    squares = torch.linalg.eigvalsh(gram).clamp(min=0)
    p = squares.sqrt() / squares.sqrt().sum()
    return float(torch.special.xlogy(p, p).sum().neg().exp()), float(squares.sum() / squares.max())


def _token_cosine(x: Float[Tensor, "token d"]) -> float:
    """The mean cosine of two different tokens, from the sum of the unit vectors."""
    n = x.shape[0]
    unit = nn.functional.normalize(x, dim=-1)
    own = unit.square().sum()  # n, or less where a token is zero
    return float((unit.sum(0).square().sum() - own) / max(1, n * (n - 1)))


def _blocks(model: nn.Module, layers: Iterable[str], record: Record) -> dict[str, nn.Module]:
    """The blocks that hold these layers, by name, each once."""
    modules = dict(model.named_modules(remove_duplicate=False))
    found = {}
    for layer in layers:
        if layer not in modules:
            raise ValueError(f"{type(model).__name__} has no layer {layer!r}.")
        name = block_of(layer, modules)
        if name is None:
            record.notes.append(
                f"{layer or 'The layer'} stands in no list of blocks, so the stream after it is not watched."
            )
        else:
            found[name] = modules[name]
    return found


def block_of(layer: str, modules: dict[str, nn.Module]) -> str | None:
    """The nearest module around a layer that stands in a ModuleList: "h.0" for "h.0.attn"."""
    parts = layer.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if isinstance(modules.get(".".join(parts[: end - 1])), nn.ModuleList):
            return ".".join(parts[:end])
    return None


def _listener(name: str, own: nn.Module, record: Record, keep: Tensor | None):
    def note(sentence: str) -> None:
        if sentence not in record.notes:
            record.notes.append(sentence)

    def listen(module, args, kwargs, output):
        if module is not own:  # of a copy, which took the hook along
            return None
        before, after = stream_of((*args, *kwargs.values())), stream_of((output,))
        if before is None or after is None or before.shape != after.shape:
            return note(f"{name} does not turn a (batch, token, d) into another of that shape: it is not watched.")
        if after.shape[1] == 1:
            return note(SINGLE)
        mask = keep
        if keep is not None and keep.shape != after.shape[:2]:
            mask = None
            note(
                f"The padding mask is {tuple(keep.shape)}, the stream after {name} {tuple(after.shape[:2])}: "
                "padding is not left out there."
            )
        record.hidden.append(hidden_vitals(name, before, after, mask))

    return listen


def stream_of(values: tuple) -> Tensor | None:
    """The first (batch, token, d) among these, in tuples too."""
    for value in values:
        if isinstance(value, Tensor) and value.dim() == 3 and value.is_floating_point():
            return value
        if isinstance(value, tuple | list) and (inner := stream_of(tuple(value))) is not None:
            return inner
    return None
