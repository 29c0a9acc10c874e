"""The last time: its truth by a slow loop, what asks nothing, and the rival."""

import pytest
import torch

from attn_course.tasks.last_time import NOTHING, any_time_accuracy, last_time_batch, what_followed


def by_loop(row: list[int]) -> list[int]:
    wanted, follower = [], {}
    for place, symbol in enumerate(row):
        wanted.append(follower.get(symbol, NOTHING))
        if place + 1 < len(row):
            follower[symbol] = row[place + 1]
    return wanted


def test_a_text_small_enough_to_read():
    #  a b a a c b: nothing, nothing, "b", "a" (itself), nothing, "a"
    tokens = torch.tensor([[0, 1, 0, 0, 2, 1]])
    assert what_followed(tokens).tolist() == [[NOTHING, NOTHING, 1, 0, NOTHING, 0]]


@pytest.mark.parametrize("symbols", [2, 5, 16])
def test_answers_are_those_of_a_slow_loop(symbols):
    drawn = last_time_batch(torch.Generator().manual_seed(symbols), batch=20, length=40, symbols=symbols)
    assert drawn.wanted.tolist() == [by_loop(row) for row in drawn.tokens.tolist()]
    assert drawn.tokens.unique().tolist() == list(range(symbols))


def test_no_answer_depends_on_what_comes_later():
    drawn = last_time_batch(torch.Generator().manual_seed(0), length=30)
    assert torch.equal(what_followed(drawn.tokens[:, :17]), drawn.wanted[:, :17])


def test_the_distance_does_not_grow_with_the_text():
    # The last place of the same of 16 symbols lies 16 steps back on average, in any long text.
    for length in (150, 300):
        tokens = last_time_batch(torch.Generator().manual_seed(1), batch=800, length=length).tokens
        same = tokens[:, :-1] == tokens[:, -1:]
        back = (same.flip(-1).int().argmax(-1) + 1)[same.any(-1)].float()
        assert back.mean().item() == pytest.approx(16, abs=1.7)


def test_the_rival_is_what_drawing_an_occurrence_gives():
    tokens = last_time_batch(torch.Generator().manual_seed(2), batch=4000, length=33).tokens
    rng, hits, asked = torch.Generator().manual_seed(3), 0, 0
    for row in tokens.tolist():
        places = [p for p in range(32) if row[p] == row[-1]]
        if places:
            drawn = places[int(torch.randint(len(places), (1,), generator=rng))]
            hits, asked = hits + (row[drawn + 1] == row[places[-1] + 1]), asked + 1
    assert any_time_accuracy(tokens) == pytest.approx(hits / asked, abs=0.03)


@pytest.mark.parametrize("wrong", [{"length": 1}, {"symbols": 1}])
def test_texts_too_small_are_refused(wrong):
    with pytest.raises(ValueError, match="two tokens and two symbols"):
        last_time_batch(torch.Generator(), **wrong)
