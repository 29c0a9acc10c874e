"""What makes each claim of lesson 01 false."""

CONTROLS = {
    # The formula without its scale is not what was computed by hand.
    "formula.1": "_right = attention\nattention = lambda q, k, v: _right(q, k, v, scale=1.0)",
    # 1/d_k in place of 1/√d_k: the model's own weights are another matter.
    "formula.2": "_right = attention_weights\nattention_weights = lambda q, k: _right(q, k, scale=1 / q.shape[-1])",
    # The weights of a softmax over the queries.
    "formula.3": """
from dataclasses import replace
reading = replace(reading, layers=tuple(
    replace(layer, weights=attention_scores(layer.q, layer.k).softmax(dim=-2)) for layer in reading.layers
))
""",
    # Another head of the same layer has no such habit.
    "formula.4": """
import torch
_share = share
share = lambda number, head, query, key: _share(number, 3, query, key)
""",
    # A head that really singles out one word: the median word does not follow.
    "formula.5": 'words = tuple("mat" if w == "cat" else "cat" if w == "mat" else w for w in words)',
    # An attention that minds the order.
    "formula.6": """
from attn_course.attention import causal
_right = attention
attention = lambda q, k, v: _right(q, k, v, causal)
""",
    # The right softmax: every row is 1.
    "formula.7": "wrong = attention_weights(first.q, first.k)[0, 9]",
    # A head without a sink: the first layer's (0, 3).
    "formula.8": "spent_on_cls = reading.layers[0].weights[0, 3, 1:, 0].mean().item()",
    "formula.9": "lengths = reading.layers[0].v[0, 3].norm(dim=-1)",
    # If weights were contributions, the sink would give nearly everything.
    "formula.10": "taken_from_cls = spent_on_cls",
}
