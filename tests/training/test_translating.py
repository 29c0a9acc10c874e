"""The translator: its loss is the mean over real words, its maps are those that it used, the shipped one is good."""

import pytest
import torch

from attn_course.tasks.alignment import alignment_error, diagonal
from attn_course.tasks.translation import PAD, batch_of, numbers, pair, pairs
from attn_course.training.checkpoints import trained
from attn_course.training.recipes.translation import fit, translator
from attn_course.training.translating import (
    alignment_of,
    cross_weights,
    exact_match,
    loss_on,
    translation_loss,
    written,
)

UNSEEN = pairs(numbers()[1])[:300]
SOME = [pair(42), pair(7), pair(300_021)]


@pytest.fixture(scope="module")
def shipped():
    return trained("translation")


def fresh(**parts):
    torch.manual_seed(0)
    return translator(**parts).double()


def test_the_loss_is_the_mean_over_the_words_of_each_sentence_alone():
    model, terms = fresh(), []
    for one in SOME:  # one sentence at a time needs no filler
        target = batch_of([one]).target[0]
        scores = model(batch_of([one]).source, target[None, :-1])[0]
        terms += [-scores.log_softmax(-1)[t, target[t + 1]] for t in range(len(target) - 1)]
    assert torch.allclose(translation_loss(model, batch_of(SOME)), torch.stack(terms).mean(), atol=1e-12)


def test_the_decoder_never_reads_the_word_that_it_is_asked_for():
    model, batch = fresh(), batch_of([pair(342)])
    read = batch.target[:, :-1]
    for t in range(1, read.shape[1]):
        changed = read.clone()
        changed[:, t:] = 5
        assert torch.allclose(model(batch.source, read)[:, :t], model(batch.source, changed)[:, :t])


def test_maps_sum_to_one_and_leave_filler_alone():
    weights = cross_weights(fresh(heads=2), SOME)
    batch = batch_of(SOME)
    assert weights.shape == (3, 2, batch.target.shape[1] - 1, batch.source.shape[1])
    assert torch.allclose(weights.sum(-1), torch.ones(()).double())
    assert weights.masked_select((batch.source == PAD)[:, None, None]).abs().max() == 0


def test_a_few_steps_lower_the_loss_and_seeds_decide_the_batches():
    def losses(seed):
        torch.manual_seed(0)
        return fit(translator(d_model=16), steps=40, seed=seed)

    first = losses(0)
    assert first[-1] < first[0] - 0.5
    assert first == losses(0) and first[0] != losses(1)[0]


def test_batches_are_drawn_from_the_pairs_alone():
    seen = []
    loss_on(SOME, size=5)(lambda source, read: seen.append(source) or torch.zeros(*read.shape, 40), torch.Generator())
    rows = batch_of(SOME).source.tolist()
    assert len(seen[0]) == 5 and all(row in rows for row in seen[0].tolist())


def test_the_shipped_translator_translates_numbers_that_it_never_saw(shipped):
    assert exact_match(shipped, UNSEEN) >= 0.99
    assert written(shipped, [pair(42), pair(999_999)]) == [pair(42).target, pair(999_999).target]


def test_it_looks_at_the_right_words_and_one_step_late_at_wrong_ones(shipped):
    rule = alignment_error([diagonal(len(one.target), len(one.source)) for one in UNSEEN], UNSEEN)
    assert alignment_of(shipped, UNSEEN) <= 0.05 < 0.4 < rule < 0.5 < 0.8 < alignment_of(shipped, UNSEEN, late=1)
