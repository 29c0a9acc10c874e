"""Words, kinds and labels: the truth of each row, and the best accuracy against a reader that follows the rules."""

import pytest
import torch

from attn_course.tasks.fewshot import (
    CHANCE,
    KINDS,
    LABELS,
    VOCABULARY,
    WORDS,
    WORDS_OF_A_KIND,
    accuracy_by_examples,
    answers_right,
    fewshot_batch,
    ideal_accuracy,
)


def drawn(seed=0, **options):
    return fewshot_batch(torch.Generator().manual_seed(seed), **options)


def test_every_label_is_the_mapping_of_the_words_kind():
    batch = drawn(batch=300)
    kinds = batch.words // WORDS_OF_A_KIND
    assert torch.equal(batch.labels, batch.mapping.gather(1, kinds))
    assert all(len(set(row)) == KINDS for row in batch.mapping.tolist())
    assert torch.equal(batch.mapping.unique(), torch.arange(LABELS)) and kinds.max() == KINDS - 1
    shares = torch.bincount(batch.words.flatten()) / batch.words.numel()
    assert shares.tolist() == pytest.approx([1 / WORDS] * WORDS, abs=0.015)


def test_seen_before_counted_one_by_one():
    batch = drawn(batch=30)
    for row, word, kind in zip(batch.words.tolist(), batch.seen_word.tolist(), batch.seen_kind.tolist(), strict=True):
        assert word == [each in row[:at] for at, each in enumerate(row)]
        assert kind == [each // 4 in [w // 4 for w in row[:at]] for at, each in enumerate(row)]


def test_tokens_are_words_and_labels_in_turn_and_end_with_the_question():
    batch = drawn(batch=3, examples=5)
    assert batch.tokens.shape == (3, 11) and batch.tokens.max() < VOCABULARY
    assert torch.equal(batch.tokens[:, 0::2], batch.words)
    assert torch.equal(batch.tokens[:, 1::2], batch.labels[:, :-1] + WORDS)


def test_a_mapping_that_is_given_holds_in_all_rows_and_changes_labels_alone():
    mapping = torch.tensor([20, 0, 31, 1])
    free, given = drawn(1), drawn(1, mapping=mapping)
    assert torch.equal(free.words, given.words)
    assert torch.equal(given.labels, mapping[given.words // WORDS_OF_A_KIND])
    for wrong in ([0, 0, 1, 2], [0, 1, 2], [0, 1, 2, 32], [-1, 1, 2, 3]):
        with pytest.raises(ValueError, match="should hold 4 different labels from 0 to 31, got"):
            drawn(mapping=torch.tensor(wrong))
    with pytest.raises(ValueError, match="0 examples or more, got -1"):
        drawn(examples=-1)


def reader(batch):
    """Scores of one who knows the kinds, reads the examples, and else guesses among the labels not yet used."""
    scores = torch.zeros(*batch.tokens.shape, VOCABULARY)
    luck = torch.rand((*scores.shape[:2], LABELS), generator=torch.Generator().manual_seed(5))
    kinds = (batch.words // WORDS_OF_A_KIND).tolist()
    for b, (row, labels) in enumerate(zip(kinds, batch.labels.tolist(), strict=True)):
        known = {}
        for example, (kind, label) in enumerate(zip(row, labels, strict=True)):
            guess = luck[b, 2 * example].clone()
            guess[list(known.values())] = -1
            if kind in known:
                guess[known[kind]] = 2
            scores[b, 2 * example, WORDS:] = guess
            known[kind] = label
    return scores


def test_the_ideal_is_what_a_perfect_reader_reaches():
    batch = drawn(batch=3000)
    right = answers_right(reader(batch), batch)
    assert right[batch.seen_kind].all()
    want = [ideal_accuracy(examples) for examples in range(13)]
    assert accuracy_by_examples(reader(batch), batch).tolist() == pytest.approx(want, abs=0.03)  # three standard errors


def test_the_ideal_by_hand():
    assert ideal_accuracy(0) == CHANCE == 1 / 32
    assert ideal_accuracy(1) == pytest.approx(1 / 4 + 3 / 4 / 31)  # its kind again, or one of 31 other labels
    one, two = 1 / 4 + 3 / 4 / 31, 1 / 2 + 1 / 2 / 30
    assert ideal_accuracy(2) == pytest.approx(1 / 4 * one + 3 / 4 * two)
    assert all(ideal_accuracy(k) < ideal_accuracy(k + 1) for k in range(12)) and ideal_accuracy(200) == pytest.approx(1)
