"""Calibration error by hand and in a loop; the temperature against a plain search and scikit-learn's logistic fit."""

import math

import pytest
import torch
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from attn_course.training.calibration import ece, fit_temperature, negative_log_likelihood, reliability


def cases(n=400, classes=2, seed=0, sharp=3.0):
    """Scores that are `sharp` times too sure of what they know."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, classes, generator=generator, dtype=torch.double) * 1.5
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    return sharp * logits, labels


def test_by_hand():
    probabilities = torch.tensor([[0.95, 0.05], [0.92, 0.08], [0.35, 0.65], [0.42, 0.58]])
    labels = torch.tensor([0, 1, 1, 1])
    confidence, accuracy, count = reliability(probabilities, labels, 10)
    assert count.tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 2]
    assert confidence[[5, 6, 9]].tolist() == pytest.approx([0.58, 0.65, 0.935]) and accuracy[9] == 0.5
    assert ece(probabilities, labels, 10) == pytest.approx((0.42 + 0.35 + 2 * 0.435) / 4)
    assert ece(torch.tensor([[1.0, 0.0]] * 2), torch.tensor([0, 0])) == 0
    assert ece(torch.tensor([[1.0, 0.0]] * 2), torch.tensor([1, 1])) == 1


@pytest.mark.parametrize("classes", [2, 5])
def test_against_a_loop_and_scikit_learn(classes):
    logits, labels = cases(classes=classes)
    probabilities = logits.softmax(-1)
    total = 0.0
    for b in range(15):
        mine = [
            (row.max().item(), float(row.argmax() == label))
            for row, label in zip(probabilities, labels, strict=True)
            if b / 15 < row.max() <= (b + 1) / 15
        ]
        total += abs(sum(c - a for c, a in mine)) / len(labels)
    assert ece(probabilities, labels, 15) == pytest.approx(total)
    right = (probabilities.argmax(-1) == labels).numpy()
    shares, means = calibration_curve(right, probabilities.max(-1).values.numpy(), n_bins=10)
    confidence, accuracy, count = reliability(probabilities, labels, 10)
    assert accuracy[count > 0].tolist() == pytest.approx(shares.tolist())
    assert confidence[count > 0].tolist() == pytest.approx(means.tolist())


def test_the_temperature_is_where_the_likelihood_is_greatest():
    logits, labels = cases()
    t = fit_temperature(logits, labels)
    assert t == pytest.approx(3, rel=0.25)
    best = negative_log_likelihood(logits / t, labels)
    assert all(best <= negative_log_likelihood(logits / (t * factor), labels) for factor in (0.9, 0.999, 1.001, 1.1))
    # Two classes: a logistic regression on the difference, through the origin, has 1/T as its weight.
    slope = LogisticRegression(C=1e9, fit_intercept=False, tol=1e-10, max_iter=1000)
    slope.fit((logits[:, 1:] - logits[:, :1]).numpy(), labels.numpy())
    assert 1 / t == pytest.approx(slope.coef_.item(), rel=1e-4)


def test_a_temperature_never_changes_an_answer_and_mends_what_is_too_sure():
    logits, labels = cases(2000)
    t = fit_temperature(logits, labels)
    assert torch.equal(logits.argmax(-1), (logits / t).argmax(-1))
    assert ece((logits / t).softmax(-1), labels) < 0.5 * ece(logits.softmax(-1), labels)


def test_the_ends_where_no_temperature_is_best():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(logits, torch.tensor([0, 1])) == pytest.approx(1e-3)
    assert fit_temperature(logits, torch.tensor([1, 0])) == pytest.approx(1e3)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    for bins in (10, 15, 100):
        for edge in range(-(-bins // 2), bins):  # the larger of two probabilities is at least a half
            p = torch.tensor([[edge / bins, 1 - edge / bins]], dtype=torch.double)
            assert reliability(p, torch.tensor([0]), bins)[2].nonzero().item() == edge - 1


def test_labels_that_are_no_class_are_refused():
    rows = torch.tensor([[0.7, 0.3], [0.2, 0.8]])
    for labels in (torch.tensor([0, 2]), torch.tensor([-1, 0]), torch.tensor([0.0, 1.0])):
        for of in (ece, fit_temperature, negative_log_likelihood):
            with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
                of(rows, labels)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="softmax"):
        ece(torch.tensor([[2.0, 1.0]]), torch.tensor([0]))
    with pytest.raises(ValueError, match="bins"):
        ece(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), bins=0)
    with pytest.raises(ValueError, match="at least one case"):
        fit_temperature(torch.zeros(0, 2), torch.zeros(0).long())
    with pytest.raises(ValueError, match="not finite"):
        fit_temperature(torch.tensor([[math.nan, 0.0]]), torch.tensor([0]))
