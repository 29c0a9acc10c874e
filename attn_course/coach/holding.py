"""How much does an answer hold at once? For exercises whose point is that a map of N × N is never built.

Every tensor that torch makes while the answer runs is counted as long as it lives, by its storage: views cost nothing,
and what was dropped is forgotten. So it does not matter how the map was made, nor whether in one piece or in many.
"""

from collections.abc import Callable

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TooMuchHeld(BaseException):
    """Not an Exception, so that a learner's `except Exception` cannot swallow it."""


def holding_at_most(most: Callable[..., int]) -> Callable[[Callable], Callable]:
    """For a case's `within`: the answer, which raises TooMuchHeld when it holds more than most(*args) numbers."""

    def within(answer: Callable) -> Callable:
        def held(*args):
            with _Holding(most(*args)):
                return answer(*args)

        return held

    return within


class _Holding(TorchDispatchMode):
    def __init__(self, most: int):
        super().__init__()
        self.most = most
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {_storage(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        result = function(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and _storage(x) not in given:
                storage = x.untyped_storage()
                self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes() // x.element_size())
        self.alive = {key: (ref, n) for key, (ref, n) in self.alive.items() if not ref.expired()}
        now = sum(n for _, n in self.alive.values())
        if now > self.most:
            raise TooMuchHeld(f"it held {now:,} numbers at once, and {self.most:,} are plenty here")
        return result


def _storage(x: Tensor) -> int:
    return x.untyped_storage()._cdata
