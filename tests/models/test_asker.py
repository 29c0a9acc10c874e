"""The asker: as many parameters for any number of heads, indifferent to order, and its masks reach its heads."""

import pytest
import torch

from attn_course.attention import watching
from attn_course.models.asker import Asker

CONTENTS = torch.randn(3, 12, 8, generator=torch.Generator().manual_seed(0))
MARKS = torch.zeros(3, 12, dtype=torch.long).scatter(1, torch.tensor([[4, 7]] * 3), torch.tensor([[1, 2]] * 3))


def test_every_number_of_heads_has_as_many_parameters():
    sizes = {sum(p.numel() for p in Asker(heads, 2).parameters()) for heads in (1, 2, 3, 48)}
    assert len(sizes) == 1


def test_one_answer_for_each_mark():
    assert Asker(2, 2)(CONTENTS, MARKS).shape == (3, 2, 8)


def test_the_order_of_the_tokens_does_not_matter():
    torch.manual_seed(0)
    model, order = Asker(4, 2), torch.randperm(12, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(model(CONTENTS, MARKS), model(CONTENTS[:, order], MARKS[:, order]), atol=1e-5)


def test_a_mask_for_one_head_leaves_the_others_free():
    torch.manual_seed(0)
    model = Asker(2, 2)
    visible = torch.ones(3, 2, 1, 12, dtype=torch.bool)
    visible[:, 0, 0] = MARKS == 1
    with watching(model) as free:
        model(CONTENTS, MARKS)
    with watching(model) as bound:
        model(CONTENTS, MARKS, visible)
    assert torch.equal(bound[0].weights[:, 1], free[0].weights[:, 1])
    assert bound[0].weights[:, 0, 0, 4].tolist() == pytest.approx([1, 1, 1])
