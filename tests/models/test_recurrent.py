"""The recurrent model against its equations, its interface against GPT's, and what it says of bad input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.models.gpt import GPT
from attn_course.models.recurrent import Recurrent

torch.set_num_threads(1)


def fresh(layers=2, seed=0):
    torch.manual_seed(seed)
    return Recurrent(20, 8, layers, d_hidden=12)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 11), st.integers(1, 3))
def test_the_future_never_changes_the_past(n, at, layers):
    model = fresh(layers, n)
    at = min(at, n - 1)
    tokens = torch.randint(20, (1, n))
    other = tokens.clone()
    other[:, at] = (other[:, at] + 1) % 20
    before, after = model(tokens), model(other)
    assert torch.equal(before[:, :at], after[:, :at])
    assert not torch.allclose(before[:, at:], after[:, at:])


def test_a_gru_by_hand():
    model = fresh(layers=1).double()
    tokens = torch.randint(20, (3, 6))
    gru = model.recurrence
    h, expected = torch.zeros(3, 12, dtype=torch.float64), []
    for x in model.token(tokens).unbind(dim=1):
        from_x = x @ gru.weight_ih_l0.T + gru.bias_ih_l0
        from_h = h @ gru.weight_hh_l0.T + gru.bias_hh_l0
        (reset_x, update_x, new_x), (reset_h, update_h, new_h) = from_x.chunk(3, -1), from_h.chunk(3, -1)
        reset, update = torch.sigmoid(reset_x + reset_h), torch.sigmoid(update_x + update_h)
        h = (1 - update) * torch.tanh(new_x + reset * new_h) + update * h
        expected.append(h @ model.head.weight.T)
    torch.testing.assert_close(model(tokens), torch.stack(expected, dim=1))


@pytest.mark.parametrize("chunks", [[1] * 9, [4, 1, 3, 1], [9]])
def test_read_in_pieces_with_a_state_is_read_whole(chunks):
    model = fresh()
    tokens = torch.randint(20, (2, 9))
    state, pieces = None, []
    for piece in tokens.split(chunks, dim=1):
        scores, state = model.read(piece, state)
        pieces.append(scores)
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), atol=1e-6, rtol=1e-5)
    assert state.shape == (2, 2, 12)  # whatever was read, the memory has this size


def test_writing_is_choosing_the_likeliest_again_and_again():
    model = fresh()
    text = torch.randint(20, (2, 3))
    expected = text
    for _ in range(5):
        expected = torch.cat([expected, model(expected)[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(model.write(text, 5), expected)
    drawn = [model.write(text, 5, 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    with pytest.raises(ValueError, match="temperature should be 0 or more"):
        model.write(text, 1, -1.0)


def test_gradients_reach_every_weight():
    model = fresh()
    model(torch.arange(20).reshape(2, 10))[:, -1].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


BAD = [
    (torch.tensor([[1, 20]]), ValueError, "Token 20 is not in the vocabulary, which goes from 0 to 19"),
    (torch.zeros(2, 0, dtype=torch.long), ValueError, "The batch is empty"),
    (torch.zeros(3, dtype=torch.long), ValueError, r"should have shape \(batch, token\)"),
    (torch.zeros(2, 3), TypeError, "whole numbers, a tensor of dtype torch.long; got float32"),
]


@pytest.mark.parametrize(("tokens", "error", "sentence"), BAD)
def test_it_says_the_same_as_gpt_of_tokens_that_do_not_fit(tokens, error, sentence):
    said = []
    for model in (fresh(), GPT(20, 8, 2, 1)):
        with pytest.raises(error, match=sentence) as caught:
            model(tokens)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_what_does_not_fit_gets_one_sentence():
    with pytest.raises(ValueError, match="at least one layer, got layers=0"):
        Recurrent(20, 8, 0)
    model = fresh()
    state = model.read(torch.ones(2, 3, dtype=torch.long))[1]
    with pytest.raises(ValueError, match=r"The state has shape \(2, 2, 12\), these tokens need \(2, 3, 12\)"):
        model.read(torch.ones(3, 1, dtype=torch.long), state)
