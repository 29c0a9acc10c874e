"""Sets of tokens, as people name them: by the numbers of the keys, or by True and False."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def as_set(name: str, members) -> Int[Tensor, "member"] | Bool[Tensor, "*batch key"]:
    """The numbers of the keys, or True/False of shape (key,) or (batch, key). ValueError for anything else."""
    members = torch.as_tensor(members)
    if members.dtype == torch.bool and members.dim() in (1, 2):
        return members
    if members.numel() == 0:
        return members.long().flatten()
    if members.dim() == 1 and not members.is_floating_point() and members.dtype != torch.bool and members.min() >= 0:
        return members.long()
    raise ValueError(
        f"The token set {name!r} should be a list of key numbers from 0 up, or True and False of shape (key,) or "
        f"(batch, key); got {members.dtype} of shape {tuple(members.shape)}."
    )


def marked(name: str, members, batch: int, n_key: int, device=None) -> Bool[Tensor, "batch key"]:
    """True for the keys of a set, in each sequence. ValueError for keys that are not there."""
    members = as_set(name, members).to(device)
    if members.dtype == torch.bool:
        if members.shape not in ((n_key,), (batch, n_key)):
            raise ValueError(
                f"The token set {name!r} has marks of shape {tuple(members.shape)}; it wants one for each of the "
                f"{n_key} keys, or for each key of each of the {batch} sequences."
            )
        return members.expand(batch, n_key)
    beyond = members[members >= n_key]
    if len(beyond):
        raise ValueError(f"The token set {name!r} names key {int(beyond[0])}, but keys go from 0 to {n_key - 1}.")
    return torch.zeros(batch, n_key, dtype=torch.bool, device=members.device).index_fill(1, members, True)


def indicators(token_sets: dict, batch: int, n_key: int, device=None) -> Bool[Tensor, "batch key set"]:
    """One column a set: True for its keys."""
    columns = torch.zeros(batch, n_key, len(token_sets), dtype=torch.bool, device=device)
    for at, (name, members) in enumerate(token_sets.items()):
        columns[..., at] = marked(name, members, batch, n_key, device)
    return columns
