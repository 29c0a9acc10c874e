"""Models that read text, each with its way from characters to tokens: what the doctor can examine.

`reader(model)` takes what `models.pretrained.load` gives, or one of the course's own checkpoints that reads text.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attn_course.models.pretrained import MiniLM
from attn_course.tasks.documentation import documentation, encode
from attn_course.training.checkpoints import trained
from attn_course.training.recipes.language import WINDOW

CHARACTERS = 32  # of a token, generously: words have five
CHARACTER_MODELS = ("language", "masked")  # the checkpoints that read text, character by character


class CharacterModel:
    """One of the course's own models that read text character by character."""

    def __init__(self, name: str):
        if name not in CHARACTER_MODELS:
            raise ValueError(
                f"{name} is one of the course's models, but it reads no text. Those that do: "
                f"{', '.join(CHARACTER_MODELS)}."
            )
        self.name, self.model = name, trained(name)


@dataclass(frozen=True)
class Tokens:
    """One text as its model reads it."""

    words: list[str]
    special: dict[str, list[int]]  # "[CLS]" → where it stands
    inputs: dict[str, Tensor]  # what the model is called with

    def __len__(self) -> int:
        return len(self.words)

    @property
    def own(self) -> int:
        """How many tokens are the text's, and not the tokeniser's."""
        return len(self.words) - sum(map(len, self.special.values()))


@dataclass(frozen=True)
class Reader:
    """A model and how it reads."""

    name: str
    module: nn.Module
    most: int | None  # tokens that it holds; None: not said
    tokens: Callable[[str, int | None], Tokens]  # of a text; of its first so many, special ones included
    notes: tuple[str, ...] = ()
    foretells: bool = False  # its scores are of the next token, so that a text has its own answers

    def run(self, text: Tokens) -> None:
        device = next((weight.device for weight in self.module.parameters()), torch.device("cpu"))
        with torch.no_grad():
            self.module(**{name: each.to(device) for name, each in text.inputs.items()})


def reader(model) -> Reader:
    """How this model reads. Raises TypeError with one sentence for what reads no text."""
    if isinstance(model, MiniLM):
        return _minilm(model)
    if isinstance(model, CharacterModel):
        return Reader(model.name, model.model, WINDOW, _characters, foretells=model.name == "language")
    if isinstance(getattr(model, "model", None), nn.Module) and callable(getattr(model, "tokenizer", None)):
        return _library(model)
    raise TypeError(
        "examine wants a model with its tokeniser, as attn_course.models.pretrained.load gives, got "
        f"{type(model).__name__}. For any other: watch(model), then diagnose(record)."
    )


def _minilm(model: MiniLM) -> Reader:
    def tokens(text: str, most: int | None) -> Tokens:
        if most is not None:
            model.tokenizer.enable_truncation(most)
        try:
            encoded = model.tokenizer.encode(text)
        finally:
            model.tokenizer.no_truncation()
        special = _by_name(encoded.tokens, encoded.special_tokens_mask)
        return Tokens(encoded.tokens, special, {"tokens": torch.tensor([encoded.ids])})

    return Reader(model.name, model.model, model.model.stack.positions.table.num_embeddings, _of_the_beginning(tokens))


def _of_the_beginning(tokens: Callable[[str, int | None], Tokens]) -> Callable[[str, int | None], Tokens]:
    """If only the first tokens are wanted, only the beginning of a text is split: as much as holds them for certain."""

    def cut(text: str, most: int | None) -> Tokens:
        length = len(text) if most is None else CHARACTERS * (most + 1)
        while True:
            found = tokens(text[:length], most)
            if length >= len(text) or len(found) >= most:
                return found
            length *= 4

    return cut


def _characters(text: str, most: int | None) -> Tokens:
    known = documentation().characters
    text = text.strip()[:most]
    strange = sorted(set(text) - set(known))
    if strange:
        raise ValueError(
            f"holds {strange[0]!r}, which this model has never seen: it knows the {len(known)} characters of Python's "
            "documentation. Leave it out, or write it another way"
        )
    return Tokens(list(text), {}, {"tokens": encode(text)[None]})


def _library(model) -> Reader:
    """A model of `transformers`. One that has an encoder and a decoder reads the text in both."""
    both = getattr(model.model.config, "is_encoder_decoder", False)
    special_ids = _special_ids(model.tokenizer)

    def tokens(text: str, most: int | None) -> Tokens:
        cut = {} if most is None else {"truncation": True, "max_length": most}
        inputs = dict(model.tokenizer(text, return_tensors="pt", **cut))
        ids = inputs["input_ids"][0].tolist()
        words = model.tokenizer.convert_ids_to_tokens(ids)
        if both:
            inputs["decoder_input_ids"] = inputs["input_ids"]
        return Tokens(words, _by_name(words, [each in special_ids for each in ids]), inputs)

    return Reader(
        name=model.name,
        module=model.model,
        most=_positions(model.model.config),
        tokens=_of_the_beginning(tokens),
        notes=_notes(both, getattr(model, "missing", ()), getattr(model, "unused", ())),
    )


def _notes(both: bool, missing: tuple[str, ...], unused: tuple[str, ...]) -> tuple[str, ...]:
    said = ["Encoder and decoder were given the same text."] if both else []
    if missing:
        one = len(missing) == 1
        said.append(
            f"{len(missing)} of the model's weights {'is' if one else 'are'} not in its files, so "
            f"{'it is' if one else 'they are'} random: {_some(missing)}."
        )
    if unused:
        one = len(unused) == 1
        said.append(
            f"{len(unused)} of the weights in its files {'has' if one else 'have'} no place in the model that was "
            f"examined, so nothing is said about {'it' if one else 'them'}: {_some(unused)}."
        )
    return tuple(said)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")


def _special_ids(tokenizer) -> set[int]:
    """Without the one for unknown words, which are the text's, unless it serves for beginning or end too."""
    ends = {getattr(tokenizer, name, None) for name in ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")}
    return set(tokenizer.all_special_ids) - ({tokenizer.unk_token_id} - ends)


def _positions(config) -> int | None:
    """How many tokens the configuration allows: its names differ from model to model."""
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _by_name(words: list[str], special: list) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, (word, is_special) in enumerate(zip(words, special, strict=True)):
        if is_special:
            found.setdefault(word, []).append(at)
    return found
