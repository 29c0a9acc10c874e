"""Real weights in our models: a GPT-2, a Llama or a BERT, as the library `transformers` saves them.

The proof that the transformer built here is the real one: the same weights give the same logits. Only the files are
needed, config.json and model.safetensors, not the library.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attn_course.attention import Learned, MultiHead, Rotary
from attn_course.models.blocks import FeedForward, GatedFeedForward, PostNorm
from attn_course.models.encoder import Encoder, MaskedHead
from attn_course.models.gpt import GPT

Weights = dict[str, Tensor]


def from_folder(folder: str | Path, **stack) -> nn.Module:
    """The model in a folder that holds config.json and model.safetensors. `stack`: a mechanism of your own.

    Raises FileNotFoundError or ValueError with one sentence if it is not there, damaged, or of another family.
    """
    folder = Path(folder).expanduser()
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no {name}. Give the folder that a model was saved in.")
    try:
        weights = load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise ValueError(f"{folder / 'model.safetensors'} is damaged or cut short; fetch it again.") from error
    return from_weights(json.loads((folder / "config.json").read_text(encoding="utf-8")), weights, **stack)


def from_weights(config: dict, weights: Weights, **stack) -> nn.Module:
    """Our model with these weights: a `GPT` for GPT-2 and Llama, an `Encoder` for BERT, in evaluation mode.

    config    the configuration as a dict (config.json)
    weights   the state dict
    """
    families: dict[str, Callable] = {"gpt2": gpt2, "llama": llama, "bert": bert}
    family = config.get("model_type")
    if family not in families:
        raise ValueError(f"Models of type {family!r} cannot be loaded here, only {', '.join(families)}.")
    with _NothingDrawn():
        return families[family](config, weights, **stack).eval()


def gpt2(config: dict, weights: Weights, **stack) -> GPT:
    """Pre-norm, learned positions, GELU by tanh; one matrix makes q, k and v, and it is stored transposed."""
    _refuse(config, scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False)
    d_model = config["n_embd"]
    model = GPT(
        config["vocab_size"],
        d_model,
        config["n_head"],
        config["n_layer"],
        Learned(config["n_positions"], d_model),
        d_hidden=config.get("n_inner") or 4 * d_model,
        norm=partial(nn.LayerNorm, eps=config["layer_norm_epsilon"]),
        feed_forward=partial(FeedForward, activation=_activation(config["activation_function"])),
        **stack,
    )
    take = _Taker(weights, prefixes=("transformer.", ""))
    take.into(model.token, "wte")
    take.into(model.stack.positions.table, "wpe")
    for number, block in enumerate(model.stack.blocks):
        take.into(block.norm_attention, f"h.{number}.ln_1")
        _take_joined(take, block.attention, f"h.{number}.attn.c_attn")
        take.into(block.attention.w_o, f"h.{number}.attn.c_proj", transposed=True)
        take.into(block.norm_feed_forward, f"h.{number}.ln_2")
        take.into(block.feed_forward.w_1, f"h.{number}.mlp.c_fc", transposed=True)
        take.into(block.feed_forward.w_2, f"h.{number}.mlp.c_proj", transposed=True)
    take.into(model.stack.norm, "ln_f")
    take.into(model.head, "wte")  # the readout is the token table
    return model


def llama(config: dict, weights: Weights, **stack) -> GPT:
    """Pre-norm by root mean square, rotary positions in halves, grouped queries, a gated feed-forward, no biases."""
    _refuse(config, attention_bias=False, mlp_bias=False, hidden_act="silu")
    rotary = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rotary.get("rope_type", "default") != "default":
        raise ValueError(f"Rotary positions stretched by {rotary['rope_type']!r} are not known here, only plain ones.")
    heads = config["num_attention_heads"]
    d_head = config.get("head_dim") or config["hidden_size"] // heads
    model = GPT(
        config["vocab_size"],
        config["hidden_size"],
        heads,
        config["num_hidden_layers"],
        Rotary(d_head, base=rotary.get("rope_theta", config.get("rope_theta", 10_000.0))),
        kv_heads=config.get("num_key_value_heads"),
        d_head=d_head,
        d_hidden=config["intermediate_size"],
        norm=partial(nn.RMSNorm, eps=config["rms_norm_eps"]),
        feed_forward=GatedFeedForward,
        bias=False,
        **stack,
    )
    take = _Taker(weights, prefixes=("model.", ""))
    take.into(model.token, "embed_tokens")
    for number, block in enumerate(model.stack.blocks):
        layer = f"layers.{number}"
        take.into(block.norm_attention, f"{layer}.input_layernorm")
        for ours, theirs in {"w_q": "q_proj", "w_k": "k_proj", "w_v": "v_proj", "w_o": "o_proj"}.items():
            take.into(getattr(block.attention, ours), f"{layer}.self_attn.{theirs}")
        take.into(block.norm_feed_forward, f"{layer}.post_attention_layernorm")
        for ours, theirs in {"w_1": "gate_proj", "w_2": "down_proj", "w_3": "up_proj"}.items():
            take.into(getattr(block.feed_forward, ours), f"{layer}.mlp.{theirs}")
    take.into(model.stack.norm, "norm")
    take.into(model.head, "embed_tokens" if config.get("tie_word_embeddings") else "lm_head")
    return model


def bert(config: dict, weights: Weights, **stack) -> Encoder:
    """Post-norm, learned positions, normalised embeddings. The second of two joined texts is not told apart."""
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise ValueError("Only a BERT with absolute positions that reads in both directions can be loaded here.")
    d_model, vocabulary = config["hidden_size"], config["vocab_size"]
    activation = _activation(config["hidden_act"])
    norm = partial(nn.LayerNorm, eps=config["layer_norm_eps"])
    predicts = "cls.predictions.bias" in weights
    model = Encoder(
        vocabulary,
        d_model,
        config["num_attention_heads"],
        config["num_hidden_layers"],
        Learned(config["max_position_embeddings"], d_model),
        block=PostNorm,
        norm=norm,
        norm_first=True,
        head=MaskedHead(d_model, vocabulary, activation, norm) if predicts else None,
        d_hidden=config["intermediate_size"],
        feed_forward=partial(FeedForward, activation=activation),
        **stack,
    )
    take = _Taker(weights, prefixes=("bert.", ""))
    take.into(model.token, "embeddings.word_embeddings")
    take.into(model.norm_first, "embeddings.LayerNorm")
    # Every token of a single text is of type 0, so that vector can be added to the positions once and for all.
    positions = (
        take.get("embeddings.position_embeddings.weight") + take.get("embeddings.token_type_embeddings.weight")[0]
    )
    _copy(model.stack.positions.table.weight, positions, "embeddings.position_embeddings.weight")
    for number, block in enumerate(model.stack.blocks):
        layer = f"encoder.layer.{number}"
        for ours, theirs in {
            "w_q": "self.query",
            "w_k": "self.key",
            "w_v": "self.value",
            "w_o": "output.dense",
        }.items():
            take.into(getattr(block.attention, ours), f"{layer}.attention.{theirs}")
        take.into(block.norm_attention, f"{layer}.attention.output.LayerNorm")
        take.into(block.feed_forward.w_1, f"{layer}.intermediate.dense")
        take.into(block.feed_forward.w_2, f"{layer}.output.dense")
        take.into(block.norm_feed_forward, f"{layer}.output.LayerNorm")
    if predicts:
        take.into(model.head.w, "cls.predictions.transform.dense")
        take.into(model.head.norm, "cls.predictions.transform.LayerNorm")
        _copy(model.head.readout.weight, take.get("embeddings.word_embeddings.weight"), "word_embeddings")
        _copy(model.head.readout.bias, take.get("cls.predictions.bias"), "cls.predictions.bias")
    return model


class _NothingDrawn(TorchFunctionMode):
    """While open, layers are made without first weights, which would only be overwritten.

    That saves two thirds of the time, and leaves torch's random numbers where they were: loading changes no experiment.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


