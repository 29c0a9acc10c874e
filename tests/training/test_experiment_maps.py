"""What a map names and what matters, on models whose truth is known; and that the record is what the code measures."""

import pytest
import torch

from attn_course.tasks.induction import induction_batch
from attn_course.training.checkpoints import trained
from attn_course.training.experiments.maps import KINDS, LASTS, SEEDS, alone, crossed, exchanged, measure, pointed
from attn_course.training.recipes.induction import make
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


def rows(n=40, last=58):
    return induction_batch(torch.Generator().manual_seed(7), n, 32).tokens[:, : last + 2]


def test_one_place_is_exchanged_in_every_row_and_no_other():
    before = rows()
    different = exchanged(before, 27) != before
    assert different[:, 27].all() and different.sum() == len(before)


def test_the_sister_looks_at_what_matters_and_the_counter_does_not():
    counter, sister = (pointed(trained(kind), rows()) for kind in KINDS)
    assert (counter["top"], sister["top"], sister["source"]) == (37, 27, 27)
    assert counter["changed top"] < 0.1 < 0.9 < counter["changed source"]
    assert sister["looked at top"] == sister["looked at source"] and sister["changed top"] > 0.9


def test_an_untrained_model_is_right_by_chance():
    assert pointed(make(2), rows())["right"] < 0.2


def test_one_head_of_the_sister_carries_the_predicted_answers():
    sister = trained("induction")
    sets = crossed(sister, rows=20)
    assert len(sets) == 15 and [each["heads"] for each in sets[:5]] == [[0], [1], [2], [3], [0, 1]]
    by_head = [each["predicted"] for each in sets[:4]]
    assert by_head[2] > 0.8 and sorted(by_head)[-2] < 0.15
    heads = alone(sister, rows=20)
    assert max(head["looks at the token before"] for head in heads) == heads[2]["looks at the token before"]
    assert min(head["right without it"] for head in heads) == heads[2]["right without it"]


def test_a_short_run_has_the_form_of_the_record():
    small, whole = measure(seeds=(0,), steps=2, rows_crossed=4), recorded("maps")
    assert set(small) <= set(whole) and [row["model"] for row in small["rows"]] == list(KINDS)
    assert [(row["model"], row["seed"]) for row in whole["rows"]] == [(kind, s) for kind in KINDS for s in SEEDS]
    for ours, theirs in zip(small["rows"], whole["rows"][:: len(SEEDS)], strict=True):
        assert list(ours["pointed"]) == list(theirs["pointed"]) == [str(last) for last in LASTS]
        assert [set(head) for head in ours["alone"]] == [set(head) for head in theirs["alone"]]
        assert [each["heads"] for each in ours["crossed"]] == [each["heads"] for each in theirs["crossed"]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_s_first_seed_is_the_model_that_is_shipped(kind):
    (row,) = [row for row in recorded("maps")["rows"] if (row["model"], row["seed"]) == (kind, 0)]
    found = pointed(trained(kind), rows(100))
    assert {name: round(value, 2) for name, value in found.items()} == pytest.approx(
        {name: round(value, 2) for name, value in row["pointed"]["58"].items()}, abs=0.02
    )
