"""Vectors against the library's own mean pooling; directions and neighbours on vectors whose truth is known."""

import pytest
import torch

from attn_course.diagnosis.proxies import attention_gaps, direction, told_apart, vectors, without
from attn_course.models.pretrained import load, minilm_folder
from attn_course.tasks.word_sets import NAMES, OCCUPATIONS, PAIRS


def test_vectors_are_the_librarys_mean_over_tokens():
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(minilm_folder()).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder())
    texts = ["This is Amy.", "nurse", "The engineer said that she was late.", "Paul"]
    with torch.no_grad():
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        states, keep = model(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
    means = (states * keep).sum(1) / keep.sum(1)
    assert torch.allclose(vectors(texts), means / means.norm(dim=-1, keepdim=True), atol=1e-5)
    assert torch.allclose(vectors(texts).norm(dim=-1), torch.ones(4))


def test_a_direction_is_taken_out_and_nothing_else():
    generator = torch.Generator().manual_seed(0)
    base, along = torch.randn(6, 5, generator=generator), torch.tensor([0.0, 0.6, 0.8, 0.0, 0.0])
    found = direction(base + along, base - along)
    assert torch.allclose(found, along, atol=1e-6)
    left = without(base, found)
    assert (left @ found).abs().max() < 1e-6 and torch.allclose(left + (base @ found)[:, None] * found, base)


def test_sets_that_lie_apart_are_told_apart_and_one_set_is_not():
    generator = torch.Generator().manual_seed(0)
    one, two = torch.randn(2, 200, 8, generator=generator)
    assert told_apart(one + 6, two) == 1
    assert told_apart(one, two) == pytest.approx(0.5, abs=0.08)
    along = torch.eye(8)[0]
    assert told_apart(without(one + 6 * along, along), without(two, along)) == pytest.approx(0.5, abs=0.08)


def test_no_vector_is_judged_by_a_mean_that_it_is_part_of():
    # With itself in the mean, each of the far two would lie nearer to its own set's: 100 against 142.
    far = torch.tensor([[100.0, 0.0], [-100.0, 0.0]])
    near = torch.tensor([[0.0, 100.0], [0.0, 102.0]])
    assert told_apart(far, near) == 0.5


def test_a_gap_is_read_off_the_maps():
    (found,) = attention_gaps(["receptionist"])
    reading = load().read("The receptionist said that she was late.")
    asks, key = reading.tokens.index("she"), reading.tokens.index("receptionist")
    shares = [layer.weights[0, head, asks, key].item() for layer in reading.layers for head in range(12)]
    assert found.she == pytest.approx(sum(shares) / len(shares), abs=1e-6) and found.gap == found.he - found.she


def test_words_are_as_many_on_either_side():
    assert [len(each) for each in NAMES] == [22, 22] and [len(each) for each in OCCUPATIONS] == [15, 15]
    assert len(PAIRS) == 6 and ("he", "she") not in PAIRS[:5]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="at least one text"):
        vectors([])
    with pytest.raises(ValueError, match="empty"):
        vectors(["a", " "])
    with pytest.raises(ValueError, match="cancel out"):
        direction(torch.tensor([[1.0], [-1.0]]), torch.zeros(2, 1))
    with pytest.raises(ValueError, match="length 1, got 2"):
        without(torch.ones(3, 2), torch.tensor([0.0, 2.0]))
    with pytest.raises(ValueError, match="text, d"):
        told_apart(torch.zeros(3, 2), torch.zeros(3, 4))
    for wrong in ([], "nurse"):
        with pytest.raises(ValueError, match="at least one occupation"):
            attention_gaps(wrong)
    with pytest.raises(ValueError, match="two places"):
        attention_gaps(["nurse"], template="The {} said that {} was {}.")
    with pytest.raises(ValueError, match="two vectors"):
        told_apart(torch.zeros(1, 2), torch.zeros(3, 2))
