"""The shipped models of images give their figures, recomputed; and the figures that the lesson rests on hold."""

import pytest
import torch

from attn_course.tasks.digits import nearest_neighbour, rotated, split
from attn_course.tasks.two_images import LEFT, QUESTIONS, RIGHT, text_only
from attn_course.training.checkpoints import find, index, trained
from attn_course.training.experiments.fusion import exchange
from attn_course.training.recorded import recorded

NAMES = ("digits", "fusion", "fusion-mixed", "fusion-relayed")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_gives_its_figures(name):
    with torch.no_grad():
        found = find(name).figures(trained(name))
    assert found == pytest.approx(index()[name]["figures"], abs=0.005)
    assert index()[name]["bytes"] < 500_000


@pytest.mark.parametrize(("name", "steps"), [("digits", 120), ("fusion", 40)])
def test_a_few_steps_of_the_recipe_lower_the_loss(name, steps):
    recipe = find(name)
    history = recipe.fit(recipe.make(), steps=steps)
    assert len(history) == steps and history.tail() < history[0] - 0.2


def test_digits_reads_digits_and_not_turned_ones():
    figures = index()["digits"]["figures"]
    known, held_out = split(0)
    assert figures["held out"] > 0.96
    assert figures["rotation"] < 0.25 and nearest_neighbour(known, rotated(held_out)) < 0.25


@pytest.mark.parametrize("name", ["fusion", "fusion-mixed"])
def test_the_image_that_is_asked_about_is_looked_at(name):
    figures = index()[name]["figures"]
    assert figures["accuracy"] > 0.93 > 2 * text_only()
    assert figures["mass on left, asked left"] > 0.9
    assert figures["mass on left, asked right"] < 0.1
    assert all(figures[question] > 0.85 for question in QUESTIONS)


@pytest.mark.parametrize("question", [LEFT, RIGHT])
def test_alone_an_image_that_is_not_looked_at_has_no_influence(question):
    found = exchange(trained("fusion"), question)
    assert found["asked unseen: changed, asked exchanged"] == 0
    assert found["changed, asked exchanged"] > 0.9 and found["changed, other exchanged"] < 0.05


def test_relayed_an_image_that_is_not_looked_at_is_what_the_answer_comes_from():
    found = exchange(trained("fusion-relayed"), LEFT)
    assert found["mass on asked"] == 0
    assert found["changed, asked exchanged"] > 0.6
    assert index()["fusion-relayed"]["figures"]["which digit is left"] > 0.6


def test_what_was_recorded_is_whole():
    tuning, fusing = recorded("finetuning"), recorded("fusion")
    assert len(tuning["seeds"]) >= 3 and len(fusing["seeds"]) >= 3
    assert len(tuning["rows"]) == len(tuning["seeds"]) * 2 * 10
    assert len(fusing["rows"]) == 3 * len(fusing["seeds"])
