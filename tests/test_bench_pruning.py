"""The benchmark of pruning runs from end to end, and counts as torch does. Its times are no test's business."""

from argparse import Namespace

import pytest
import torch

from attn_course.models.gpt import GPT
from attn_course.models.pruned import size, without_attention, without_heads
from attn_course.training.waste import subject
from tools import bench_pruning


def test_multiplications_are_those_of_torch_s_own_count():
    from torch.utils.flop_counter import FlopCounterMode

    model = GPT(11, 16, heads=4, layers=2)
    for each in (model, without_heads(model, {0: [1, 2]}), without_attention(model, [1])):
        with FlopCounterMode(display=False) as counter:
            each(torch.zeros(1, 9, dtype=torch.long))
        assert counter.get_total_flops() == 2 * bench_pruning.multiplications(each, 9)


def test_every_way_of_pruning_has_a_row(monkeypatch):
    for name, value in {"HEADS": (6, 12), "BLOCKS": (1,), "TEXTS": ((1, 16),)}.items():
        monkeypatch.setattr(bench_pruning, name, {"language": value})
    rows = list(bench_pruning._rows("language", Namespace(runs=2, threads=1)))
    assert [(row["what"], row["removed"]) for row in rows] == [
        ("silenced", 6),
        ("heads", 6),
        ("heads", 12),
        ("blocks", 1),
    ]
    whole = size(subject("language").model)
    assert rows[0]["parameters"] == whole.parameters == 355488 and rows[2]["cache_bytes"] == 0
    assert (
        rows[1]["parameters"] == whole.parameters - 6 * (4 * 96 * 24 + 3 * 24) - 2 * 96
    )  # and a norm: layer 0 has no head left
    for row in rows:
        (times,) = row["times"]
        assert times["ratio"] > 0 and times["middle half"][0] <= times["ratio"] <= times["middle half"][1]
        assert times["multiplications"] is None or 0 < times["multiplications"] < 1
    assert rows[1]["times"][0]["multiplications"] == pytest.approx(0.6, abs=0.3)
