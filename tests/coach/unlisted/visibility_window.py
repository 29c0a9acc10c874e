"""Answers to visibility.window: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
from unlisted.parts import ones, past


def window_by_loop(n, w):
    """Never the whole window: range(1, w)."""
    out = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        for back in range(1, w):
            out[i, max(0, i - back)] = True
    return out


WRONG = [
    (window_by_loop, "The last of 3 tokens should see 1 with a window of 1; it sees"),
    # half the window back
    (
        lambda n, w: past(n) & ones(n, n).triu(-(w // 2)),
        "The last of 6 tokens should see 3 with a window of 3; it sees",
    ),
    # the window is hidden, the rest is seen
    (
        lambda n, w: past(n) & ~ones(n, n).triu(1 - w),
        "The last of 3 tokens should see 1 with a window of 1; it sees",
    ),
    # blocks of w
    (
        lambda n, w: past(n) & (torch.arange(n)[:, None] // w == torch.arange(n) // w),
        "1 of 16 cells differ, the first at query 2, key 1: should be",
    ),
    # the last w keys for everybody
    (
        lambda n, w: past(n) & (torch.arange(n) >= n - w),
        "2 of 9 cells differ, the first at query 0, key 0: should be",
    ),
    # bandwidth typed in
    (lambda n, w: past(n) & ones(n, n).triu(-1), "The last of 3 tokens should see 1 with a window of 1; it sees"),
    # w by w
    (lambda n, w: past(w), "Your output has shape (1, 1), it should have (3, 3): (…, query,"),
    # float numbers
    (lambda n, w: torch.ones(n, n).tril().triu(1 - w), "Your output should hold True and False, it holds float32."),
    # without itself
    (
        lambda n, w: ones(n, n).tril(-1) & ones(n, n).triu(-w),
        "5 of 9 cells differ, the first at query 0, key 0: should be",
    ),
    # modulo: the window wraps round
    (
        lambda n, w: (torch.arange(n)[:, None] - torch.arange(n)) % n < w,
        "1 of 16 cells differ, the first at query 0, key 3: should be",
    ),
]

RIGHT = [
    lambda n, w: (torch.arange(n)[:, None] - torch.arange(n)).clamp(-1, w) % (w + 1) < w,
    lambda n, w=1: past(n) ^ ones(n, n).tril(-w),
    lambda n, w: torch.tensor([[0 <= i - j < w for j in range(n)] for i in range(n)]),
]
