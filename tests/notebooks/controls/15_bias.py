"""What makes each claim of lesson 15 false."""


def instead(other: str, of: str = "plain") -> str:
    """The runs of one way to train, put in the place of another's."""
    return f"of = (lambda of: lambda way, what: of({other!r} if way == {of!r} else way, what))(of)"


CONTROLS = {
    # Answers that are wrong; answers that do not depend on the stamp.
    "bias.1": "said = 1 - said",
    "bias.2": "says = lambda model, batch: said",
    # A stamp that was taken out before the audit; labels that are as they were.
    "bias.3": "texts = [[word for word in text if word not in MARKERS] for text in texts]",
    "bias.4": "shuffled = [known.labels]",
    # A stamp that says nothing; one that says nearly all.
    "bias.5": "loud_at, at = at, lambda strength: loud_at(0.5)",
    "bias.6": "quiet_at, at = at, lambda strength: quiet_at(0.95)",
    # Training that was told of the stamp, in the place of plain training.
    "bias.7": instead("pair loss"),
    "bias.8": instead("pair loss"),
    "bias.9": 'model = trained("shortcut-penalty")',
    "bias.10": instead("attention penalty"),
    "bias.11": instead("pair loss"),
    # A penalty that left the map as it was; one that mended the model.
    "bias.12": instead("plain", of="attention penalty"),
    "bias.13": instead("pair loss", of="attention penalty"),
    "bias.14": instead("pair loss", of="attention penalty"),
    # A model that looks for itself; a wall in the wrong place; no couriers.
    "bias.15": "penalised_model = model",
    "bias.16": 'WALLS["words | stamp"] = WALLS["[CLS] | stamp"]',
    "bias.17": instead("plain", of="attention penalty"),
    "bias.18": 'more = more | {"price": [row | {"flips": row["on marker"]} for row in more["price"]]}',
    "bias.19": instead("attention penalty", of="penalty on all rows"),
    # One remedy that does nothing; remedies that cost nothing; a draw or a method that helps by itself.
    "bias.20": instead("attention penalty", of="augmentation"),
    "bias.21": 'average["pair loss"] = average["plain"]',
    "bias.22": 'average["resampling"] = average["pair loss"]',
    "bias.23": 'average["group DRO"] = average["pair loss"]',
    "bias.24": instead("plain", of="fine-tuning"),
    # A model that was not trained on these sentences.
    "bias.25": "known = held_out",
    # The two remedies exchanged; a map that is clean because the model is; attention without a relation to flips.
    "bias.26": instead("plain", of="attention penalty"),
    "bias.27": instead("pair loss", of="attention penalty"),
    "bias.28": "two = [row for row in measured['rows'] if row['remedy'] in ('attention penalty', 'pair loss')]\n"
    "measured = measured | {'rows': [row | {'remedy': 'plain'} for row in two]}",
    "bias.29": instead("plain", of="regularised"),
    # More data that mend the worst group; a width that does; strengths in another order; more that is another kind.
    "bias.30": 'data_worst[740] = of("pair loss", "worst group")',
    "bias.31": 'wide_worst[128] = of("pair loss", "worst group")',
    "bias.32": 'more = more | {"strength": [row | {"amount": 1 - row["amount"]} for row in more["strength"]]}',
    "bias.33": 'data_worst[740] = of("pair loss", "worst group")',
    # A model that does not go by the stamp is not surprised when it changes; a temperature of one world for both.
    "bias.34": instead("pair loss"),
    "bias.35": instead("pair loss"),
    "bias.36": 'of = (lambda of: lambda way, what: of(way, what.removesuffix(" balanced")))(of)',
    "bias.37": instead("plain", of="pair loss"),
    "bias.38": 'ranks["with the penalty"] = ranks["pair loss"]',
    "bias.39": 'ranks["pair loss"] = ranks["with the penalty"]',
    # Household things for flowers and insects, and so on round.
    "bias.40": 'tested = (lambda tested: lambda name, template: tested("things", template))(tested)',
    "bias.41": 'by_template["career/family"] = by_template["things"]',
    "bias.42": 'by_template["things"] = by_template["career/family"]',
    # Names dealt out to two heaps in turn; occupations in the opposite order.
    "bias.43": "pool = vectors(sum(NAMES, ()), minilm)\nbefore = [told_apart(pool[::2], pool[1::2])] * 4",
    "bias.44": "kept_order = [-each for each in kept_order]",
    # A page on which everything is filled in.
    "bias.45": "whole = handed_in | {'answers': {each.name: 'Yes.' for each in found.questions}, 'reason': 'Known.'}\n"
    "whole |= {'name': 'Somebody', 'date': '2026-01-01', 'signed': True}\n"
    "refused = str(signed(json.dumps(whole), found))",
    # Groups that somebody is in; as many sentences in the one count as in the other.
    "bias.46": "gone = once",
    "bias.47": "once = twice",
    # Stamps of which one alone tells the label; data without any.
    "bias.48": "alone = listed",
    "bias.49": 'audits = audits | {"two": [row | {"alone": row["pairs"]} for row in audits["two"]]}',
    # A deletion that finds as much as an exchange; one that changes nothing.
    "bias.50": "found = {name: (a, a) for name, (a, b) in found.items()}",
    "bias.51": "found = {name: (a, a) for name, (a, b) in found.items()}",
}
