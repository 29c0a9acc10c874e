"""The shipped few-shot models: one reads its context, the other has its labels in its weights."""

import pytest
import torch

from attn_course.tasks.fewshot import CHANCE, accuracy_by_examples, fewshot_batch, ideal_accuracy
from attn_course.training.checkpoints import index, trained
from attn_course.training.recipes.fewshot import FIXED, RECIPES, SHIFTED, copied_and_concluded, measured


@pytest.mark.parametrize("name", RECIPES)
def test_the_figures_are_those_of_the_file(name):
    assert RECIPES[name].figures(trained(name)) == pytest.approx(index()[name]["figures"], abs=0.005)


def test_accuracy_rises_with_the_examples_and_never_beyond_the_ideal():
    new = measured(trained("fewshot"), rows=2000)
    assert new[0] < 3 * CHANCE and new[0] < new[1] < new[2] < new[4] < new[8]
    assert all(found < ideal_accuracy(examples) + 0.035 for examples, found in enumerate(new))


def test_the_fixed_model_does_not_read_its_context():
    model = trained("fewshot-fixed")
    assert min(measured(model, FIXED)) > 0.99  # from the first word on, without any example
    assert max(measured(model, SHIFTED)) < 0.02
    assert max(measured(model)) < 0.1


@torch.no_grad()
def test_other_labels_in_the_examples_change_the_answer():
    """The same words, the labels of all examples shifted by one: the reader follows, the other does not."""
    batch = fewshot_batch(torch.Generator().manual_seed(8), 300)
    shifted = fewshot_batch(torch.Generator().manual_seed(8), 300, mapping=torch.tensor([9, 3, 27, 14]))
    assert torch.equal(batch.words, shifted.words)
    reader, knower = trained("fewshot"), trained("fewshot-fixed")
    assert accuracy_by_examples(reader(shifted.tokens), shifted)[8:].mean() > 0.4
    answers = [knower(each.tokens)[:, -1].argmax(-1) for each in (batch, shifted)]
    assert (answers[0] == answers[1]).float().mean() > 0.95


def test_copying_is_learned_better_than_concluding():
    copied, concluded = copied_and_concluded(trained("fewshot"))
    assert copied > 0.8 and concluded > 3 * CHANCE


def test_recorded_seeds_agree():
    from attn_course.training.recorded import recorded

    found = recorded("fewshot")
    assert found["ideal"][12] == pytest.approx(ideal_accuracy(12), abs=1e-3)
    for run in found["runs"]["fewshot"].values():
        assert run["new"][0] < 0.1 < run["new"][2] < run["new"][8]
    for run in found["runs"]["fewshot-fixed"].values():
        assert run["fixed"][-1] > 0.99 and run["shifted"][-1] < 0.05
