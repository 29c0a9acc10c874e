"""PARITY and FIRST as they are learned: where they are read, and that the records are of this code."""

import pytest
import torch

from attn_course.attention import watching
from attn_course.tasks.bits import first as first_bit
from attn_course.training.experiments import first_learned, parity_learned
from attn_course.training.recorded import recorded


def test_parity_is_read_where_the_text_ends():
    model = parity_learned.make("GRU")
    bits = torch.tensor([[1, 0, 1]])
    torch.testing.assert_close(parity_learned.logits(model, bits), model(torch.tensor([[1, 0, 1, 2]]))[:, -1, 0])
    given = parity_learned.make("transformer, places given").stack.positions
    x = torch.zeros(1, 4, parity_learned.D_MODEL)
    expected = given.w(torch.tensor([[0, 1], [0.25, -1], [0.5, 1], [0.75, -1]]))
    torch.testing.assert_close(given.add(x, torch.arange(4))[0], expected)


def test_no_position_of_first_is_new_in_a_longer_string():
    encoding = first_learned.make().stack.positions
    vectors = encoding.add(torch.zeros(1, 6, first_learned.D_MODEL), torch.arange(6))[0]
    assert torch.equal(vectors, encoding.table.weight[[0, 2, 2, 2, 2, 1]])


def test_first_is_learned_in_a_few_steps_and_its_weight_is_in_the_row():
    model, history = first_learned.learn(True, 6, steps=250)
    assert history.tail() < 0.2
    bits = torch.randint(2, (50, 6), generator=torch.Generator().manual_seed(3))
    right = (first_learned.logits(model, bits) > 0).long() == first_bit(bits)
    assert right.double().mean() > 0.9
    weights = first_learned.weight_of_first(model, 6)
    bits = torch.randint(2, (20, 6), generator=torch.Generator().manual_seed(987_654))
    with watching(model) as records:
        model(torch.cat([bits, torch.full((20, 1), 2)], dim=1))
    of_cls = [record.weights[:, 0, 6] for record in records]  # [CLS] stands behind the six bits
    assert weights == pytest.approx([each[:, 0].mean().item() for each in of_cls], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "small", "keys"),
    [
        ("parity_learned", lambda: parity_learned.measure(("GRU",), (0,), 2, (1, 3)), ("kind", "seed")),
        ("first_learned", lambda: first_learned.measure((4,), (0,), 2, (4, 6)), ("log_n", "n", "seed")),
    ],
)
def test_a_short_run_has_the_form_of_the_record(name, small, keys):
    torch.set_num_threads(1)
    small, whole = small(), recorded(name)
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    about = [tuple(row[key] for key in keys) for row in whole["rows"]]
    assert len(set(about)) == len(about) and whole["seeds"] == [0, 1, 2]
    for seed in whole["seeds"]:
        assert sum(each[-1] == seed for each in about) == len(about) // 3


def test_the_records_are_of_these_settings():
    seen = recorded("parity_learned")
    assert seen["settings"]["lr"] == parity_learned.RATE and seen["settings"]["steps"] == parity_learned.STEPS
    assert seen["lengths"] == list(parity_learned.LENGTHS)
    assert {row["kind"] for row in seen["rows"]} == set(parity_learned.KINDS)
    seen = recorded("first_learned")
    assert seen["lengths"] == list(first_learned.LENGTHS) and seen["settings"]["steps"] == first_learned.STEPS
    assert {row["n"] for row in seen["rows"]} == set(first_learned.TRAINED)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: parity_learned.make("LSTM"), "kind should be one of transformer, "),
        (lambda: parity_learned.learn("GRU", longest=0), "at least one bit"),
        (lambda: first_learned.learn(n=0, steps=1), "at least one bit"),
    ],
)
def test_what_cannot_be_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
