import pytest
import torch

from attn_course.coach import ClaimFailed, claim


def test_a_true_claim_prints_one_stable_line(capsys):
    claim("sinks.3", torch.tensor(True), "Evicting the first key costs.", "0.04 nats")
    claim("sinks.4", 1 < 2, "Plain.")
    assert capsys.readouterr().out == "✓ sinks.3  Evicting the first key costs.   (0.04 nats)\n✓ sinks.4  Plain.\n"


def test_a_false_claim_raises_and_prints_nothing(capsys):
    with pytest.raises(ClaimFailed, match=r"sinks\.3 does not hold: Evicting"):
        claim("sinks.3", torch.tensor([False]), "Evicting the first key costs.")
    assert capsys.readouterr().out == "" and issubclass(ClaimFailed, AssertionError)


def test_several_truth_values_are_refused():
    with pytest.raises(TypeError, match=r"got \(2,\) truth values"):
        claim("a.1", torch.tensor([True, False]), "Which?")
