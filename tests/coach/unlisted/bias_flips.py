"""Answers to bias.flips: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def exchanged(tokens, marks):
    swapped = tokens.clone()
    swapped[tokens == marks[0]] = marks[1]
    swapped[tokens == marks[1]] = marks[0]
    return swapped


def right(model, tokens, marks):
    swapped = exchanged(tokens, marks)
    has = (swapped != tokens).any(dim=1)
    changed = model(tokens).argmax(dim=1) != model(swapped).argmax(dim=1)
    return changed[has].double().mean().item() if has.any() else 0.0


def by_reflection(model, tokens, marks):
    """Right: a + b − token exchanges the two, and only rows with a mark are read."""
    is_mark = (tokens == marks[0]) | (tokens == marks[1])
    rows = is_mark.any(1)
    if not rows.any():
        return 0
    swapped = torch.where(is_mark, sum(marks) - tokens, tokens)[rows]
    return (model(tokens[rows]).max(-1).indices != model(swapped).max(-1).indices).float().mean()


def by_table(model, tokens, marks):
    """Right: a table of what each token becomes."""
    becomes = torch.arange(int(max(tokens.max(), *marks)) + 1)
    becomes[list(marks)] = becomes[list(marks[::-1])]
    pairs = [(row, becomes[row]) for row in tokens if not becomes[row].equal(row)]
    changed = [model(a[None]).argmax() != model(b[None]).argmax() for a, b in pairs]
    return float(sum(changed) / max(1, len(changed)))


WRONG = [
    # rows without a mark: 0 / 0
    (
        lambda model, tokens, marks: (
            (lambda s: (model(tokens).argmax(-1) != model(s).argmax(-1))[(s != tokens).any(-1)])(
                exchanged(tokens, marks)
            )
            .double()
            .mean()
            .item()
        ),
        "Your answer is nan, it should be 0",
    ),
    # marks 0 and 1, typed in
    (
        lambda model, tokens, marks: (model(tokens).argmax(-1) != model(1 - tokens).argmax(-1)).double().mean().item(),
        "Your answer is",
    ),
    # shuffled marks
    (
        lambda model, tokens, marks: (
            (model(tokens).argmax(-1) != model(tokens.flip(0)).argmax(-1)).double().mean().item()
        ),
        "Your answer is",
    ),
    # in place
    (
        lambda model, tokens, marks: (
            (model(tokens).argmax(-1) != model(tokens.copy_(exchanged(tokens, marks))).argmax(-1))
            .double()
            .mean()
            .item()
        ),
        "Your function changes tokens in place",
    ),
    # a list of rows
    (
        lambda model, tokens, marks: model(tokens).argmax(-1) != model(exchanged(tokens, marks)).argmax(-1),
        "Your function should return a number",
    ),
    # the answers of a row without the axis of rows
    (
        lambda model, tokens, marks: (
            sum(bool(model(row).argmax() != model(exchanged(row, marks)).argmax()) for row in tokens) / len(tokens)
        ),
        "ValueError",
    ),
    # which rows have the mark that fits the answer
    (lambda model, tokens, marks: 0.5, "Your answer is 0.5, it should be 1."),
    # how often another row gets another answer
    (
        lambda model, tokens, marks: (
            (model(tokens).argmax(-1) != model(tokens).argmax(-1).roll(1)).float().mean().item()
        ),
        "Your answer is",
    ),
    # only changes towards class 0
    (
        lambda model, tokens, marks: (
            ((model(tokens).argmax(-1) == 1) & (model(exchanged(tokens, marks)).argmax(-1) == 0)).double().mean().item()
        ),
        "Your answer is",
    ),
    (lambda model, tokens, marks: None, "Your function returns None."),
]

RIGHT = [right, by_reflection, by_table]
