"""A model of attention and nothing else: its stream is the embedding plus what the heads add."""

import torch

from attn_course.attention import Learned, causal, silencing
from attn_course.models.attention_only import attention_only


def small():
    torch.manual_seed(0)
    return attention_only(11, 8, 2, 2, positions=Learned(6, 8)).double()


TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9]])


def test_it_is_the_embedding_and_what_heads_add():
    model = small()
    x = model.embed(TOKENS)
    for block in model.stack.blocks:
        x = x + block.attention(block.norm_attention(x), visible=causal)
    assert torch.equal(model(TOKENS), model.head(model.stack.norm(x)))


def test_without_its_heads_a_token_knows_of_no_other():
    model = small()
    other = torch.tensor([[3, 1, 4, 1, 5, 2]])
    every = {f"stack.blocks.{layer}.attention": [0, 1] for layer in range(2)}
    with silencing(model, every):
        assert torch.equal(model(TOKENS)[:, :5], model(other)[:, :5])
        moved = model(torch.tensor([[7, 1, 4, 1, 5, 9]]))
        assert torch.equal(model(TOKENS)[:, 1:], moved[:, 1:])
    assert not torch.allclose(model(TOKENS)[:, 1:], model(torch.tensor([[7, 1, 4, 1, 5, 9]]))[:, 1:])


def test_every_parameter_is_of_use():
    model = small()
    model(TOKENS).logsumexp(-1).sum().backward()
    assert all(each.grad is not None for each in model.parameters())
    names = [name for name, _ in model.named_parameters()]
    assert not [name for name in names if "feed_forward" in name]
