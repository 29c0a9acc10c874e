"""The study's own tasks and its other ways to ask: what they say of models whose truth is plain."""

import pytest
import torch
from torch import nn

from attn_course.diagnosis.readers import CharacterModel
from attn_course.diagnosis.run import examine
from attn_course.diagnosis.study import sick, tasks
from attn_course.diagnosis.study import unseen_tasks as unseen
from attn_course.diagnosis.study.patients import Case
from attn_course.diagnosis.study.truth import collapsed, confirmed, decided_by_marker, twins
from attn_course.diagnosis.trials.asked import NOT_ASKED
from attn_course.tasks.documentation import documentation


class ByMarker(nn.Module):
    """The topic whose marker stands in the row; or the topic of most words."""

    def __init__(self, topics: int, words: int, marker: bool):
        super().__init__()
        self.topics, self.words, self.marker = topics, words, marker

    def forward(self, tokens):
        topic = torch.arange(self.topics)
        if self.marker:
            return (tokens[:, :, None] == topic + 1).any(1).float()
        return ((tokens[:, :, None] - 1 - self.topics) // self.words == topic).sum(1).float()


@pytest.mark.parametrize("task", [tasks.topic, unseen.three])
def test_whether_a_marker_decides_is_asked_of_the_answers(task):
    topics, words = (2, 8) if task is tasks.topic else (3, 6)
    asked = task(0, 64, 40, 1.0)
    assert decided_by_marker(Case(ByMarker(topics, words, marker=True), asked))
    assert not decided_by_marker(Case(ByMarker(topics, words, marker=False), asked))


def test_a_kept_token_is_the_answer_and_the_only_one_needed():
    asked = unseen.kept(0, 64, 24)
    for b, q in asked.places.nonzero().tolist():
        (at,) = asked.needed[b, q].nonzero()[:, 0].tolist()
        assert at < q and asked.tokens[b, at] - unseen.FIRST_MARKED == asked.wanted[b, q]
        assert asked.tokens[b, q] == unseen.ASK and not asked.irrelevant[b, at]
    assert (asked.needed.any(-1) == asked.places).all()


def test_a_mirror_repeats_its_first_half_backwards():
    asked = unseen.mirror(0, 8, 20)
    assert torch.equal(asked.tokens, asked.tokens.flip(1))
    for b, q in asked.places.nonzero().tolist():
        (at,) = asked.needed[b, q].nonzero()[:, 0].tolist()
        assert asked.tokens[b, at] == asked.wanted[b, q] == asked.tokens[b, q + 1]
    assert asked.places.sum(1).unique().tolist() == [10]


def test_answers_of_the_other_tasks():
    asked = tasks.back(0, 8, 20, offset=3)
    assert torch.equal(asked.wanted[:, 3:], asked.tokens[:, :-3]) and (asked.wanted[:, :3] == NOT_ASKED).all()
    asked = tasks.letters(0, 4, 20)
    assert torch.equal(asked.wanted[:, :-1], asked.tokens[:, 1:])


def test_twins_are_told_by_their_weights():
    model = sick.recall_model(0, 24, heads=3)
    case = sick.recall_case(model, 0, 24)
    assert not twins(case) and not confirmed("redundant-heads", case) and confirmed("overload", case)
    layer = model.stack.blocks[0].attention
    with torch.no_grad():
        for each in (layer.w_q, layer.w_k, layer.w_v):
            each.weight[16:] = 3 * each.weight[:8]
    assert twins(case)


def test_collapse_is_told_by_the_lesson_s_measure():
    model = sick.letters_model(0, 32, 24)
    case = sick.letters_case(model, 0, 24)
    assert not collapsed(case)
    with torch.no_grad():
        for block in model.stack.blocks:
            block.attention.w_q.weight *= 10_000
    assert collapsed(case)


def test_the_command_s_examination_takes_away_what_it_can():
    text = documentation().held_out[2000:2120]
    report = examine(CharacterModel("language"), [text])
    assert "by the loss of 11" in report.about["taken away"] and "how often right" in report.about
    assert report.of_severity("fault") == ()
    masked = examine(CharacterModel("masked"), [text])
    assert masked.about["taken away"].startswith("nothing") and "how often right" not in masked.about
    short = examine(CharacterModel("language"), [text[:12]])
    assert short.about["taken away"].startswith("nothing")
