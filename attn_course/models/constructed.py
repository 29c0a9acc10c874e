"""A transformer whose weights are set by hand: what one *can* do, whatever training finds.

Every feature of the stream has a name and a job, every weight is there for a reason, and all others are zero. The two
models themselves are in `parity` and `first`; here is what they share: an encoder of the course's own blocks with all
its weights at zero, and the tools to set some.

Source: Chiang and Cholak 2022, "Overcoming a Theoretical Limitation of Self-Attention", arXiv 2202.12172.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import NoPositions, fused
from attn_course.attention.options import log_length
from attn_course.models.blocks import FeedForward
from attn_course.models.encoder import Encoder

CLS = 2  # the token that the answer is read at; 0 and 1 are the bits

Bits = Int[Tensor, "batch bit"]


class Constructed(nn.Module):
    """Bits → one logit for each string: above 0 for yes. [CLS] is put after the string, and the answer is read there.

    features    a name for each feature of the stream
    eps         None: no layer norm. Else the layer norm's ε: every feature is kept twice, as x and as −x, so that the
                mean that it takes away is 0, and it only rescales
    log_n       scores are multiplied by log n (n counts [CLS]) instead of by 1/√d_head

    float64, because what decides at 1,000 bits is in the seventh digit. `.to(torch.bfloat16)` shows what that costs.
    """

    def __init__(
        self,
        features: tuple[str, ...],
        heads: int,
        positions: Callable,
        eps: float | None = None,
        log_n: bool = False,
        mechanism: Callable = fused,
    ):
        super().__init__()
        if eps is not None and not 0 <= eps < math.inf:
            raise ValueError(
                f"eps is what a layer norm adds to the variance, 0 or more (None: no layer norm); got {eps!r}."
            )
        self.features = features
        self.mirrored = eps is not None
        d_model = len(features) * (2 if self.mirrored else 1)
        d_head = d_model // heads
        self.encoder = Encoder(
            vocabulary=3,
            d_model=d_model,
            heads=heads,
            layers=2,
            d_hidden=d_model,
            positions=positions(features, self.mirrored),
            norm=(lambda _: MirroredLayerNorm(eps)) if self.mirrored else (lambda _: nn.Identity()),
            feed_forward=_relu,
            mechanism=log_length(mechanism, s=math.sqrt(d_head)) if log_n else mechanism,
            bias=False,
        )
        self.answer = nn.Linear(d_model, 1, bias=False)
        self.double().requires_grad_(False)
        for weight in self.parameters():
            weight.zero_()

    @property
    def layers(self) -> nn.ModuleList:
        return self.encoder.stack.blocks

    def forward(self, bits: Bits) -> Float[Tensor, "batch"]:
        return self.answer(self.encoder(with_cls(bits))[:, -1])[:, 0]

    def steps(self, bits: Bits) -> dict[str, Float[Tensor, "batch token feature"]]:
        """The stream before the first layer and after each, without the mirror; the last token is [CLS]."""
        x = self.encoder.embed(with_cls(bits))
        found = {"embedded": x}
        for number, block in enumerate(self.layers, 1):
            x = found[f"layer {number}"] = block(x)
        return {name: x[..., : len(self.features)] for name, x in found.items()}

    # How weights are set. A weight that reads looks at x alone; one that writes puts its result into x and −x.

    def embed(self, token: int, feature: str) -> None:
        """The token's vector: 1 in this feature."""
        self._write(self.encoder.token.weight.T, token, {feature: 1.0})

    def read(self, layer: nn.Linear, row: int, **features: float) -> None:
        """Row `row` of a layer's output is this sum of features."""
        for name, factor in features.items():
            layer.weight[row, self.features.index(name)] = factor

    def write(self, layer: nn.Linear, column: int, **features: float) -> None:
        """Input `column` of a layer is added to these features, times these factors."""
        self._write(layer.weight, column, features)

    def keep_only(self, feed_forward: nn.Module, kept: str) -> None:
        """The network takes away every feature but one: x − relu(x) + relu(−x) = 0. It needs the mirror's −x."""
        n = len(self.features)
        feed_forward.w_1.weight.copy_(torch.eye(2 * n))
        for column, name in enumerate(self.features):
            if name != kept:
                self._write(feed_forward.w_2.weight, column, {name: -1.0})
                self._write(feed_forward.w_2.weight, column + n, {name: 1.0})

    def _write(self, weight: Tensor, column: int, features: dict[str, float]) -> None:
        for name, factor in features.items():
            row = self.features.index(name)
            weight[row, column] = factor
            if self.mirrored:
                weight[row + len(self.features), column] = -factor


class MirroredLayerNorm(nn.Module):
    """Layer norm of vectors (x, −x): their mean is 0, so what is left to do is x / √(mean of x² + ε).

    The mean is not computed: its rounding would be all that there is in a token of zeros, which stays zero here even
    at ε = 0. No gain and no bias, as in `nn.LayerNorm(d, eps, elementwise_affine=False)`.
    """

    def __init__(self, eps: float):
        super().__init__()
        self.eps = eps

    def extra_repr(self) -> str:
        return f"eps={self.eps:g}"

    def forward(self, x: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch feature"]:
        root = (x.square().mean(dim=-1, keepdim=True) + self.eps).sqrt()
        return torch.where(root > 0, x / root, 0.0)


class Marks(NoPositions):
    """Positions as features with a meaning: `marks` gives name → numbers of the positions 0 … n − 1 among n tokens."""

    def __init__(self, features: tuple[str, ...], mirrored: bool):
        super().__init__()
        self.features, self.mirrored = features, mirrored

    def marks(self, at: Int[Tensor, "token"]) -> dict[str, Tensor]:
        raise NotImplementedError

    def add(self, x, at):
        own = torch.zeros(x.shape[1], len(self.features), dtype=torch.float64, device=x.device)
        for name, values in self.marks(at).items():
            own[:, self.features.index(name)] = values
        own = torch.cat([own, -own], dim=-1) if self.mirrored else own
        return x + own.to(x.dtype)


def with_cls(bits: Bits) -> Int[Tensor, "batch token"]:
    """The bits and [CLS]. Raises ValueError for anything but strings of 0 and 1, at least one bit long."""
    if not isinstance(bits, Tensor) or bits.dim() != 2 or 0 in bits.shape or bits.dtype.is_floating_point:
        got = f"{tuple(bits.shape)} of {bits.dtype}" if isinstance(bits, Tensor) else type(bits).__name__
        raise ValueError(f"Bits are whole numbers of shape (batch, bit), one string and one bit at least; got {got}.")
    bits = bits.long()
    if not ((bits == 0) | (bits == 1)).all():
        raise ValueError("A bit is 0 or 1, and there are other numbers among these.")
    return F.pad(bits, (0, 1), value=CLS)


def _relu(d_model: int, d_hidden: int, bias: bool) -> FeedForward:
    return FeedForward(d_model, d_hidden, bias, activation=F.relu)
