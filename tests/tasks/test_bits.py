"""Strings of bits: all of them, and the two questions against Python's own counting."""

import pytest
import torch

from attn_course.tasks.bits import every_bits, first, flipped, parity, random_bits


def test_every_string_once_in_order():
    bits = every_bits(5)
    assert ["".join(map(str, row)) for row in bits.tolist()] == [f"{number:05b}" for number in range(32)]


def test_the_questions():
    bits = every_bits(7)
    assert parity(bits).tolist() == [number.bit_count() % 2 for number in range(128)]
    assert first(bits).tolist() == [number >> 6 for number in range(128)]


def test_drawn_bits_are_even_and_repeatable():
    bits = random_bits(torch.Generator().manual_seed(1), 400, 100)
    assert bits.shape == (400, 100) and abs(bits.double().mean().item() - 0.5) < 0.01
    assert torch.equal(bits, random_bits(torch.Generator().manual_seed(1), 400, 100))


def test_a_flip_turns_one_bit_and_parity():
    bits = every_bits(6)
    for at in (0, 3, -1):
        other = flipped(bits, at)
        assert ((other != bits).sum(-1) == 1).all() and (other[:, at] != bits[:, at]).all()
        assert torch.equal(parity(other), 1 - parity(bits))
        assert torch.equal(flipped(bits.bool(), at).long(), other)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: random_bits(torch.Generator(), 1, 0), "at least one bit"),
        (lambda: every_bits(21), "1 to 20 bits"),
        (lambda: every_bits(0), "got 0"),
        (lambda: flipped(every_bits(3), 3), "no bit at place 3 in strings of 3"),
    ],
)
def test_what_cannot_be_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
