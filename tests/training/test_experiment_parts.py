"""What is left when a part is taken out, and that the record is what the code measures."""

import pytest
import torch

from attn_course.models.attention_only import NoFeedForward
from attn_course.models.blocks import FeedForward, PreNorm
from attn_course.tasks.translation import batch_of, pair
from attn_course.training.experiments.parts import SEEDS, WITHOUT, NoResidual, learn, measure
from attn_course.training.recipes.translation import translator
from attn_course.training.recorded import recorded


@pytest.mark.parametrize("without", WITHOUT)
def test_each_part_is_missing_and_nothing_else(without):
    torch.manual_seed(0)
    model = translator(**WITHOUT[without])
    blocks = [*model.encoder.stack.blocks, *model.decoder.stack.blocks]
    assert all(isinstance(b, NoResidual if without == "residual" else PreNorm) for b in blocks)
    assert all(isinstance(b.feed_forward, NoFeedForward if without == "feed-forward" else FeedForward) for b in blocks)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert (norms == []) is (without == "normalisation")
    two = batch_of([pair(42)])
    turned = model(two.source.flip(1), two.target[:, :1])
    # Without positions, the order of the English words makes no difference to what is written first.
    assert torch.allclose(model(two.source, two.target[:, :1]), turned, atol=1e-5) is (without == "positions")


def test_without_a_residual_a_block_gives_what_its_last_part_gives():
    torch.manual_seed(0)
    block = translator(block=NoResidual).encoder.stack.blocks[0]
    x = torch.randn(1, 3, 64)
    attended = block.attention(block.norm_attention(x))
    assert torch.allclose(block(x), block.feed_forward(block.norm_feed_forward(attended)), atol=1e-6)
    assert torch.equal(NoFeedForward(4, 8)(x), torch.zeros_like(x))


def test_a_short_run_has_the_form_of_the_record():
    torch.set_num_threads(1)
    small, whole = measure(seeds=(0,), steps=2), recorded("parts")
    assert set(small) <= set(whole) and [row["without"] for row in small["rows"]] == list(WITHOUT)
    assert {(row["without"], row["seed"]) for row in whole["rows"]} == {(w, seed) for w in WITHOUT for seed in SEEDS}


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="without should be one of nothing, normalisation"):
        learn("attention")
