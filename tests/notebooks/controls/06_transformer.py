"""What makes each claim of lesson 06 false."""

UNTRAINED = "from attn_course.training.recipes.translation import translator as _t\n"
OTHER_LOSSES = "_l = losses_at\n"
OTHER_ACCURACIES = "_a = accuracies\n"
OTHER_RATIOS = "_r = ratios\n"

CONTROLS = {
    "transformer.1": UNTRAINED + "translator_of_numbers = _t()",
    # Read at the right step; links that a person drew.
    "transformer.2": "errors['its looks'] = alignment_error([looks(r) for r in read_at(weights, unseen)], unseen)",
    "transformer.3": "errors['words in their order'] = alignment_error([each.sure for each in unseen], unseen)",
    # A decoder that sees the future; one that does not look at the English; one that looks at filler.
    "transformer.4": "from attn_course.attention import attention as _a\n"
    "_block = translator_of_numbers.decoder.stack.blocks[0]\n"
    "_block.attention.mechanism = lambda q, k, v, visible=None: _a(q, k, v)\n"
    "by_german = moved(two.source, with_token(read, 3, 7))",
    "transformer.5": "_block = translator_of_numbers.decoder.stack.blocks[0]\n"
    "_block.cross.mechanism = lambda q, k, v, visible=None: torch.zeros_like(q)\n"
    "by_english = moved(with_token(two.source, 1, 7), read)",
    "transformer.6": "translator_of_numbers.pad = -1\n"
    "_row = translator_of_numbers(two.source, read)[0, :4]\n"
    "by_filler = (_row - translator_of_numbers(alone.source, alone.target[:, :-1])[0]).abs().max()",
    "transformer.7": "right = [looks(rows) for rows in read_at(weights, unseen, late=1)]",
    "transformer.8": "_next = [{(t + 1, s) for t, s in links} for links in right]\n"
    "for_the_next = sum(len(a & b.possible) for a, b in zip(_next, unseen)) / sum(map(len, _next))",
    # Runs that were read one step late; chance that draws the same map each time.
    "transformer.9": "runs = [run | {'error': run['late']} for run in runs]",
    "transformer.10": "together = {heads: [0.03] * 3 for heads in together}",
    # Another sentence instead of the double; a model that looks everywhere alike.
    "transformer.11": "same_words = [a == b for a, b in zip(written(translator_of_numbers, plain),\n"
    "    written(translator_of_numbers, plain[1:] + plain[:1]))]",
    "transformer.12": "mass_there = lambda sentences: torch.full((len(couples),), 0.2)",
    # Vectors that are all one; that have nothing in common; that do not tell the two kinds of neighbour apart.
    "transformer.13": "alike = {name: torch.ones(4) for name in alike}",
    "transformer.14": "alike = {name: torch.zeros(4) for name in alike}",
    "transformer.15": "alike['another of its kind'] = alike['its double']",
    # Parts exchanged: one that can be spared for one that cannot.
    "transformer.16": "ratio['residual'] = ratio['feed-forward']",
    "transformer.17": "ratio['normalisation'] = ratio['positions']",
    # One step of training; the other placement's figures.
    "transformer.18": "shallow = {n: depth.learn(4, n, steps=1)[1].measured['held out'][-1][1] for n in depth.BLOCKS}",
    "transformer.19": OTHER_LOSSES + "losses_at = lambda n, norm, *a, **k: _l(n, 'post-norm', *a, **k)",
    "transformer.20": OTHER_LOSSES + "losses_at = lambda n, norm, *a, **k: _l(n, 'pre-norm', *a, **k)",
    # With one set of weights no remedy helps; with weights of their own each does.
    "transformer.21": OTHER_LOSSES + "losses_at = lambda n, norm, shared=False, **k: _l(n, norm, True, **k)",
    "transformer.22": OTHER_LOSSES + "losses_at = lambda n, norm, shared=False, **k: _l(n, norm, False, **k)",
    "transformer.23": "depth.gradients = lambda n, norm: {'stream': [2.0**-i for i in range(n)]}",
    "transformer.24": "from attn_course.training.experiments import distance as _d\n_f = _d.learn\n"
    "_d.learn = lambda kind, distance, steps: _f(kind, distance, 1)",
    "transformer.25": OTHER_ACCURACIES + "accuracies = lambda name, kind, d: _a(name, 'GRU', d)",
    "transformer.26": OTHER_ACCURACIES + "accuracies = lambda name, kind, d: _a(name, 'transformer', d)",
    "transformer.27": "arriving['GRU'] = arriving['transformer']",
    # All runs learn; some of the mixed ones do not.
    "transformer.28": "accuracies = lambda name, kind, d: [1.0] * 3",
    "transformer.29": OTHER_ACCURACIES + "accuracies = lambda name, kind, d: _a('longer', kind, d)",
    "transformer.30": OTHER_RATIOS + "ratios = lambda what, n: _r('writing', n)",
    "transformer.31": OTHER_RATIOS + "ratios = lambda what, n: _r('training', n)",
    "transformer.32": "pace.waits = lambda kind, n: n",
    # A cache that forgets; attention twice as sharp.
    "transformer.33": "from attn_course.attention import KVCache\nKVCache.extend = lambda self, k, v: (k, v)",
    "transformer.34": "_once = attention\nattention = lambda q, k, v, visible: _once(2 * q, k, v, visible)",
    # Losses of a model that hardly learns; a model that translates; a leaky one that does.
    "transformer.35": "copier_losses = without['residual'][1]",
    "transformer.36": "copier = translator_of_numbers",
    "transformer.37": "leaky_losses = without['residual'][1]",
    "transformer.38": "score['leaky'] = score['honest']",
    "transformer.39": "in_company = alone",
    # A translator that has met round thousands; a remedy without any.
    "transformer.40": "_more = pairs(range(1000, 10**6, 24_000))\n"
    "train(translator_of_numbers.train(), loss_on(seen + 5 * _more), 60)\n"
    "translator_of_numbers.eval()",
    "transformer.41": "_loss_on = loss_on\nloss_on = lambda pairs: _loss_on(seen)",
}
