"""Registers: learned tokens before the text, which mean nothing and may hold anything.

Source: Darcet et al. 2023, arXiv 2309.16588 (vision transformers); as one token that takes the place of the sink, Xiao
et al. 2023, arXiv 2309.17453.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import KVCache, Visibility

Visible = Visibility | Tensor


class Registers(nn.Module):
    """`count` learned tokens that a `Stack` puts before the text and takes away again: `Stack(…, registers=count)`.

    In every layer they are keys 0 … count−1, and every query may look at them. Where the first token may look ahead, a
    register may look wherever that token may; where it may not (causal attention), registers see registers alone.
    """

    def __init__(self, count: int, d_model: int):
        super().__init__()
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"registers counts learned tokens: a whole number from 0 up, got {count!r}.")
        self.tokens = nn.Parameter(0.02 * torch.randn(count, d_model))

    def __len__(self) -> int:
        return len(self.tokens)

    def before(
        self,
        x: Float[Tensor, "batch token d_model"],
        visible: Visible | None,
        at: Int[Tensor, "*batch token"] | None,
        caches: list[KVCache] | None,
    ) -> tuple[Float[Tensor, "batch register_and_token d_model"], Visible | None, Tensor | None]:
        """The text with the registers before it, and who may look at whom and where tokens stand then.

        With a cache that has read something, the registers are in there already: the text alone comes back.
        """
        read = caches[0].length if caches else 0
        n_key = x.shape[1] + max(read - len(self), 0)
        if visible is not None:
            visible = self._visible(visible, x.shape[1], n_key, fresh=not read)
        at = None if at is None else at + len(self)
        if read:
            return x, visible, at
        x = torch.cat([self.tokens.to(x.dtype).expand(len(x), -1, -1), x], dim=1)
        if at is not None:
            first = torch.arange(len(self), device=at.device).expand(*at.shape[:-1], -1)
            at = torch.cat([first, at], dim=-1)
        return x, visible, at

    def _visible(self, visible: Visible, n_query: int, n_key: int, fresh: bool) -> Visible:
        count = len(self)
        if isinstance(visible, Visibility):
            device = self.tokens.device
            looks = visible(
                torch.zeros(1, 1, dtype=torch.long, device=device), torch.arange(n_key, device=device)[None]
            )
            ahead = looks[..., 1:].any(dim=-1, keepdim=True)  # (…, 1, 1)
            return Visibility(
                lambda i, j: (
                    (j < count)
                    | visible.rule((i - count).clamp(min=0), (j - count).clamp(min=0)) & ((i >= count) | ahead)
                ),
                f"{count} registers | ({visible.name})",
                None if visible.length is None else visible.length + count,
            )
        visible = visible.expand(*visible.shape[:-2], n_query, n_key)
        if fresh:
            first = visible[..., :1, :]
            looks = first & first[..., 1:].any(dim=-1, keepdim=True)
            visible = torch.cat([looks.expand(*looks.shape[:-2], count, -1), visible], dim=-2)
        return F.pad(visible, (count, 0), value=True)
