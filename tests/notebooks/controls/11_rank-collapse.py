"""What makes each claim of lesson 11 false."""

# Attention alone with a skip: what is left falls slowly.
SKIPS = "_forward = PureAttention.forward\nPureAttention.forward = lambda self, x: x + 0.2 * _forward(self, x)\n"
HEALTHY = "the whole block, pre-norm"

CONTROLS = {
    "rank-collapse.1": SKIPS,
    "rank-collapse.2": SKIPS,
    # Weights that do not depend on the query; a layer that passes its tokens by.
    "rank-collapse.3": "differ = before",
    "rank-collapse.4": "after = before",
    "rank-collapse.5": "_residuals = residuals\nresiduals = lambda size, depth, seed: _residuals(1.0, depth, seed)",
    "rank-collapse.6": SKIPS,
    # Tokens that are told apart anew in every layer.
    "rank-collapse.7": "families = lambda depth, seed: [32, 16, 24]",
    "rank-collapse.8": "torch.Tensor.argmax = lambda x, dim: torch.arange(len(x))",
    "rank-collapse.9": "cut = whole",
    "rank-collapse.10": "whole = cut",
    "rank-collapse.11": "_recorded = recorded\n"
    "recorded = lambda name: {'rows': [row | {'skip': not row['skip']} for row in _recorded(name)['rows']]}",
    "rank-collapse.12": f"table['+ feed-forward'] = table['{HEALTHY}']",
    "rank-collapse.13": f"table['attention alone'] = table['{HEALTHY}']",
    "rank-collapse.14": f"table['{HEALTHY}'] = table['the whole block, post-norm']",
    "rank-collapse.15": f"table['the whole block, post-norm'] = table['{HEALTHY}']",
    "rank-collapse.16": f"table['post-norm, branches / √depth'] = table['{HEALTHY}']",
    # The common part added twice over, not its square; a branch that does not shrink.
    "rank-collapse.17": "predicted = lambda depth, branch, n=32: (1 + (1 + branch) ** (2 * depth) / n) ** -0.5",
    "rank-collapse.18": "_predicted = predicted\npredicted = lambda depth, branch: _predicted(depth, 1.0)",
    # A path that is lost; maps that copy every token once.
    "rank-collapse.19": "_paths = sum_of_paths\n"
    "def sum_of_paths(x, layers):\n    parts, output = _paths(x, layers)\n    return parts[1:], output",
    "rank-collapse.20": "weights_of = lambda layer, x: torch.eye(x.shape[1], dtype=x.dtype)",
    "rank-collapse.21": "_with = with_skips\nwith_skips = lambda strength: _with(0.0)",
    "rank-collapse.22": "_with = with_skips\nwith_skips = lambda strength: _with(1.0)",
    "rank-collapse.23": "_with = with_skips\nwith_skips = lambda strength: _with(0.1)",
    # Each made-up text in the place of another.
    "rank-collapse.24": "seen['two camps'] = seen['random']",
    "rank-collapse.25": "seen['one vector added'] = seen['collapsed']",
    "rank-collapse.26": "texts['one vector added'] = texts['collapsed']",
    # The gradient of the values' differences alone; of a layer whose tokens are not alike.
    "rank-collapse.27": "_at = at_size\nat_size = lambda size, wanted: _at(size, wanted) ** 0.5",
    "rank-collapse.28": f"_fresh = fresh_stack\nfresh_stack = lambda parts, *rest: _fresh('{HEALTHY}', *rest)",
    "rank-collapse.29": "_fresh = fresh_stack\nfresh_stack = lambda parts, *rest: _fresh('attention alone', *rest)",
    "rank-collapse.30": "kept[12] = lost[12]",
    "rank-collapse.31": "lost[2] = kept[2]",
    "rank-collapse.32": "lost[8] = kept[8]",
    "rank-collapse.33": "more = more | {'chances': more['depths']}",
    "rank-collapse.34": "twelve['attention skip × 0.3'] = twelve['attention skip × 0.7']",
    "rank-collapse.35": "twelve['attention skip × 0.7'] = twelve['skips']",
    "rank-collapse.36": "twelve['ReZero'] = twelve['attention skip × 0.7']",
    "rank-collapse.37": "fed['ReZero'] = fed['skips']",
    # What is left after training is what there was before.
    "rank-collapse.38": "for _row in main['rows']:\n    _row['apart_after'] = _row['apart_before']",
    "rank-collapse.39": "_with = with_skips\nwith_skips = lambda strength: _with(1.0)",
    "rank-collapse.40": "_with = with_skips\nwith_skips = lambda strength: _with(0.0)",
    "rank-collapse.41": "torch.nn.Module.float = lambda module: module\ntorch.Tensor.float = lambda x: x",
    "rank-collapse.42": f"_fresh = fresh_stack\nfresh_stack = lambda parts, *rest: _fresh('{HEALTHY}', *rest)",
    "rank-collapse.43": "_fresh = fresh_stack\n"
    "fresh_stack = lambda parts, *rest: _fresh('the whole block, post-norm', *rest)",
}
