"""(aa)*: what is counted, and that the record is of this code."""

import pytest
import torch

from attn_course.tasks.periodic import may_end
from attn_course.training.experiments import periodic
from attn_course.training.history import History
from attn_course.training.recorded import recorded


def test_answers_by_the_number_of_letters():
    class Even(torch.nn.Module):
        def forward(self, tokens):
            return torch.nn.functional.one_hot(may_end(tokens.shape[1] - 1), 2).float()

    assert periodic.right(Even(), 9) == [1] * 10
    assert periodic.right(Even(), 9, period=3) == [1, 1, 0, 0, 0, 1, 1, 1, 0, 0]
    assert periodic._always(3, 200) == pytest.approx(107 / 160, abs=1e-4)


def test_within_are_the_numbers_of_letters_that_were_trained_on(monkeypatch):
    class UpToForty(torch.nn.Module):
        def forward(self, tokens):
            n = tokens.shape[1] - 1
            known = torch.arange(n + 1) <= 40
            return torch.nn.functional.one_hot(torch.where(known, may_end(n)[0], 0), 2).float()[None]

    monkeypatch.setattr(periodic, "learn", lambda *about: (UpToForty(), History([0.0] * 60)))
    (row,) = periodic.measure((("none", 1, 2),), (0,), 1, longest=44)["rows"]
    assert (row["within"], row["beyond"]) == (1, 0.5)  # of 41, 42, 43 and 44 letters, no means right for two


def test_a_wave_of_known_frequency():
    encoding = periodic.LearnedWaves(2)
    encoding.frequency.data.fill_(torch.pi)
    x = torch.zeros(1, 4, 2)
    torch.testing.assert_close(encoding.add(x, torch.arange(4))[0, :, 0], torch.tensor([1.0, -1, 1, -1]))


def test_letters_are_learned_with_their_period():
    model, history = periodic.learn("cyclic, 2", steps=150)
    assert history[-1] < history[0] and all(periodic.right(model, 100))


def test_the_record_is_of_this_code():
    torch.set_num_threads(1)
    small, whole = periodic.measure((("rotary", 1, 2),), (0,), 2), recorded("periodic")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    runs = [(row["encoding"], row["layers"], row["period"], row["seed"]) for row in whole["rows"]]
    assert runs == [(*run, seed) for run in periodic.RUNS for seed in periodic.SEEDS] and len(periodic.SEEDS) >= 3
    for row in whole["rows"]:
        hits = [int(each) for each in row["right"]]
        assert len(hits) == periodic.LONGEST + 1
        assert row["beyond"] == pytest.approx(sum(hits[41:]) / 160, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: periodic.make("cyclic"), "encoding should be one of none, "),
        (lambda: periodic.learn("none", length=0), "at least one letter"),
        (lambda: periodic.measure(longest=40), "longest should be above 40, .* got 40"),
    ],
)
def test_what_cannot_be_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
