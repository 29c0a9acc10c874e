"""Two images and a question: two digits side by side, and four words that ask about one of them or about both.

    which digit is left      which digit is right      is the left even      is the right even      are both the same

Four of them need one image, the last one both. All digits are equally likely, so two are the same once in ten times;
only for "are both the same" half the pairs are.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attn_course.tasks.digits import CLASSES, Digits

QUESTIONS = (
    "which digit is left",
    "which digit is right",
    "is the left even",
    "is the right even",
    "are both the same",
)
LEFT, RIGHT, LEFT_EVEN, RIGHT_EVEN, SAME = range(5)
WORDS = tuple(sorted({word for question in QUESTIONS for word in question.split()}))
ANSWERS = (*(str(digit) for digit in range(CLASSES)), "no", "yes")
NO, YES = CLASSES, CLASSES + 1
SIDES = ("left", "right")


@dataclass(frozen=True)
class Pairs:
    """A batch: two images, a question in words, and what is true."""

    left: Float[Tensor, "batch 8 8"]
    right: Float[Tensor, "batch 8 8"]
    words: Int[Tensor, "batch 4"]  # numbers of words in WORDS
    question: Int[Tensor, "batch"]  # which of QUESTIONS the words are
    digits: Int[Tensor, "batch 2"]  # left, right
    answer: Int[Tensor, "batch"]  # number in ANSWERS


def pairs(shown: Digits, generator: torch.Generator, batch: int = 64, question: int | None = None) -> Pairs:
    """Draw pairs of images from `shown`, each with a question: any of the five, or this one."""
    if question is not None and question not in range(len(QUESTIONS)):
        raise ValueError(f"Questions have numbers 0 to {len(QUESTIONS) - 1}, got {question}.")
    asked = torch.randint(len(QUESTIONS), (batch,), generator=generator)
    asked = asked if question is None else torch.full_like(asked, question)
    two = torch.randint(CLASSES, (batch, 2), generator=generator)  # left, right
    # 4/9 are made the same and a tenth of the others are by chance: 4/9 + 5/90 = 1/2.
    same = (asked == SAME) & (torch.rand(batch, generator=generator) < 4 / 9)
    two[same, 1] = two[same, 0]
    left, right = (_image_of(shown, two[:, side], generator) for side in (0, 1))
    return Pairs(left, right, words(asked), asked, two, answer(asked, two))


def words(question: Int[Tensor, "batch"]) -> Int[Tensor, "batch 4"]:
    """The questions word by word."""
    table = torch.tensor([[WORDS.index(word) for word in sentence.split()] for sentence in QUESTIONS])
    return table[question]


def answer(question: Int[Tensor, "batch"], two: Int[Tensor, "batch 2"]) -> Int[Tensor, "batch"]:
    """What is true of the two digits."""
    left, right = two.unbind(dim=1)
    yes_or_no = torch.stack([left % 2 == 0, right % 2 == 0, left == right])  # (question 2 to 4, batch)
    said = torch.cat([two.T, torch.where(yes_or_no, YES, NO)])  # (question, batch)
    return said.gather(0, question[None])[0]


def exchanged(drawn: Pairs, side: str, shown: Digits, generator: torch.Generator) -> Pairs:
    """The same pairs with another digit on one side ("left" or "right"), and what is true then."""
    if side not in SIDES:
        raise ValueError(f"side is left or right, got {side!r}.")
    at = SIDES.index(side)
    two = drawn.digits.clone()
    two[:, at] = (two[:, at] + torch.randint(1, CLASSES, (len(two),), generator=generator)) % CLASSES
    image = _image_of(shown, two[:, at], generator)
    left, right = (image, drawn.right) if side == "left" else (drawn.left, image)
    return Pairs(left, right, drawn.words, drawn.question, two, answer(drawn.question, two))


def text_only() -> float:
    """Accuracy of the best answer to each question without the images: .1, .1, .5, .5 and .5."""
    return (2 / CLASSES + 3 / 2) / len(QUESTIONS)


def chance() -> float:
    """Accuracy of any of the answers, drawn blindly."""
    return 1 / len(ANSWERS)


def _image_of(shown: Digits, digit: Int[Tensor, "batch"], generator: torch.Generator) -> Float[Tensor, "batch 8 8"]:
    """An image of each digit, drawn from those of `shown`."""
    by_digit = shown.labels.argsort()  # places of all zeros, then of all ones, …
    many = shown.labels.bincount(minlength=CLASSES)
    if (many == 0).any():
        raise ValueError(f"There is no image of digit {int((many == 0).nonzero()[0])} to draw from.")
    first = many.cumsum(0) - many
    drawn = (torch.rand(len(digit), generator=generator) * many[digit]).long()
    return shown.images[by_digit[first[digit] + drawn]]
