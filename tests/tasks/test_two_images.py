"""Two digits and a question: the words, the truth, the exchange and the baselines, each worked out another way."""

import pytest
import torch

from attn_course.tasks.digits import Digits, digits, few
from attn_course.tasks.two_images import (
    ANSWERS,
    QUESTIONS,
    SAME,
    WORDS,
    answer,
    chance,
    exchanged,
    pairs,
    text_only,
    words,
)


def said(question: str, left: int, right: int) -> str:
    """The truth, from the sentence itself."""
    return {
        "which digit is left": str(left),
        "which digit is right": str(right),
        "is the left even": "yes" if left in (0, 2, 4, 6, 8) else "no",
        "is the right even": "yes" if right in (0, 2, 4, 6, 8) else "no",
        "are both the same": "yes" if left == right else "no",
    }[question]


def draw(n=3000, **more):
    return pairs(digits(), torch.Generator().manual_seed(0), batch=n, **more)


def test_every_answer_is_the_sentences_truth():
    for question, sentence in enumerate(QUESTIONS):
        for left in range(10):
            for right in range(10):
                (number,) = answer(torch.tensor([question]), torch.tensor([[left, right]])).tolist()
                assert ANSWERS[number] == said(sentence, left, right)
    drawn = draw(200)
    for row in range(200):
        truth = said(QUESTIONS[drawn.question[row]], *drawn.digits[row].tolist())
        assert ANSWERS[drawn.answer[row]] == truth


def test_words_spell_the_questions():
    spelt = words(torch.arange(5))
    assert [" ".join(WORDS[word] for word in row) for row in spelt.tolist()] == list(QUESTIONS)
    drawn = draw(50)
    assert torch.equal(drawn.words, spelt[drawn.question])


def test_images_show_the_digits_that_are_said():
    label_of = {
        image.numpy().tobytes(): int(label) for image, label in zip(digits().images, digits().labels, strict=True)
    }
    drawn = draw(200)
    for side, images in enumerate((drawn.left, drawn.right)):
        assert [label_of[image.numpy().tobytes()] for image in images] == drawn.digits[:, side].tolist()


def test_digits_and_questions_are_evenly_spread_and_only_one_question_balances():
    drawn = draw(20_000)
    for counts in (drawn.question.bincount(), drawn.digits[:, 0].bincount(), drawn.digits[:, 1].bincount()):
        assert (counts / counts.sum() * len(counts)).sub(1).abs().max() < 0.08
    alike = drawn.digits[:, 0] == drawn.digits[:, 1]
    assert alike[drawn.question == SAME].float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert alike[drawn.question != SAME].float().mean().item() == pytest.approx(0.10, abs=0.01)


def test_every_image_of_a_digit_can_be_drawn():
    some = few(digits(), each=3)
    drawn = pairs(some, torch.Generator().manual_seed(0), batch=1000)
    assert {image.numpy().tobytes() for image in drawn.right} == {image.numpy().tobytes() for image in some.images}


def test_the_same_generator_draws_the_same_and_a_question_can_be_fixed():
    assert torch.equal(draw(50).left, draw(50).left)
    assert draw(50, question=3).question.unique().tolist() == [3]


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_exchange_changes_one_side_to_another_digit_and_says_the_new_truth(side):
    drawn = draw(300)
    after = exchanged(drawn, side, digits(), torch.Generator().manual_seed(1))
    at = ("left", "right").index(side)
    assert (after.digits[:, at] != drawn.digits[:, at]).all()
    assert torch.equal(after.digits[:, 1 - at], drawn.digits[:, 1 - at])
    kept = "right" if side == "left" else "left"
    assert torch.equal(getattr(after, kept), getattr(drawn, kept))
    assert (getattr(after, side) != getattr(drawn, side)).flatten(1).any(dim=1).all()
    assert torch.equal(after.answer, answer(drawn.question, after.digits)) and torch.equal(after.words, drawn.words)


def test_baselines_are_what_counting_gives():
    drawn = draw(60_000)
    best = [drawn.answer[drawn.question == q].bincount().max() / (drawn.question == q).sum() for q in range(5)]
    assert text_only() == pytest.approx(sum(best).item() / 5, abs=0.01)
    assert chance() == pytest.approx(1 / 12)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="0 to 4, got 5"):
        draw(question=5)
    with pytest.raises(ValueError, match="left or right, got 'top'"):
        exchanged(draw(3), "top", digits(), torch.Generator())
    no_nines = Digits(digits().images[digits().labels < 9], digits().labels[digits().labels < 9])
    with pytest.raises(ValueError, match="no image of digit 9"):
        pairs(no_nines, torch.Generator())
