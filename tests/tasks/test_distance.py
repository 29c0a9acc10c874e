"""The distance task: its truth is where it says, and nothing but the content gives the answer away."""

import pytest
import torch

from attn_course.tasks.distance import ASK, CONTENTS, LEAD, MARK, VOCABULARY, distance_batch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("distance", [1, 2, 7, 40])
def test_the_answer_follows_the_only_mark_and_the_question_comes_so_many_tokens_later(distance):
    starts = set()
    for seed in range(40):
        batch = distance_batch(generator(seed), distance, batch=16)
        for row, answer in zip(batch.tokens.tolist(), batch.answer.tolist(), strict=True):
            assert row.count(MARK) == 1 and row.count(ASK) == 1 and row[-1] == ASK
            content = row.index(MARK) + 1
            assert row[content] == answer < CONTENTS
            assert len(row) - 1 - content == distance
            assert max(row) < VOCABULARY
            starts.add(row.index(MARK))
    assert starts == set(range(LEAD + 1))


def test_guessing_is_right_once_in_eight():
    answers = torch.cat([distance_batch(generator(seed), 5, 512).answer for seed in range(20)])
    shares = answers.bincount(minlength=CONTENTS) / len(answers)
    spread = (1 / CONTENTS * (1 - 1 / CONTENTS) / len(answers)) ** 0.5
    assert len(shares) == CONTENTS and ((shares - 1 / CONTENTS).abs() < 5 * spread).all()


def test_no_other_token_tells_the_answer():
    """Given the answer, each token of noise is as it always is: counting, or the place beside it, gives no hint."""
    n, distance = 4000, 6
    batch = distance_batch(generator(), distance, n)
    noise = [at for at in range(batch.tokens.shape[1]) if batch.tokens[0, at] < CONTENTS]
    noise.remove(batch.tokens.shape[1] - 1 - distance)
    assert len(noise) >= distance - 1
    for at in noise:
        same = (batch.tokens[:, at] == batch.answer).float().mean().item()
        assert abs(same - 1 / CONTENTS) < 5 * (1 / CONTENTS * (1 - 1 / CONTENTS) / n) ** 0.5


def test_the_same_seed_draws_the_same_rows():
    a, b, c = (distance_batch(generator(seed), 9, 8).tokens for seed in (3, 3, 4))
    assert torch.equal(a, b) and not (a.shape == c.shape and torch.equal(a, c))


def test_a_question_before_the_content_gets_a_sentence():
    with pytest.raises(ValueError, match="distance should be at least 1, got 0"):
        distance_batch(generator(), 0)
