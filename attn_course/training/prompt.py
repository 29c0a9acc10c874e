"""Prompt tuning: learned vectors before the tokens. The model stays as it is and is asked differently.

Source: Lester et al. 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning" (arXiv:2104.08691); before the
patches of an image: Jia et al. 2022, "Visual Prompt Tuning" (arXiv:2203.12119).
"""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.attention import Visibility


class Prompted(nn.Module):
    """A model with p learned vectors before its tokens. What comes out has the tokens' places only.

    Positions: tokens keep those that they had (learned, sinusoidal), or their distances (rotary, ALiBi, relative), and
    the prompt's vectors learn what they need. Masks: every token sees the whole prompt.
    """

    def __init__(self, model: nn.Module, p: int, d_model: int, std: float = 0.02):
        super().__init__()
        if p < 1:
            raise ValueError(f"A prompt has at least one vector, got p={p}.")
        self.model = model
        self.prompt = nn.Parameter(std * torch.randn(p, d_model))

    def forward(self, tokens: Tensor, visible: Visibility | Bool[Tensor, "*batch token token"] | None = None) -> Tensor:
        """tokens, or images, as for the model alone. `visible` as there; unless given, the model's own rule."""
        x = self.model.embed(tokens)  # (batch, token, d_model)
        prompt = self.prompt.expand(len(x), -1, -1)  # (batch, p, d_model)
        together = torch.cat([prompt, x], dim=1)  # (batch, p + token, d_model)
        rule = {} if visible is None else {"visible": behind_prompt(visible, len(self.prompt), x.shape[1])}
        return self.model.head(self.model.run(together, **rule)[:, len(self.prompt) :])


def behind_prompt(
    visible: Visibility | Bool[Tensor, "*batch token token"], p: int, n: int
) -> Bool[Tensor, "*batch p_and_token p_and_token"]:
    """The mask for p vectors before n tokens. A token sees the prompt, and what it saw before; a prompt's vector sees
    itself and those before it."""
    inner = visible.dense(n) if isinstance(visible, Visibility) else visible
    whole = inner.new_ones(*inner.shape[:-2], p + n, p + n).tril()
    whole[..., p:, p:] = inner
    return whole


def with_prompt(model: nn.Module, p: int, seed: int = 0) -> Prompted:
    """A copy of a model (GPT, Encoder, ViT) that trains p vectors before its tokens, and nothing else."""
    missing = [part for part in ("embed", "run", "head", "stack") if not hasattr(model, part)]
    if missing:
        raise ValueError(
            f"{type(model).__name__} has no {missing[0]}, so nothing can be put before its tokens. "
            "GPT, Encoder and ViT have embed, run, head and stack."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Prompted(deepcopy(model).requires_grad_(False), p, model.stack.d_model)


def prompt_from(prompted: Prompted, vectors: Float[Tensor, "p d_model"]) -> None:
    """Start the prompt from these vectors: those of words, say."""
    if vectors.shape != prompted.prompt.shape:
        raise ValueError(f"The prompt is {tuple(prompted.prompt.shape)}, the vectors are {tuple(vectors.shape)}.")
    with torch.no_grad():
        prompted.prompt.copy_(vectors)
