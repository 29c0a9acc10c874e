"""What makes each claim of lesson 08 false."""

CROSSWISE = 'runs = [run | {"model": {readers: counters, counters: readers}[run["model"]]} for run in runs]'
THE_OTHER_LAYER = (
    "barred = {(place, layer): barred[place, {LOWER: UPPER, UPPER: LOWER}[layer]] for place, layer in barred}"
)
ONE_HEAD = (
    '_first = next(run for run in runs if run["model"] == readers)\n'
    'runs = [run | {"crossed": _first["crossed"]} for run in runs]'
)

CONTROLS = {
    # A model before its training; the sister in the model's place.
    "reading-maps.1": "from attn_course.training.recipes.induction import make\nmodel = make(2)",
    "reading-maps.2": 'model = trained("induction")',
    # What matters ten places further on, where the map says; a map that is right.
    "reading-maps.3": "changed = changed.roll(10)",
    "reading-maps.4": 'seen = looks(trained("induction"), rows)',
    "reading-maps.5": "trained = lambda name: model",
    "reading-maps.6": "trained = lambda name: model",
    "reading-maps.7": CROSSWISE,
    "reading-maps.8": CROSSWISE,
    # Each layer in the other's place; a patch that patches nothing.
    "reading-maps.9": THE_OTHER_LAYER,
    "reading-maps.10": THE_OTHER_LAYER,
    "reading-maps.11": "from contextlib import nullcontext\npatching = lambda *these: nullcontext()",
    # Each of the two models in the other's place.
    "reading-maps.12": 'named = {(name, last): named["the model", last] for name, last in named}',
    "reading-maps.13": 'named = {(name, last): named["its sister", last] for name, last in named}',
    "reading-maps.14": 'named = {(name, last): named["its sister", last] for name, last in named}',
    # A [CLS] that brings as much as a word; values of equal length; two erasures that are one.
    "reading-maps.15": "gives_cls = gives_word",
    "reading-maps.16": "emptied_cls = hidden_cls",
    "reading-maps.17": "from types import SimpleNamespace as _Made\n"
    "minilm = _Made(read=lambda text: _Made(layers=[_Made(v=torch.ones(1, 12, 9, 32))] * 6))",
    "reading-maps.18": "hidden_cls = emptied_cls",
    # The same question twice.
    "reading-maps.19": "sentences = [(first, sentences[0][1]) for first, _ in sentences]",
    # Weights that know no more than chance; rollout that knows as much as they; weights that know the question.
    "reading-maps.20": 'mean = mean | {"weights": mean["random order"]}',
    "reading-maps.21": 'mean = mean | {"rollout": mean["weights"]}',
    "reading-maps.22": 'mean = mean | {"weights": mean["gradient × attention"]}',
    "reading-maps.23": 'mean = mean | {"[MASK] in its place": torch.ones(2)}',
    # The words in the opposite order; the late reading under the right name; a translator that was never trained.
    "reading-maps.24": "lost = [one.flip(1) for one in lost]",
    "reading-maps.25": "at_writing = one_late",
    "reading-maps.26": "from attn_course.training.recipes.translation import translator as _made\n"
    "torch.manual_seed(0)\ntranslator = _made().eval()",
    "reading-maps.27": "lost = at_writing",
    # A head that is not needed; a first round that can be known; a patch that does nothing, and one that always does.
    "reading-maps.28": "cut[2] = cut[1]",
    "reading-maps.29": "cut[2] = (cut[2][0], 0.0)",
    "reading-maps.30": "by_head[2] = by_head[1]",
    "reading-maps.31": "by_head[1] = by_head[2]",
    # Three runs that are all like the first.
    "reading-maps.32": ONE_HEAD,
    "reading-maps.33": ONE_HEAD,
    # A pattern that matters most of all; weights that are left as they are.
    "reading-maps.34": "matters[0, 2] = 1",
    "reading-maps.35": 'DISTURBED["permuted"] = lambda w: w\n'
    "tests = {(name, how): disturbed(model, how) for name, how in tests}",
    # Values that all bring the same; two erasures that are one.
    "reading-maps.36": "contributions = lambda record, w_o: record.weights.mean(dim=1)",
    "reading-maps.37": "moves_masked = moves",
}
