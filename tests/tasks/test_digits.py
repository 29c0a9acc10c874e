"""The frozen digits are scikit-learn's, splits share nothing, shifts do what they say, baselines are scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from attn_course.tasks.digits import Digits, digits, draw, few, most_frequent, nearest_neighbour, noisy, rotated, split


def test_they_are_scikit_learns_digits():
    theirs = load_digits()
    assert np.array_equal(digits().images.numpy() * 16, theirs.images)
    assert np.array_equal(digits().labels.numpy(), theirs.target)


def test_a_split_holds_every_digit_once_and_depends_on_its_seed_alone():
    train, held_out = split(3)
    assert (len(train), len(held_out)) == (1437, 360)
    together = torch.cat([train.images, held_out.images]).flatten(1).numpy()
    assert np.array_equal(np.unique(together, axis=0), np.unique(digits().images.flatten(1).numpy(), axis=0))
    assert torch.equal(split(3)[1].images, held_out.images)
    assert not torch.equal(split(4)[1].images, held_out.images)


def test_no_held_out_image_is_in_the_training_part():
    train, held_out = (part.images.flatten(1) for part in split(0))
    assert torch.cdist(held_out, train).min() > 0.1  # the same image twice would be a leak


def test_noise_has_its_spread_and_stays_between_paper_and_ink():
    grey = Digits(torch.full((2000, 8, 8), 0.5), torch.zeros(2000, dtype=torch.long))
    change = noisy(grey, std=0.1, seed=1).images - 0.5
    assert change.std().item() == pytest.approx(0.1, rel=0.01)
    assert change.mean().item() == pytest.approx(0, abs=0.001)
    shown = noisy(digits(), std=0.5).images
    assert shown.min() == 0 and shown.max() == 1
    assert torch.equal(shown, noisy(digits(), std=0.5).images)
    assert torch.equal(noisy(digits(), std=0).images, digits().images)


def test_a_quarter_turn_is_numpys_and_four_of_them_are_none():
    turned = rotated(digits())
    assert np.array_equal(turned.images[5].numpy(), np.rot90(digits().images[5].numpy()))
    assert torch.equal(rotated(rotated(rotated(turned))).images, digits().images)
    assert torch.equal(turned.labels, digits().labels)


def test_few_are_as_many_of_each():
    some = few(split(0)[0], each=10, seed=2)
    assert some.labels.bincount().tolist() == [10] * 10
    assert len(np.unique(some.images.flatten(1).numpy(), axis=0)) == 100
    assert not torch.equal(some.images, few(split(0)[0], each=10, seed=3).images)


def test_a_batch_is_drawn_with_its_own_labels():
    numbered = Digits(torch.arange(50.0)[:, None, None].expand(50, 8, 8), torch.arange(50))
    drawn = draw(numbered, torch.Generator().manual_seed(0), batch=2000)
    assert torch.equal(drawn.images[:, 0, 0].long(), drawn.labels)
    assert len(drawn.labels.unique()) == 50


def test_baselines():
    train, held_out = split(0)
    theirs = KNeighborsClassifier(1).fit(train.images.flatten(1), train.labels)
    assert nearest_neighbour(train, held_out) == pytest.approx(
        theirs.score(held_out.images.flatten(1), held_out.labels)
    )
    assert nearest_neighbour(train, held_out) > 0.97
    assert nearest_neighbour(train, rotated(held_out)) < 0.2
    shares = [(held_out.labels == digit).float().mean().item() for digit in range(10)]
    assert most_frequent(train, held_out) in shares and 0.05 < most_frequent(train, held_out) < 0.15


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: split(held_out=0), "1 to 1796 can be held out"),
        (lambda: few(digits(), each=500), "so each can be 1 to 174, got 500"),
        (lambda: noisy(digits(), std=-1), "0 or more, got -1"),
    ],
)
def test_what_cannot_be_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
