"""Models of your own, in the library `transformers`: a folder or an id on the hub, read head by head.

The library's models call an attention function by name; while a text is read, that function is one of ours, which
computes what the model's own does and keeps what it saw.
"""

import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import torch

from attn_course.attention import LayerRecord
from attn_course.models.pretrained import Reading, check_length, check_not_empty

_RECORDER = "attn_course_recorder"


class LibraryModel:
    """A pretrained model with its tokenizer, as the library keeps them. Make one with `load`."""

    def __init__(self, name: str, model, tokenizer, missing: tuple[str, ...] = (), unused: tuple[str, ...] = ()):
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.missing = missing  # weights that its files do not hold, so that they are random
        self.unused = unused  # weights of its files that it has no place for, as those of a head that is not loaded

    def __repr__(self) -> str:
        config = self.model.config
        return f"LibraryModel({self.name}: {config.num_hidden_layers} layers, {config.num_attention_heads} heads)"

    def read(self, text: str) -> Reading:
        """Run the model on `text` and keep every layer's q, k, v, weights and output.

        With grouped queries, k and v are repeated so that every query head has its own. Raises ValueError for an empty
        text or one longer than the model can hold, and for a model that does not use the attention interface.
        """
        check_not_empty(text)
        inputs = self.tokenizer(text, return_tensors="pt")
        n = inputs["input_ids"].shape[1]
        check_length(n, getattr(self.model.config, "max_position_embeddings", n), self.name)
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


def load_from_library(name: str) -> LibraryModel:
    """The model in this folder, or of this id on the hub.

    Raises FileNotFoundError or OSError with one sentence if it is not there, ValueError if its weights are those of
    another model.
    """
    _quiet()
    from transformers import AutoModel, AutoTokenizer

    looks_local = name.startswith((".", "/", "~")) or "\\" in name
    path = Path(name).expanduser()
    if looks_local and not path.is_dir():
        raise FileNotFoundError(f"There is no folder {name}. Give a folder that holds config.json and the weights.")
    source = str(path) if path.is_dir() else name
    # With no network the library would try the hub for a minute; what was fetched before is still found.
    local = path.is_dir() or not _hub_reachable()
    try:
        # Without remote code: what a model's folder brings along is not run, and nobody is asked whether it should be.
        given = {"local_files_only": local, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(source, **given)
        model, loaded = AutoModel.from_pretrained(
            source,
            attn_implementation="eager",
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # or the library says no more than that there are some
            **given,
        )
    except (OSError, ValueError) as error:
        raise OSError(_why_not(source, path.is_dir())) from error
    for weight, there, here in sorted(loaded["mismatched_keys"]):
        raise ValueError(
            f"{weight} has shape {tuple(there)} in {source} where the configuration promises {tuple(here)}: the "
            "weights and the configuration belong to two models."
        )
    missing, unused = (tuple(sorted(loaded[f"{kind}_keys"])) for kind in ("missing", "unexpected"))
    return LibraryModel(name, model.eval(), tokenizer, missing, unused)


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
                visible=None if attention_mask is None else (attention_mask == 0).expand(weights.shape),
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
