"""Sentence vectors are the library's own model, pooled by hand, batch or no batch."""

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from attn_course.models import pretrained
from attn_course.models.pretrained import load
from attn_course.models.sentences import Sentences, embed, pooled, sentences

torch.set_num_threads(1)
TEXTS = ["The cat sat on the mat.", "Go.", "A loop repeats its body while a condition holds, and ends when it fails."]


@torch.no_grad()
def test_vectors_are_those_of_the_library_pooled_by_hand():
    folder = str(pretrained.minilm_folder())
    theirs = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ours = embed(load().model, sentences(load(), TEXTS))
    for text, vector in zip(TEXTS, ours, strict=True):
        mean = theirs(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        torch.testing.assert_close(vector, mean / mean.norm(), atol=1e-5, rtol=1e-4)


def test_a_long_text_is_cut_and_keeps_its_end_mark():
    cut = sentences(load(), TEXTS, most=8)
    whole = sentences(load(), TEXTS)
    assert cut.tokens.shape == (3, 8) and len(cut) == 3
    assert cut.tokens[2, -1] == whole.tokens[2][whole.keep[2]][-1] and torch.equal(
        cut.tokens[2, :7], whole.tokens[2, :7]
    )
    assert cut.keep.sum(1).tolist() == [8, 4, 8]


def test_what_fills_up_has_no_part_in_the_mean():
    states = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    keep = torch.tensor([[True] * 5, [True, True, False, False, False]])
    other = states.clone()
    other[1, 2:] = 1e6
    assert torch.equal(pooled(states, keep), pooled(other, keep))
    mean = states[1, :2].mean(0)
    torch.testing.assert_close(pooled(states, keep)[1], mean / mean.norm())


@pytest.mark.parametrize(
    ("texts", "most", "said"),
    [
        ([], 8, "at least one text"),
        (["a", " "], 8, "The text is empty"),
        ("hello", 8, r"Give a list of texts, \['hello', …\]"),
        (["a"], 2, "room for 3, got most=2"),
        (["a"], 4000, "holds 512"),
    ],
)
def test_nothing_to_read_is_refused(texts, most, said):
    with pytest.raises(ValueError, match=said):
        sentences(load(), texts, most)


def test_gradients_flow():
    texts = sentences(load(), TEXTS[:1], most=5)
    assert embed(load().model, texts).requires_grad and isinstance(texts, Sentences)
