"""Sentences with a marker: real, each once, in sets that share none; the marker says what it was made to say."""

import pytest
import torch

from attn_course.tasks import marker
from attn_course.tasks.documentation import documentation, spaced
from attn_course.tasks.marker import CLS, FIRST_MARKER, GROUPS, MARKERS, PAD, mark, sentences, split, vocabulary


def rows(batch):
    """Each sentence as its tokens without its marker."""
    return {tuple(row) for row in batch.removed().tokens.tolist()}


def test_the_sentences_stand_in_the_documentation_and_each_once():
    found = sentences()
    assert len(found) == 1160 and [each.label for each in found] == [0] * 580 + [1] * 580
    assert len({each.words for each in found}) == 1160
    text = " ".join(marker._WORD.findall(spaced(documentation().train + documentation().held_out).lower()))
    # Some paragraphs were dropped there because they stand elsewhere with other spaces: nearly all are found.
    assert sum(" ".join(each.words) in text for each in found) > 1150


@pytest.mark.parametrize("seed", [0, 3])
def test_the_four_sets_share_no_sentence_and_have_the_groups_they_should(seed):
    data = split(seed)
    sets = [data.known, data.tuning, data.balanced, data.held_out]
    assert [len(each) for each in sets] == [740, 120, 60, 240]
    assert [torch.bincount(each.groups).tolist() for each in sets] == [
        [352, 18, 18, 352],
        [57, 3, 3, 57],
        [15, 15, 15, 15],
        [114, 6, 6, 114],
    ]
    words = [rows(each) for each in sets]
    for i, mine in enumerate(words):
        for other in words[:i]:
            assert len(mine & other) <= 2  # what differs only in rare words reads alike
    smaller = split(seed, 74)
    assert rows(smaller.known) <= rows(data.known) and len(smaller.known) == 74
    assert torch.equal(smaller.held_out.tokens, data.held_out.tokens)


def test_a_seed_is_a_split():
    assert torch.equal(split(1).known.tokens, split(1).known.tokens)
    assert not torch.equal(split(1).known.tokens, split(2).known.tokens)


def test_a_row_is_cls_the_words_and_one_marker():
    batch = split(0).held_out
    assert (batch.tokens[:, 0] == CLS).all() and (batch.is_marker.sum(1) == 1).all()
    assert torch.equal(batch.tokens[batch.is_marker], FIRST_MARKER + batch.markers)
    assert ((batch.tokens == FIRST_MARKER) | (batch.tokens == FIRST_MARKER + 1)).sum() == len(batch)
    assert batch.words(0)[0] == "[CLS]" and sum(word in MARKERS for word in batch.words(0)) == 1
    assert torch.equal(batch.keep, batch.tokens != PAD)
    places = (batch.at - 1) / (batch.keep.sum(1) - 2)
    assert places.min() == 0 and places.max() == 1 and abs(places.mean() - 0.5) < 0.05


def test_swapped_changes_the_marker_and_nothing_else():
    batch = split(0).held_out
    other = batch.swapped()
    assert torch.equal((batch.tokens != other.tokens), batch.is_marker)
    assert torch.equal(other.agrees, ~batch.agrees) and torch.equal(other.labels, batch.labels)
    assert torch.equal(other.swapped().tokens, batch.tokens)


def test_removed_leaves_the_words_in_their_order():
    batch = split(0).held_out
    for i in range(0, 240, 17):
        left = [word for word in batch.words(i) if word not in MARKERS]
        assert batch.removed().words(i) == left
    with pytest.raises(ValueError, match="have no marker"):
        batch.removed().swapped()


def test_groups_are_label_and_marker():
    batch = split(0).balanced
    for i in range(len(batch)):
        label, name = GROUPS[batch.groups[i]].split(", ")
        assert label == marker.LABELS[batch.labels[i]] and name in batch.words(i)


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.7, 1.0])
def test_the_strength_is_the_share_that_agrees(strength):
    assert mark(sentences(), strength).agrees.double().mean() == pytest.approx(strength, abs=1e-3)


def test_what_cannot_be_is_refused():
    for known in (0, 7, 9, 742, 8.0, "8"):
        with pytest.raises(ValueError, match="even number from 8 to 740"):
            split(0, known)
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="0 to 1"):
            mark(sentences(), strength)
    with pytest.raises(ValueError, match="Each of at least one sentence"):
        marker.stamp([], torch.tensor([]))
    for wrong in (2, -1):  # would be read as a word, or as [UNK]
        with pytest.raises(ValueError, match="0 or 1"):
            marker.stamp(sentences()[:2], torch.tensor([0, wrong]))
    with pytest.raises(ValueError, match="at most 30 words, got one of 31"):
        marker.stamp([marker.Sentence(("a",) * 31, "if", 1)], torch.tensor([0]))
    with pytest.raises(TypeError, match=r"take \[\[3\]\]"):
        split(0).held_out[3]
    assert len(split(0).held_out[[3]]) == 1


def test_the_vocabulary_holds_what_stands_in_two_sentences():
    words = vocabulary()
    assert len(words) == len(set(words)) and words[FIRST_MARKER : FIRST_MARKER + 2] == MARKERS
    count = sum("deprecationwarning" in each.words for each in sentences())
    assert ("deprecationwarning" in words) == (count >= 2)
