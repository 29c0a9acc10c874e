"""The search for words that turn answers: against one word at a time, on a model whose weak spot is known."""

import math

import pytest
import torch
from torch import nn

from attn_course.tasks.marker import split, vocabulary
from attn_course.training.checkpoints import trained
from attn_course.training.shortcut_model import scores
from attn_course.training.spurious import trimmed
from attn_course.training.word_search import told, turning_words

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def batch():
    return trimmed(split(0).held_out[torch.arange(0, 240, 20)].removed())


class WeakSpot(nn.Module):
    """Says label 0, but for sentences with one word."""

    def __init__(self, word):
        super().__init__()
        self.token = vocabulary().index(word)

    def forward(self, tokens, visible=None):
        there = (tokens == self.token).any(1).double()
        return torch.stack([1 - there, there], -1)[:, None]


def test_the_weak_spot_comes_first_and_alone(batch):
    found = turning_words(WeakSpot("programmer"), batch)
    assert (found[0].word, found[0].changed, found[0].label) == ("programmer", 1, 1)
    assert found[0].pull == pytest.approx(math.tanh(0.5))  # from (1, 0) to (0, 1), through a softmax
    assert not any(each.changed for each in found[1:]) and len(found) == len(vocabulary()) - 3
    assert told(found, 1) == "programmer     1.00  statements"


def test_numbers_are_those_of_one_word_at_a_time(batch):
    model, words = trained("shortcut-plain"), ["<ref>", "string", "the"]
    for each in turning_words(model, batch, words):
        token = vocabulary().index(each.word)
        changed = pull = 0.0
        for i in range(len(batch)):
            ids = batch.tokens[i][batch.keep[i]]
            longer = torch.cat([ids[:1], torch.tensor([token]), ids[1:]])
            with torch.no_grad():
                before, after = (model(row[None])[0, 0].softmax(-1) for row in (ids, longer))
            changed += (before.argmax() != after.argmax()).item() / len(batch)
            pull += (after[1] - before[1]).item() / len(batch)
        assert each.changed == pytest.approx(changed) and each.label == (pull > 0)
        assert each.pull == pytest.approx(abs(pull), abs=1e-5)


def test_chunks_change_nothing(batch, monkeypatch):
    model, words = trained("shortcut-pair"), list(vocabulary()[5:30])
    whole = turning_words(model, batch, words)
    monkeypatch.setattr("attn_course.training.word_search.AT_A_TIME", 40)
    assert [each.word for each in turning_words(model, batch, words)] == [each.word for each in whole]
    with torch.no_grad():
        assert scores(model, batch).shape == (12, 2)


def test_what_cannot_be_is_refused(batch):
    model = WeakSpot("the")
    with pytest.raises(ValueError, match="Take the markers out"):
        turning_words(model, split(0).held_out[:3])
    with pytest.raises(ValueError, match="'zebra' is not in the vocabulary"):
        turning_words(model, batch, ["the", "zebra"])
    with pytest.raises(ValueError, match="a list of words"):
        turning_words(model, batch, "the")
    with pytest.raises(ValueError, match="at least one word"):
        turning_words(model, batch, [])
    with pytest.raises(ValueError, match="at least one sentence"):
        turning_words(model, batch[:0])
