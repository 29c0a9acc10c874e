"""Paragraphs by topic: the halves share nothing, and the three scores are what one would count by hand."""

import math

import pytest
import torch

from attn_course.tasks.documentation import documentation
from attn_course.tasks.topics import CHARACTERS, nearest, ranked, topic_loss, topic_paragraphs


def vectors_of(n=7, seed=0):
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True)


TOPICS = torch.tensor([0, 0, 1, 1, 1, 2, 2])


def test_the_halves_share_no_topic_and_no_paragraph():
    choose, held_out = topic_paragraphs("choose"), topic_paragraphs("held out")
    assert not set(choose.names) & set(held_out.names) and not set(choose.texts) & set(held_out.texts)
    for part in (choose, held_out):
        counts = torch.bincount(part.topics)
        assert (
            len(part.names) == len(counts) >= 20 and len(part.texts) == len(part.topics) == len(set(part.texts)) >= 60
        )
        assert counts.min() >= 2 and counts.max() <= 4 and (part.topics.diff() >= 0).all()
        assert all(len(text) >= CHARACTERS for text in part.texts)
    everything = " ".join((documentation().train + documentation().held_out).split())
    assert sum(text in everything for text in choose.texts) > 0.9 * len(choose.texts)


def test_the_loss_is_counted_by_hand():
    x = vectors_of()
    for i, found in enumerate(topic_loss(x, TOPICS).tolist()):
        weights = {j: math.exp(20 * float(x[i] @ x[j])) for j in range(7) if j != i}
        own = sum(weight for j, weight in weights.items() if TOPICS[j] == TOPICS[i])
        assert found == pytest.approx(-math.log(own / sum(weights.values())), rel=1e-9)


def test_neighbours_and_ranks_are_counted_by_hand():
    x = vectors_of()
    for i in range(7):
        others = sorted((j for j in range(7) if j != i), key=lambda j: -float(x[i] @ x[j]))
        assert nearest(x, TOPICS)[i] == (TOPICS[others[0]] == TOPICS[i])
        pairs = [(a, b) for a in others for b in others if TOPICS[a] == TOPICS[i] != TOPICS[b]]
        share = sum(others.index(a) < others.index(b) for a, b in pairs) / len(pairs)
        assert ranked(x, TOPICS)[i].item() == pytest.approx(share)


def test_the_best_vectors_and_the_worst():
    best = torch.eye(3)[TOPICS]
    assert nearest(best, TOPICS).all() and ranked(best, TOPICS).eq(1).all() and topic_loss(best, TOPICS).max() < 1e-7
    same = torch.ones(7, 4) / 2
    assert ranked(same, TOPICS).eq(0.5).all()
    mates = torch.tensor([1, 1, 2, 2, 2, 1, 1])
    torch.testing.assert_close(topic_loss(same, TOPICS), (6 / mates).log())


def test_a_paragraph_is_prose():
    for part in ("choose", "held out"):
        for text in topic_paragraphs(part).texts:
            assert sum(each.isalpha() or each == " " for each in text) >= 0.85 * len(text)


def test_vectors_that_are_no_numbers_rank_nothing():
    x = vectors_of()
    x[2] = torch.nan
    assert ranked(x, TOPICS).isnan().all()  # each is compared with it
    with pytest.raises(ValueError, match="no NaN in them"):
        nearest(x, TOPICS)


def test_other_numbers_of_topics_and_a_single_one_are_refused():
    for score in (topic_loss, ranked, nearest):
        with pytest.raises(ValueError, match=r"a vector and a topic: .* got \(7, 5\) and \(6,\)"):
            score(vectors_of(), TOPICS[1:])
    with pytest.raises(ValueError, match="All texts are of one topic"):
        ranked(vectors_of(3), torch.zeros(3))
    with pytest.raises(ValueError, match="two vectors at least"):
        nearest(vectors_of(1), torch.zeros(1))


def test_wrong_parts_and_lonely_topics_are_refused():
    with pytest.raises(ValueError, match="part should be one of 'choose', 'held out'; got 'train'"):
        topic_paragraphs("train")
    for score in (topic_loss, ranked):
        with pytest.raises(ValueError, match="at least two texts"):
            score(vectors_of(3), torch.tensor([0, 0, 1]))
