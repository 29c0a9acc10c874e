"""Fresh stacks with parts taken out, and a BERT of the course's blocks that starts as the library's does."""

import pytest
import torch

from attn_course.diagnosis.vitals import rank_residual
from attn_course.models.attention_only import NoFeedForward
from attn_course.models.pure import random_tokens, through
from attn_course.models.taken_apart import PARTS, bert_shaped, draw_weights, fresh_stack


@pytest.mark.parametrize("parts", PARTS)
def test_every_kind_runs_in_float64_and_its_matrices_keep_sizes(parts):
    stack = fresh_stack(parts, 2, d_model=32)
    x = random_tokens(6, 32, torch.Generator().manual_seed(0))
    assert stack(x).dtype == torch.float64 and stack(x).shape == x.shape
    query = stack.blocks[0].attention.w_q
    assert query.weight.std().item() == pytest.approx(32**-0.5, rel=0.1) and not query.bias.any()
    assert not torch.equal(stack(x), fresh_stack(parts, 2, seed=1, d_model=32)(x)) or parts == "ReZero"


def test_the_names_say_what_is_in_them():
    kinds = {parts: fresh_stack(parts, 4, d_model=8, heads=2).blocks[0] for parts in PARTS}
    bare = {parts for parts, block in kinds.items() if isinstance(block.feed_forward, NoFeedForward)}
    assert bare == {"attention alone", "+ skip around attention"}
    skips = {parts: getattr(block, "skip_attention", 1.0) for parts, block in kinds.items()}
    assert [parts for parts in PARTS if skips[parts] == 0] == list(PARTS)[:3]
    assert all(kinds[parts].branch == 0.5 for parts in PARTS if parts.endswith("√depth"))
    assert [block.normalises_stream for block in kinds.values()] == ["post" in parts for parts in PARTS]


@torch.no_grad()
def test_attention_alone_collapses_and_the_whole_block_does_not():
    x = random_tokens(16, 32, torch.Generator().manual_seed(0))
    left = {
        parts: rank_residual(through(fresh_stack(parts, 8, d_model=32).blocks, x)[-1]).item()
        for parts in ("attention alone", "the whole block, pre-norm")
    }
    assert left["attention alone"] < 1e-12 and left["the whole block, pre-norm"] > 0.2


def test_a_small_bert_has_the_librarys_first_weights():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    theirs = BertModel(BertConfig(hidden_size=96, num_hidden_layers=1, intermediate_size=384, vocab_size=300))
    ours = bert_shaped(1, d_model=96, vocabulary=300)
    block, layer = ours.stack.blocks[0], theirs.encoder.layer[0]
    for a, b in (
        (block.attention.w_q, layer.attention.self.query),
        (block.feed_forward.w_2, layer.output.dense),
        (ours.token, theirs.embeddings.word_embeddings),
    ):
        assert a.weight.shape == b.weight.shape
        assert a.weight.std().item() == pytest.approx(b.weight.std().item(), rel=0.05)
    # Positions carry the vector of the first text as well: two draws of the same size.
    assert ours.stack.positions.table.weight.std().item() == pytest.approx(0.02 * 2**0.5, rel=0.05)
    assert block.norm_attention.eps == layer.attention.output.LayerNorm.eps
    assert not ours.training


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: fresh_stack("nothing", 2), "parts should be one of 'attention alone'"),
        (lambda: fresh_stack("ReZero", 0), "at least one block, got depth=0"),
        (lambda: bert_shaped(0), "at least one layer, got layers=0"),
        (lambda: draw_weights(torch.nn.Linear(2, 2), std=0.0), "std is a size above 0"),
    ],
)
def test_what_cannot_be_built_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
