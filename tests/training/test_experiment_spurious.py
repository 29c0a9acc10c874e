"""What a model with a shortcut is asked, against counts by hand and models whose truth is known; and the records."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from attn_course.tasks.marker import FIRST_MARKER, split
from attn_course.training.calibration import ece
from attn_course.training.experiments import spurious, spurious_more
from attn_course.training.experiments.spurious import bag_of_words, bags, row
from attn_course.training.recorded import recorded
from attn_course.training.shortcut_model import make, maps, scores
from attn_course.training.spurious import learn, names
from attn_course.training.spurious_measures import flips, group_accuracies, look, marker_value

torch.set_num_threads(1)


class Told(nn.Module):
    """Scores at [CLS] from the tokens by a rule; the layers of a real encoder run beside it and change nothing."""

    def __init__(self, rule):
        super().__init__()
        self.unseen, self.rule = [make()], rule
        self.stack = self.unseen[0].stack

    def forward(self, tokens, visible=None):
        self.unseen[0](tokens, visible)
        return self.rule(tokens)[:, None, :]


def by_marker(tokens):
    """Believes the marker, and nothing else, by 3 against 0."""
    return torch.stack([(tokens == FIRST_MARKER + i).any(1) * 3.0 for i in range(2)], -1)


def test_who_believes_the_marker_is_right_as_often_as_it_is():
    data = split(0)
    found = look(Told(by_marker), data)
    assert found["accuracy"] == pytest.approx(0.95) and found["shifted"] == pytest.approx(0.05)
    assert found["groups"] == [1, 0, 0, 1] and found["worst group"] == 0 and found["flips"] == 1
    sure = torch.tensor([3.0, 0.0]).softmax(0)[0].item()
    assert found["ece"] == pytest.approx(abs(sure - 0.95), abs=1e-6)
    assert found["ece shifted"] == pytest.approx(sure - 0.05, abs=1e-6)
    # Right in 95 of 100: the best temperature makes it as sure as that, and under the shift that is worse still.
    assert 3 / found["temperature"] == pytest.approx(torch.tensor(0.95 / 0.05).log().item(), rel=1e-4)
    assert found["ece after"] < 1e-4 and found["ece shifted after"] == pytest.approx(0.9, abs=1e-3)


def test_who_says_always_the_same_flips_nothing():
    found = look(Told(lambda tokens: torch.tensor([[1.0, 0.0]]).expand(len(tokens), 2)), split(0))
    assert found["flips"] == found["flips, [CLS] barred"] == 0 and found["groups"] == [1, 1, 0, 0]
    assert found["accuracy"] == found["shifted"] == 0.5


@pytest.fixture(scope="module")
def half():
    """A model in the midst of its training, that uses marker and words."""
    return learn("plain", 1, steps=25)


def test_numbers_are_those_counted_sentence_by_sentence(half):
    data = split(1)
    found, here = look(half, data), data.held_out
    right, changed, share = {group: [] for group in range(4)}, 0, 0.0
    for i in range(len(here)):
        one, other = here[i : i + 1], here[i : i + 1].swapped()
        with torch.no_grad():
            answers = [scores(half, each).argmax().item() for each in (one, other)]
        changed += answers[0] != answers[1]
        for each, answer in zip((one, other), answers, strict=True):
            right[each.groups.item()].append(answer == each.labels.item())
        share += sum(layer[0, head, 0, one.at[0]].item() for layer in maps(half, one) for head in range(4)) / 8
    assert found["flips"] == changed / 240 and 0 < changed < 240
    assert found["groups"] == pytest.approx([sum(right[g]) / len(right[g]) for g in range(4)])
    assert {len(right[g]) for g in range(4)} == {120}
    assert found["on marker"] == pytest.approx(share / 240, abs=1e-5)
    with torch.no_grad():
        assert found["ece"] == pytest.approx(ece(scores(half, here).softmax(-1), here.labels))


def test_a_longer_value_is_measured_as_longer():
    model, batch = make().eval(), split(0).held_out[:20]
    before = marker_value(model, batch)
    assert 0.5 < before < 2
    with torch.no_grad():
        layer = model.stack.blocks[0]
        layer.norm_attention = nn.Identity()
        layer.attention.w_v.bias.zero_() if layer.attention.w_v.bias is not None else None
        plain = marker_value(model, batch)
        model.stack.positions.table.weight.zero_()
        once = marker_value(model, batch)
        model.token.weight[FIRST_MARKER : FIRST_MARKER + 2] *= 5
    assert plain > 0 and marker_value(model, batch) == pytest.approx(5 * once, rel=1e-4)


def test_groups_and_flips_refuse_what_they_cannot_count():
    with pytest.raises(ValueError, match="needs a sentence"):
        group_accuracies(torch.ones(3), torch.tensor([0, 1, 2]))
    for groups in (torch.tensor([0, 1, 2, 7]), torch.tensor([-1, 1, 2, 3]), torch.arange(3)):
        with pytest.raises(ValueError, match="needs a group"):
            group_accuracies(torch.ones(4), groups)
    for other in (torch.ones(1, 2), torch.ones(0, 2)):
        with pytest.raises(ValueError, match="same cases"):
            flips(torch.ones(other.shape[0] * 3, 2), other)
    with pytest.raises(ValueError, match="have no marker"):
        marker_value(make(), split(0).held_out[:3].removed())
    assert flips(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [2.0, 1.0]])) == 0.5


def test_the_bag_of_words_is_scikit_learns_and_sees_no_marker():
    data = split(2)
    assert torch.equal(bags(data.held_out), bags(data.held_out.swapped()))
    theirs = LogisticRegression(C=1.0, max_iter=1000, tol=1e-6)
    theirs.fit(bags(data.known).numpy(), data.known.labels.numpy())
    expected = theirs.score(bags(data.held_out).numpy(), data.held_out.labels.numpy())
    assert bag_of_words(data) == pytest.approx(expected, abs=0.01)


def test_a_run_that_diverges_is_data(monkeypatch):
    def diverge(*_, **__):
        raise FloatingPointError("The loss is nan at step 3.")

    monkeypatch.setattr(spurious, "learn", diverge)
    torn = row("plain", 0, split(0))
    assert torn == {"remedy": "plain", "seed": 0, "diverged": True}
    rows = [torn, {"remedy": "plain", "seed": 1, "accuracy": 0.9}, {"remedy": "removed", "seed": 0, "accuracy": 0.8}]
    assert spurious.summary(rows, "remedy") == {
        "plain": {"diverged": [0.5, 0.707], "accuracy": [0.9, 0.0]},  # nobody sees 0.9 without the half that is missing
        "removed": {"accuracy": [0.8, 0.0]},
    }


def test_a_short_run_has_the_form_of_the_record():
    small, whole = spurious.measure(seeds=(0,), steps=2, ways=("plain", "fine-tuning")), recorded("spurious")
    assert set(small) <= set(whole) and small["bag of words"][0] == whole["bag of words"][0]
    assert [(each["remedy"], each["seed"]) for each in whole["rows"]] == [(r, s) for s in range(5) for r in names()]
    assert all(set(each) == set(small["rows"][0]) for each in whole["rows"])
    assert {n for n, v in small["rows"][1].items() if v is None} == {
        n for n in small["rows"][0] if n.endswith("balanced")
    }
    assert {**small["settings"], "steps": 250} == whole["settings"]


def test_the_record_holds_what_the_lesson_says_of_it():
    table = recorded("spurious")["summary"]
    worst = {name: fields["worst group"][0] for name, fields in table.items()}
    assert worst["plain"] < 0.3 and table["plain"]["accuracy"][0] > 0.9
    clean = table["attention penalty"]
    assert clean["on marker"][0] < 0.001 and abs(worst["attention penalty"] - worst["plain"]) < 0.1
    assert clean["flips, [CLS] barred"] == clean["flips"] and clean["flips, words barred"][0] == 0
    assert min(worst[name] for name in ("removed", "augmentation", "pair loss", "penalty on all rows")) > 0.7
    assert worst["resampling"] < worst["plain"] < worst["reweighting"] < worst["regularised"]
    assert table["plain"]["ece shifted after"][0] > 0.5


def test_what_the_lesson_is_not_given_is_refused():
    for none in ({"seeds": ()}, {"seeds": (0,), "ways": ()}):
        with pytest.raises(ValueError, match="At least one seed"):
            spurious.measure(**none)
    with pytest.raises(ValueError, match="0 or more"):
        spurious_more.of_price(-1.0, 0)
    with pytest.raises(ValueError, match="multiple of the 4 heads"):
        spurious_more.of_width(6, 0, 1)
    with pytest.raises(ValueError, match="even number"):
        spurious_more.of_data(741, 0, 1)
    with pytest.raises(ValueError, match="0 to 1"):
        spurious_more.of_strength(1.2, 0, 1)
