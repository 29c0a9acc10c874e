"""What makes each claim of lesson 09 false."""

CONTROLS = {
    # A head like the others; one that looks at the far end.
    "vitals.1": "spread = spread.clone()\nspread[0, 2] = 0.5",
    "vitals.2": "logits = logits.clone()\nlogits[0, 2] = 8.0",
    "vitals.3": "maps = maps.flip(-1)",
    # An even row: all ways of counting agree.
    "vitals.4": "_even = torch.full((1, 1, 1, 101), 1 / 101)\n"
    "counts = {'a': vitals.entropy(_even).exp().item(), 'b': vitals.participation(_even).item(), "
    "'c': vitals.keys_needed(_even).item()}",
    "vitals.5": "P = P.flip(-1)",
    # A probe that scores 0 tells the log-sum-exp; one that scores two above it gets more than half.
    "vitals.6": "H = energy + H",
    "vitals.7": "p = torch.full_like(p, 2.0).sigmoid()",
    # The chord's slope for the tangent's; a chord from 1 to 1.5.
    "vitals.8": "slope = lse(2) - lse(1)",
    "vitals.9": "chord = 3 * lse(1) - 2 * lse(1.5)",
    # Along the rows instead of down the columns.
    "vitals.10": "asking.received = lambda q, k: vitals.received(P.mT)",
    "vitals.11": "scale = 1.0",
    "vitals.12": "held = dict.fromkeys(held, held['the map'])",
    "vitals.13": "charts = dict.fromkeys(charts, charts['MiniLM'])",
    "vitals.14": "_rate = vitals.sink_rate\nvitals.sink_rate = lambda layers: _rate(layers, 0.1)",
    "vitals.15": "charts = dict(zip(charts, reversed(charts.values())))",
    # A readout that is stuck at one token passes queries and keys no gradient either: here the keys are cut off.
    "vitals.16": "for _block in writer.stack.blocks:\n    _block.attention.w_k.weight.data.zero_()\n"
    "    _block.attention.w_q.weight.data.zero_()",
    # Attention that rests nowhere.
    "vitals.17": "maps = torch.full_like(maps, 1 / n)\nordinary = maps.mean(dim=(0, 1, 2))[1:-1]",
    "vitals.18": "erased = hidden",
    "vitals.19": "hidden = erased",
    "vitals.20": "entropies = [entropies[0], entropies[0]]",
    "vitals.21": "distances = sorted(distances)",
    # The same fault two blocks on; the place of the largest difference for that of the first.
    "vitals.22": "run = trace(sick_with(lambda m: m.stack.blocks[4].norm_feed_forward.bias.data.zero_()), ids)",
    "vitals.23": "_far = lambda step: (step.output - healthy[step.name].output).norm() / healthy[step.name].norm\n"
    "places = {name: max(run.steps, key=_far).name for name, run in traced.items()}",
    "vitals.24": "exchanged_q_k = unscaled",
    # The same training, and a readout that was changed by hand.
    "vitals.25": "_trained = trained\n"
    "def trained(name):\n    model = _trained('induction')\n"
    "    if name != 'induction':\n        list(model.parameters())[-1].data.mul_(2)\n"
    "    return model",
    "vitals.26": "reports['healthy'] = reports['queries × 16']",
    "vitals.27": "reports['queries × 16'] = reports['healthy']",
    "vitals.28": "reports['queries × √32'] = reports['queries × 16']",
    "vitals.29": "torch.Tensor.bfloat16 = lambda x: x.float()",
    # A model without such a head; a rule that does not look where heads look.
    "vitals.30": "reports = dict.fromkeys(reports, charts['language model'])",
    "vitals.31": "titles['healthy'] = titles['queries × 16']",
    # Never more tokens than features; the same head twice.
    "vitals.32": "_cka = noise_cka\nnoise_cka = lambda tokens: _cka(13)",
    "vitals.33": "mean_cka = lambda reading: vitals.cka(reading.layers[0].output[:, [0, 0]])[0, 0, 1].item()",
    # Strips that take as long as the questions do; a watch that costs what the maps cost.
    "vitals.34": "layers = [row | {'layer_strips_and_output_s': row['layer_asked_s']} for row in layers]",
    "vitals.35": "cost = {n: row | {'watched_ratio': row.get('maps_ratio', 1.0)} for n, row in cost.items()}",
    "vitals.36": "cost = {n: row | {'watched_mb': row.get('maps_mb', row['watched_mb'])} for n, row in cost.items()}",
}
