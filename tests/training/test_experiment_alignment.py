"""Equal translations, unequal maps: a small run has the form of the record, and the record is what the lesson shows."""

import pytest
import torch

from attn_course.tasks.translation import numbers, pairs
from attn_course.training.checkpoints import trained
from attn_course.training.experiments.alignment import HEADS, SEEDS, head_errors, measure
from attn_course.training.recorded import recorded
from attn_course.training.translating import alignment_of


def test_one_short_run_has_the_form_of_the_record():
    torch.set_num_threads(1)
    small, whole = measure(heads=(2,), seeds=(0,), steps=5), recorded("alignment")
    assert set(small) <= set(whole) and small["diagonal"] == whole["diagonal"]
    (row,) = small["rows"]
    assert set(row) == set(whole["rows"][0]) and len(row["alone"]) == 2
    assert row["exact"] == 0 and [step for step, _, _ in row["curve"]] == [1, 2, 3, 4, 5]


def test_the_record_has_every_run_and_its_own_end():
    rows = recorded("alignment")["rows"]
    assert {(row["heads"], row["seed"]) for row in rows} == {(heads, seed) for heads in HEADS for seed in SEEDS}
    for row in rows:
        assert row["curve"][-1] == [1250, row["exact"], row["error"]] and len(row["alone"]) == row["heads"]


def test_the_shipped_model_is_the_recorded_run_with_two_heads_and_seed_0():
    row = next(row for row in recorded("alignment")["rows"] if (row["heads"], row["seed"]) == (2, 0))
    unseen = pairs(numbers()[1])
    shipped = trained("translation")
    assert alignment_of(shipped, unseen) == pytest.approx(row["error"], abs=1e-3)
    assert head_errors(shipped, unseen) == pytest.approx(row["alone"], abs=2e-3)
