"""The shipped language model: its figure, the counting rivals that it beats, and what it writes."""

import pytest
import torch

from attn_course.tasks.documentation import decode, documentation, encode, surprise
from attn_course.tasks.ngrams import NGram
from attn_course.training.checkpoints import index, trained


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


def test_it_writes_characters_and_the_same_ones_for_the_same_seed(model):
    start = encode("The for statement is used to ")[None]
    one, again, other = (
        decode(model.write(start, 80, temperature=0.7, generator=torch.Generator().manual_seed(seed))[0])
        for seed in (0, 0, 1)
    )
    assert one == again != other and one.startswith("The for statement is used to ") and len(one) == 109
    words = set(documentation().train.split())
    written = one.removeprefix("The for statement is used to ").split()[:-1]
    assert sum(word in words for word in written) > len(written) / 2  # most of what it writes is words it has read
