"""The same handles for a model of the library `transformers`: its attention function is exchanged for one of ours.

The model attends the plain way meanwhile ("eager"), whose mask is a matrix of numbers that are added to the scores.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch import Tensor, nn

NAME = "attn_course_trials"


class LibraryParts:
    """A model whose layers look their attention function up by its name."""

    def __init__(self, model: nn.Module, layers: dict[str, nn.Module]):
        self.model, self.layers = model, layers
        self.passes = len(layers)

    @property
    def names(self) -> list[str]:
        return list(self.layers)

    def looked(self, tokens: Tensor) -> list[SimpleNamespace]:
        found: dict[int, SimpleNamespace] = {}
        self.passes = 0

        def keep(attend, module, q, k, v, mask, extra):
            output, weights = attend(q, k, v, mask)
            self.passes += 1
            norm = v.norm(dim=-1).repeat_interleave(q.shape[1] // v.shape[1], dim=1)
            found.setdefault(id(module), SimpleNamespace(weights=weights, value_norm=norm))
            return output, weights

        with self._attending(keep), torch.no_grad():
            self.model(tokens)
        return [found[id(layer)] for layer in self.layers.values()]

    @contextmanager
    def hidden(self, keep: Tensor) -> Iterator[None]:
        def hide(attend, module, q, k, v, mask, extra):
            return attend(q, k, v, _also(mask, q, k, ~keep[:, None, None, :]))

        with self._attending(hide):
            yield

    @contextmanager
    def within(self, w: int) -> Iterator[None]:
        def narrow(attend, module, q, k, v, mask, extra):
            i = torch.arange(q.shape[2], device=q.device)[:, None]
            j = torch.arange(k.shape[2], device=q.device)
            return attend(q, k, v, _also(mask, q, k, ((i - j).abs() >= w) & (j > 0)))

        with self._attending(narrow):
            yield

    @contextmanager
    def heads(self, layer: int, gives: dict[int, int | None]) -> Iterator[None]:
        from attn_course.diagnosis.trials.parts import regiven

        chosen = self.layers[self.names[layer]]

        def give(attend, module, q, k, v, mask, extra):
            output, weights = attend(q, k, v, mask)  # (batch, query, head, d)
            return (regiven(output, gives, dim=2) if module is chosen else output), weights

        with self._attending(give):
            yield

    @contextmanager
    def _attending(self, change: Callable) -> Iterator[None]:
        """Every layer attends by `change(attend, module, q, k, v, mask, extra)`, with its own plain `attend`."""
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import eager_mask

        from attn_course.diagnosis.watch_library import EAGER, _namespaces

        def ours(module, query, key, value, attention_mask=None, *args, **extra):
            plain = _namespaces(type(module))[0][EAGER]

            def attend(q, k, v, mask):
                return plain(module, q, k, v, mask, *args, **extra)

            return change(attend, module, query, key, value, attention_mask, extra)

        AttentionInterface.register(NAME, ours)
        AttentionMaskInterface.register(NAME, eager_mask)
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation(NAME)
        try:
            yield
        finally:
            self.model.set_attn_implementation(before)


def _also(mask: Tensor | None, q: Tensor, k: Tensor, hide: Tensor) -> Tensor:
    """The mask of numbers, with the least there is wherever `hide` says so too."""
    if mask is None:
        mask = q.new_zeros(q.shape[0], 1, q.shape[2], k.shape[2])
    return mask[..., : k.shape[2]].masked_fill(hide, torch.finfo(q.dtype).min)
