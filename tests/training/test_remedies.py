"""Every remedy against its formula written out, on a model whose scores and maps are known or recomputed by hand."""

import pytest
import torch
import torch.nn.functional as F

from attn_course.attention import padding, watching
from attn_course.tasks.marker import GROUPS, split
from attn_course.training import remedies, shortcut_model
from attn_course.training.group_dro import GroupDRO, group_means
from attn_course.training.remedies import REMEDIES, by_group, evenly
from attn_course.training.shortcut_model import (
    barring,
    cls_from_marker,
    make,
    maps,
    on_marker,
    scores,
    weights_kept,
    words_from_marker,
)
from attn_course.training.spurious import fit, learn, names, trimmed

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def batch():
    data = split(0).known
    rare = (~data.agrees).nonzero()[:6, 0]
    return trimmed(data[torch.cat([torch.arange(3), torch.arange(400, 403), rare])])


@pytest.fixture
def model():
    found = make(3).double().eval()
    for each in found.parameters():
        torch.nn.init.normal_(each, std=0.3, generator=torch.Generator().manual_seed(each.numel()))
    return found


def losses(model, batch):
    return F.cross_entropy(scores(model, batch), batch.labels, reduction="none")


# Group DRO


def test_the_weights_are_those_of_algorithm_1():
    way, q = GroupDRO(3, step=0.5), [1 / 3] * 3
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        case = torch.rand(7, generator=generator, dtype=torch.double)
        groups = torch.tensor([0, 1, 2, 0, 1, 2, 2])
        means = [case[groups == g].mean().item() for g in range(3)]
        q = [each * torch.tensor(0.5 * mean).exp().item() for each, mean in zip(q, means, strict=True)]
        q = [each / sum(q) for each in q]
        found = way(case, groups)
        assert way.q.tolist() == pytest.approx(q, rel=1e-5)
        assert found.item() == pytest.approx(sum(a * b for a, b in zip(q, means, strict=True)), rel=1e-5)


def test_the_gradient_of_a_case_is_its_groups_weight_over_its_groups_size():
    way = GroupDRO(2, step=1.0)
    case = torch.tensor([1.0, 3.0, 0.5], requires_grad=True)
    way(case, torch.tensor([0, 0, 1])).backward()
    assert case.grad.tolist() == pytest.approx([way.q[0].item() / 2] * 2 + [way.q[1].item()])
    assert way.q[0] > way.q[1] and not way.q.requires_grad


def test_a_group_that_is_not_there_keeps_its_share_and_adds_nothing():
    way = GroupDRO(3, step=0.1)
    case = torch.tensor([2.0, 2.0])
    loss = way(case, torch.tensor([0, 1]))
    assert way.q[2] < way.q[0] == way.q[1] and loss == pytest.approx(2 * (1 - way.q[2].item()))
    with pytest.raises(ValueError, match="0 to 1, got 0 to 2"):
        group_means(torch.ones(2), torch.tensor([0, 2]), 2)
    with pytest.raises(ValueError, match="a loss and a group"):
        group_means(torch.ones(2), torch.tensor([0]), 2)
    with pytest.raises(ValueError, match="whole numbers"):
        group_means(torch.ones(2), torch.tensor([0.0, 1.0]), 2)
    with pytest.raises(ValueError, match="step above 0"):
        GroupDRO(4, 0.0)


def test_large_losses_leave_weights_that_sum_to_one_and_a_group_can_come_back():
    way, groups = GroupDRO(2, step=1.0), torch.tensor([0, 1])
    assert way(torch.tensor([300.0, 1.0]), groups) == 300 and way.q.tolist() == pytest.approx(
        [1, 0]
    )  # exp(300) is inf in float32
    way(torch.tensor([1.0, 300.0]), groups)
    assert way.q.tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_a_training_and_not_the_weights(bad):
    way = GroupDRO(2, step=0.1)
    with pytest.raises(FloatingPointError, match="not finite"):
        way(torch.tensor([bad, 1.0]), torch.tensor([0, 1]))
    assert way.q.tolist() == [0.5, 0.5]


