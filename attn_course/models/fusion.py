"""Fusion: two images and a question's words in one model. The words look at the patches of both images.

Three models that differ in what a patch may hold and in who is looked at. In `Fusion` each image is encoded alone, so
whatever a patch holds comes from its own image, and attention to an image's patches is attention to that image. In
`MixedFusion` the patches of both images look at one another first: a patch of the right image may hold what is known of
the left one. In `RelayedFusion` it has to.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attn_course.attention import Learned, watching
from attn_course.models.blocks import Stack, Stream, check_tokens, places
from attn_course.models.vit import Patches


class Fusion(nn.Module):
    """Two images and the words of a question → a score for each answer.

    image, patch   pixels of a side
    words          how many words there are to ask with
    answers        how many answers there are
    length         words in a question
    layers         blocks that encode an image; one more block holds the words' cross-attention
    """

    def __init__(
        self,
        image: int = 8,
        patch: int = 2,
        words: int = 10,
        answers: int = 12,
        length: int = 4,
        d_model: int = 48,
        heads: int = 4,
        layers: int = 1,
    ):
        super().__init__()
        self.n = (image // patch) ** 2  # patches of an image
        self.patches = Patches(patch, d_model)
        self.place = Learned(self.n, d_model)
        self.side = nn.Embedding(2, d_model)  # left or right
        self.encoder = Stack(d_model, heads, layers)
        self.word = nn.Embedding(words, d_model)
        self.asking = Stack(d_model, heads, 1, cross=True, positions=Learned(length, d_model))
        self.readout = nn.Linear(d_model, answers)

    def embed(self, image: Float[Tensor, "batch height width"], side: int) -> Stream:
        x = self.patches(image)  # (batch, patch, d_model)
        return self.place.add(x, places(x)) + self.side.weight[side]

    def encode(self, left: Float[Tensor, "batch height width"], right: Float[Tensor, "batch height width"]) -> Stream:
        """Each image alone, by the same weights; then the patches of the left one and those of the right one."""
        return torch.cat([self.encoder(self.embed(left, 0)), self.encoder(self.embed(right, 1))], dim=1)

    def forward(
        self,
        left: Float[Tensor, "batch height width"],
        right: Float[Tensor, "batch height width"],
        words: Int[Tensor, "batch word"],
        readable: Bool[Tensor, "*batch word patch"] | None = None,
    ) -> Float[Tensor, "batch answer"]:
        """readable: which patches of both images the words may look at; all unless given."""
        check_tokens(words, self.word)
        memory = self.encode(left, right)  # (batch, 2 n, d_model)
        x = self.asking.positions.add(self.word(words), places(words))  # (batch, word, d_model)
        x = self.asking(x, memory=memory, memory_visible=readable)
        return self.readout(x[:, -1])  # the last word gives the answer


class MixedFusion(Fusion):
    """As `Fusion`, but the patches of both images go through one encoder together."""

    def encode(self, left, right):
        return self.encoder(torch.cat([self.embed(left, 0), self.embed(right, 1)], dim=1))


class RelayedFusion(MixedFusion):
    """Mixed, and the words look at the patches of the right image only. Whatever they know of the left one came along
    in the right one's patches; their attention to it is zero, whatever is asked."""

    def forward(self, left, right, words, readable=None):
        patches = torch.arange(2 * self.n, device=words.device)
        of_right = (patches >= self.n)[None, None, None]  # (1, 1, 1, patch of both)
        return super().forward(left, right, words, of_right if readable is None else readable & of_right)


@torch.no_grad()
def mass_on_left(
    model: Fusion,
    left: Float[Tensor, "batch height width"],
    right: Float[Tensor, "batch height width"],
    words: Int[Tensor, "batch word"],
) -> Float[Tensor, "batch head"]:
    """Share of attention that the answering word pays to the left image's patches; the right one's have the rest."""
    with watching(model.asking) as records:
        model(left, right, words)
    (cross,) = (record for record in records if record.name.endswith("cross"))
    return cross.weights[:, :, -1, : model.n].sum(dim=-1)
