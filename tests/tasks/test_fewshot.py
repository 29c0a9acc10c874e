"""Words, kinds and labels: the truth of each row, and the best accuracy against a reader that follows the rules."""

import pytest
import torch

from attn_course.tasks.fewshot import (
    CHANCE,
    KINDS,
    VOCABULARY,
    WORDS,
    WORDS_OF_A_KIND,
    accuracy_by_examples,
    fewshot_batch,
    ideal_accuracy,
)


def drawn(seed=0, **options):
    return fewshot_batch(torch.Generator().manual_seed(seed), **options)


def test_every_label_is_the_mapping_of_the_words_kind():
    batch = drawn(batch=200)
    kinds = batch.words // WORDS_OF_A_KIND
    assert torch.equal(batch.labels, batch.mapping.gather(1, kinds))
    assert all(sorted(row) == list(range(KINDS)) for row in batch.mapping.tolist())
    assert len({tuple(row) for row in batch.mapping.tolist()}) == 24  # every order of four labels


def test_no_word_stands_twice_so_nothing_can_be_copied():
    words = drawn(batch=300, examples=15).words
    assert all(len(set(row)) == 16 for row in words.tolist())
    assert torch.equal(words.unique(), torch.arange(WORDS))
    shares = torch.bincount((words // WORDS_OF_A_KIND).flatten()) / words.numel()
    assert shares.tolist() == pytest.approx([1 / KINDS] * KINDS, abs=0.03)


def test_tokens_are_words_and_labels_in_turn_and_end_with_the_question():
    batch = drawn(batch=3, examples=5)
    assert batch.tokens.shape == (3, 11) and batch.tokens.max() < VOCABULARY
    assert torch.equal(batch.tokens[:, 0::2], batch.words)
    assert torch.equal(batch.tokens[:, 1::2], batch.labels[:, :-1] + WORDS)


def test_a_mapping_that_is_given_holds_in_all_rows_and_changes_labels_alone():
    mapping = torch.tensor([2, 0, 3, 1])
    free, given = drawn(1), drawn(1, mapping=mapping)
    assert torch.equal(free.words, given.words)
    assert torch.equal(given.labels, mapping[given.words // WORDS_OF_A_KIND])
    with pytest.raises(ValueError, match=r"each label from 0 to 3 once, got \[0, 0, 1, 2\]"):
        drawn(mapping=torch.tensor([0, 0, 1, 2]))
    with pytest.raises(ValueError, match="0 to 15 examples, or its words might run out; got 16"):
        drawn(examples=16)


def reader(batch):
    """Scores of one who knows the kinds, reads the examples, and else guesses among the labels not yet used."""
    scores = torch.zeros(*batch.tokens.shape, VOCABULARY)
    luck = torch.rand((*scores.shape[:2], KINDS), generator=torch.Generator().manual_seed(5))
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
    batch = drawn(batch=4000)
    reached = accuracy_by_examples(reader(batch), batch)
    want = [ideal_accuracy(examples) for examples in range(13)]
    assert reached.tolist() == pytest.approx(want, abs=0.03)  # three standard errors of 4000 rows, and a little


def test_the_ideal_by_hand():
    assert ideal_accuracy(0) == CHANCE
    assert ideal_accuracy(1) == 1 / 2  # its kind again: certain; another: one of three. 1/4 + 3/4 · 1/3
    assert ideal_accuracy(2) == pytest.approx(1 / 4 * 1 / 2 + 3 / 4 * 3 / 4)
    assert all(ideal_accuracy(k) < ideal_accuracy(k + 1) for k in range(12)) and ideal_accuracy(200) == pytest.approx(1)
