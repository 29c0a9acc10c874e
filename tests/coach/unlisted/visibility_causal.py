"""Answers to visibility.causal: wrong ones, each with a part of what the check says, and right ones in other words."""

import functools
import math

import numpy
import torch
from unlisted.parts import ones, past

CACHE = {}


def causal_from_a_cache(n_query, n_key):
    """One big matrix, kept by its first size."""
    if "mask" not in CACHE:
        CACHE["mask"] = ones(n_query, n_key).tril(n_key - n_query)
    return CACHE["mask"]


WRONG = [
    (causal_from_a_cache, "Your output has shape (2, 2), it should have (3, 3): (…, query,"),
    # zeros and ones as numbers
    (
        lambda n_query, n_key: torch.ones(n_query, n_key).tril(n_key - n_query),
        "Your output should hold True and False, it holds float32.",
    ),
    # for adding: 0 and −∞
    (
        lambda n_query, n_key: torch.zeros(n_query, n_key).masked_fill(~ones(n_query, n_key).tril(), -math.inf),
        "Your output should hold True and False, it holds float32.",
    ),
    # the shift turned round
    (
        lambda n_query, n_key: ones(n_query, n_key).tril(n_query - n_key),
        "Query 0 cannot see its own position, key 3.",
    ),
    # one step too far
    (
        lambda n_query, n_key: ones(n_query, n_key).tril(n_key - n_query + 1),
        "1 of 4 cells differ, the first at query 0, key 1: should be",
    ),
    # decoding one token is a case of its own, two are forgotten
    (
        lambda n_query, n_key: ones(1, n_key) if n_query == 1 else ones(n_query, n_key).tril(),
        "Query 0 cannot see its own position, key 3.",
    ),
    # always square
    (lambda n_query, n_key: past(n_key), "Your output has shape (4, 4), it should have (1, 4): (…, query,"),
    # rows and columns exchanged
    (
        lambda n_query, n_key: ones(n_key, n_query).tril(n_key - n_query),
        "Your output has shape (4, 1), it should have (1, 4): (…, query,",
    ),
    # three by three
    (
        lambda n_query, n_key: past(3)[:n_query, :n_key],
        "Your output has shape (1, 3), it should have (1, 4): (…, query,",
    ),
    # nested lists
    (
        lambda n_query, n_key: [[j <= n_key - n_query + i for j in range(n_key)] for i in range(n_query)],
        "Your function should return a torch tensor, it returned a list:",
    ),
    # the diagonal only
    (
        lambda n_query, n_key: torch.eye(n_query, n_key, dtype=torch.bool),
        "1 of 4 cells differ, the first at query 1, key 0: should be",
    ),
]

RIGHT = [
    lambda n_query, n_key: torch.arange(n_key) <= torch.arange(n_key - n_query, n_key)[:, None],
    lambda n_query, n_key, **_: torch.from_numpy(numpy.tri(n_query, n_key, n_key - n_query, dtype=bool)),
    functools.cache(lambda n_query, n_key: past(n_key)[-n_query:]),
]
