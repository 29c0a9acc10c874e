"""Every measure of a report: what it is called, its unit, what is usual, and who says so.

Definitions as code stand in `attn_course.diagnosis.vitals`. A range is what a sound model usually shows, not a law:
what counts as a finding is decided in `findings`, by thresholds that stand in `thresholds`.
"""

from dataclasses import dataclass

from attn_course.diagnosis import thresholds

OURS = "Our proposal; nobody has published a threshold."
NONE = "No range: what is usual depends on the text and on the layer."


@dataclass(frozen=True)
class Measure:
    """One line of the table. `low` and `high` bound the usual range; None: no bound on that side."""

    name: str
    of: str  # "head", "block", "layer": what it is one number of
    title: str
    unit: str
    meaning: str
    usual: str
    low: float | None
    high: float | None
    source: str


def _of(what: str):
    """Makes a measure that is one number of `what`."""

    def make(name, title, unit, meaning, source, usual=NONE, low=None, high=None) -> Measure:
        return Measure(name, what, title, unit, meaning, usual, low, high, source)

    return make


_head, _block, _layer = _of("head"), _of("block"), _of("layer")

_ALL = (
    _head(
        "entropy",
        "entropy",
        "share of log n",
        "How evenly a query spreads its attention over the n keys that it may look at, mean over queries: 0 one key "
        "has it all, 1 all keys share alike.",
        "Zhai et al. 2023, arXiv 2303.06296, watch it in training",
    ),
    _head(
        "entropy_low",
        "entropy, lowest twentieth",
        "share of log n",
        "The same, but not the mean: one query in twenty lies below.",
        "Zhai et al. 2023, arXiv 2303.06296",
    ),
    _head(
        "entropy_rest",
        "entropy beside sinks",
        "share of log n",
        "The entropy of what is left when sinks (the first token, declared sets, a key with little value that takes "
        "much) are taken out and the rest is made to sum to 1. Rows that rest on sinks nearly whole do not count.",
        OURS,
        usual=f"Above 0.05, but for heads that follow a position. {OURS}",
        low=thresholds.COLLAPSED,
    ),
    _head(
        "entropy_rest_low",
        "entropy beside sinks, lowest twentieth",
        "share of log n",
        "The same, but not the mean: one query in twenty lies below.",
        "measured here; Zhai et al. 2023, arXiv 2303.06296, for the mean",
        usual="Near 0 in many sound heads: in those that follow a position, or look one word up.",
    ),
    _head(
        "first_token",
        "on the first token",
        "share of attention",
        "What the first token takes, mean over queries. An even spread gives it 1/n, in a causal model (1/n)·Σ 1/i.",
        "Gu et al. 2024, arXiv 2410.10781; Xiao et al. 2023, arXiv 2309.17453",
        usual="High in most trained causal models, and no fault: a head that has nothing to do rests there.",
    ),
    _head(
        "strongest_share",
        "on the strongest key",
        "share of attention",
        "What the one key takes that receives most, mean over queries.",
        "Clark et al. 2019, arXiv 1906.04341, for [SEP] in BERT",
    ),
    _head(
        "strongest_value",
        "value of the strongest key",
        "times the median of the others",
        "‖v‖ of the strongest key. Much below 1, attention to it adds next to nothing: it is a place to rest.",
        "Gu et al. 2024, arXiv 2410.10781, find small values at sinks; MiniLM measured here",
        usual="Below 0.5 for a place to rest; in MiniLM's heads that rest on [CLS] it is 0.01 to 0.20.",
    ),
    _head(
        "previous_token",
        "on the token before",
        "share of attention",
        "What a query gives the token before it, mean over sampled rows.",
        "Clark et al. 2019, arXiv 1906.04341; Olsson et al. 2022, arXiv 2209.11895",
        usual="Near 1 in a head that keeps order, and no fault.",
    ),
    _head(
        "fixed_offset",
        "on one fixed distance",
        "share of attention",
        "What a query gives the key at the one distance that takes most; mean over the sampled rows with a key there.",
        "Voita et al. 2019, arXiv 1905.09418, call such heads positional",
    ),
    _head(
        "null",
        "on the learned sink",
        "share of attention",
        "What the model's own extra logit takes, which has no value. Only in models that have one.",
        "by definition",
    ),
    _head(
        "distance",
        "distance",
        "tokens",
        "Σ A |i − j|: how far a query looks, on average.",
        "by definition",
    ),
    _head(
        "participation",
        "keys that share a row",
        "keys",
        "1 / Σ A²: as many equal weights would give the same sum of squares.",
        "by definition",
    ),
    _head(
        "max_logit",
        "greatest logit",
        "–",
        "The greatest score before the softmax, after scale, cap and bias.",
        "Wortsman et al. 2023, arXiv 2309.14322; QK-clip with τ = 100: Kimi Team 2025, arXiv 2507.20534",
        usual="Below 100, where QK-clip sets in; every run above 10,000 in Wortsman et al. diverged.",
        high=thresholds.LOGIT_LARGE,
    ),
    _head(
        "sparsity",
        "weights that do nothing",
        "share of visible weights",
        "Weights below 0.001, of those that a query may give.",
        "by definition; the bound of 0.001 is ours",
    ),
    _head(
        "keys_needed",
        "keys that carry 96 %",
        "keys",
        "The fewest keys that hold 96 % of a row.",
        "96 %: MInference, Jiang et al. 2024, arXiv 2407.02490",
    ),
    _head(
        "coverage",
        "keys that carry 96 %",
        "share of visible keys",
        "The same, as a share of the keys that the query may look at.",
        "MInference, Jiang et al. 2024, arXiv 2407.02490",
        usual="3 % in MInference's long texts (4 K of 128 K); far more in short ones.",
    ),
    _head(
        "window",
        "window that carries 96 %",
        "tokens",
        "The smallest w such that |i − j| < w holds 96 % of a row.",
        "by definition",
    ),
    _head(
        "divergence",
        "distance to the nearest head",
        "bits",
        "Jensen–Shannon divergence between this head's rows and those of the head of its layer most like it: 0 "
        "alike, 1 nothing in common.",
        f"Clark et al. 2019, arXiv 1906.04341, compare heads so. {OURS}",
        usual=f"Above 0.01. {OURS}",
        low=thresholds.DUPLICATE,
    ),
    _block(
        "rank_residual",
        "rank residual",
        "share of the norm",
        "‖X − 1x̄ᵀ‖ / ‖X‖, with the norm √(‖·‖₁‖·‖_∞) and x̄ the mean token: 0 when all tokens are one.",
        f"Dong et al. 2021, arXiv 2103.03404. The bound: {OURS[0].lower()}{OURS[1:]}",
        usual="Above 0.01. About 0.4 in BERT before training, with its skips; it falls to 1e-7 without.",
        low=thresholds.RESIDUAL_COLLAPSED,
    ),
    _block(
        "token_cosine",
        "tokens alike",
        "cosine",
        "Mean cosine of two tokens of a text.",
        f"Noci et al. 2022, arXiv 2206.03126, follow it through depth. {OURS}",
        usual=f"Below 0.99. {OURS}",
        high=thresholds.COSINE_COLLAPSED,
    ),
    _block(
        "effective_rank",
        "effective rank",
        "directions",
        "exp of the entropy of the singular values, as shares of their sum.",
        "Roy and Vetterli 2007",
    ),
    _block(
        "stable_rank",
        "stable rank",
        "directions",
        "‖X‖_F² / ‖X‖₂²: near 1 when one direction has all the length.",
        "by definition",
    ),
    _block(
        "block_influence",
        "what the block changes",
        "1 − cosine",
        "1 − cos(token before the block, token after it), mean over tokens.",
        f"Men et al. 2024, arXiv 2403.03853, prune by it. {OURS}",
        usual=f"Above 0.001. {OURS}",
        low=thresholds.IDLE_BLOCK,
    ),
    _block(
        "largest",
        "largest activation",
        "–",
        "The largest |x| in the stream after the block.",
        "Sun et al. 2024, arXiv 2402.17762",
        usual=(
            "A massive activation is above 100 and 1000 times the median: usual in large models, and needed by them."
        ),
    ),
    _block(
        "median",
        "median activation",
        "–",
        "The median |x| in the stream after the block.",
        "Sun et al. 2024, arXiv 2402.17762",
    ),
    _layer(
        "query_key_gradient",
        "gradient of queries and keys",
        "norm",
        "‖∂L/∂(W_Q, W_K)‖.",
        "Noci et al. 2022, arXiv 2206.03126",
    ),
    _layer(
        "value_gradient",
        "gradient of values",
        "norm",
        "‖∂L/∂W_V‖.",
        "Noci et al. 2022, arXiv 2206.03126",
    ),
    _layer(
        "gradient_ratio",
        "gradient of queries and keys by that of values",
        "ratio",
        "When tokens are alike, no choice among them matters, and queries and keys stop learning.",
        f"Noci et al. 2022, arXiv 2206.03126, show the starving. {OURS}",
        usual=f"Above 0.001. {OURS}",
        low=thresholds.STARVING,
    ),
    _head(
        "importance",
        "importance",
        "share of the layer's largest",
        "E|Attᵀ ∂L/∂Att|: how much the loss would feel the head go, to first order.",
        "Michel et al. 2019, arXiv 1905.10650",
    ),
)

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
