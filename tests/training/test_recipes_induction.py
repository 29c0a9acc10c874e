"""The shipped models of repeating rows do what their figures say, on rows that nobody has measured them on before."""

import pytest
import torch

from attn_course.attention import silencing, watching
from attn_course.tasks.induction import induction_batch, prefix_match, repeat_accuracy
from attn_course.training.checkpoints import index, trained
from attn_course.training.recipes.induction import FIXED, OTHER, RECIPES


@torch.no_grad()
def accuracy(model, periods=(8, 32), seed=77):
    batch = induction_batch(torch.Generator().manual_seed(seed), 128, periods)
    return repeat_accuracy(model(batch.tokens[:, :-1]), batch)


@pytest.mark.parametrize("name", RECIPES)
def test_the_figures_are_those_of_the_file(name):
    assert RECIPES[name].figures(trained(name)) == pytest.approx(index()[name]["figures"], abs=0.003)


def test_two_layers_look_back_and_one_cannot():
    assert accuracy(trained("induction")) > 0.99
    assert accuracy(trained("induction-one-layer")) < 0.2


def test_a_fixed_period_makes_a_false_head():
    false, true = trained("induction-fixed-period"), trained("induction")
    assert accuracy(false, FIXED) > 0.95
    assert max(accuracy(false, period) for period in (10, 15, OTHER, 27)) < 0.2
    assert min(accuracy(true, period) for period in (10, 15, OTHER, 27, FIXED)) > 0.98


@torch.no_grad()
def test_without_its_best_heads_the_model_cannot_look_back():
    model = trained("induction")
    batch = induction_batch(torch.Generator().manual_seed(78), 64)
    with watching(model) as records:
        model(batch.tokens[:, :-1])
    score = prefix_match(records[-1].weights, batch)
    matching = [head for head in range(4) if score[head] > 0.3]
    with silencing(model, {"stack.blocks.1.attention": matching}):
        assert accuracy(model) < 0.3


def test_recorded_curves_jump_in_every_run_of_two_layers_and_in_none_of_one():
    from attn_course.training.recorded import recorded

    runs = recorded("induction")["runs"]
    assert all(len(runs[name]) == 3 for name in RECIPES)
    assert all(run["figures"]["repeat_accuracy"] > 0.99 for run in runs["induction"].values())
    assert all(run["jump"] is None for run in runs["induction-one-layer"].values())
    for run in runs["induction"].values():
        before = [value for step, value in run["curve"]["repeat_accuracy"] if step <= run["jump"] - 80]
        assert max(before) < 0.3
