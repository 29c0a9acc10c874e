"""The source's entropy against its own samples and against linear algebra."""

import torch

from attn_course.tasks.markov import MarkovSource


def test_stationary_shares_are_the_left_eigenvector():
    source = MarkovSource(6, seed=3)
    values, vectors = torch.linalg.eig(source.table.T)
    first = vectors[:, values.real.argmax()].real
    assert torch.allclose(source.stationary, first / first.sum(), atol=1e-10)
    assert torch.allclose(source.table.sum(-1), torch.ones(6, dtype=torch.float64))


def test_the_entropy_is_what_the_best_predictor_pays_on_samples():
    source = MarkovSource(16)
    tokens = source.sample(torch.Generator().manual_seed(0), batch=500, length=200)
    paid = -source.table[tokens[:, :-1], tokens[:, 1:]].log()
    error = paid.std() / paid.numel() ** 0.5
    assert abs(paid.mean().item() - source.entropy) < 5 * error
    counts = torch.bincount(tokens.flatten(), minlength=16) / tokens.numel()
    assert (counts - source.stationary).abs().max() < 0.01
