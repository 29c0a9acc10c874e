"""The benchmark of the vitals runs, on a processor, from end to end. What it measures is no test's business."""

from argparse import Namespace

from tools import bench_vitals

OPTIONS = {"device": "cpu", "layers": 1, "runs": 1, "threads": 1, "lengths": None, "record": False}


def in_this_process(kind, n, options, mode=None):
    return bench_vitals._WORKERS[kind](Namespace(**vars(options) | {"n": n, "mode": mode}))


def test_every_way_of_watching_is_measured_in_time_and_in_memory(monkeypatch):
    monkeypatch.setattr(bench_vitals, "_worker", in_this_process)
    row = bench_vitals._row(96, Namespace(**OPTIONS))
    for way in ("plain", "watched", "watched_rows_sampled_too", "maps"):
        assert row[f"{way}_s"] > 0 and row[f"{way}_mb"] >= 0
    assert row["plain_ratio"] == 1
    for way in ("fused", "strips", "strips_and_output", "asked"):
        assert row[f"layer_{way}_s"] > 0


def test_what_cannot_be_measured_is_said_and_the_run_goes_on(capsys):
    assert bench_vitals._worker("layer", 0, Namespace(**OPTIONS)) is None
    assert "layer at 0:" in capsys.readouterr().out
