"""The language model over three seeds: a small run has the form of the record, and the record beats the 5-gram."""

import pytest
import torch

from attn_course.training.checkpoints import index
from attn_course.training.experiments.language import SEEDS, measure
from attn_course.training.recorded import recorded


def test_one_short_run_has_the_form_of_the_record():
    torch.set_num_threads(1)
    small, whole = measure(seeds=(0,), steps=2), recorded("language")
    assert set(small) <= set(whole) and small["rivals"] == whole["rivals"]
    (row,) = small["rows"]
    assert set(row) == set(whole["rows"][0]) and row["held_out_bits"] > 5  # of 6.7, knowing nothing


def test_every_seed_beats_the_5_gram_and_the_first_is_the_shipped_model():
    record = recorded("language")
    assert [row["seed"] for row in record["rows"]] == list(SEEDS)
    assert all(row["held_out_bits"] < record["rivals"]["5-gram"] - 0.15 for row in record["rows"])
    shipped = index()["language"]["figures"]["held_out_bits"]
    assert record["rows"][0]["held_out_bits"] == pytest.approx(shipped, abs=1e-3)
