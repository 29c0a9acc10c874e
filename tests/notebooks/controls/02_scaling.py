"""What makes each claim of lesson 02 false."""

# Queries and keys that point the same way: their products grow like d_k.
ALIGNED = "pairs = [torch.randn(1, 2000, d, generator=generator).expand(2, -1, -1) for d in widths]"

CONTROLS = {
    # Compare the scaled model with itself.
    "scaling.1": "without = with_root",
    "scaling.2": f"{ALIGNED}\nspread = torch.stack([(q * k).sum(dim=-1).std() for q, k in pairs])",
    # With the scale back in, nothing saturates; without it, nothing stays level.
    "scaling.3": 'measured["no scale"] = measured["1/√d_k"]',
    "scaling.4": 'measured["1/√d_k"] = measured["no scale"]; measured["no scale"] = measured["no scale"] * 0',
    "scaling.5": 'size["without"] = size["with"]',
    "scaling.6": 'idle["without"] = idle["with"]',
    "scaling.7": "_at = at_step_0\nat_step_0 = lambda scale: _at(None)",
    # In float32 there is nothing to overflow.
    "scaling.8": "late = (q.float() @ k.float().T) / math.sqrt(128)",
    "scaling.9": "attention_scores = lambda q, k: (q @ k.T) / math.sqrt(128)\nfine = attention_scores(q, k).item()\n"
    "import attn_course.attention as _room\n_room.attention_scores = attention_scores",
    # Random vectors of the same sizes: about as often below as above.
    "scaling.10": """
def shuffled(layer):
    from dataclasses import replace
    g = torch.Generator().manual_seed(0)
    return replace(layer, q=torch.randn(layer.q.shape, generator=g), k=torch.randn(layer.k.shape, generator=g))

scaled, agreement = (torch.stack(x) for x in zip(*(score_spread(shuffled(layer)) for layer in reading.layers)))
""",
    "scaling.11": "scaled = scaled / scaled[0, 2]",
    # The usual scale twice; then no scale at all.
    "scaling.12": "_curve = curve\ncurve = lambda scale, seed: _curve(None, seed)",
    "scaling.13": "_curve = curve\ncurve = lambda scale, seed: _curve(1.0, seed)",
}
