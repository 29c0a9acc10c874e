"""What makes each claim of lesson 05 false."""

# A model that hears nothing but the first noun; a rival that is no synonym.
HEARS_ORDER = (
    "_bag = vector\n"
    "vector = lambda text, model: F.one_hot(torch.tensor(len(text.split()[1])), 99).float()\n"
    "turned = {'The dog bit': 'The police bit'}"
)
IN_PLACE = (
    "_Rotary = Rotary\nclass Rotary(_Rotary):\n    def rotate(self, x, at):\n        return x * (1 + at)[:, None]\n"
)
STRANGERS = "table = torch.randn(512, 384, generator=torch.Generator().manual_seed(0))"
# Nothing was learned; or nothing was forgotten, because it is asked at the trained length.
UNTRAINED = "rotary = reader(Rotary(16), seed=0).eval()"

CONTROLS = {
    "order.1": HEARS_ORDER,
    "order.2": "turned = {thanks: 'The weather will be fine tomorrow.'}",
    # Positions that are still there.
    "order.3": "NoPositions = lambda: minilm.model.stack.positions",
    "order.4": "NoPositions = lambda: minilm.model.stack.positions",
    "order.5": "blind = minilm.model",
    "order.6": "minilm.model.stack.positions = NoPositions()",
    # A mask that hides nothing; one where there should be none.
    "order.7": "causal = everything",
    "order.8": "causal = everything",
    "order.9": "causal = everything",
    "order.10": "everything = causal",
    # Scores that depend on the place; layouts that agree; features in an order that is not the one.
    "order.11": "_score = score\nscore = lambda i, j: _score(i, j, 'halves', 'interleaved')",
    "order.12": "_score = score\nscore = lambda i, j, *layouts: _score(i, j)",
    "order.13": IN_PLACE + "q = q * 0 + torch.arange(64)\nRotary.rotate = lambda self, x, at: x * torch.arange(64)",
    "order.14": STRANGERS,
    "order.15": "import attn_course.show.widgets.order as _module\n_cosines = _module.cosines\n"
    "_module.cosines = lambda vectors: _cosines(table[1:256])",
    # Recorded figures that are exchanged: each encoding gets another one's.
    "order.16": "_at = at\nat = lambda name, *rest: _at('none', *rest)",
    "order.17": "_at = at\nat = lambda name, *rest: _at('ALiBi', *rest)",
    "order.18": "_at = at\nat = lambda name, length: _at(name, 48)",
    "order.19": "_at = at\nat = lambda name, *rest: _at('rotary', *rest)",
    "order.20": "_slowly = slowly\nslowly = lambda name, length: _slowly('rotary', length)",
    "order.21": "_slowly = slowly\nslowly = lambda name, length: _slowly(name, 48)",
    "order.22": UNTRAINED,
    "order.23": "LENGTH = 192",
    "order.24": "through = [1 - share for share in through]",
    "order.25": "through = [0.9] * len(WINDOWS)",
    # A window that does nothing; one that helps everybody; training that changes nothing.
    "order.26": "found.update({(name, 'window', False): found[name, 'plain', False] for name in NAMES})",
    "order.27": "found.update({(name, 'window', False): found['rotary', 'window', False] for name in NAMES})",
    "order.28": "found['sinusoidal', 'plain', True] = found['sinusoidal', 'plain', False]",
    "order.29": "found['sinusoidal', 'window', True] = found['learned', 'window', True]",
    # One layout under both names; the right one under the wrong name.
    "order.30": "agree = agree[::-1]",
    "order.31": "_Rotary = Rotary\nRotary = lambda d, layout: _Rotary(d)",
    "order.32": "torch.bfloat16 = torch.float32",
    "order.33": "kept['float32'] = kept['bfloat16']",
    "order.34": "kept['bfloat16'] = kept['float32']",
    # Filler that is not counted; filler that is.
    "order.35": "_padded = padded_vectors\n"
    "padded_vectors = lambda model, sentences, longest, count: _padded(model, sentences, longest, False)",
    "order.36": "_padded = padded_vectors\n"
    "padded_vectors = lambda model, sentences, longest, count: _padded(model, sentences, longest)",
    "order.37": "from attn_course.attention import Sinusoidal\nrotary = with_positions(rotary, Sinusoidal(64))",
    "order.38": "minilm.model.stack.positions = NoPositions()",
}
