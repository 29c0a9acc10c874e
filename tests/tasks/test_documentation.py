"""The text: held-out paragraphs stand nowhere in the training text, and bits are counted once for each character."""

import json
import zipfile
from importlib import resources
from pathlib import Path

import pytest
import torch

from attn_course.tasks.documentation import (
    HELD_OUT,
    TEXT,
    decode,
    documentation,
    encode,
    passages,
    spaced,
    surprise,
)

DATA = resources.files("attn_course.tasks") / "data"


def test_no_held_out_paragraph_occurs_in_the_training_text():
    text = documentation()
    train = spaced(text.train)
    paragraphs = [spaced(each) for each in text.held_out.split("\n\n")]
    assert not [each for each in paragraphs if len(each) >= 30 and each in train]
    assert len([each for each in paragraphs if len(each) >= 30]) > 150  # and something is left to be tested on


def test_no_paragraph_is_kept_twice():
    for text in (documentation().train, documentation().held_out):
        paragraphs = [spaced(each) for each in text.split("\n\n")]
        assert len(paragraphs) == len(set(paragraphs))


def test_all_topics_are_read_and_fifteen_held_out():
    topics = json.loads((DATA / TEXT).read_text(encoding="utf-8"))
    assert len(topics) == 79 and len(HELD_OUT) == len(set(HELD_OUT)) == 15
    assert set(HELD_OUT) < set(topics)
    text = documentation()
    assert 300_000 < len(text.train) < 350_000 and 40_000 < len(text.held_out) < 45_000
    everything = spaced("\n\n".join(topics.values()))
    assert all(spaced(each) in everything for each in text.held_out.split("\n\n"))  # nothing was made up


def test_the_licence_stands_beside_the_text():
    notice = (DATA / "LICENSE-python.txt").read_text(encoding="utf-8")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in notice and "All Rights Reserved" in notice


def test_characters_become_tokens_and_back():
    assert decode(encode("for x in range(3):\n")) == "for x in range(3):\n"
    assert len(encode(documentation().held_out)) == len(documentation().held_out)
    with pytest.raises(ValueError, match="'é' does not occur in the documentation"):
        encode("café")


def test_passages_are_pieces_of_the_text():
    text = documentation().held_out
    drawn = passages(encode(text), torch.Generator().manual_seed(0), batch=5, length=33)
    assert drawn.shape == (5, 33) and all(decode(row) in text for row in drawn)
    assert len({decode(row) for row in drawn}) == 5
    with pytest.raises(ValueError, match="no passage of 9 can be drawn"):
        passages(torch.arange(8), torch.Generator(), length=9)


def counting(tokens):
    """A model that is sure by how much it has read: its logit for token 1 is its context's length."""
    length = torch.arange(1.0, tokens.shape[1] + 1).expand(len(tokens), -1)
    return torch.stack([torch.zeros_like(length), length], dim=-1)


@pytest.mark.parametrize(("n", "window", "stride"), ((40, 8, 4), (41, 8, 3), (43, 8, 8), (1000, 8, 1), (9, 8, 4)))
def test_each_character_is_predicted_once_with_the_context_that_is_promised(n, window, stride):
    bits = surprise(counting, torch.ones(n, dtype=torch.long), window, stride)
    assert bits.shape == (n - 1,)
    lengths = -torch.log(torch.expm1(bits.double() * torch.log(torch.tensor(2.0))))  # bits → context
    lengths = lengths.round().long().tolist()
    assert lengths[:window] == list(range(1, window + 1))
    assert min(lengths[window:], default=window) > window - stride
    assert max(lengths) == window


def test_surprise_is_the_cross_entropy_in_bits():
    logits = torch.randn(5, generator=torch.Generator().manual_seed(1))
    tokens = torch.randint(5, (50,), generator=torch.Generator().manual_seed(2))
    bits = surprise(lambda read: logits.expand(*read.shape, 5), tokens, 8, 4)
    want = torch.nn.functional.cross_entropy(logits.expand(49, 5), tokens[1:]) / torch.log(torch.tensor(2.0))
    assert bits.mean().item() == pytest.approx(want.item(), abs=1e-6)
    with pytest.raises(ValueError, match="stride=9, window=8"):
        surprise(counting, tokens, 8, 9)


def test_a_wheel_of_the_package_carries_text_and_licence(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[2]
    (wheel,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert f"attn_course/tasks/data/{TEXT}" in names and "attn_course/tasks/data/LICENSE-python.txt" in names
