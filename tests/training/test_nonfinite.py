"""What is finite and what is not, also where a sum would say otherwise."""

import math

import pytest
import torch

from attn_course.training.nonfinite import is_finite


@pytest.mark.parametrize(
    "numbers",
    [
        torch.full((9,), 3e38),  # their sum is infinite, they are not
        torch.full((9,), 6e4, dtype=torch.float16),
        torch.tensor([1, 2]),
        torch.tensor([True]),
        torch.zeros(0),
        torch.zeros(2, dtype=torch.complex64),
    ],
    ids=["large", "large halves", "whole", "true", "none", "complex"],
)
def test_finite_numbers_are_whatever_they_add_up_to(numbers):
    assert is_finite(numbers)


@pytest.mark.parametrize("sick", [[math.nan], [math.inf], [-math.inf], [math.inf, -math.inf], [3e38, 3e38, math.nan]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_one_that_is_not_is_found(sick, dtype):
    assert not is_finite(torch.tensor([1.0, *sick, 2.0], dtype=dtype))
