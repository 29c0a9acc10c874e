"""The KV cache: what a model that writes token by token keeps, so as not to read the whole text again at each step."""

import torch
from jaxtyping import Float
from torch import Tensor


class KVCache:
    """Keys and values of the tokens that one layer has read. `limit`: the most tokens that it may hold."""

    def __init__(self, limit: int | None = None):
        if limit is not None and limit < 1:
            raise ValueError(f"A cache should hold at least one token, got limit={limit}.")
        self.limit = limit
        self.k: Float[Tensor, "batch kv_head token d_k"] | None = None
        self.v: Float[Tensor, "batch kv_head token d_v"] | None = None

    def __repr__(self) -> str:
        most = "" if self.limit is None else f" of {self.limit}"
        return f"KVCache({self.length}{most} tokens, {self.nbytes:,} bytes)"

    @property
    def length(self) -> int:
        return 0 if self.k is None else self.k.shape[-2]

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the keys and values take."""
        return 0 if self.k is None else self.k.nbytes + self.v.nbytes

    def extend(
        self, k: Float[Tensor, "batch kv_head new d_k"], v: Float[Tensor, "batch kv_head new d_v"]
    ) -> tuple[Float[Tensor, "batch kv_head token d_k"], Float[Tensor, "batch kv_head token d_v"]]:
        """Add the keys and values of new tokens; returns those of all tokens so far.

        Raises ValueError if they do not fit: another batch, other heads, or more tokens than the limit.
        """
        total = self.length + k.shape[-2]
        if self.limit is not None and total > self.limit:
            raise ValueError(
                f"The cache holds {self.limit} tokens and would need {total}. Make it with a larger limit, or start "
                "again from the last tokens."
            )
        if self.k is None:
            self.k, self.v = k, v
        else:
            self._check_fits(k, v)
            self.k = torch.cat([self.k, k], dim=-2)
            self.v = torch.cat([self.v, v], dim=-2)
        return self.k, self.v

    def _check_fits(self, k: Tensor, v: Tensor) -> None:
        for kept, new in ((self.k, k), (self.v, v)):
            for what, axis in (("sequences", 0), ("heads", 1), ("features", 3)):
                if kept.shape[axis] != new.shape[axis]:
                    raise ValueError(
                        f"The cache was filled with {kept.shape[axis]} {what}, now come {new.shape[axis]}. "
                        "Begin every batch with an empty cache."
                    )
            if kept.dtype != new.dtype or kept.device != new.device:
                raise ValueError(
                    f"The cache is {kept.dtype} on {kept.device}, what comes is {new.dtype} on {new.device}. "
                    "Begin with an empty cache after moving a model."
                )


def cache_bytes(layers: int, kv_heads: int, d_head: int, tokens: int, batch: int = 1, bytes_per_number: int = 2) -> int:
    """How many bytes the caches of a whole model take: a key and a value for each token, head and layer."""
    return 2 * layers * kv_heads * d_head * tokens * batch * bytes_per_number
