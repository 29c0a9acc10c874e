"""Distance: a tiny run gives what is documented, gradients are true ones, the recorded figures are those described."""

import math

import pytest
import torch
import torch.nn.functional as F

from attn_course.tasks.distance import distance_batch
from attn_course.training.experiments import distance
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


def test_both_models_are_of_one_size():
    sizes = [distance.parameters(distance.make(kind)) for kind in distance.KINDS]
    assert max(sizes) < 1.05 * min(sizes)
    with pytest.raises(ValueError, match="kind should be one of transformer, GRU, got 'LSTM'"):
        distance.make("LSTM")


@pytest.mark.parametrize("kind", distance.KINDS)
def test_the_gradient_at_the_content_is_that_of_its_vector(kind):
    torch.manual_seed(2)
    model = distance.make(kind)
    batch = distance_batch(torch.Generator().manual_seed(2), 5, 64)
    vectors = model.token(batch.tokens).detach().requires_grad_()
    states = model.run(vectors) if kind == "transformer" else model.recurrence(vectors)[0]
    F.cross_entropy(model.head(states)[:, -1], batch.answer, reduction="none").sum().backward()
    content = batch.tokens.shape[1] - 6
    expected = vectors.grad[:, content].norm(dim=-1).mean().item()
    assert distance.gradient_at_content(kind, 5, seed=2) == pytest.approx(expected, rel=1e-4)


def test_a_gradient_too_small_for_its_square_is_still_told():
    assert 0 < distance.gradient_at_content("GRU", 128, seed=1) < 1e-18
    assert distance.gradient_at_content("transformer", 128, seed=1) > 1e-4


def test_an_untrained_model_guesses_and_a_trained_one_knows():
    torch.manual_seed(0)
    assert distance.accuracy(distance.make("GRU"), 3) < 0.3
    model, history = distance.learn("GRU", 3, steps=100)
    assert distance.accuracy(model, 3) > 0.9
    assert [step for step, _ in history.measured["accuracy"]] == [50, 100]


def test_mixed_distances_are_all_drawn(monkeypatch):
    drawn = set()

    def spy(generator, now, rows):
        drawn.add(now)
        return distance_batch(generator, now, rows)

    monkeypatch.setattr(distance, "distance_batch", spy)
    distance.learn("GRU", 4, steps=30, nearest=1)
    assert drawn == {1, 2, 3, 4}
    drawn.clear()
    distance.learn("GRU", 4, steps=30)
    assert drawn == {4}


def test_the_grid_s_best_is_most_right_at_the_end_and_then_soonest(monkeypatch):
    curves = {1e-3: [0.1, 1.0], 1e-2: [0.2, 1.0], 1e-1: [0.9, 0.9]}

    def made_up(kind, far, steps, seed, lr):
        assert (far, seed) == (distance.TUNED_AT, distance.TUNING_SEED)
        return {"curve": curves[lr], "accuracy": curves[lr][-1]}

    monkeypatch.setattr(distance, "RATES", tuple(curves))
    monkeypatch.setattr(distance, "_row", made_up)
    rows, best = distance.tune()
    assert best == {"transformer": 1e-2, "GRU": 1e-2} and len(rows) == 6
    assert distance.TUNING_SEED not in distance.SEEDS


def test_a_tiny_measurement_of_distance_has_the_documented_fields(monkeypatch):
    tiny = {"DISTANCES": (2, 3), "SEEDS": (0,), "STEPS": 2, "MORE_STEPS": 3, "RATES": (1e-3,), "TUNED_AT": 2}
    for name, value in (tiny | {"FARTHEST": 3}).items():
        monkeypatch.setattr(distance, name, value)
    check_distance(distance.measure())


def check_distance(found):
    settings, seeds = found["settings"], found["seeds"]
    assert settings["steps"] == distance.STEPS and settings["more_steps"] == distance.MORE_STEPS
    assert settings["chance"] == 1 / 8 and tuple(settings["grid"]) == distance.RATES
    combinations = {(kind, far, seed) for kind in distance.KINDS for far in distance.DISTANCES for seed in seeds}
    for rows in (found["rows"], found["gradients"]):
        assert {(row["kind"], row["distance"], row["seed"]) for row in rows} == combinations
        assert len(rows) == len(combinations)
    assert [(row["distance"], row["seed"]) for row in found["longer"]] == [
        (far, seed) for far in distance.DISTANCES[-2:] for seed in seeds
    ]
    assert {row["distance"] for row in found["mixed_distances"]} == {distance.FARTHEST}
    assert len(found["mixed_distances"]) == 2 * len(seeds)
    assert len(found["tuning"]) == 2 * len(distance.RATES)
    for row in [*found["rows"], *found["longer"], *found["mixed_distances"], *found["tuning"]]:
        assert 0 <= row["accuracy"] <= 1 and len(row["curve"]) == math.ceil(row["steps"] / 50)
        assert (row["first_step"] is None) == (max(row["curve"]) < 0.9)
    assert all(row["gradient"] >= 0 for row in found["gradients"])


def test_what_was_recorded_of_distance():
    found = recorded("distance")
    check_distance(found)
    assert len(found["seeds"]) >= 3 and found["settings"]["lr"] == distance.RATE
    assert found["settings"]["parameters"] == {
        kind: distance.parameters(distance.make(kind)) for kind in distance.KINDS
    }
    again = next(row for row in found["gradients"] if (row["kind"], row["distance"]) == ("transformer", 8))
    now = distance.gradient_at_content("transformer", 8, again["seed"])
    assert now == pytest.approx(again["gradient"], rel=0.01)
