"""What makes each claim of lesson 10 false."""

BACKWARDS = "_response = response\nresponse = lambda *a: dict(zip(_response(*a), reversed(_response(*a).values())))"
WHOLE = "_response = response\nresponse = lambda *a: dict.fromkeys(_response(*a), _response(*a)[0])"
EVEN = "after = before\n"  # nothing was learned
# Every remedy's rows replaced by those of another.
AS = "_of = of\nof = lambda way, what: _of({!r}, what)\n"

CONTROLS = {
    "sinks.1": EVEN,
    "sinks.2": EVEN,
    "sinks.3": EVEN,
    "sinks.4": EVEN,
    # A training that stood still; a value that grows with the attention; a head that chooses nothing.
    "sinks.5": "seen = [before] * len(seen)",
    "sinks.6": "seen = [each | {'value': each['resting']} for each in seen]",
    "sinks.7": "model = make(seed=0).eval()",
    # Another mechanism's runs; an even map.
    "sinks.8": AS.format("sigmoid"),
    "sinks.9": "_plain = make(seed=0).eval()\nwith watching(_plain) as records:\n    _plain(fresh.read)\n"
    "layer = records[0]",
    "sinks.10": AS.format("sigmoid"),
    # The other key for the first.
    "sinks.11": "_of = of\nof = lambda way, what: _of(way, {'evicted': 'other', 'other': 'evicted'}.get(what, what))",
    "sinks.12": AS.format("softmax"),
    # The runs of another mechanism under its name.
    "sinks.16": AS.format("key bias"),
    "sinks.13": AS.format("sigmoid"),
    "sinks.14": AS.format("softmax"),
    "sinks.15": AS.format("softmax"),
    "sinks.17": AS.format("sigmoid"),
    "sinks.18": AS.format("softmax"),
    "sinks.19": AS.format("softmax"),
    # The more is asked the more, not the less; the same at every dose; told backwards; a length that always helps.
    "sinks.20": "_response = response\nresponse = lambda *a: {at: [at] * 3 for at in _response(*a)}",
    "sinks.21": "_response = response\nresponse = lambda *a: dict.fromkeys(_response(*a), [0.7, 0.6, 0.65])",
    "sinks.22": "dense = dict(zip(dense, reversed(dense.values())))",
    "sinks.37": "_response = response\nresponse = lambda d, *a: dict.fromkeys(_response(d, *a), _response(d, *a)[1])"
    " if a else _response(d)",
    "sinks.23": "_response = response\nresponse = lambda d, *a: {n: [n / 70] * 3 for n in (16, 32, 64)}"
    " if d == 'length' else _response(d, *a)",
    "sinks.24": BACKWARDS,
    # Rows with their beginning, whatever they are called.
    "sinks.27": WHOLE,
    "sinks.28": "_response = response\nresponse = lambda *a: "
    "{at: [r + at for r in runs] for at, runs in _response(*a).items()}",
    # A real model that looks everywhere alike; a language model that looks at its first character.
    "sinks.25": "cls = torch.full_like(cls, 1 / len(reading.tokens))",
    "sinks.26": "writes = writes + 0.1",
    "sinks.29": "vitals.dilution_bound = lambda gap, n: torch.tensor(gap).exp().item() / n",
    "sinks.30": "_bound = vitals.dilution_bound\nvitals.dilution_bound = lambda gap, n: _bound(6, n)",
    "sinks.31": "shares['bounded'] = shares['softmax']",
    "sinks.32": "shares['softmax'] = shares['bounded']",
    "sinks.33": "shares['bounded, log n'] = shares['bounded']",
    # A sink that is kept and does not help.
    "sinks.34": "with_sink = rolling",
    "sinks.35": "vitals.sink_floor = lambda n: 1 / n",
    "sinks.36": "sigmoid_attention = model.stack.blocks[0].attention.mechanism",
}
