"""Number words: the German is what a library writes, the links are what a person draws, no number is in both halves."""

import random

import pytest
import torch

from attn_course.tasks.translation import (
    BOS,
    DOUBLES,
    EOS,
    LAST,
    LONGEST,
    PAD,
    SOURCE,
    TARGET,
    batch_of,
    numbers,
    pair,
    pairs,
    swapped,
    words,
)

SOME = [*range(1, 2000), *random.Random(0).sample(range(2000, LAST + 1), 3000), LAST]


def test_german_is_what_an_independent_library_writes():
    num2words = pytest.importorskip("num2words").num2words
    for n in SOME:
        # The library writes 201,000 as "zweihunderteinstausend"; the dictionary has "ein" before "tausend".
        wanted = num2words(n, lang="de").replace("einstausend", "eintausend")
        assert "".join(pair(n).target) == wanted


def test_english_is_what_an_independent_library_writes():
    num2words = pytest.importorskip("num2words").num2words
    for n in SOME:
        wanted = num2words(n, lang="en").replace("-", " ").replace(",", "").replace(" and ", " ")
        assert " ".join(pair(n).source) == wanted


BY_HAND = {  # number: (English, German, sure links, links of "und")
    1: ("one", "eins", "00", ""),
    7: ("seven", "sieben", "00", ""),
    12: ("twelve", "zwölf", "00", ""),
    20: ("twenty", "zwanzig", "00", ""),
    42: ("forty two", "zwei und vierzig", "01 20", "10 11"),
    21: ("twenty one", "ein und zwanzig", "01 20", "10 11"),
    100: ("one hundred", "ein hundert", "00 11", ""),
    117: ("one hundred seventeen", "ein hundert siebzehn", "00 11 22", ""),
    342: ("three hundred forty two", "drei hundert zwei und vierzig", "00 11 23 42", "32 33"),
    1000: ("one thousand", "ein tausend", "00 11", ""),
    42_001: ("forty two thousand one", "zwei und vierzig tausend eins", "01 20 32 43", "10 11"),
    201_000: ("two hundred one thousand", "zwei hundert ein tausend", "00 11 22 33", ""),
    56_078: (
        "fifty six thousand seventy eight",
        "sechs und fünfzig tausend acht und siebzig",
        "01 20 32 44 63",
        "10 11 53 54",
    ),
}


def links(text):
    return {(int(t), int(s)) for t, s in text.split()}


@pytest.mark.parametrize("number", BY_HAND)
def test_links_are_those_drawn_by_hand(number):
    source, target, sure, joined = BY_HAND[number]
    one = pair(number)
    assert (" ".join(one.source), " ".join(one.target)) == (source, target)
    assert one.sure == links(sure) and one.possible == links(sure) | links(joined)


def test_links_survive_doubles_and_the_english_and():
    """Whatever is drawn, each link joins the same two words, or their doubles."""
    plain = {double: word for word, double in DOUBLES.items()}
    seen = set()
    for one in pairs(SOME):
        bare = pair(one.number)
        assert one.target == bare.target
        kept = [place for place, word in enumerate(one.source) if word != "and"]
        assert [plain.get(one.source[place], one.source[place]) for place in kept] == list(bare.source)
        assert {(t, kept.index(s)) for t, s in one.sure} == set(bare.sure)
        assert {(t, kept.index(s)) for t, s in one.possible} == set(bare.possible)
        seen |= set(one.source)
    assert set(DOUBLES.values()) | {"and"} <= seen


def test_every_german_word_but_und_has_one_sure_link():
    for one in pairs(SOME):
        assert sorted(t for t, _ in one.sure) == [t for t, word in enumerate(one.target) if word != "und"]
        assert len({s for _, s in one.sure}) == len(one.sure) and one.sure <= one.possible


def test_a_stands_only_first_and_before_what_is_counted():
    for one in pairs(SOME):
        for place, word in enumerate(one.source):
            assert word != "a" or (place == 0 and one.source[1] in ("hundred", "thousand", "grand"))


def test_no_held_out_number_is_trained_on():
    train, held_out = numbers()
    assert (len(train), len(held_out)) == (4000, 1000)
    assert len(set(train) | set(held_out)) == 5000
    assert numbers() == (train, held_out) and numbers(seed=1)[0] != train
    assert all(1 <= n <= LAST for n in train + held_out)


def test_every_word_is_met_in_training():
    train = pairs(numbers()[0])
    assert {word for one in train for word in one.source} == set(SOURCE[1:])
    assert {word for one in train for word in one.target} == set(TARGET[3:])


def test_pairs_are_drawn_alike_each_time_and_otherwise_with_another_seed():
    assert pairs(SOME[-50:]) == pairs(SOME[-50:]) != pairs(SOME[-50:], seed=1)


def test_swapped_exchanges_one_word_and_keeps_the_links():
    one = pair(320_002)
    assert str(swapped(one, 2)) == "three hundred score thousand two → drei hundert zwanzig tausend zwei"
    assert swapped(swapped(one, 2), 2) == one
    assert swapped(one, 1) is None and swapped(pair(1), 0) is None and swapped(pair(101), 2) is None
    assert swapped(pair(101), 0).source == ("a", "hundred", "one")
    assert swapped(one, 2).sure == one.sure


def test_a_batch_begins_ends_and_is_filled_up():
    batch = batch_of([pair(42), pair(7)])
    assert batch.source.tolist()[1] == [SOURCE.index("seven"), PAD]
    assert batch.target[0, 0] == BOS and batch.target[0, -1] == EOS
    assert batch.target[1].tolist() == [BOS, TARGET.index("sieben"), EOS, PAD, PAD]
    assert len(batch) == 2 and torch.equal(batch[1:].source, batch.source[1:])
    assert words(batch.target[0]) == pair(42).target and words(batch.source[1], SOURCE) == ("seven",)


def test_the_longest_sentence_is_known():
    longest = pair(777_777, random.Random(1))
    assert max(len(one.source) for one in pairs(SOME)) <= LONGEST
    assert len(longest.target) + 1 == LONGEST


@pytest.mark.parametrize("wrong", [0, -1, 1_000_000, 1.5, True, "7"])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match="from 1 to 999,999"):
        pair(wrong)


def test_too_many_numbers_and_empty_batches_are_refused():
    with pytest.raises(ValueError, match="0 to 100,000"):
        numbers(100_000, 1)
    with pytest.raises(ValueError, match="no pair"):
        batch_of([])
