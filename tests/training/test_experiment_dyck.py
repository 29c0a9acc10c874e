"""Brackets: what is counted, who is told the depths, and that the record is of this code."""

import pytest
import torch

from attn_course.tasks.dyck import dyck_batch
from attn_course.training.experiments import dyck
from attn_course.training.recorded import recorded


class Stack(torch.nn.Module):
    """Reads brackets with a stack, and is right wherever at most `most` are open; else it says kind 0."""

    def __init__(self, most=99):
        super().__init__()
        self.most = most

    def forward(self, tokens, at=None):
        scores = torch.zeros(*tokens.shape, dyck.KINDS)
        for row, text in enumerate(tokens.tolist()):
            stack = []
            for t, token in enumerate(text):
                if token < dyck.KINDS:
                    stack.append(token)
                else:
                    stack.pop()
                if stack and len(stack) <= self.most:
                    scores[row, t, stack[-1]] = 9.0
        return scores


def test_brackets_are_counted_by_depth_and_distance():
    whole = dyck.right(dyck.Kind(Stack(), False), 40, 5, rows=30)
    assert whole["all"] == 1 and set(whole["by_depth"]) == {1.0} and len(whole["by_depth"]) == 4
    shallow = dyck.right(dyck.Kind(Stack(2), False), 40, 5, rows=30)
    assert shallow["by_depth"][:2] == [1, 1] and 0.05 < shallow["by_depth"][2] < 0.5
    batch = dyck_batch(torch.Generator().manual_seed(987_654), 30, 40, dyck.KINDS, 5)
    closed = batch.opened > 0  # a place where an earlier bracket is wanted, so that the last one closed something
    rightly = ((batch.depth <= 2) | (batch.wanted == 0))[closed]
    assert shallow["all"] == pytest.approx(rightly.double().mean().item(), abs=1e-4)
    hits, total = 0, 0
    for row in range(30):
        for t in range(40):
            if 8 < batch.opened[row, t] <= 16:
                total += 1
                hits += bool(batch.depth[row, t] <= 2 or batch.wanted[row, t] == 0)
    assert shallow["by_distance"][3] == pytest.approx(hits / total, abs=1e-4)
    assert whole["by_distance"][-1] is None or whole["by_distance"][-1] == 1


def test_a_loss_is_asked_where_something_is_open():
    batch = dyck_batch(torch.Generator().manual_seed(0), 4, 30)
    kind = dyck.Kind(Stack(), False)
    own = -torch.tensor([9.0, 0, 0, 0]).log_softmax(0)[0].item()
    assert dyck.loss_on(kind, batch).item() == pytest.approx(own, rel=1e-3)


def test_only_the_biased_models_are_told_the_depths():
    tokens = dyck_batch(torch.Generator().manual_seed(1), 2, 20).tokens
    for bias in (*dyck.BIASES, "GRU"):
        kind, seen = dyck.make(bias), []
        forward = kind.model.forward
        kind.model.forward = lambda *given, _f=forward, _s=seen, **named: _s.append(named) or _f(*given, **named)
        kind.scores(tokens)
        assert ("at" in seen[0]) == bias.startswith("depth")
    torch.manual_seed(0)
    sizes = {sum(p.numel() for p in dyck.make(bias).model.parameters()) for bias in dyck.BIASES}
    assert len(sizes) == 1  # the biases have no parameters of their own


def test_depth_compared_sees_the_depths_and_place_rotary_does_not():
    tokens = dyck_batch(torch.Generator().manual_seed(1), 2, 20).tokens
    same, other = dyck.make("depth compared"), dyck.make("place, rotary")
    torch.testing.assert_close(same.model(tokens), other.model(tokens))  # one set of weights, and no depths given
    assert not torch.allclose(same.scores(tokens), other.scores(tokens))


def test_the_record_is_of_this_code():
    torch.set_num_threads(1)
    small, whole = dyck.measure((("place", 1), ("GRU", 1)), (0,), 2, 2), recorded("dyck")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    runs = [(row["bias"], row["layers"], row["seed"]) for row in whole["rows"]]
    assert runs == [(*run, seed) for run in dyck.RUNS for seed in dyck.SEEDS] and len(dyck.SEEDS) >= 3
    assert whole["settings"]["steps"] == dyck.STEPS and whole["settings"]["texts"] == dyck.ROWS
    for row in whole["rows"]:
        assert all(len(row[name]["by_depth"]) == deepest - 1 for name, (_, deepest) in dyck.ASKED.items())


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: dyck.make("depth"), "bias should be one of place, "),
        (lambda: dyck.make("place", 0), "at least one layer"),
    ],
)
def test_what_cannot_be_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
