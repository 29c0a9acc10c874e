"""The measures of truth of the third test set, on models that are sick, or not, by construction."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from attn_course.attention import causal, fused, window
from attn_course.attention.option import told
from attn_course.diagnosis.study import sickness, tasks, third
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.study.sick import recall_model
from attn_course.diagnosis.study.sickness import (
    leans,
    lost_at_length,
    noisy,
    one_direction,
    right,
    robbed,
    sick,
    unmissed,
    unread,
)
from attn_course.diagnosis.trials.asked import NOT_ASKED, Asked
from attn_course.models.gpt import GPT


def recall_case(longer: bool = False, **more) -> Case:
    model = recall_model(0, 24, **more).eval()
    return Case(model, tasks.recall(1, 48, 24), (tasks.recall(2, 16, 48),) if longer else ())


def only_key(model: nn.Module, key: int) -> None:
    """Every query of every head looks at this key, for that has a place of its own in what is compared."""

    def looks(q, k, v, visible=None, **change):
        at = torch.arange(k.shape[-2])
        return fused(q, k, v, causal.dense(len(at), len(at)) & (at == key), **change)

    for block in model.stack.blocks:
        block.attention.mechanism = told(looks, fused)


def test_every_failure_has_a_measure():
    for truth in third.SICK:
        assert isinstance(sick(truth, _sound_of_all(truth)), bool)


def _sound_of_all(truth: str) -> Case:
    if truth == "shortcut":
        torch.manual_seed(0)
        return Case(GPT(19, 16, 2, 1, mechanism=fused).eval(), tasks.topic(0, 32, 20, 0.5))
    if truth == "entropy-collapse":
        asked = tasks.letters(0, 8, 32)
        torch.manual_seed(0)
        return Case(GPT(1 + int(asked.tokens.max()), 16, 2, 1, mechanism=fused).eval(), asked)
    return recall_case(longer=True, layers=2)


def knowing(case: Case) -> Case:
    """The same with questions to which the model's own answers are right."""
    with torch.no_grad():
        given = case.model(case.asked.tokens).argmax(-1)
    return replace(case, asked=replace(case.asked, wanted=torch.where(case.asked.places, given, NOT_ASKED)))


class Answers(nn.Module):
    """Gives the class in `given` at each place."""

    def __init__(self, given, classes: int = 4):
        super().__init__()
        self.given, self.classes = given, classes

    def forward(self, tokens):
        return nn.functional.one_hot(self.given[:, : tokens.shape[1]], self.classes).float()


def test_right_answers_are_counted_where_they_are_asked():
    wanted = torch.tensor([[NOT_ASKED, 1, 2], [3, NOT_ASKED, 0]])
    asked = Asked(torch.zeros(2, 3, dtype=torch.long), wanted)
    assert right(Answers(torch.tensor([[0, 1, 2], [3, 0, 1]])), asked) == 0.75


def test_an_untrained_model_robs_nobody_and_all_on_the_first_token_does():
    case = recall_case()
    assert not robbed(case)
    only_key(case.model, 0)
    assert robbed(case) and not noisy(case)


def test_an_untrained_model_gives_noise_more_than_the_one_key_that_is_needed():
    """As it should: of its 24 tokens most are noise, and it looks at all alike."""
    case = recall_case()
    assert noisy(case)
    only_key(case.model, 0)
    first = torch.arange(24) == 0
    assert not noisy(case) and noisy(replace(case, asked=replace(case.asked, irrelevant=first.expand(48, -1))))


def test_what_is_lost_without_the_first_token_and_not_without_another():
    def looks(q, k, v, visible=None, **change):
        first = torch.arange(k.shape[-2])[:, None] == 0
        return fused(torch.ones_like(q), 10 * torch.ones_like(k) * first, 30 * v, visible, **change)

    case = knowing(recall_case(mechanism=told(looks, fused)))
    assert leans(case)
    assert not leans(knowing(recall_case())), "it looks at all alike, and misses none"


def test_answers_lost_at_length():
    short, long = tasks.recall(1, 4, 24), tasks.recall(2, 4, 48)
    answers = {24: short.wanted.clamp(min=0), 48: (long.wanted.clamp(min=0) + 1) % 4}

    class Short(nn.Module):
        def forward(self, tokens):
            return nn.functional.one_hot(answers[tokens.shape[1]], 4).float()

    assert lost_at_length(Case(Short(), short, (long,)))
    answers[48] = long.wanted.clamp(min=0)
    assert not lost_at_length(Case(Short(), short, (long,)))


def test_tokens_are_one_without_skips():
    assert one_direction(third.deeper_no_skips(0, 24, 24))
    assert not one_direction(recall_case(layers=2))


def test_a_block_that_adds_nothing_is_not_missed_and_one_that_ends_the_answer_is():
    case = knowing(recall_case(layers=2))
    assert right(case.model, case.asked) == 1 and not unmissed(case)
    block = case.model.stack.blocks[1]
    for layer in (block.attention.w_o, block.feed_forward.w_2):
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    assert unmissed(knowing(case))
    assert len(case.model.stack.blocks) == 2, "the model itself keeps its blocks"


@pytest.mark.parametrize(("w", "short"), [(3, True), (24, False)])
def test_what_is_further_back_is_unread_in_a_short_window(w, short):
    def looks(q, k, v, visible=None, **change):
        return fused(10 * q, k, v, causal & window(w), **change)

    case = recall_case(mechanism=told(looks, fused))
    with torch.no_grad():
        for block in case.model.stack.blocks:
            block.attention.w_v.weight *= 30
    assert unread(case) is short


def test_the_bounds_of_truth_are_what_the_text_says():
    bounds = (sickness.LEANS, sickness.DILUTED, sickness.ONE, sickness.UNMISSED, sickness.UNREAD)
    assert bounds == (0.03, 0.2, 0.99, 0.02, 0.02)
