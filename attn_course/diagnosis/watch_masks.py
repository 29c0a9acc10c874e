"""What a mask of the library `transformers` says: who may look at whom, and what is added to the scores.

Each attention function of the library has masks of its own kind: True and False ("sdpa"), numbers that are added, the
lowest there is where a query may not look ("eager"), a rule in blocks ("flex_attention"), the padding alone
("flash_attention_2"), or none at all, and a word from the layer that it is causal.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from attn_course.attention import Visibility, causal, padding, visible_where, window

ROWS = 128  # of a mask, looked at together


@dataclass(frozen=True)
class Seen:
    """Who may look, what is added to the scores, and how many of the keys there are to look at."""

    visible: Visibility | Tensor | None
    bias: Tensor | None
    n_key: int


class Masks:
    """Reads masks; one that all layers share is read once."""

    def __init__(self):
        self.known: list[tuple[tuple, object, Seen]] = []

    def read(self, function: str, mask, n_query: int, n_key: int, kind: str, is_causal: bool, size: int | None) -> Seen:
        """`function`: which of the library's. `size`: of the layer's window, which only the flash kernels go by."""
        asked = (function, n_query, n_key, kind, is_causal, size)
        for other, known, seen in self.known:
            if known is mask and other == asked:
                return seen
        seen = _read(function, mask, n_query, n_key, kind, is_causal, size)
        self.known = [*self.known[-3:], (asked, mask, seen)]  # a mask is held, or its place could be another's
        return seen


def _read(function: str, mask, n_query: int, n_key: int, kind: str, is_causal: bool, size: int | None) -> Seen:
    if hasattr(mask, "mask_mod"):
        return Seen(_of_blocks(mask, n_query, n_key), None, n_key)
    if "flash" in function:
        return Seen(_of_flash(mask, is_causal and kind == "self", size), None, n_key)
    if mask is not None:
        return _of_tensor(mask, n_query, n_key, kind)
    if function == "eager" or not is_causal or n_query == 1:
        return Seen(None, None, n_key)
    # As in torch's kernel: the queries are the first of the keys; the rest is room in a cache that is not filled yet.
    return Seen(causal, None, min(n_query, n_key))


def _of_tensor(mask: Tensor, n_query: int, n_key: int, kind: str) -> Seen:
    mask = mask.detach().reshape((1,) * (4 - mask.dim()) + mask.shape)[..., :n_key]
    if mask.stride(0) == 0:
        mask = mask[:1]  # the same for all sequences
    j = torch.arange(n_key, device=mask.device)
    lowest = None if mask.dtype == torch.bool else torch.finfo(mask.dtype).min / 2
    all_seen, biased = True, False
    key_seen = torch.zeros(n_key, dtype=torch.bool, device=mask.device)
    for first in range(0, mask.shape[2], ROWS):
        piece = mask[:, :, first : first + ROWS]
        seen = piece if lowest is None else piece > lowest
        all_seen = all_seen and bool(seen.all())
        biased = biased or (lowest is not None and bool((piece.masked_fill(~seen, 0) != 0).any()))
        key_seen |= seen.flatten(0, 2).any(0)
    if kind == "self" and n_query < n_key:  # a cache with room that is not filled yet
        last = int(key_seen.nonzero()[-1]) + 1 if key_seen.any() else n_key
        n_key = max(n_query, last)
        mask, j = mask[..., :n_key], j[:n_key]
    bias = mask if biased else None
    if all_seen:
        return Seen(None, bias, n_key)
    if mask.shape[2] == n_query <= n_key and _says_causal(mask, lowest, j):
        return Seen(causal, bias, n_key)
    return Seen(mask if lowest is None else mask > lowest, bias, n_key)


def _says_causal(mask: Tensor, lowest: float | None, j: Tensor) -> bool:
    """Does it say causal, and nothing else? The queries are the last of the keys."""
    i = j[len(j) - mask.shape[2] :, None]
    for first in range(0, mask.shape[2], ROWS):
        piece = mask[:, :, first : first + ROWS]
        seen = piece if lowest is None else piece > lowest
        if not bool((seen == (j <= i[first : first + ROWS])).all()):
            return False
    return True


def _of_blocks(mask, n_query: int, n_key: int) -> Visibility:
    """flex_attention's rule counts the queries from 0; ours end with the keys."""

    def visible(i: Tensor, j: Tensor) -> Tensor:
        first_head = j.new_tensor(0)
        rows = [mask.mask_mod(j.new_tensor(b), first_head, i - (n_key - n_query), j) for b in range(mask.shape[0])]
        return torch.stack(rows)[:, None]

    return visible_where(visible, "the rule of a block mask")


def _of_flash(mask: Tensor | None, is_causal: bool, size: int | None) -> Visibility | None:
    """The flash kernels take the padding alone, (batch, key); the queries are the last of the keys."""
    rules = [causal] if is_causal else []
    rules += [window(size)] if size is not None else []
    rules += [padding(mask.bool())] if mask is not None else []
    if not rules:
        return None
    whole = rules[0]
    for rule in rules[1:]:
        whole = whole & rule
    return whole
