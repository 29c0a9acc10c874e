"""What an answer holds is counted as long as it lives, and no longer."""

import pytest
import torch

from attn_course.coach.holding import TooMuchHeld, holding_at_most


def held(answer, most, *args):
    return holding_at_most(lambda *_: most)(answer)(*args)


def test_a_map_is_seen_whichever_way_it_is_made():
    q = torch.randn(100, 4)
    ways = [
        lambda: q @ q.T,
        lambda: torch.einsum("id,jd->ij", q, q),
        lambda: torch.cat([row[None] @ q.T for row in q]),
        lambda: [row @ q.T for row in q],  # in a hundred pieces
        lambda: torch.ones(100, 100, dtype=torch.bool).tril(),
        lambda: torch.cdist(q, q),
    ]
    for way in ways:
        with pytest.raises(TooMuchHeld, match=r"it held 10,\d\d\d numbers at once|it held \d,\d\d\d numbers at once"):
            held(way, 5000)


def test_what_was_dropped_is_forgotten_and_views_cost_nothing():
    q = torch.randn(100, 4)

    def strips():
        total = 0.0
        for first in range(0, 100, 10):
            strip = (q[first : first + 10] @ q.T).softmax(-1)  # 1000 numbers, 2000 for a moment
            total = total + strip.sum()
        return total

    def views():
        row = q[:, :1].expand(100, 100)
        return row.T[:50].unflatten(0, (5, 10))

    assert held(strips, 4000).isfinite()
    assert held(views, 400).shape == (5, 10, 100)
    with pytest.raises(TooMuchHeld):
        held(strips, 1500)


def test_what_is_written_into_is_counted_once():
    out = held(lambda x: [x.add_(1) for _ in range(50)][-1], 100, torch.zeros(1000))
    assert (out == 50).all()


def test_an_answer_cannot_swallow_it():
    def swallows():
        try:
            return torch.zeros(100, 100).sum()
        except Exception:
            return None

    with pytest.raises(TooMuchHeld):
        held(swallows, 5000)
