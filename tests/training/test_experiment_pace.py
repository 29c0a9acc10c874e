"""Pace: jobs take turns, writing starts again from the same memory, the recorded figures are those described."""

import pytest
import torch

from attn_course.training.experiments import distance, pace
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


def check_pace(found):
    assert {(row["n"], row["seed"]) for row in found["rows"]} == {
        (n, seed) for n in pace.LENGTHS for seed in found["seeds"]
    }
    for row in found["rows"]:
        for what in ("training", "writing"):
            ours, theirs = row[f"{what}_GRU_us"], row[f"{what}_transformer_us"]
            assert row[f"{what}_ratio"] == pytest.approx(ours / theirs, rel=0.05) and ours > 0
        assert row["remembered_GRU_bytes"] == 64 * 4
        assert row["remembered_transformer_bytes"] == 2 * 2 * 32 * 4 * row["n"]  # layers, k and v, d_model, bytes
        assert (row["waits_transformer"], row["waits_GRU"]) == (2, row["n"])


def test_a_tiny_measurement_of_pace_has_the_documented_fields(monkeypatch):
    for name, value in {"LENGTHS": (4, 9), "SEEDS": (0,), "ROUNDS": 2, "WRITTEN": 2}.items():
        monkeypatch.setattr(pace, name, value)
    check_pace(pace.measure())


def test_what_was_recorded_of_pace():
    found = recorded("pace")
    check_pace(found)
    sizes = found["settings"]["parameters"].values()
    assert max(sizes) < 1.05 * min(sizes)
    assert len(found["seeds"]) >= 3 and found["settings"]["rounds"] == pace.ROUNDS


def test_jobs_take_turns_and_the_first_round_is_not_counted():
    done = []
    seconds = pace.interleaved({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, rounds=3)
    assert done == ["a", "b"] * 4 and [len(each) for each in seconds.values()] == [3, 3]


@pytest.mark.parametrize("kind", distance.KINDS)
def test_writing_again_begins_from_the_same_memory(kind):
    torch.manual_seed(0)
    model = distance.make(kind)
    seen = []
    model.head.register_forward_hook(lambda _layer, _given, scores: seen.append(scores[:, -1:]))
    write, _ = pace.writing(kind, model, 5)
    seen.clear()
    write(), write()
    first, second = seen[: pace.WRITTEN], seen[pace.WRITTEN :]
    assert len(first) == len(second) == pace.WRITTEN
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)
