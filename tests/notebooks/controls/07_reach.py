"""What makes each claim of lesson 07 false."""

UNTRAINED = "torch.manual_seed(0)\n"

CONTROLS = {
    # A model before its first step; two that read; two that count.
    "reach.1": 'second = restored(kept["models"]["fixed"]["moments"][0])',
    "reach.2": 'second = restored(kept["models"]["fixed"]["moments"][0])',
    "reach.3": "second = first",
    "reach.4": "first = second",
    "reach.5": "second = first",
    "reach.6": 'kept["ends"]["fixed"] = kept["ends"]["random"]',
    "reach.7": 'kept["ends"]["fixed"] = kept["ends"]["random"]',
    # One layer that could do it; a head that is not silenced after all.
    "reach.8": "one_layer = both_layers",
    "reach.9": 'runs["induction-one-layer"] = runs["induction"]',
    "reach.10": "from contextlib import nullcontext\nsilencing = lambda *these: nullcontext()",
    "reach.11": 'runs["induction-fixed-period"] = runs["induction"]',
    "reach.12": 'steady["32 only"] = steady["8 to 32"]',
    # Runs in which nothing jumps, and runs with the two heads' curves exchanged.
    "reach.13": 'runs["induction"] = runs["induction-one-layer"]',
    "reach.14": 'for run in runs["induction"].values():\n    now = run["curve"]\n'
    '    now["previous_token"], now["prefix_match"] = now["prefix_match"], now["previous_token"]',
    "reach.15": 'for run in runs["induction"].values():\n'
    '    run["curve"]["previous_token"] = run["curve"]["prefix_match"]',
    # Each of the two models in the other's place.
    "reach.16": "by_examples = dict(zip(by_examples, list(by_examples.values())[::-1]))",
    "reach.17": "copied, concluded = fewshot.copied_and_concluded(control)",
    "reach.18": 'recorded = lambda name: {"runs": {"fewshot": shots_["fewshot-fixed"]}}\n'
    'from attn_course.training.recorded import recorded as _recorded\nshots_ = _recorded("fewshot")["runs"]',
    "reach.19": "at_home = fewshot.measured(anew, fewshot.FIXED)",
    "reach.20": "by_examples = dict(zip(by_examples, list(by_examples.values())[::-1]))",
    "reach.21": 'contradicted["control"] = contradicted["anew"]',
    # An encoder that never looks right, and one that always may.
    "reach.22": "filled[True] = filled[False]",
    "reach.23": "filled[False] = filled[True]",
    "reach.24": "filler = lambda covered: F.one_hot(windows, 200).float()",
    "reach.25": UNTRAINED + "from attn_course.training.recipes import language\nwriter = language.make().eval()",
    # One of the three knows nothing.
    "reach.26": "from math import log2\n_recorded, _bits = recorded, log2(len(docs.characters))\n"
    "def recorded(name):\n    three = _recorded(name)\n    three['rows'][1]['held_out_bits'] = _bits\n    return three",
    "reach.27": "with_context = counted",
    "reach.28": "with_context = counted",
    "reach.29": "with_context = torch.linspace(4, 1, 127)",
    # A decoder that knows what stood 60 characters before.
    "reach.30": "_by_place = by_place\n"
    "def by_place(tokens):\n"
    "    known = (tokens == tokens.roll(60, dims=1))[:, 1:].float().mean(dim=0)\n"
    "    return _by_place(tokens) * (1 - known)",
    "reach.31": "known, repeated = 1.0, sum(words in copies for words in copies) / len(copies)  # it only quotes",
    # A change that changes nothing; one that trains everything; one that forgets nothing.
    "reach.32": 'reads["LoRA"] = reads["before"]',
    "reach.33": "share = finetuning.trainable_share(whole, of=reader)",
    "reach.34": 'reads["full"] = reads["before"]',
    "reach.35": "merged = whole(sideways.images).detach()",
    "reach.36": "taken_off = whole(upright.images).detach()",
    "reach.37": "_seconds = seconds_a_step\n"
    "seconds_a_step = lambda model: _seconds(model) / (10 if model is lora else 1)",
    # Ways that differ where they should not, or not where they should; a neighbour that is no better.
    "reach.38": 'tuning["rows"] = [row | {"shift": {"noise": "rotation", "rotation": "noise"}[row["shift"]]}\n'
    '                  for row in tuning["rows"]]',
    "reach.39": 'swap = {"full": "LoRA r=1", "LoRA r=1": "full"}\n'
    'tuning["rows"] = [row | {"way": swap.get(row["way"], row["way"])} for row in tuning["rows"]]',
    "reach.40": 'tuning["rows"] = [row | {"shift": {"noise": "rotation", "rotation": "noise"}[row["shift"]]}\n'
    '                  for row in tuning["rows"]]',
    "reach.41": 'tuning["rows"] = [row | {"way": {"full": "scratch", "scratch": "full"}.get(row["way"], row["way"])}\n'
    '                  for row in tuning["rows"]]',
    "reach.42": 'tuning["rows"] = [row | {"shift": {"noise": "rotation", "rotation": "noise"}[row["shift"]]}\n'
    '                  for row in tuning["rows"]]',
    "reach.43": 'seeds_ = seeds\nseeds = lambda way, shift, what="accuracy": seeds_("zero-shot", shift, what)',
    "reach.44": 'seeds_ = seeds\nseeds = lambda way, shift, what="accuracy": seeds_("full", shift, what)',
    "reach.45": 'seeds_ = seeds\nseeds = lambda way, shift, what="accuracy": seeds_(\n'
    '    "scratch" if way == "nearest neighbour" else way, shift, what)',
    # Answers from the words alone; a head that looks everywhere alike; models that were never trained.
    "reach.46": "right = dict.fromkeys(right, text_only())",
    "reach.47": 'alone_ = recorded\nrecorded = lambda name: {"rows": [\n'
    '    row | {"figures": {"accuracy": text_only()}} for row in alone_(name)["rows"]]}',
    "reach.48": "mass = dict.fromkeys(mass, 0.5)",
    "reach.49": 'asker = fusion.make_fusion("fusion")',
    "reach.50": 'mixed["left"] = exchange(fusion.make_fusion("fusion-mixed"), LEFT)',
    "reach.51": 'seeds_of = lambda kind: [{"left": exchange(fusion.make_fusion("fusion-mixed"), LEFT)}]',
    "reach.52": "relayed = asker",
    "reach.53": 'causes["relayed"] = exchange(fusion.make_fusion("fusion-relayed"), LEFT)',
    "reach.54": 'relays = [run["left"] for run in seeds_of("fusion")]',
    "reach.55": "first = second",
    "reach.56": "second = first",
    "reach.57": 'hidden["encoded alone"] = hidden["relayed"]',
    "reach.58": 'hidden["relayed"] = hidden["encoded alone"]',
    "reach.59": "rehearsed = whole",
}