def test_the_worst_group_of_two_is_found_where_the_mean_hides_it():
    """One weight, two groups that pull apart, nine to one: the mean goes with the many, group DRO to the middle."""
    targets, groups = torch.tensor([1.0] * 9 + [-1.0]), torch.tensor([0] * 9 + [1])

    def solved(loss):
        w = torch.zeros((), requires_grad=True)
        optimizer, total, n = torch.optim.SGD([w], lr=0.02), 0.0, 0
        for step in range(3000):
            optimizer.zero_grad()
            loss((w - targets) ** 2).backward()
            optimizer.step()
            total, n = (total + w.item(), n + 1) if step > 1500 else (total, n)
        return total / n

    way = GroupDRO(2, step=0.02)
    assert solved(lambda case: case.mean()) == pytest.approx(0.8, abs=0.01)
    assert solved(lambda case: way(case, groups)) == pytest.approx(0, abs=0.1)


# Losses


def test_losses_are_their_formulas(model, batch):
    plain, other = losses(model, batch), losses(model, batch.swapped())
    assert remedies.plain(model, batch).item() == pytest.approx(plain.mean().item())
    assert remedies.augmented(model, batch).item() == pytest.approx((plain.mean() + other.mean()).item() / 2)
    gap = (scores(model, batch) - scores(model, batch.swapped())).pow(2).mean()
    assert gap > 0 and remedies.paired(2.0)(model, batch).item() == pytest.approx((plain.mean() + 2 * gap).item())
    shares = torch.tensor([0.4, 0.1, 0.2, 0.3], dtype=torch.double)
    weighted = sum((plain[i] / (4 * shares[batch.groups[i]])).item() for i in range(len(batch))) / len(batch)
    assert remedies.reweighted(shares)(model, batch).item() == pytest.approx(weighted)
    without = batch.removed()
    said = model(without.tokens, padding(without.keep))[:, 0]
    assert remedies.removed(model, batch).item() == pytest.approx(F.cross_entropy(said, batch.labels).item())


def test_the_penalty_counts_what_cls_gives_the_marker(model, batch):
    with watching(model) as records:
        scores(model, batch)
    shares = [
        record.weights[i, head, 0, batch.at[i]].item() for record in records for i in range(12) for head in range(4)
    ]
    expected = losses(model, batch).mean().item() + 5 * sum(shares) / len(shares)
    assert remedies.penalised(5.0)(model, batch).item() == pytest.approx(expected)
    rows = [
        record.weights[i, :, query, batch.at[i]].mean().item()
        for record in records
        for i in range(12)
        for query in range(int(batch.keep[i].sum()))
        if query != batch.at[i]
    ]
    expected = losses(model, batch).mean().item() + 5 * sum(rows) / len(rows)
    assert remedies.penalised_everywhere(5.0)(model, batch).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [remedies.penalised(30.0), remedies.penalised_everywhere(30.0), remedies.paired()])
def test_gradients_are_those_of_differences(model, batch, loss):
    """Along one direction in all weights, float64: the slope by autograd against a central difference."""
    parameters = list(model.parameters())
    slopes = torch.autograd.grad(loss(model, batch), parameters)
    generator = torch.Generator().manual_seed(0)
    way = [torch.randn(each.shape, generator=generator, dtype=torch.double) for each in parameters]
    found = sum((slope * each).sum() for slope, each in zip(slopes, way, strict=True)).item()

    def at(step):
        with torch.no_grad():
            for each, along in zip(parameters, way, strict=True):
                each += step * along
            value = loss(model, batch).item()
            for each, along in zip(parameters, way, strict=True):
                each -= step * along
        return value

    assert found == pytest.approx((at(1e-6) - at(-1e-6)) / 2e-6, rel=1e-5)


# Draws


def test_draws_by_group_are_even_and_others_follow_the_data():
    known, generator = split(0).known, torch.Generator().manual_seed(0)
    drawn = known.groups[by_group(known, generator, 8000)]
    assert (torch.bincount(drawn) / 8000).tolist() == pytest.approx([0.25] * 4, abs=0.02)
    drawn = known.groups[evenly(known, generator, 8000)]
    shares = torch.bincount(known.groups) / len(known)
    assert (torch.bincount(drawn) / 8000).tolist() == pytest.approx(shares.tolist(), abs=0.02)


# The model


def test_weights_kept_and_watched_are_the_same_and_nothing_changes(model, batch):
    with torch.no_grad(), watching(model) as records:
        plain = scores(model, batch)
    for kept, record in zip(maps(model, batch), records, strict=True):
        assert torch.allclose(kept, record.weights, atol=1e-12)
    with weights_kept(model), torch.no_grad():
        assert torch.allclose(scores(model, batch), plain, atol=1e-12)
    weights = maps(model, batch)[0]
    assert on_marker(weights, batch)[5, 0] == pytest.approx(weights[5, :, 0, batch.at[5]].mean().item())


