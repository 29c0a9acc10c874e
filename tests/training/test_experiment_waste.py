"""Heads and layers taken out: costs against plain runs, importance against the diagnosis, subsets against models."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from attn_course.attention import Learned, Rotary, causal, padding, silencing
from attn_course.attention.watching import layers_of
from attn_course.diagnosis import vitals
from attn_course.diagnosis.gradients import watching_gradients
from attn_course.diagnosis.record import Record
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.models.pruned import size, without_attention, without_blocks, without_feed_forward
from attn_course.training.experiments import waste_heads, waste_layers, waste_tuned
from attn_course.training.recorded import recorded
from attn_course.training.waste import PARTS, Subject, resampled, spearman, subject

torch.set_num_threads(1)
V, TEXTS, N = 11, 5, 8
TOKENS = {
    part: torch.randint(V, (TEXTS, N + 1), generator=torch.Generator().manual_seed(i)) for i, part in enumerate(PARTS)
}
KEEP = torch.arange(N) < torch.tensor([8, 8, 5, 6, 3])[:, None]


def gpt():
    torch.manual_seed(0)
    model = GPT(V, 16, 2, 2, positions=Rotary(8)).double()
    return _subject(model, lambda part: (TOKENS[part][:, :-1], torch.ones(TEXTS, N, dtype=torch.bool), causal))


def encoder():
    torch.manual_seed(0)
    model = Encoder(V, 16, 2, 3, positions=Learned(N, 16)).double()
    return _subject(model, lambda part: (TOKENS[part][:, :-1], KEEP, padding(KEEP)))


def _subject(model, inputs):
    def scored(outputs, part):
        return F.cross_entropy(outputs[..., :V].transpose(1, 2), TOKENS[part][:, 1:], reduction="none").mean(-1)

    def drift(outputs, part):
        tokens, _, visible = inputs(part)
        return (outputs - model(tokens, visible=visible)).square().mean((1, 2))

    def also(outputs, part):
        return {"least": outputs.min().item()}

    return Subject("tiny", model.eval(), "nats", inputs, scored, drift, also)


both = pytest.mark.parametrize("make", [gpt, encoder])


@both
@torch.no_grad()
def test_a_head_s_cost_is_the_loss_of_a_run_without_it(make):
    of = make()
    found, heads = waste_heads.alone(of, "choose"), waste_heads.heads_of(of.model)
    assert found["cost"].shape == (len(heads), TEXTS) and heads[:3] == [(0, 0), (0, 1), (1, 0)]
    names, whole = list(layers_of(of.model)), of.losses(of.model, "choose")
    tokens, _, visible = of.inputs("choose")
    outputs = of.model(tokens, visible=visible)
    for cost, drift, (layer, head) in zip(found["cost"], found["drift"], heads, strict=True):
        with silencing(of.model, {names[layer]: [head]}):
            silent = of.model(tokens, visible=visible)
        torch.testing.assert_close(cost, of.scored(silent, "choose") - whole)
        torch.testing.assert_close(drift, (silent - outputs).square().mean((1, 2)))
    assert found["cost"].abs().min() > 0


@both
def test_importance_is_the_one_that_the_diagnosis_hears(make):
    of = make()
    record = Record("tiny")
    with watching_gradients(of.model, record):
        of.losses(of.model, "held out").sum().backward()
    theirs = torch.cat([layer.head_importance for layer in record.gradients])
    found = waste_heads.importances(of, "held out")
    torch.testing.assert_close(found.mean(-1), theirs)
    heads = waste_heads.heads_of(of.model)
    by_layer = vitals.normalised_by_layer(found.mean(-1).view(-1, 2))
    torch.testing.assert_close(waste_heads.normalised(found.mean(-1), heads), by_layer.flatten())


def test_orders_begin_with_the_head_that_is_least_missed():
    of = gpt()
    heads, cost = waste_heads.heads_of(of.model), waste_heads.costs(of, "choose").mean(-1)
    first = heads[int(cost.argmin())]
    assert waste_heads.ordered(heads, cost)[0] == waste_heads.greedy(of, "choose")[0] == first
    again = waste_heads.by_slope_again(of, "choose", 1)
    slope = waste_heads.importances(of, "choose").mean(-1)
    assert again[0] == heads[int(slope.argmin())] and sorted(again) == heads
    pairs = waste_heads.pair_costs(of, "choose")
    assert len(pairs) == math.comb(4, 2)
    with torch.no_grad(), silencing(of.model, {"stack.blocks.0.attention": [0], "stack.blocks.1.attention": [1]}):
        wanted = of.losses(of.model, "choose").mean()
    found = next(pair["cost"] for pair in pairs if pair["heads"] == [[0, 0], [1, 1]])
    assert found == pytest.approx((wanted - of.losses(of.model, "choose").mean()).item(), abs=1e-5)


def test_a_curve_goes_from_the_whole_model_to_none_of_its_heads():
    of = gpt()
    rows = waste_heads.curve(of, waste_heads.heads_of(of.model), "held out", 2)
    assert [row["removed"] for row in rows] == [0, 2, 4]
    none = without_attention(of.model, [0, 1])
    for row, model in zip(rows, (of.model, without_attention(of.model, [0]), none), strict=True):
        assert row["loss"] == pytest.approx(of.losses(model, "held out").mean().item(), abs=1e-4)
        assert (row["parameters"], row["cache_bytes"]) == (size(model).parameters, size(model).cache_bytes)


@both
@pytest.mark.parametrize(
    ("what", "remove"),
    [("blocks", without_blocks), ("attention", without_attention), ("feed-forward", without_feed_forward)],
)
@torch.no_grad()
def test_every_subset_is_the_model_without_it(make, what, remove):
    of = make()
    layers = len(of.model.stack.blocks)
    found = dict(waste_layers.every_subset(of, "choose", what))
    assert len(found) == 2**layers and all(gone == tuple(sorted(gone)) for gone in found)
    tokens, _, visible = of.inputs("choose")
    for gone, outputs in found.items():
        if what == "blocks" and len(gone) == layers:
            wanted = of.model.head(of.model.stack.norm(of.model.embed(tokens)))
        else:
            wanted = remove(of.model, gone)(tokens, visible=visible)
        torch.testing.assert_close(outputs, wanted)


@pytest.mark.parametrize("what", ["blocks", "attention", "feed-forward"])
def test_subsets_are_run_without_gradients_and_leave_them_on(what):
    runs = waste_layers.every_subset(gpt(), "choose", what)
    for _, outputs in runs:
        assert not outputs.requires_grad and torch.is_grad_enabled()


def test_steps_parts_and_numbers_that_cannot_be_are_told():
    of = gpt()
    for call in (lambda: waste_heads.by_slope_again(of, "choose", 0), lambda: waste_heads.curve(of, [], "choose", 0)):
        with pytest.raises(ValueError, match="one head at least, got step=0"):
            call()
    calls = (
        lambda: of.figures(of.model, "test"),
        lambda: of.losses(of.model, "test"),
        lambda: waste_heads.alone(of, "test"),
        lambda: waste_layers.every_subset(of, "test", "blocks"),
    )
    for call in calls:
        with pytest.raises(ValueError, match="part should be one of 'choose', 'held out'; got 'test'"):
            call()
    one, nan = torch.tensor([1.0]), torch.tensor([1.0, math.nan])
    for a, b in ((one, one), (nan, nan), (torch.ones(3), torch.ones(2))):
        with pytest.raises(ValueError, match="two or more pairs of numbers"):
            spearman(a, b)
    for texts, draws in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match=f"got texts={texts}, draws={draws}"):
            resampled(lambda texts: 0.0, texts, draws)


def test_what_can_be_removed_is_told():
    with pytest.raises(ValueError, match="blocks, attention, feed-forward; got 'heads'"):
        waste_layers.every_subset(gpt(), "choose", "heads")
    with pytest.raises(ValueError, match="The models are MiniLM and language, got 'BERT'"):
        subject("BERT")


@both
@torch.no_grad()
def test_influences_are_those_of_the_diagnosis(make):
    of = make()
    tokens, keep, visible = of.inputs("choose")
    states = waste_heads.through(of.model.embed(tokens), of.model.stack.blocks, visible)
    found = waste_layers.influences(of, "choose")
    for before, after, influence in zip(states, states[1:], found["block"], strict=False):
        one_by_one = [
            vitals.block_influence(x[None, k], y[None, k]) for x, y, k in zip(before, after, keep, strict=True)
        ]
        lengths = keep.sum(1)
        assert influence == pytest.approx((torch.cat(one_by_one) * lengths).sum().item() / lengths.sum().item())
    block = of.model.stack.blocks[0]
    given = states[0] if block.normalises_stream else block.norm_attention(states[0])
    attended = block.attention(given, visible=visible)
    one_by_one = [
        vitals.attention_influence(x[None, k], y[None, k]) for x, y, k in zip(states[0], attended, keep, strict=True)
    ]
    assert found["attention"][0] == pytest.approx((torch.cat(one_by_one) * lengths).sum().item() / lengths.sum().item())


@pytest.mark.parametrize("name", ["MiniLM", "language"])
@torch.no_grad()
def test_the_whole_model_has_no_drift_and_a_pruned_one_that_of_its_outputs(name):
    of = subject(name)
    less = without_blocks(of.model, [0])
    tokens, keep, visible = of.inputs("choose")
    a, b = of.model(tokens, visible=visible), less(tokens, visible=visible)
    assert of.drift(a, "choose").abs().max() < 1e-5
    if name == "MiniLM":
        means = [(x * keep[..., None]).sum(1) / keep.sum(1, keepdim=True) for x in (a, b)]
        wanted = 1 - F.cosine_similarity(*means, dim=-1)
    else:
        p, q = a.double().softmax(-1), b.double().softmax(-1)
        wanted = (p * (p / q).log2()).sum(-1).mean(-1).float()
    torch.testing.assert_close(of.drift(b, "choose"), wanted, atol=1e-5, rtol=1e-4)
    assert of.figures(less, "choose")["drift"] == pytest.approx(wanted.mean().item(), rel=1e-4)


def test_rank_correlation_is_scipy_s():
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        a, b = torch.randint(6, (2, 20), generator=generator).double()  # with ties
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_texts_drawn_anew_leave_what_theory_says():
    x = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = resampled(lambda texts: x[texts].mean().item(), len(x))
    error = x.std().item() / 20
    assert low == pytest.approx(x.mean().item() - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(x.mean().item() + 1.96 * error, abs=0.25 * error)


def test_training_on_helps_a_pruned_model_and_one_that_diverges_is_told(monkeypatch):
    of = subject("language")
    model = without_attention(of.model, [0, 1, 2])
    found = waste_tuned.tuned(model, steps=12, every=6, of=of)
    assert found["finished"] and found["after"] < found["before"] - 0.5
    assert [step for step, _ in found["curve"]] == [6, 12] and found["curve"][-1][1] == found["after"]
    monkeypatch.setattr(waste_tuned, "RATE", 1e30)
    found = waste_tuned.tuned(without_blocks(of.model, [0]), steps=4, every=4, of=of)
    assert not found["finished"] and found["after"] is None


def test_ways_of_pruning_have_the_sizes_that_they_say(monkeypatch):
    of = subject("language")
    known = torch.arange(12.0)[:, None]
    monkeypatch.setattr(waste_tuned, "costs", lambda of, part: known)
    made = {name: make() for name, make in waste_tuned.ways(of, 1).items()}
    heads = {name: sum(layer.heads for layer in layers_of(model).values()) for name, model in made.items()}
    assert list(heads.values()) == [12, 9, 6, 3, 6, 8, 6]
    assert size(made["6 heads, anew"]) == size(made["6 heads"])
    assert of.figures(made["6 heads, anew"], "held out")["loss"] > 5
    trained, anew = (dict(model.named_parameters()) for model in (made["6 heads"], made["6 heads, anew"]))
    for name, each in anew.items():  # of what was trained nothing is left
        assert not torch.equal(each, trained[name]), name


@pytest.mark.parametrize("name", ["MiniLM", "language"])
def test_what_was_recorded_of_heads_hangs_together(name):
    found = recorded("waste_heads")[name]
    heads, cost = [tuple(head) for head in found["heads"]], torch.tensor(found["cost"]["choose"])
    for row in found["agree"].values():
        assert -1 <= row["spearman"] <= 1 and row.get("95 %", [-1, 1])[0] <= row.get("95 %", [-1, 1])[1]
    again = spearman(torch.tensor(found["importance"]["choose"]), cost)
    assert found["agree"]["importance and cost"]["spearman"] == pytest.approx(again, abs=2e-3)
    assert {len(order) for order in found["orders"].values()} == {len(heads)}
    first, last = ({tuple(curve[at].items()) for curve in found["curves"].values()} for at in (0, -1))
    assert len(first) == 1 and len({dict(each)["loss"] for each in last}) == 1
    of = subject(name)
    assert dict(first.pop())["loss"] == pytest.approx(of.figures(of.model, "held out")["loss"], abs=2e-3)


@pytest.mark.parametrize("name", ["MiniLM", "language"])
def test_what_was_recorded_of_layers_hangs_together(name):
    found = recorded("waste_layers")[name]
    layers = len(found["influence"]["block"])
    whole = {rows[0]["held out"]["loss"] for rows in found["subsets"].values()}
    assert len(whole) == 1 and all(len(rows) == 2**layers for rows in found["subsets"].values())
    for rows in found["subsets"].values():
        chosen = waste_layers.best(rows)
        assert [len(gone) for gone in chosen] == list(range(layers + 1))
        order = range(layers)
        line = waste_layers.along(rows, order)
        assert line[0] == rows[0]["held out"]["loss"] and line[-1] == rows[-1]["held out"]["loss"]
    by_heads = recorded("waste_heads")[name]["curves"]["ablation"][-1]["loss"]
    assert found["subsets"]["attention"][-1]["held out"]["loss"] == pytest.approx(by_heads, abs=2e-3)


def test_what_was_recorded_of_training_on_hangs_together():
    found = recorded("waste_tuned")
    assert len(found["seeds"]) >= 3 and all(row["finished"] for row in found["rows"])
    whole = {row["before"] for row in found["rows"] if row["way"] == "whole"}
    assert whole == {round(recorded("waste_heads")["language"]["curves"]["ablation"][0]["loss"], 4)}