class _Taker:
    """Takes tensors by name from a state dict whose names may carry a prefix."""

    def __init__(self, weights: Weights, prefixes: tuple[str, ...]):
        self.weights, self.prefixes = weights, prefixes

    def get(self, name: str) -> Tensor:
        for prefix in self.prefixes:
            if prefix + name in self.weights:
                return self.weights[prefix + name]
        raise ValueError(f"The weights hold no {name}, so this is not the model that its configuration describes.")

    def into(self, layer: nn.Module, name: str, transposed: bool = False) -> None:
        weight = self.get(f"{name}.weight")
        _copy(layer.weight, weight.T if transposed else weight, f"{name}.weight")
        if getattr(layer, "bias", None) is not None:
            _copy(layer.bias, self.get(f"{name}.bias"), f"{name}.bias")


def _take_joined(take: _Taker, attention: MultiHead, name: str) -> None:
    """GPT-2 keeps q, k and v side by side in one matrix (input, 3 · d_model)."""
    weights = take.get(f"{name}.weight").T.chunk(3)
    biases = take.get(f"{name}.bias").chunk(3)
    for layer, weight, bias in zip((attention.w_q, attention.w_k, attention.w_v), weights, biases, strict=True):
        _copy(layer.weight, weight, f"{name}.weight")
        _copy(layer.bias, bias, f"{name}.bias")


@torch.no_grad()
def _copy(ours: Tensor, theirs: Tensor, name: str) -> None:
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{name} has shape {tuple(theirs.shape)} where the configuration promises {tuple(ours.shape)}: "
            "the weights and the configuration belong to two models."
        )
    ours.copy_(theirs)


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    known = {"gelu": F.gelu, "gelu_new": partial(F.gelu, approximate="tanh"), "relu": F.relu}
    if name not in known:
        raise ValueError(f"The activation {name!r} is not known here, only {', '.join(known)}.")
    return known[name]


def _refuse(config: dict, **expected) -> None:
    """Raise ValueError if the configuration asks for something that our model does not do."""
    for key, value in expected.items():
        if config.get(key, value) != value:
            raise ValueError(f"The configuration sets {key} to {config[key]!r}; only {value!r} can be loaded here.")