def test_what_fills_a_row_changes_no_answer(model):
    data = split(0).held_out[:9]
    alone = torch.cat([scores(model, trimmed(data[i : i + 1])) for i in range(9)])
    assert torch.allclose(scores(model, data), alone, atol=1e-10)


def test_barred_tokens_give_the_marker_nothing_and_the_others_what_they_gave(model, batch):
    plain = maps(model, batch)[0]
    for barred, mine in ((cls_from_marker(batch), 0), (words_from_marker(batch), 1)):
        with barring(model, barred), watching(model) as records:
            scores(model, batch)
        seen = on_marker(records[0].weights, batch)
        words = batch.keep & ~batch.is_marker
        words[:, 0] = False
        sides = [seen[:, 0], seen[words]]
        others = [on_marker(plain, batch)[words], on_marker(plain, batch)[:, 0]]
        assert sides[mine].abs().max() == 0 and torch.allclose(sides[1 - mine], others[mine], atol=1e-12)
    with barring(model, cls_from_marker(batch) | words_from_marker(batch)), torch.no_grad():
        assert torch.allclose(scores(model, batch), scores(model, batch.swapped()), atol=1e-10)  # nobody reads it
    with pytest.raises(ValueError, match="no attention layer"), barring(model, cls_from_marker(batch), ("x",)):
        pass


def test_a_seed_makes_a_model_and_leaves_the_dice_alone():
    before = torch.get_rng_state()
    first, again, other = make(1), make(1), make(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.token.weight, other.token.weight)
    for wrong in ({"d_model": 6}, {"layers": 0}, {"d_model": 0}):
        with pytest.raises(ValueError, match="multiple of the 4 heads"):
            make(0, **wrong)


@pytest.mark.parametrize("remedy", names())
def test_every_remedy_trains_a_step(remedy, monkeypatch):
    monkeypatch.setattr("attn_course.training.spurious.TUNING_STEPS", 2)
    model = learn(remedy, seed=1, steps=2)
    assert not model.training and all(torch.isfinite(each).all() for each in model.parameters())
    assert not torch.equal(model.token.weight, make(1).token.weight)


def test_layers_that_are_none_are_not_all(model, batch):
    with torch.no_grad():
        plain = scores(model, batch)
        with barring(model, cls_from_marker(batch), ()):
            assert torch.equal(scores(model, batch), plain)


def test_what_is_made_of_another_batch_bars_nothing_by_chance(model, batch):
    for wrong in (cls_from_marker(batch[:5]), cls_from_marker(split(0).known[:12])):
        with barring(model, wrong), pytest.raises(ValueError, match="make it from the batch"):
            scores(model, batch)
    with pytest.raises(ValueError, match="True and False"), barring(model, cls_from_marker(batch).long()):
        pass


def test_sentences_without_a_marker_have_no_attention_on_it(model, batch):
    bare = batch.removed()
    for ask in (
        lambda: on_marker(maps(model, bare)[0], bare),
        lambda: cls_from_marker(bare),
        lambda: words_from_marker(bare),
        lambda: remedies.penalised(1.0)(model, bare),
    ):
        with pytest.raises(ValueError, match="have no marker"):
            ask()


def test_weights_of_groups_that_are_there_are_1_on_average(model, batch):
    shares = torch.tensor([0.75, 0.0, 0.0, 0.25])
    some = batch[[0, 1, 2, 3]]
    assert some.groups.tolist() == [0, 0, 0, 3]
    each = losses(model, some)
    expected = (each[:3].mean() + each[3]) / 2
    assert remedies.reweighted(shares)(model, some).item() == pytest.approx(expected.item())
    for wrong in (shares[:3], shares * 2, torch.tensor([1.5, -0.5, 0.0, 0.0]), shares * float("nan")):
        with pytest.raises(ValueError, match="sum to 1"):
            remedies.reweighted(wrong)


def test_an_empty_batch_is_refused(batch):
    generator = torch.Generator()
    for draw in (evenly, by_group):
        for known, size in ((batch, 0), (batch[:0], 4)):
            with pytest.raises(ValueError, match="batch of 1 or more"):
                draw(known, generator, size)
    with pytest.raises(ValueError, match="at least one sentence"):
        trimmed(batch[:0])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="remedy should be one of plain"):
        learn("prayer")
    with pytest.raises(ValueError, match="At least one sentence and one step"):
        fit(make(), split(0).known, steps=0)
    assert len(GROUPS) == 4 and set(REMEDIES) < set(names()) and shortcut_model.LAYERS == 2
