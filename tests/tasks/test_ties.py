"""Sentences with known ties: the ties are true, no distance wins for free, and heads are scored as a person would."""

from collections import Counter

import pytest
import torch

from attn_course.tasks.ties import (
    _ADJECTIVES,
    _MEN,
    _THINGS,
    _VERBS,
    _WOMEN,
    HALVES,
    KINDS,
    best_offset,
    head_accuracy,
    offset_accuracy,
    owners,
    tied_couples,
    tied_sentences,
    word_weights,
)

MANY = {half: tied_sentences(400, half) for half in HALVES}
ALL = [sentence for half in HALVES for sentence in MANY[half]]
GENDER = {man: "he" for half in HALVES for man in _MEN[half]} | {w: "she" for half in HALVES for w in _WOMEN[half]}


def test_a_sentence_reads_as_intended():
    first = MANY["score"][0]
    assert first.text == " ".join(first.words) + "." and set(first.ties) == set(KINDS)
    assert tied_sentences(3, "score") == MANY["score"][:3]
    assert tied_sentences(3, "score", seed=1) != MANY["score"][:3]


def test_ties_join_the_words_that_they_say():
    things = {thing for half in HALVES for thing in _THINGS[half]}
    verbs = {verb for half in HALVES for verb in _VERBS[half]}
    adjectives = {adjective for half in HALVES for adjective in _ADJECTIVES[half]}
    for s in ALL:
        words = {kind: tuple(s.words[at] for at in tie) for kind, tie in s.ties.items()}
        assert words["determiner"][0] == "the" and words["determiner"][1] in GENDER
        assert words["modifier"][0] in adjectives and words["modifier"][1] in GENDER
        assert words["object"][0] in verbs and words["object"][1] in things
        assert words["subject"] == (words["object"][0], words["determiner"][1])
        pronoun, antecedent = words["pronoun"]
        assert antecedent in things if pronoun == "it" else GENDER[antecedent] == pronoun


def test_between_the_and_its_noun_stand_adjectives_only():
    adjectives = {adjective for half in HALVES for adjective in _ADJECTIVES[half]}
    for s in ALL:
        start, end = s.ties["determiner"]
        assert set(s.words[start + 1 : end]) <= adjectives and s.ties["modifier"] == (start + 1, end)


def test_the_halves_share_no_noun_verb_or_adjective():
    for words in (_THINGS, _ADJECTIVES, _VERBS, _MEN, _WOMEN):
        assert not set(words["choose"]) & set(words["score"])


def test_no_distance_wins_for_free():
    for kind in KINDS:
        for half in HALVES:
            ties = [s.ties[kind] for s in MANY[half]]
            assert offset_accuracy(ties, best_offset(ties)) < 0.42, kind
    assert sorted({to - at for at, to in (s.ties["object"] for s in ALL)}) == [2, 3, 4]
    assert min(to - at for at, to in (s.ties["pronoun"] for s in ALL)) < -9


def test_half_of_the_pronouns_stand_for_the_person():
    it = sum(s.words[s.ties["pronoun"][0]] == "it" for s in ALL)
    assert 0.4 < it / len(ALL) < 0.6


def test_a_twin_differs_in_the_pronoun_alone_and_is_its_twins_twin():
    for s in ALL[:50]:
        at = s.ties["pronoun"][0]
        assert [a == b for a, b in zip(s.words, s.twin.words, strict=True)] == [i != at for i in range(len(s.words))]
        assert {s.ties["pronoun"][1], s.twin.ties["pronoun"][1]} == {s.ties["subject"][1], s.ties["object"][1]}
        assert s.twin.twin == s


def test_couples_are_a_man_and_a_woman_in_either_order():
    couples = [s for half in HALVES for s in tied_couples(100, half)]
    for s in couples:
        persons = {s.words[1], s.words[4]}
        assert {GENDER[person] for person in persons} == {"he", "she"}
        for one in (s, s.twin):
            at, to = one.ties["pronoun"]
            assert GENDER[one.words[to]] == one.words[at]
    firsts = sum(s.ties["pronoun"][1] == 1 for s in couples)
    assert 70 < firsts < 130 and 70 < sum(s.words[6] == "he" for s in couples) < 130


