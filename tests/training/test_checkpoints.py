"""Shipped models and recorded measurements: whole, hashed, small, each with its command; others are refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from attn_course.training import checkpoints, recorded
from attn_course.training.checkpoints import FOLDER, Recipe, index, make, recipes, sha256, trained
from attn_course.training.history import History

MADE = Recipe(
    make=lambda: nn.Linear(2, 1),
    fit=lambda model: History([1.0, 0.5]),
    figures=lambda model: {"sum": sum(p.sum().item() for p in model.parameters())},
)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder with one small shipped model, "made"."""
    monkeypatch.setattr(checkpoints, "recipes", lambda: {"made": MADE})
    entry = make("made", tmp_path)
    return tmp_path, entry


def test_what_is_made_is_what_is_loaded(made):
    folder, entry = made
    model = trained("made", folder)
    assert not model.training and entry["sha256"] == sha256(folder / "made.safetensors")
    assert entry["figures"]["sum"] == pytest.approx(MADE.figures(model)["sum"], abs=1e-4)
    assert entry["command"] == "python -m attn_course.training.checkpoints made" and entry["steps"] == 2
    assert index(folder)["made"] == entry
    assert make("made", folder)["sha256"] == entry["sha256"]  # seeded: the same weights again


def test_a_wrong_file_is_refused_with_a_sentence(made):
    folder, _ = made
    file = folder / "made.safetensors"
    whole = file.read_bytes()
    for wrong in (whole[:-3], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        file.write_bytes(wrong)
        with pytest.raises(ValueError, match="is not the file that was shipped") as caught:
            trained("made", folder)
        assert "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"made\.safetensors is missing from .* or train it: python -m"):
        trained("made", folder)
    with pytest.raises(KeyError, match="There is no recipe 'maid'"):
        trained("maid", folder)


def test_the_command_says_what_it_cannot_make(capsys):
    with pytest.raises(SystemExit):
        checkpoints.main(["no-such-model"])
    assert "there is no recipe 'no-such-model'" in capsys.readouterr().err


def test_every_recipe_is_shipped_and_nothing_else():
    assert sorted(recipes()) == sorted(index()) == sorted(path.stem for path in FOLDER.glob("*.safetensors"))


@pytest.mark.parametrize("name", sorted(index()))
def test_every_shipped_model_is_whole_and_says_how_it_was_made(name):
    entry = index()[name]
    assert entry["command"] == f"{checkpoints.COMMAND} {name}" and entry["figures"]
    assert entry["bytes"] == (FOLDER / f"{name}.safetensors").stat().st_size <= 1_600_000
    model = trained(name)
    assert not model.training and all(torch.isfinite(p).all() for p in model.parameters())


def test_shipped_models_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.safetensors")) <= 10_000_000


@pytest.mark.parametrize("name", recorded.names())
def test_every_experiment_was_recorded(name):
    found = recorded.recorded(name)
    assert found["command"] == f"{recorded.COMMAND} {name}"
    assert found["date"] and found["torch"] and found["threads"] == 1 and found["seconds"] > 0


def test_no_recording_is_left_without_its_experiment():
    measured = {path.stem: recorded.recorded(path.stem)["command"] for path in recorded.FOLDER.glob("*.json")}
    # A benchmark is taken by a tool, over all threads of a quiet machine.
    benchmarks = {name for name, command in measured.items() if command.startswith("python tools/bench_")}
    # The doctor is examined in a room above.
    studies = {name for name, command in measured.items() if command.startswith("python -m attn_course.diagnosis.")}
    assert sorted(measured.keys() - benchmarks - studies) == recorded.names()
    assert all(Path(measured[name].split()[1]).is_file() for name in benchmarks)


def test_recording_keeps_what_was_measured(tmp_path, monkeypatch):
    class Experiment:
        @staticmethod
        def measure():
            return {"seeds": [0, 1, 2], "rows": [{"accuracy": 0.5}]}

    monkeypatch.setattr(recorded, "import_module", lambda name: Experiment)
    result = recorded.record("made", tmp_path)
    assert recorded.recorded("made", tmp_path) == json.loads((tmp_path / "made.json").read_text()) == result
    assert result["seeds"] == [0, 1, 2] and result["command"].endswith("recorded made")
    shutil.rmtree(tmp_path)
    with pytest.raises(FileNotFoundError, match="Nothing was recorded as 'made'"):
        recorded.recorded("made", tmp_path)
