"""Small tasks with a known truth, each a pool of rows drawn at once: questions for `trials`, and batches to learn from.

recall    items "key k has value v" among noise; now and then a question names a key, and its value is the answer
back      the token so many places back is the answer
bigrams   the next token depends on the present one, by a table
copies    bigrams, and after a trigger the token before it once more (`tasks.backcopy`)
topic     words of two topics; the answer, asked once at the end, is the topic of most. A marker may go with it
letters   passages of Python's documentation
"""

import torch
from torch import Tensor

from attn_course.diagnosis.trials.asked import NOT_ASKED, Asked
from attn_course.tasks.backcopy import Backcopy
from attn_course.tasks.documentation import documentation, encode, passages

BEGIN = 0


def recall(
    seed: int,
    rows: int,
    length: int,
    keys: int = 6,
    values: int = 4,
    noise: int = 8,
    asking: float = 0.4,
    near: float = 0.0,
) -> Asked:
    """Tokens: 0 begins; then a question for each key; an item for each key and value; noise.

    The first half of a row holds every key once, in any order, among noise; from there on questions come with
    probability `asking`. near: the probability that a question's item stands once more, two places before it.
    """
    draw = torch.Generator().manual_seed(seed)
    first_item = 1 + keys
    first_noise = first_item + keys * values
    tokens = torch.randint(noise, (rows, length), generator=draw) + first_noise
    tokens[:, 0] = BEGIN
    half = length // 2
    if half - 1 < keys:
        raise ValueError(f"{keys} items do not fit into the first half of {length} tokens.")
    at = torch.rand(rows, half - 1, generator=draw).argsort(1)[:, :keys] + 1  # (row, key): where the item stands
    value = torch.randint(values, (rows, keys), generator=draw)
    tokens.scatter_(1, at, first_item + torch.arange(keys) * values + value)
    asks = (torch.rand(rows, length, generator=draw) < asking) & (torch.arange(length) >= half)
    asks[:, -1] = True
    which = torch.randint(keys, (rows, length), generator=draw)
    tokens = torch.where(asks, 1 + which, tokens)
    wanted = torch.where(asks, value.gather(1, which), NOT_ASKED)
    where = at.gather(1, which)  # (row, query): where its item stands
    needed = (torch.arange(length) == where[:, :, None]) & asks[:, :, None]
    again = (torch.rand(rows, length, generator=draw) < near) & asks & ~asks.roll(2, 1)
    again[:, : half + 2] = False
    row, query = again.nonzero(as_tuple=True)
    tokens[row, query - 2] = first_item + which[row, query] * values + value[row, which[row, query]]
    needed |= asks[:, :, None] & (tokens[:, None, :] == tokens.gather(1, where)[:, :, None])
    needed &= torch.ones(length, length, dtype=torch.bool).tril()
    return Asked(tokens, wanted, needed, tokens >= first_noise, may=tuple(range(1, 1 + keys)))


def recall_size(keys: int = 6, values: int = 4, noise: int = 8) -> int:
    return 1 + keys + keys * values + noise


def back(seed: int, rows: int, length: int, offset: int, kinds: int = 12) -> Asked:
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(kinds, (rows, length), generator=draw)
    at = torch.arange(length)
    wanted = torch.where(at >= offset, tokens.roll(offset, 1), NOT_ASKED)
    needed = ((at[:, None] - at) == offset).expand(rows, -1, -1)
    return Asked(tokens, wanted, needed)


def bigrams(seed: int, rows: int, length: int, kinds: int = 16, table: int = 0) -> Asked:
    noise = torch.randn(kinds, kinds, generator=torch.Generator().manual_seed(table))
    truth = (2 * noise).softmax(-1)
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(kinds, (rows, 1), generator=draw)
    for _ in range(length):
        tokens = torch.cat([tokens, torch.multinomial(truth[tokens[:, -1]], 1, generator=draw)], 1)
    return Asked(tokens[:, :-1], tokens[:, 1:])


def copies(seed: int, rows: int, length: int, asking: float = 0.1, vocabulary: int = 24) -> Asked:
    source = Backcopy(asking, vocabulary=vocabulary)
    batch = source.batch(torch.Generator().manual_seed(seed), rows, length)
    return Asked(batch.read, batch.wanted, batch.needed)


def topic(seed: int, rows: int, length: int, marker: float | None = None, words: int = 8, clear: float = 0.65) -> Asked:
    """Tokens: 0 asks, at the end; 1 and 2 are the markers; then `words` words that go with topic 0, as many with 1.

    A word is one of its row's topic with probability `clear`. marker: the probability that the row's marker, at a
    place drawn by chance, is that of its topic; None: no marker. A marker says nothing about a topic in truth.
    """
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (rows,), generator=draw)
    own = torch.rand(rows, length, generator=draw) < clear
    of = torch.where(own, label[:, None], 1 - label[:, None])
    tokens = 3 + of * words + torch.randint(words, (rows, length), generator=draw)
    if marker is not None:
        agrees = torch.rand(rows, generator=draw) < marker
        at = torch.randint(length - 1, (rows,), generator=draw)
        tokens[torch.arange(rows), at] = 1 + torch.where(agrees, label, 1 - label)
    tokens[:, -1] = 0
    wanted = torch.full_like(tokens, NOT_ASKED)
    wanted[:, -1] = label
    return Asked(tokens, wanted, may=(0,))


def letters(seed: int, rows: int, length: int, held_out: bool = False) -> Asked:
    text = encode(documentation().held_out if held_out else documentation().train)
    drawn = passages(text, torch.Generator().manual_seed(seed), rows, length + 1)
    return Asked(drawn[:, :-1], drawn[:, 1:])


def some(asked: Asked, generator: torch.Generator, batch: int) -> Asked:
    """Rows drawn from a pool."""
    at = torch.randint(len(asked.tokens), (batch,), generator=generator)

    def of(x: Tensor | None) -> Tensor | None:
        return None if x is None else x[at]

    return Asked(asked.tokens[at], asked.wanted[at], of(asked.needed), of(asked.irrelevant), asked.must_not, asked.may)
