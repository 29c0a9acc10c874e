"""The effective window: of a model that is known to look two tokens back and no further, and of the course's own."""

import math

import pytest
import torch
import torch.nn.functional as F

from attn_course.diagnosis.window import ContextLoss, change_by_distance, loss_by_context
from attn_course.tasks.documentation import documentation, encode, passages
from attn_course.training.checkpoints import trained

WORDS = 6
TABLE = torch.randn(WORDS, WORDS, WORDS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def two_back(tokens):
    """Scores from the last two tokens; of the first token, which has none before it, from a mean over all."""
    before = torch.cat([torch.full_like(tokens[:, :1], WORDS), tokens[:, :-1]], dim=1)
    table = torch.cat([TABLE, TABLE.mean(0, keepdim=True)])
    return table[before, tokens]


def drawn(count=50, length=12):
    """Texts that follow the table, so that two tokens of context are worth something."""
    generator = torch.Generator().manual_seed(1)
    text = torch.randint(WORDS, (count, 2), generator=generator)
    for _ in range(length - 2):
        chances = (2 * TABLE[text[:, -2], text[:, -1]]).softmax(-1)
        text = torch.cat([text, torch.multinomial(chances, 1, generator=generator)], dim=1)
    return text


def test_two_tokens_are_all_that_it_uses():
    text = drawn(400)
    loss = loss_by_context(two_back, text, (8, 1, 2, 4))
    assert loss.contexts == (1, 2, 4, 8) and loss.losses.shape == (4, 400)
    torch.testing.assert_close(loss.losses[1], loss.losses[3])
    expected = F.cross_entropy(TABLE[text[:, -3], text[:, -2]], text[:, -1], reduction="none")
    torch.testing.assert_close(loss.losses[1], expected)
    assert loss.used() == 2 and loss.used(0.01) == 2 and loss.mean[0] > loss.mean[1]
    saved, error = loss.gain(1, 8)
    assert saved == pytest.approx((loss.losses[0] - loss.losses[3]).mean().item())
    assert error == pytest.approx((loss.losses[0] - loss.losses[3]).std().item() / 20)
    torch.testing.assert_close(loss.bits, loss.mean / torch.tensor(2.0).double().log())
    assert loss.gain(2, 8) == (0, 0)


def test_a_change_further_back_than_it_looks_moves_nothing():
    text = drawn(70)
    moved = change_by_distance(two_back, text, (1, 2, 3, 9))
    assert (moved[:2].mean(1) > 0.05).all() and (moved[2:] == 0).all() and (moved >= 0).all()
    again = change_by_distance(two_back, text, (1, 2, 3, 9))
    assert torch.equal(moved, again)


def test_the_change_is_kullback_leiblers_and_the_token_another_one():
    seen = []

    def watched(tokens):
        seen.append(tokens.clone())
        return two_back(tokens)

    text = drawn(60)
    moved = change_by_distance(watched, text, (2,))
    was, now = seen
    assert torch.equal(was, text[:, :-1])
    assert (was != now).sum(1).tolist() == [1] * 60 and (was[:, -2] != now[:, -2]).all()
    p, q = (two_back(each)[:, -1].log_softmax(-1) for each in (was, now))
    torch.testing.assert_close(moved[0], F.kl_div(q, p, reduction="none", log_target=True).sum(-1))


def test_what_always_stands_first_is_not_counted():
    seen = []

    def watched(tokens):
        seen.append(tokens)
        return two_back(tokens)

    loss_by_context(watched, drawn(3), (1, 5), before=(4, 0))
    assert [tuple(each.shape) for each in seen] == [(3, 3), (3, 7)]
    assert all(each[:, :2].tolist() == [[4, 0]] * 3 for each in seen)


def test_the_shortest_context_from_which_on_enough_is_saved():
    losses = torch.tensor([4.0, 2.0, 2.6, 2.1, 2.0])[:, None] + torch.zeros(5, 9)
    losses += 0.01 * torch.arange(9)  # texts differ, and all alike in every row
    loss = ContextLoss((1, 2, 4, 8, 16), losses)
    assert [loss.used(share) for share in (0.5, 0.69, 0.95, 0.96, 1.0)] == [2, 2, 8, 16, 16]
    useless = ContextLoss((1, 2), torch.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]))
    assert useless.used() is None


def test_units_and_errors_are_those_of_the_definitions():
    loss = ContextLoss((1, 2), torch.tensor([[3.0, 5.0, 4.0, 4.0], [2.0, 2.0, 3.0, 1.0]]).double())
    assert loss.mean.tolist() == [4, 2] and loss.bits.tolist() == [4 / math.log(2), 2 / math.log(2)]
    assert loss.error.tolist() == pytest.approx([(2 / 3) ** 0.5 / 2, (2 / 3) ** 0.5 / 2])
    saved, error = loss.gain(1, 2)  # 1, 3, 1, 3
    assert (saved, error) == (2, pytest.approx((4 / 3) ** 0.5 / 2))


def test_a_model_that_gives_no_numbers_has_no_window():
    nothing = loss_by_context(lambda tokens: torch.full((*tokens.shape, 5), math.nan), drawn(6), (1, 2, 4))
    assert nothing.used() is None
    middle = torch.tensor([[3.0, 3.1], [math.nan, 2.0], [1.0, 1.1]])
    assert ContextLoss((1, 2, 4), middle).used() is None


def test_a_gain_within_the_noise_is_none():
    far = torch.tensor([0.0, 0.0, 0.0, 0.0])
    for gain, window in ((torch.tensor([1.0, 0, 0, 0]), None), (torch.tensor([1.0, 1, 1, 0.5]), 2)):
        assert ContextLoss((1, 2), torch.stack([gain, far])).used() == window


def test_the_courses_model_uses_less_than_it_is_given():
    text = passages(encode(documentation().held_out), torch.Generator().manual_seed(0), 48, 129)
    loss = loss_by_context(trained("language"), text, (1, 4, 16, 128))
    assert loss.used(0.9) in (4, 16) and loss.gain(1, 128)[0] > 1


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: loss_by_context(two_back, drawn(), (0, 2)), "1 to 11 tokens before the last"),
        (lambda: loss_by_context(two_back, drawn(), (12,)), r"asked were \(12,\)"),
        (lambda: loss_by_context(two_back, drawn(), ()), "1 to 11 tokens"),
        (lambda: loss_by_context(two_back, drawn()[:1], (2,)), "Two passages"),
        (lambda: loss_by_context(two_back, drawn(), (1, 2)).gain(1, 3), "3 is not among them"),
        (lambda: loss_by_context(two_back, drawn(), (1, 2)).used(0), "above 0 and up to 1"),
        (lambda: change_by_distance(two_back, torch.zeros(3, 4).long(), (1,)), "no other one"),
    ],
)
def test_what_cannot_be_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
