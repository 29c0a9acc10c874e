"""What makes each claim of lesson 14 false."""

CONTROLS = {
    # Short texts.
    "waste.1": "counted = [(maps_of(encoder, page(16, place)) < 0.01).float().mean().item() for place in PLACES]",
    # A bound that goes with the length.
    "waste.2": "held = [(one * (one < 0.1 / 512)).sum(-1).mean().item() for one in maps]",
    "waste.3": "without_small = [turned(pages[0], lambda w: w * (w >= 1e-5))]",
    # What is thrown away is [CLS] alone; the attention on [SEP] for that on [CLS].
    "waste.4": "without_small = [without_cls]",
    "waste.5": "maps = [one.flip(-1) for one in maps]",
    # A bound in even shares.
    "waste.6": "vitals.sparsity = lambda weights, epsilon: (weights < epsilon / weights.shape[-1]).float()",
    "waste.7": "fixed = relative",
    "waste.8": "relative = fixed",
    # Sharper maps at 512 tokens.
    "waste.9": "maps = [one**2 / (one**2).sum(-1, keepdim=True) for one in maps]",
    # Hidden cells taken for weights.
    "waste.10": "seen = torch.ones(128, 128, dtype=torch.bool)",
    # Below a thousandth, where heads differ; the count in the place of what is held.
    "waste.11": "share = (weights < 0.001).float().mean(dim=(-2, -1))",
    "waste.12": "mass = share",
    "waste.13": "weights = even(512).expand(6, 12, -1, -1)",
    # Half of the row, not 96 %; every head like the mean.
    "waste.14": "by_head = (vitals.keys_needed(weights[:2], 0.5) / 512).mean(-1)",
    "waste.15": "by_head = by_head.mean().expand(6, 12)",
    # All rows share their keys; each row has its own; columns that receive alike.
    "waste.16": "each_row = own",
    "waste.17": "own = each_row",
    "waste.18": "received = [torch.full_like(one, 1 / 512) for one in received]\nother = [carried(0, 1)]",
    # Any keys; a bound ten times higher.
    "waste.19": "extra['weight'] = extra['lot']",
    "waste.20": "dropped = nats(lambda name, weights: weights * (weights >= 0.1)) - undisturbed",
    # Twice as many keys by effect; columns as good as each row's own.
    "waste.21": "moves['effect'] = [moved('effect', 2 * k) for k in KEPT]",
    "waste.22": "moves['columns'] = moves['weight']",
    # A bound in even shares; an eighth of the keys.
    "waste.23": "_kept = kept\nkept = lambda w, keep: _kept(w, w >= 0.01 / 512)",
    "waste.24": "moves['largest'][-1] = moved('largest', 32)",
    # Each model's heads in the other's place.
    "waste.25": "heads['language'], heads['MiniLM'] = heads['MiniLM'], heads['language']",
    "waste.26": "heads['language'], heads['MiniLM'] = heads['MiniLM'], heads['language']",
    "waste.27": "heads['language'], heads['MiniLM'] = heads['MiniLM'], heads['language']",
    "waste.28": "heads['language'], heads['MiniLM'] = heads['MiniLM'], heads['language']",
    # The cost in the place of the drift; the plain slope in that of the normalised one.
    "waste.29": "_agree, _on = heads['MiniLM']['agree'], 'on one part and on the other'\n"
    "_agree[f'drift {_on}'] = _agree[f'cost {_on}']",
    "waste.30": "_agree = heads['MiniLM']['agree']\n_agree['importance and drift'] = _agree['importance and cost']",
    "waste.31": "_agree = heads['language']['agree']\n"
    "_agree['normalised importance and cost'] = _agree['importance and cost']",
    # A lot in the place of the order; an order that knows; twice as many heads gone as is said.
    "waste.32": "half['ablation'] = left_with('language', 'random 0', 6)",
    "waste.33": "for _row in heads['MiniLM']['curves']['ablation']:\n    _row['loss'] -= 0.3",
    "waste.34": "heads['MiniLM']['curves']['importance'] = heads['MiniLM']['curves']['ablation']",
    "waste.36": "heads['MiniLM']['curves']['importance, normalised'] = heads['MiniLM']['curves']['importance']",
    "waste.37": "half['importance'] = half['the costly first']",
    "waste.35": "for _row in heads['MiniLM']['curves']['random 1']:\n    _row['removed'] //= 2",
    # Heads that cost something each; pairs that do not.
    "waste.38": "heads['MiniLM']['cost']['held out'] = 72 * [0.01]",
    "waste.39": "for _pair in heads['language']['pairs']:\n    _pair['cost'] = 0.0",
    # Trained with both heads in every row; one of them left; slopes at closed gates.
    "waste.40": "GATES = torch.ones(3, 2)\n"
    "pairs = [pair(seed) for seed in range(3)]\n"
    "GATES = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])\n"
    "silent = torch.tensor([[loss_with(one, gates).item() for gates in (*GATES, torch.zeros(2))] for one in pairs])",
    "waste.41": "silent = silent[:, [0, 1, 2, 1]]",
    "waste.42": "def slopes(model):\n"
    "    gates = torch.zeros(1000, 2, requires_grad=True)\n"
    "    return torch.autograd.grad(1000 * loss_with(model, gates), gates)[0].abs().mean(0)",
    # Heads that were drawn by lot.
    "waste.43": "small['curves']['ablation'] = small['curves']['random 0']",
    # Influence from the last block to the first.
    "waste.44": "influence = influence[::-1]",
    "waste.45": "influence = influence[::-1]",
    # The last blocks go first; a model that has one to spare.
    "waste.46": "best = lambda rows: [(), (5,), (4, 5), (3, 4, 5), (2, 3, 4, 5)]",
    "waste.47": "best = lambda rows: [(), (5,), (4, 5), (3, 4, 5), (2, 3, 4, 5)]",
    "waste.48": "rows = blocks",
    "waste.49": "turning = along(blocks, by_influence[::-1])",
    "waste.50": "costing = turning",
    # Costs that add up.
    "waste.51": "without = lambda gone, *rest, **named: 1 + 0.02 * len(gone)",
    # Whole blocks go; feed-forward networks for attention.
    "waste.52": "_subsets = layers['MiniLM']['subsets']\n_subsets['feed-forward'] = _subsets['blocks']",
    "waste.53": "_subsets = layers['MiniLM']['subsets']\n_subsets['attention'] = _subsets['feed-forward']",
    "waste.54": "_subsets = layers['MiniLM']['subsets']\n_subsets['attention'] = _subsets['blocks']",
    # Other heads are silent than are gone; nothing was sliced.
    "waste.55": "_silencing = silencing\n"
    "silencing = lambda model, gone: _silencing(model, {name: [1] for name in gone})",
    "waste.56": "ratio['sliced'] = ratio['silenced']",
    "waste.57": "ratio['3 blocks'] = ratio['sliced']",
    # A training that does nothing; one in which nothing was cut; one that began with the trained weights.
    "waste.58": "for _row in tuned['rows']:\n    _row['after'] = _row['before']",
    "waste.59": "_after = after\nafter = lambda way, when='after': _after('whole', when)",
    "waste.60": "_after = after\nafter = lambda way, when='after': _after(way.removesuffix(', anew'), when)",
    "waste.61": "_after = after\nafter = lambda way, when='after': _after(way.removesuffix(' by chance'), when)",
    "waste.62": "_after = after\n"
    "after = lambda way, when='after': _after({'first block': '9 heads'}.get(way, way), when)",
    # A share in the place of the bound, and the reverse.
    "waste.63": "bound = shared",
    "waste.64": "shared = bound",
    # Both marks are asked for; a head left as it is.
    "waste.65": "_errors = errors\nerrors = lambda *drawn: _errors(*drawn).mean().expand(2)",
    "waste.66": "with_zero_queries = lambda layer, head: encoder",
}
