"""Training where tokens collapse: each model is what its name says, and the records are what the code measures."""

import pytest
import torch

from attn_course.attention import causal
from attn_course.diagnosis.gradients import watching_gradients
from attn_course.diagnosis.record import Record
from attn_course.training.experiments import rank_collapse, rank_collapse_bert, rank_collapse_depths
from attn_course.training.experiments.depth import loss_on
from attn_course.training.experiments.rank_collapse import (
    DEPTHS,
    SEEDS,
    SHARPER,
    VARIANTS,
    apart,
    held_out,
    make,
    starving,
)
from attn_course.training.recorded import recorded


def test_sharper_queries_and_keys_and_nothing_else():
    plain, sharp = make("no attention skip", 2), make("no attention skip, sharper", 2)
    for (name, a), (_, b) in zip(plain.named_parameters(), sharp.named_parameters(), strict=True):
        times = SHARPER if name.endswith(("w_q.weight", "w_k.weight")) else 1
        torch.testing.assert_close(b, times * a)


@torch.no_grad()
def test_apart_by_hand():
    model, tokens = make("skips", 2), held_out()[:3]
    x = model.stack.blocks[0](model.embed(tokens), causal)
    left = [(text - text.mean(0)).norm() / text.norm() for text in x]
    found = apart(model, tokens)
    assert found[0] == pytest.approx(sum(left).item() / 3, rel=1e-5) and len(found) == 2


def test_starving_is_what_the_doctor_measures():
    model, tokens = make("post-norm", 3), held_out()[:8]
    record = Record("model")
    with watching_gradients(model, record):
        loss_on(model, tokens).backward()
    expected = [each.query_key / each.value for each in record.gradients]
    model.zero_grad()
    assert starving(model, tokens) == pytest.approx(expected, rel=1e-4)
    assert all(each.grad is None for each in model.parameters())
    assert starving(make("ReZero", 2), tokens) == [0.0, 0.0]


def test_a_short_run_has_the_form_of_the_record():
    torch.set_num_threads(1)
    small, whole = rank_collapse.measure(("ReZero",), (1,), (0,), steps=2), recorded("rank_collapse")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    wanted = {(variant, depth, seed) for variant in VARIANTS for depth in DEPTHS for seed in SEEDS}
    assert {(row["variant"], row["depth"], row["seed"]) for row in whole["rows"]} == wanted
    more, deep = rank_collapse_depths.measure((1,), (0,), steps=1), recorded("rank_collapse_depths")
    assert set(more) <= set(deep) and set(more["depths"][0]) == set(deep["chances"][0])


def test_the_librarys_bert_and_ours_agree_with_skips_and_without():
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
    small = rank_collapse_bert.measure((0,), 2, 16, **sizes, vocab_size=100)
    assert all(row["apart"] < 1e-5 and len(row["residual"]) == 4 for row in small["rows"])
    whole = recorded("rank_collapse_bert")
    assert set(small) <= set(whole) and max(row["apart"] for row in whole["rows"]) < 1e-4
    assert {len(row["residual"]) for row in whole["rows"]} == {13}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: make("no heads", 2), "variant should be one of skips, "),
        (lambda: make("skips", 0), "at least one block, got depth=0"),
    ],
)
def test_what_cannot_be_built_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
