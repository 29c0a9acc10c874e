"""What makes each claim of lesson 04 false."""

UNTRAINED = "torch.manual_seed(0)\n"
ALL_ALIKE = "[[1.0] * 60, [0.0] * 60]"
# Positions that nobody notices: then a careless order does no harm.
WITHOUT_ORDER = "from attn_course.attention import NoPositions\ngrouped.positions = NoPositions()\n"

CONTROLS = {
    "heads.1": "two_heads = [Asker(2, 2, d_model=64)]",
    # The one head never trained; a second head for it; two heads that never trained.
    "heads.2": UNTRAINED + "one_head = [Asker(1, 2)]",
    "heads.3": "wider = two_heads[0]",
    "heads.4": "two_heads = one_head",
    # The right split under the wrong name, and a leak where there should be none.
    "heads.5": 'found["split by view"] = found["right"]',
    "heads.6": 'found["both by view"] = found["split by view"]',
    "heads.7": 'found["both by view"] = found["right"]',
    # Gradients that agree; models that learn nothing more, or one that learns too much.
    "heads.8": f"runs[2] = [{ALL_ALIKE}]",
    "heads.9": "runs[1] = runs[2]",
    # Heads that learn undisturbed go to the same place whatever the other one does.
    "heads.10": "_bound = bound\nbound = lambda mark, seed: torch.tensor([0.0, 1.0])",
    # The nudge falls on all heads.
    "heads.11": "model = two_heads[0]\n_weight = model.attention.w_q.weight\n"
    "class _Whole:\n    def __getitem__(self, rows): return _weight.detach()\n"
    "    def __setitem__(self, rows, value): _weight.data.copy_(value + 0.5)\n"
    "class _Attention:\n    w_q = type('W', (), {'weight': _Whole()})()\n"
    "class _Model:\n    attention = _Attention()\n    def __call__(self, *a): return model_(*a)\n"
    "model_ = model\n_watching = watching\nwatching = lambda m: _watching(model_)\ntwo_heads = [_Model()]",
    "heads.12": "errors = {heads: [0.1] * 3 for heads in NUMBERS}",
    "heads.13": "errors[48] = errors[2]",
    "heads.14": "errors[48] = errors[1]",
    "heads.15": "cost[48] = cost[4]",
    "heads.16": "like[48] = like[4]",
    # Heads that look everywhere alike.
    "heads.17": "_read = minilm.read\n"
    "class _Even:\n    def read(self, text):\n        reading = _read(text)\n"
    "        n = len(reading.tokens)\n"
    "        layers = [type('L', (), {'weights': torch.full_like(one.weights, 1 / n)}) for one in reading.layers]\n"
    "        return type('R', (), {'layers': layers})\n"
    "minilm = _Even()",
    "heads.19": "rival = {kind: 0.6 for kind in KINDS}",
    "heads.20": "heads['object'] = heads['subject']",
    "heads.21": "strict = {kind: heads[kind][1] for kind in KINDS}",
    # Ties that are true after all.
    "heads.22": "wrong = lambda sentence, tie, rng: tie",
    # A head for the token before.
    "heads.23": "heads['pronoun'] = ((0, 2), 1.0)",
    "heads.24": "winner = (0, 2)",
    "heads.25": "winner = for_couples",
    "heads.26": "for_couples = winner",
    "heads.27": "doubles = {False: doubles[True], True: doubles[True]}",
    "heads.28": "doubles = {False: doubles[False], True: doubles[False]}",
    # A cache that forgets; one that keeps every head's keys; keys dealt out in turn.
    "heads.29": "KVCache.extend = lambda self, k, v: (k, v)",
    "heads.30": "grouped = MultiHead(d_model=64, heads=8, positions=Rotary(d_head=8))",
    "heads.31": "def _in_turn(x, n, dim):\n    return torch.cat([x] * n, dim)\n"
    "torch.Tensor.repeat_interleave = _in_turn",
    "heads.32": "gigabytes = lambda kv_heads, tokens: kv_heads * tokens / 1e6",
    # The mask that knows where the queries stand; or one that hides nothing.
    "heads.33": "at_once = grouped(text).detach()",
    "heads.34": "written = lambda layer: (at_once, None)",
    "heads.35": WITHOUT_ORDER + "at_once = grouped(text, visible=causal).detach()",
}
CONTROLS["heads.18"] = CONTROLS["heads.17"]