def test_pieces_belong_to_words_and_the_rest_to_none():
    tokens = ["[CLS]", "the", "wid", "##ow", "'", "s", "cup", ".", "[SEP]"]
    assert owners(tokens, ["the", "widow's", "cup"]) == [None, 0, 1, 1, 1, 1, 2, None, None]
    assert owners(["[CLS]", "the", ",", "cup", "[SEP]"], ["the", "cup"]) == [None, 0, None, 1, None]


@pytest.mark.parametrize("words", [["the", "dog"], ["the", "cups"], ["cup", "the"]])
def test_words_that_the_tokens_do_not_spell_are_refused(words):
    with pytest.raises(ValueError, match="do not spell the words"):
        owners(["[CLS]", "the", "cup", "[SEP]"], words)


def test_word_weights_by_loops():
    owner = [None, 0, 1, 1, None]
    weights = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
    pieces = {0: [1], 1: [2, 3], "none": [0, 4]}
    expected = torch.zeros(2, 3, 2, 3)
    for at in (0, 1):
        for column, to in enumerate((0, 1, "none")):
            sums = sum(weights[:, :, i, j] for i in pieces[at] for j in pieces[to])
            expected[:, :, at, column] = sums / len(pieces[at])
    found = word_weights(weights, owner)
    assert torch.allclose(found, expected) and torch.allclose(found.sum(-1), torch.ones(2, 3, 2))


def test_head_accuracy_by_hand():
    # One head, three words and what is no word. Row 0: itself .5, none .3, word 2 gets .15 and word 1 .05.
    m = torch.tensor([[[0.5, 0.05, 0.15, 0.3], [0.2, 0.1, 0.6, 0.1], [0.1, 0.1, 0.2, 0.6]]])
    assert head_accuracy([m, m], [(0, 2), (1, 2)]).tolist() == [1.0]
    assert head_accuracy([m, m], [(0, 2), (1, 2)], words_only=False).tolist() == [0.5]
    assert head_accuracy([m, m], [(0, 1), (1, 0)]).tolist() == [0.0]


def test_a_head_that_looks_at_the_tied_word_scores_one_and_a_fixed_step_does_not():
    ties = [s.ties["object"] for s in MANY["score"]]
    steps = []
    for s, (at, to) in zip(MANY["score"], ties, strict=True):
        m = torch.zeros(2, len(s.words), len(s.words) + 1)
        m[0, at, to] = 1
        m[1, at, min(at + 3, len(s.words) - 1)] = 1
        steps.append(m)
    perfect, fixed = head_accuracy(steps, ties).tolist()
    assert perfect == 1 and fixed == pytest.approx(offset_accuracy(ties, 3))


def test_best_offset_is_the_most_frequent():
    ties = [(5, 2), (9, 6), (1, 3), (0, 2), (7, 4)]
    assert best_offset(ties) == -3 and offset_accuracy(ties, -3) == pytest.approx(3 / 5)
    counted = Counter(to - at for at, to in (s.ties["subject"] for s in MANY["choose"]))
    assert best_offset([s.ties["subject"] for s in MANY["choose"]]) == max(counted, key=counted.get)


def test_bad_input_gets_a_sentence():
    with pytest.raises(ValueError, match="choose and score, got 'train'"):
        tied_sentences(3, "train")
    with pytest.raises(ValueError, match="at least 1, got 0"):
        tied_sentences(0, "score")
    with pytest.raises(ValueError, match="one tie for each map, got 1 ties and 2 maps"):
        head_accuracy([torch.zeros(1, 2, 3)] * 2, [(0, 1)])


def test_the_real_model_has_a_head_for_pronouns():
    """What lesson 04 rests on, on other sentences: layer 3, head 1 tells "she" from "it" where nothing else differs."""
    from attn_course.models.pretrained import load

    model, right = load(), 0
    sentences = tied_sentences(12, "score", seed=7)
    for pair in ((s, s.twin) for s in sentences):
        maps = []
        for s in pair:
            reading = model.read(s.text)
            weights = torch.stack([layer.weights[0] for layer in reading.layers])
            maps.append(word_weights(weights, owners(reading.tokens, s.words)))
        right += head_accuracy(maps, [s.ties["pronoun"] for s in pair])[3, 1].item() == 1
    assert right >= 6
