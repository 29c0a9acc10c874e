"""A recurrent language model: it reads one token after another into a state of fixed size (GRU, Cho et al. 2014).

It has GPT's interface, tokens → scores for the next one, so that the two can sit the same test.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.models.blocks import check_tokens
from attn_course.models.gpt import choose

State = Float[Tensor, "layer batch hidden"]


class Recurrent(nn.Module):
    """Tokens → scores for the next one, through `layers` GRUs on one another.

    d_model    features of a token
    d_hidden   numbers in the state of each layer, which is all that the model remembers; d_model unless given
    """

    def __init__(self, vocabulary: int, d_model: int, layers: int = 1, d_hidden: int | None = None):
        super().__init__()
        if layers < 1:
            raise ValueError(f"A recurrent model has at least one layer, got layers={layers}.")
        d_hidden = d_model if d_hidden is None else d_hidden
        self.token = nn.Embedding(vocabulary, d_model)
        self.recurrence = nn.GRU(d_model, d_hidden, layers, batch_first=True)
        self.head = nn.Linear(d_hidden, vocabulary, bias=False)

    def read(
        self, tokens: Int[Tensor, "batch token"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch token vocabulary"], State]:
        """Read tokens after those that `state` has seen; returns the scores at each, and the new state.

        Raises ValueError with one sentence if the state is not of this model, or of another batch.
        """
        check_tokens(tokens, self.token)
        self._check_state(state, tokens)
        hidden, state = self.recurrence(self.token(tokens), state)  # (batch, token, d_hidden)
        return self.head(hidden), state

    def forward(self, tokens: Int[Tensor, "batch token"]) -> Float[Tensor, "batch token vocabulary"]:
        return self.read(tokens)[0]

    @torch.no_grad()
    def write(
        self,
        tokens: Int[Tensor, "batch token"],
        count: int,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Int[Tensor, "batch written"]:
        """Go on from `tokens` for `count` tokens, reading each new one only once. Arguments as in `GPT.write`."""
        state, text, new = None, tokens, tokens
        for _ in range(count):
            scores, state = self.read(new, state)
            new = choose(scores[:, -1], temperature, generator)  # (batch, 1)
            text = torch.cat([text, new], dim=1)
        return text

    def _check_state(self, state: State | None, tokens: Tensor) -> None:
        needed = (self.recurrence.num_layers, len(tokens), self.recurrence.hidden_size)
        if state is not None and tuple(state.shape) != needed:
            raise ValueError(
                f"The state has shape {tuple(state.shape)}, these tokens need {needed}: (layer, batch, hidden). "
                "Begin every batch without one."
            )
