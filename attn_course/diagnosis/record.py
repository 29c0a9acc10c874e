"""What `watch` keeps of a model's run, and `diagnose` reads: small vectors, a few sampled rows, no map."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.diagnosis.streaming import StreamingVitals


@dataclass(frozen=True)
class AttentionCall:
    """One call of one attention layer."""

    name: str  # of the layer in its model: "h.0.attn", "blocks.0.attention"
    kind: str  # "self", "cross" (keys come from another text)
    vitals: StreamingVitals
    value_norm: Float[Tensor, "batch head key"]  # ‖v_j‖; heads that share values have the same
    largest_product: float  # an upper bound of |q·k| before the scale: max ‖q‖ · max ‖k‖
    dtype: torch.dtype  # what the model computes in
    finite: bool  # whether q, k, v and the output hold no NaN and no infinity
    rows: Int[Tensor, "row"]  # the sampled query rows (indices of queries)
    weights: Float[Tensor, "batch head row key"]  # their weights, in float16
    first_key: int = 0  # the token of the text that key 0 is: above 0 where a cache has forgotten the first ones, −1
    # where a learned key stands before them
    scale: float | None = None  # what the scores were multiplied with; None: not known


@dataclass(frozen=True)
class HiddenVitals:
    """The residual stream after one block, one number a sequence: definitions in `vitals`."""

    name: str  # "h.0", "blocks.0"
    rank_residual: Float[Tensor, "batch"]
    effective_rank: Float[Tensor, "batch"]
    stable_rank: Float[Tensor, "batch"]
    token_cosine: Float[Tensor, "batch"]
    block_influence: Float[Tensor, "batch"]  # 1 − cos(before the block, after it), mean over tokens
    largest: Float[Tensor, "batch"]  # max |x|
    median: Float[Tensor, "batch"]  # median |x|
    largest_at: Int[Tensor, "batch 2"]  # its token and its feature
    finite: bool


@dataclass(frozen=True)
class GradientVitals:
    """One layer's gradients, for one loss."""

    name: str
    head_importance: Float[Tensor, "head"]  # E|Attᵀ ∂L/∂Att| (Michel et al. 2019)
    query_key: float  # ‖∂L/∂(W_Q, W_K)‖
    value: float  # ‖∂L/∂W_V‖


@dataclass
class Record:
    """Everything that was watched, in the order in which it happened."""

    model: str
    calls: list[AttentionCall] = field(default_factory=list)
    hidden: list[HiddenVitals] = field(default_factory=list)
    gradients: list[GradientVitals] = field(default_factory=list)
    tokens: list[list[str]] | None = None  # the text, token by token; one list a sequence
    token_sets: dict[str, list[int] | Bool[Tensor, "batch key"]] = field(default_factory=dict)
    first_not_finite: str | None = None  # the first module whose output held NaN or infinity
    notes: list[str] = field(default_factory=list)  # what could not be watched, in sentences

    @property
    def layers(self) -> list[str]:
        """The names of the attention layers, in the order of their first call."""
        return list(dict.fromkeys(call.name for call in self.calls))

    def of_layer(self, name: str) -> list[AttentionCall]:
        """All calls of one layer: several while a text is being written."""
        return [call for call in self.calls if call.name == name]
