"""Models of attention and nothing else, small enough to say what each head does (Elhage et al. 2021).

Everything that such a model computes goes through a head, so if it can do a thing, some head does it.
"""

from torch import Tensor, nn

from attn_course.models.gpt import GPT


class NoFeedForward(nn.Module):
    """Adds nothing to the stream. Takes a feed-forward network's place in a `Stack`: feed_forward=NoFeedForward."""

    def __init__(self, d_model: int, d_hidden: int, bias: bool = True):
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape)


def attention_only(vocabulary: int, d_model: int, heads: int, layers: int, **stack) -> GPT:
    """A GPT without feed-forward networks. `stack`: positions, mechanism and other parts, as in `Stack`."""
    model = GPT(vocabulary, d_model, heads, layers, feed_forward=NoFeedForward, **stack)
    for block in model.stack.blocks:
        block.norm_feed_forward = nn.Identity()  # it has nothing to normalise for
    return model
