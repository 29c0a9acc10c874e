"""Tasks of the test set. None of them existed when the bounds were drawn.

kept     one token of the row is marked; questions, from the place after it on, ask for it
mirror   the second half of a row repeats the first backwards
three    words of three topics, asked once, with a marker that goes with the topic or does not
"""

import torch

from attn_course.diagnosis.trials.asked import NOT_ASKED, Asked

CONTENTS = 10
ASK, FIRST_MARKED = 1, 2
KEPT_SIZE = FIRST_MARKED + 2 * CONTENTS
TOPICS, WORDS = 3, 6


def kept(seed: int, rows: int, length: int, asking: float = 0.4) -> Asked:
    """Tokens: 0 begins, 1 asks, then CONTENTS marked ones, then as many that are not."""
    draw = torch.Generator().manual_seed(seed)
    content = torch.randint(CONTENTS, (rows, length), generator=draw)
    at = torch.randint(1, length // 2, (rows,), generator=draw)
    place = torch.arange(length)
    tokens = FIRST_MARKED + CONTENTS + content
    tokens = torch.where(place == at[:, None], FIRST_MARKED + content, tokens)
    asks = (torch.rand(rows, length, generator=draw) < asking) & (place > at[:, None])
    asks[:, -1] = True
    tokens = torch.where(asks, ASK, tokens)
    tokens[:, 0] = 0
    answer = content.gather(1, at[:, None])
    wanted = torch.where(asks, answer, NOT_ASKED)
    needed = asks[:, :, None] & (place == at[:, None, None])
    return Asked(tokens, wanted, needed, tokens >= FIRST_MARKED + CONTENTS, may=(ASK,))


def mirror(seed: int, rows: int, length: int, kinds: int = 10) -> Asked:
    half = torch.randint(kinds, (rows, length // 2), generator=torch.Generator().manual_seed(seed))
    tokens = torch.cat([half, half.flip(1)], 1)
    at = torch.arange(2 * (length // 2))
    wanted = tokens.roll(-1, 1)
    wanted[:, : length // 2 - 1] = wanted[:, -1] = NOT_ASKED
    asks = (wanted != NOT_ASKED)[:, :, None]
    needed = asks & (at == (2 * (length // 2) - 2 - at)[:, None])
    return Asked(tokens, wanted, needed)


def three(seed: int, rows: int, length: int, marker: float | None = None, clear: float = 0.6) -> Asked:
    """Tokens: 0 asks at the end, 1 to 3 are markers, then WORDS words for each topic."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(TOPICS, (rows,), generator=draw)
    other = torch.randint(TOPICS, (rows, length), generator=draw)
    of = torch.where(torch.rand(rows, length, generator=draw) < clear, label[:, None], other)
    tokens = 1 + TOPICS + of * WORDS + torch.randint(WORDS, (rows, length), generator=draw)
    if marker is not None:
        agrees = torch.rand(rows, generator=draw) < marker
        at = torch.randint(length - 1, (rows,), generator=draw)
        by_chance = torch.randint(TOPICS, (rows,), generator=draw)
        tokens[torch.arange(rows), at] = 1 + torch.where(agrees, label, by_chance)
    tokens[:, -1] = 0
    wanted = torch.full_like(tokens, NOT_ASKED)
    wanted[:, -1] = label
    return Asked(tokens, wanted, may=(0,))
