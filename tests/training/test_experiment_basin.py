"""The basin of learning rates: what counts as inside, what is refused, and the record."""

import pytest

from attn_course.training.experiments import basin, edge
from attn_course.training.recorded import recorded


def test_what_lies_in_the_basin():
    assert basin.basin({1e-3: 2.5, 1e-2: 2.4, 0.1: 2.7, 1.0: None}) == [1e-3, 1e-2]
    assert basin.basin({1e-3: None, 1e-2: None}) == []
    assert basin.basin({1e-3: 2.5}, near=0.0) == [1e-3]


def test_a_run_that_diverges_has_no_loss():
    assert basin.held_out("none", 4, 1, 1e30, seed=0, steps=6) is None
    assert basin.held_out("none", 4, 1, 1e-3, seed=0, steps=2) > 3


@pytest.mark.parametrize(
    ("width", "depth", "lr", "said"),
    [
        (30, 3, 0.1, "width is a multiple of the 4 heads"),
        (0, 3, 0.1, "width is a multiple of the 4 heads"),
        (32, 0, 0.1, "depth is 1 or more"),
        (32, 1, 0.0, "A learning rate is above 0"),
    ],
)
def test_impossible_sizes_are_refused(width, depth, lr, said):
    with pytest.raises(ValueError, match=said):
        basin.held_out("none", width, depth, lr, seed=0, steps=2)


def test_the_record_holds_the_whole_grid():
    small = basin.measure(seeds=(0,), steps=2, sizes=((8, 1),), rates=(0.01,), remedies=("none",))
    whole = recorded("basin")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    keys = {(row["remedy"], row["width"], row["depth"], row["lr"], row["seed"]) for row in whole["rows"]}
    grid = len(basin.REMEDIES) * len(basin.SIZES) * len(basin.RATES) * len(basin.SEEDS)
    assert len(keys) == len(whole["rows"]) == grid and set(whole["remedies"]) <= set(edge.REMEDIES)
