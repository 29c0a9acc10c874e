"""ViT: an image cut into patches, each patch a token (Dosovitskiy et al. 2020)."""

from jaxtyping import Float
from torch import Tensor, nn

from attn_course.attention import Learned, NoPositions
from attn_course.models.blocks import Stack, Stream, places


class Patches(nn.Module):
    """(batch, height, width) → (batch, patch, d_model), row by row from the top left."""

    def __init__(self, patch: int, d_model: int):
        super().__init__()
        self.patch = patch
        self.w = nn.Linear(patch * patch, d_model)

    def forward(self, images: Float[Tensor, "batch height width"]) -> Stream:
        if not isinstance(images, Tensor) or images.dim() != 3 or 0 in images.shape:
            got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
            raise ValueError(f"Images should have shape (batch, height, width), at least one of them; got {got}.")
        height, width = images.shape[1:]
        if height % self.patch or width % self.patch:
            raise ValueError(f"{height} × {width} pixels cannot be cut into patches of {self.patch} × {self.patch}.")
        tiles = images.unfold(1, self.patch, self.patch).unfold(2, self.patch, self.patch)  # (batch, row, column, p, p)
        return self.w(tiles.flatten(3).flatten(1, 2))


class ViT(nn.Module):
    """Images of `image` × `image` pixels → scores for each class, read from the mean of all patches.

    stack   sizes and parts, as in `Stack`
    """

    def __init__(
        self,
        image: int,
        patch: int,
        classes: int,
        d_model: int,
        heads: int,
        layers: int,
        positions: NoPositions | None = None,
        **stack,
    ):
        super().__init__()
        n = (image // patch) ** 2
        positions = Learned(n, d_model) if positions is None else positions
        self.patches = Patches(patch, d_model)
        self.stack = Stack(d_model, heads, layers, positions=positions, **stack)
        self.readout = nn.Linear(d_model, classes)

    def embed(self, images: Float[Tensor, "batch height width"]) -> Stream:
        x = self.patches(images)  # (batch, patch, d_model)
        return self.stack.positions.add(x, places(x))

    def run(self, x: Stream) -> Stream:
        return self.stack(x)

    def head(self, x: Stream) -> Float[Tensor, "batch class"]:
        return self.readout(x.mean(dim=1))

    def forward(self, images: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch class"]:
        return self.head(self.run(self.embed(images)))
