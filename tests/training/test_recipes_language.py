"""The shipped language model: its figure, the counting rivals that it beats, and what it writes."""

import pytest
import torch

from attn_course.tasks.documentation import decode, documentation, encode, surprise
from attn_course.tasks.ngrams import NGram
from attn_course.training.checkpoints import index, trained
from attn_course.training.recipes.language import written


@pytest.fixture(scope="module")
def model():
    return trained("language")


@pytest.fixture(scope="module")
def bits(model):
    """Of each held-out character, by the protocol of the recipe: window 128, stride 64."""
    return surprise(model, encode(documentation().held_out), 128, 64)


def test_the_figure_is_that_of_the_file(bits):
    assert bits.mean().item() == pytest.approx(index()["language"]["figures"]["held_out_bits"], abs=0.002)


def test_it_foresees_the_held_out_text_better_than_five_letters_do(bits):
    text = documentation()
    counted = NGram(text.train, 5, text.characters).surprise(text.held_out)
    assert len(counted) == len(bits)
    assert bits.mean().item() < sum(counted) / len(counted) - 0.15
    thirds = torch.stack([bits, torch.tensor(counted)]).chunk(3, dim=1)  # in every part of the text, not by one topic
    assert all(ours.mean() < theirs.mean() for ours, theirs in thirds)


@torch.no_grad()
def test_what_stands_far_back_helps(model):
    """The last half of each window is foreseen better than the characters 8 to 16, which have seen less."""
    tokens = encode(documentation().held_out)
    windows = tokens[: len(tokens) // 129 * 129].view(-1, 129)
    loss = -model(windows[:, :-1]).log_softmax(-1).gather(-1, windows[:, 1:, None])[..., 0]
    assert loss[:, 64:].mean() < loss[:, 8:16].mean() - 0.05


def known_words(text):
    words = set(documentation().train.split())
    found = text.split()[1:-1]
    return sum(word in words for word in found) / len(found)


def test_it_writes_words_that_it_has_read_and_the_same_ones_for_the_same_seed(model):
    start = "The for statement is used to "
    one, again, other = (written(model, start, 80, seed=seed) for seed in (0, 0, 1))
    assert one == again != other and one.startswith(start) and len(one) == len(start) + 80
    assert known_words(one.removeprefix(start)) > 0.5
    cached = model.write(encode(start)[None], 80, 0.7, torch.Generator().manual_seed(0))  # within the window: the same
    assert decode(cached[0]) == one


def test_beyond_its_window_a_cache_of_everything_makes_it_fall_apart(model):
    start = "The for statement is used to "
    far = [written(model, start, 400, seed=seed)[-200:] for seed in range(2)]
    whole = model.write(encode(start)[None].repeat(2, 1), 400, 0.7, torch.Generator().manual_seed(0))
    assert min(map(known_words, far)) > max(known_words(decode(row)[-200:]) for row in whole) + 0.1
