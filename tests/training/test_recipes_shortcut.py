"""The four shipped models with a shortcut, or without: what they do on sentences they never read."""

import pytest
import torch

from attn_course.tasks.marker import split
from attn_course.training.checkpoints import index, recipes, trained
from attn_course.training.recipes.shortcut import NAMES, figures
from attn_course.training.recorded import recorded
from attn_course.training.spurious import fit, learn
from attn_course.training.spurious_measures import look

torch.set_num_threads(1)


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_those_of_the_shipped_model(name):
    found = figures(trained(name))
    for key, value in index()[name]["figures"].items():
        assert found[key] == pytest.approx(value, abs=0.01)


def test_a_clean_map_and_no_better_model():
    plain, clean = figures(trained("shortcut-plain")), figures(trained("shortcut-penalty"))
    assert plain["on marker"] > 1.5 * plain["uniform"] and clean["on marker"] < 0.005
    assert clean["worst group"] < 0.4 and clean["flips"] > 0.6
    for cured in ("shortcut-pair", "shortcut-penalty-all"):
        found = figures(trained(cured))
        assert found["worst group"] > 0.7 and found["flips"] < 0.05 and found["accuracy"] < plain["accuracy"]


def test_a_recipe_is_what_learn_does():
    recipe = recipes()["shortcut-pair"]
    made = recipe.make()
    fit(made, split(0).known, recipe.fit.keywords["remedy"], steps=2)
    learned = learn("pair loss", 0, steps=2)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), learned.parameters(), strict=True))


@pytest.mark.parametrize(("name", "remedy"), NAMES.items())
def test_the_shipped_model_is_seed_0_of_the_record(name, remedy):
    row = next(each for each in recorded("spurious")["rows"] if (each["remedy"], each["seed"]) == (remedy, 0))
    found = look(trained(name), split(0))
    for key in ("accuracy", "flips", "flips, [CLS] barred", "flips, words barred", "on marker", "words on marker"):
        assert found[key] == pytest.approx(row[key], abs=0.01)
    assert found["groups"] == pytest.approx(row["groups"], abs=0.01)
