"""What makes each claim of lesson 03 false."""

SENTINEL = "(q @ k.transpose(-2, -1)).masked_fill(~nothing, -1e9).softmax(dim=-1) @ v"

CONTROLS = {
    # The mask before the softmax: rows sum to one, and nothing moves.
    "visibility.1": "after = before",
    "visibility.2": "_right = attention_weights\nattention_weights = lambda q, k, rule=None: _right(q, k, causal)\n"
    "after = before",
    # The rule forgotten: the future is visible, and it does move.
    "visibility.3": "_right = attention_weights\nattention_weights = lambda q, k, rule=None: _right(q, k)",
    "visibility.4": f"by_hand = {SENTINEL}",
    # A row that sees its keys is an average with weights, not the plain one.
    "visibility.5": "by_sentinel = (q @ k.transpose(-2, -1)).softmax(dim=-1) @ v",
    "visibility.6": f"by_torch = {SENTINEL}",
    # An honest model that was never trained; a leaky one that is honest.
    "visibility.7": "torch.manual_seed(1)\nhonest = NextToken(16, LENGTH, honest_layer)",
    "visibility.8": "leaky = honest",
    "visibility.9": 'in_use["honest"] = loss_while_writing(NextToken(16, LENGTH, honest_layer))',
    "visibility.10": 'in_use["leaky"] = in_use["honest"]',
    "visibility.11": 'in_use["leaky"] = held_out["leaky"]',
    "visibility.12": "honest_layer = lambda q, k, v: attention(q, k, v)",
    "visibility.13": "bonus_layer = lambda q, k, v: attention(q, k, v, causal)",
    # Polarity exchanged.
    "visibility.14": "causal = ~causal",
    "visibility.15": "_moves = moves\nmoves = lambda mask: _moves(~causal.dense(6))",
}
