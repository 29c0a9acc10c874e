"""Beyond the trained length: what is counted, how texts are shifted, and that the record is of this experiment."""

import pytest
import torch

from attn_course.attention import causal, window
from attn_course.tasks.last_time import NOTHING, last_time_batch
from attn_course.training.experiments import extrapolation as experiment
from attn_course.training.experiments import extrapolation_slower as slower
from attn_course.training.recorded import recorded


class Oracle(torch.nn.Module):
    """Right wherever the answer's place is even, and certain of it; else it says symbol 0."""

    def forward(self, tokens, visible=causal):
        wanted = last_time_batch(torch.Generator().manual_seed(1234), *tokens.shape).wanted
        said = torch.where(torch.arange(tokens.shape[1]) % 2 == 0, wanted.clamp(min=0), 0)
        return 50.0 * torch.nn.functional.one_hot(said, experiment.SYMBOLS)


def test_answers_are_counted_place_by_place():
    seen = experiment.answers(Oracle(), length=32, texts=200)
    wanted = last_time_batch(torch.Generator().manual_seed(1234), 200, 32).wanted.tolist()
    for number, accuracy in enumerate(seen["accuracy"]):
        places = range(8 * number, 8 * number + 8)
        asked = [(b, t) for b in range(200) for t in places if wanted[b][t] != NOTHING]
        right = sum(t % 2 == 0 or wanted[b][t] == 0 for b, t in asked)
        assert accuracy == pytest.approx(right / len(asked), abs=1e-4)
        assert seen["loss"][number] == pytest.approx(50 * (1 - right / len(asked)), abs=1e-2)
    assert experiment.at_length(seen["accuracy"], 32) == seen["accuracy"][3]
    with pytest.raises(ValueError, match="a multiple of it, got 30"):
        experiment.at_length(seen["accuracy"], 30)


@pytest.mark.parametrize("shifted", [False, True])
def test_shifted_texts_begin_anywhere_and_fit_the_table(shifted):
    model, met = experiment.reader(experiment.ENCODINGS["learned"](), seed=0), []
    add = model.stack.positions.add

    def watched(x, at):
        met.append(at)
        return add(x, at)

    model.stack.positions.add = watched
    history = experiment.fit(model, steps=12, shifted=shifted)
    starts = torch.stack([at.expand(32, -1)[:, 0] for at in met])
    assert len(history) == 12 and not model.training
    assert all((at.diff(dim=-1) == 1).all() for at in met)
    if shifted:
        assert starts.min() >= 0 and starts.max() <= experiment.LONGEST - experiment.LENGTH
        assert len(starts.unique()) > 100
    else:
        assert (starts == 0).all()


def test_models_differ_in_their_encoding_alone():
    sizes = set()
    for make in experiment.ENCODINGS.values():
        model = experiment.reader(make(), seed=0)
        sizes.add(sum(p.numel() for n, p in model.named_parameters() if "positions" not in n))
    assert len(sizes) == 1
    assert experiment.VISIBLE["window"].dense(60)[-1].sum() == (causal & window(48)).dense(60)[-1].sum() == 48


def test_what_was_recorded_is_this_experiment():
    seen = recorded("extrapolation")
    assert seen["settings"]["length"] == experiment.LENGTH and seen["settings"]["steps"] == experiment.STEPS
    assert seen["seeds"] == list(experiment.SEEDS) and len(seen["seeds"]) >= 3
    kinds = [(run["encoding"], run["shifted"]) for run in seen["runs"]]
    assert kinds == [kind for _ in experiment.SEEDS for kind in experiment._kinds()]
    for run in seen["runs"]:
        for how in experiment.VISIBLE:
            assert len(run[how]["accuracy"]) == len(run[how]["loss"]) == experiment.LONGEST // experiment.BIN
    assert seen["any time"][5] == pytest.approx(experiment._rival(48), abs=1e-3)


def test_the_slower_runs_are_the_same_but_for_their_rate():
    seen = recorded("extrapolation_slower")
    assert seen["settings"] == {"steps": experiment.STEPS, "lr": experiment.RATE / 3}
    kinds = [(run["encoding"], run["seed"]) for run in seen["runs"]]
    assert kinds == [(name, seed) for seed in experiment.SEEDS for name in slower.COMPARED]
    assert all(len(run["plain"]["accuracy"]) == experiment.LONGEST // experiment.BIN for run in seen["runs"])
