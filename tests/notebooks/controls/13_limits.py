"""What makes each claim of lesson 13 false."""


def exchanged(recording, field, a, b):
    """What one kind of model can, is put down to the other."""
    return (
        f"_names = {{{a!r}: {b!r}, {b!r}: {a!r}}}\n"
        f"for _row in {recording}['rows']:\n"
        f"    _row[{field!r}] = _names.get(_row[{field!r}], _row[{field!r}])"
    )


CONTROLS = {
    # A model that has no opinion on one string; a surer one.
    "limits.1": "margin = margin.clone()\nmargin[7] = 0.0",
    "limits.2": "logits = 1e4 * logits",
    "limits.3": "margin = 1e4 * margin",
    # An ordinary model.
    "limits.4": "from attn_course.models.encoder import Encoder as _Encoder\n"
    "def first():\n"
    "    return _Encoder(3, 12, 1, 2)",
    # Two heads that look alike: the comparison says nothing.
    "limits.5": "model = parity()\nmodel.layers[1].attention.w_k.weight.zero_()",
    # FIRST is one voice in N only once.
    "limits.6": "model = first()",
    # The questions exchanged.
    "limits.7": "plain['FIRST'] = measured(first(), ask.parity)",
    "limits.8": "plain['PARITY'] = measured(parity(log_n=True), ask.parity)",
    # A hundred times less loud: not enough for 1,000 bits.
    "limits.9": "_parity = parity\n"
    "def parity():\n"
    "    model = _parity()\n"
    "    model.answer.weight.mul_(0.01)\n"
    "    return model",
    # torch's ε where none should be; one that is a hundred million times smaller; no norm at all.
    "limits.10": "normed['PARITY', 0.0] = normed['PARITY', 1e-5]",
    "limits.11": "normed['PARITY', 1e-5] = measured(parity(eps=1e-13), ask.parity)",
    "limits.12": "normed = normed | {(name, 0.0): rows for name, rows in plain.items()}",
    # A quarter of the bits flipped: that is not one voice in n.
    "limits.13": "import attn_course.training.experiments.influence as _home\n"
    "from attn_course.models.constructed import with_cls as _with_cls\n"
    "def _quarter(model, bits):\n"
    "    other = bits.clone()\n"
    "    other[:, : bits.shape[1] // 4] = 1 - other[:, : bits.shape[1] // 4]\n"
    "    return (model(_with_cls(other))[:, -1] - model(_with_cls(bits))[:, -1]).norm(dim=-1)\n"
    "_home.influence = _quarter",
    # The score as it was; PARITY ten million times as loud.
    "limits.14": "_first = first\ndef first(log_n=False):\n    return _first()",
    "limits.15": "_parity = parity\n"
    "def parity(log_n=False):\n"
    "    model = _parity()\n"
    "    model.answer.weight.mul_(1e7)\n"
    "    return model",
    # What one kind of model can, is put down to another.
    "limits.16": exchanged("tried", "kind", "transformer", "GRU"),
    "limits.17": exchanged("tried", "kind", "transformer", "GRU"),
    "limits.18": "for _row in looks['rows']:\n    _row['log_n'] = not _row['log_n']",
    "limits.19": "for _row in looks['rows']:\n    _row['log_n'] = not _row['log_n']",
    "limits.20": "for _row in looks['rows']:\n    _row['log_n'] = not _row['log_n']",
    # And so on.
    "limits.21": exchanged("rhythm", "encoding", "none", "sinusoidal"),
    "limits.22": exchanged("rhythm", "encoding", "none", "sinusoidal"),
    "limits.23": exchanged("rhythm", "encoding", "cyclic, 2", "cyclic, 3"),
    "limits.24": exchanged("rhythm", "encoding", "cyclic, 3", "cyclic, 6"),
    "limits.25": exchanged("rhythm", "encoding", "learned waves", "GRU"),
    "limits.26": exchanged("nested", "bias", "place", "depth compared"),
    "limits.27": exchanged("nested", "bias", "depth added", "depth compared"),
    # Depths compared in the place of depths added; no hint in the place of one.
    "limits.28": "deep = deep | {('depth added', 1): deep['depth compared', 1]}",
    "limits.29": "nested['rows'] = [row | ({'bias': 'depth compared', 'layers': 1} if row['bias'] == 'place' else {})\n"
    "                  for row in nested['rows']]",
    # A model that reads its whole context: what it gains is spread over it.
    "limits.30": "_losses = torch.linspace(3, 1, 8).double()[:, None].expand(8, 400)\n"
    "by_context = type(by_context)(by_context.contexts, _losses)",
    "limits.31": "looked = vitals.window(records[0].weights)[:, :, :24].float().mean()",
    # The reader in the writer's place, on rows that repeat; the writer in the reader's.
    "limits.32": "from attn_course.tasks.induction import induction_batch as _batch\n"
    "writer = trained('induction')\n"
    "def again(between):\n"
    "    rows = _batch(torch.Generator().manual_seed(0), 50, 24).tokens[:, :48]\n"
    "    return rows, torch.cat([rows.roll(1, 0)[:, :24], rows[:, 24:]], dim=1)",
    "limits.33": "trained = lambda name: writer",
    # A text that repeats itself.
    "limits.34": "documentation = lambda: type('Loop', (), {'train': 'abcdefghijklmnopqrstuvwxyz' * 2000})",
    # In float64 nothing is rounded away.
    "limits.35": "_rows = by_length(parity(), ask.parity, SHORT_TO_LONG, strings=20)\n"
    "right[None] = [row['accuracy'] for row in _rows]",
    "limits.36": "_rows = by_length(parity(eps=0.0), ask.parity, SHORT_TO_LONG, strings=20)\n"
    "lost[0.0] = [row['bits'] for row in _rows]",
    # A model that is as good far back as near.
    "limits.37": "def right_in(*kind, _right_in=right_in):\n"
    "    return _right_in(*kind[:3]) if len(kind) < 4 else [[run] * 6 for run in _right_in(*kind[:3])]",
    # Positions that know the period.
    "limits.38": "_runs = runs\ndef runs(encoding, layers=1, period=2):\n    return _runs('cyclic, 2')",
}
