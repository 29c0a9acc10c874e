"""What a sink experiment reads off a model, against models and maps whose truth is known; and that the records fit."""

import pytest
import torch

from attn_course.attention import watching
from attn_course.tasks.backcopy import Backcopy
from attn_course.training.experiments import sink_doses, sinks
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


def rows(**source):
    return sinks.held_out(Backcopy(**source), rows=32)


class Told:
    """A mechanism that looks at the first key with this share and at the key before with the rest."""

    def __init__(self, share):
        self.share = share

    def __call__(self, q, k, v, visible=None, scale=None, score=None):
        before = torch.cat([v[..., :1, :], v[..., :-1, :]], dim=-2)
        return self.share * v[..., :1, :] + (1 - self.share) * before


def test_shares_are_those_of_a_head_that_is_known():
    model = sinks.make().eval()
    model.stack.blocks[0].attention.mechanism = Told(0.7)
    found = sinks.look(model, rows())
    assert found["resting"] == pytest.approx(0.7) and found["handed out"] == pytest.approx(1)
    assert found["needed"] == pytest.approx(0.3, abs=1e-6)


def test_an_untrained_head_chooses_nothing_and_its_key_is_not_missed():
    found = sinks.look(sinks.make().eval(), rows())
    assert found["resting"] == pytest.approx(0.1, abs=0.03) and found["above ideal"] > 1
    assert abs(found["evicted"]) < 0.02 and abs(found["other"]) < 0.01


def test_a_value_that_was_emptied_is_measured_as_short():
    model, batch = sinks.make().eval(), rows()
    with watching(model) as records:
        model(batch.read)
    lengths = records[0].v[:, 0].norm(dim=-1)
    expected = (lengths[:, 0] / lengths[:, 1:].mean(-1)).mean().item()
    assert sinks.look(model, batch)["value"] == pytest.approx(expected)


@pytest.mark.parametrize("remedy", sinks.REMEDIES)
def test_every_remedy_trains_and_is_read_on_the_text_s_own_keys(remedy):
    found = sinks.run(Backcopy(), 0, steps=2, remedy=remedy)
    assert all(value is not None for value in found.values())
    if remedy in ("softmax", "gate"):
        assert found["handed out"] == pytest.approx(1, abs=1e-3)
    elif remedy != "sigmoid":
        assert found["handed out"] < 0.97  # some of it went to a key that is no token


def test_a_run_that_diverges_is_data(monkeypatch):
    def diverge(*_, **__):
        raise FloatingPointError("The loss is nan at step 3.")

    monkeypatch.setattr(sinks, "learn", diverge)
    assert set(sinks.run(Backcopy(), 0, steps=2).values()) == {None}


def test_doses_change_one_thing_and_nothing_else():
    few = sink_doses.one({"asking": 0.0}, 0, steps=1)
    assert few["nothing to fetch"] == 1 and few["needed"] is None
    assert sink_doses.one({"length": 16}, 0, steps=1)["resting"] > 0.12  # shorter rows, greater shares
    with pytest.raises(ValueError, match="A dose is one of"):
        sink_doses.one({"depth": 3}, 0)


@pytest.mark.parametrize("wrong", [{"start": 0.0}, {"length": 0}, {"d_model": 0}, {"remedy": "prayer"}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="should be"):
        sinks.make(**wrong)


def test_short_runs_have_the_form_of_the_records():
    small, whole = sinks.measure(seeds=(0,), steps=1), recorded("sinks")
    assert set(small) <= set(whole) and small["ideal"] == whole["ideal"]
    assert [(r["remedy"], r["seed"]) for r in whole["rows"]] == [(r, s) for r in sinks.REMEDIES for s in sinks.SEEDS]
    assert all(set(row) == set(whole["rows"][0]) for row in small["rows"])
    doses = recorded("sink_doses")["rows"]
    one = sink_doses.measure(seeds=(0,), steps=1, doses={"start": (0.02,)})["rows"]["start"][0]
    assert all(set(row) == set(one) for rows in doses.values() for row in rows)
    for name, amounts in sink_doses.DOSES.items():
        assert [(r["amount"], r["seed"]) for r in doses[name]] == [(a, s) for a in amounts for s in sinks.SEEDS]


def test_the_plain_dose_of_every_sweep_is_the_softmax_of_the_other_record():
    plain = [row for row in recorded("sinks")["rows"] if row["remedy"] == "softmax"]
    for dose, usual in sink_doses.PLAIN.items():
        same = [row for row in recorded("sink_doses")["rows"][dose] if row["amount"] == usual]
        for ours, theirs in zip(same, plain, strict=True):
            assert {name: theirs[name] for name in theirs if name != "remedy"}.items() <= ours.items()
