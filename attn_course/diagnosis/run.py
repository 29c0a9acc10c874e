"""The doctor's examination: texts in, one report out.

from attn_course.models.pretrained import load
report = examine(load(), ["The cat sat on the mat because it was tired."])
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from attn_course.attention import MultiHead
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.memory import DoesNotFit, check_fits, needed, out_of_memory, shape_of
from attn_course.diagnosis.readers import Reader, Tokens, reader
from attn_course.diagnosis.record import Record
from attn_course.diagnosis.report import Report
from attn_course.diagnosis.trials import Asked, Trials, trials
from attn_course.diagnosis.trials.examine import about_trials
from attn_course.diagnosis.watch import watch
from attn_course.diagnosis.watch_library import attention_layers
from attn_course.diagnosis.weights import unsound

LEAST = 16  # answers in a text; from fewer no cost is told
Progress = Callable[[int, int], object]  # called with (entries so far, entries in all)
OWN_TEXT = Path(__file__).parent / "text.txt"  # what is read if nothing else is given: about 200 tokens


def examine(
    model,
    texts: Sequence[str] | Mapping[str, str],
    max_tokens: int | None = None,
    rows: int = 64,
    progress: Progress | None = None,
) -> Report:
    """Have a model read texts, one after another, and say what is right and wrong with it.

    model       what `models.pretrained.load` gives, or `readers.CharacterModel(name)`
    texts       one or several; a mapping gives each a name, for sentences about it
    max_tokens  read only so many of each, special tokens included
    rows        how many query rows of each text are sampled for what needs whole rows; all if there are no more
    progress    called after each layer of each text

    The model is not changed. Meanwhile it is in eval mode, without dropout, and one of the library attends by torch's
    fused kernel, which writes no map, so that long texts fit. Raises ValueError with one sentence for a text that is
    too short or too long, for a model whose attention cannot be watched, and if the run would not fit into memory.
    """
    _check_counts(max_tokens, rows)
    named = _named(texts)
    reads = reader(model)
    tokens = {name: _tokens(reads, name, text, max_tokens) for name, text in named.items()}
    with _evaluated(reads.module), _fused(reads.module):
        _check_memory(reads, list(tokens.values()), rows)
        records = _watched(reads, tokens, rows, progress)
        sick = unsound(reads.module)
        tried = None if sick else _tried(reads, list(tokens.values()))
    report = diagnose(records, sick, tried)
    about = report.about | {"texts": ", ".join(named)} | about_trials(tried)
    return replace(report, about=about, notes=(*reads.notes, *report.notes))


def _tried(reads: Reader, tokens: list[Tokens]) -> Trials | None:
    """Of a model that foretells: its own texts, from their beginnings, as long as the shortest of them."""
    n = min(len(each) for each in tokens) - 1
    if not reads.foretells or n < LEAST:
        return None
    rows = torch.cat([each.inputs["tokens"][:, : n + 1] for each in tokens])
    return trials(reads.module, Asked(rows[:, :-1], rows[:, 1:]))


def _check_counts(max_tokens: int | None, rows: int) -> None:
    for name, value in {"max_tokens": max_tokens, "rows": rows}.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ValueError(f"{name} counts, so it is a whole number from 1 up; got {value!r}.")


def _named(texts: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(texts, str):
        raise TypeError("texts is a list of texts: examine(model, [text]).")
    named = dict(texts) if isinstance(texts, Mapping) else {f"text {at}": text for at, text in enumerate(texts)}
    for name, text in named.items():
        if not isinstance(text, str):
            raise TypeError(f"A text is a string, but {name} is of type {type(text).__name__}.")
    if not named:
        raise ValueError("There is no text to read: give at least one.")
    return named


def _tokens(reads: Reader, name: str, text: str, most: int | None) -> Tokens:
    if not text.strip():
        raise ValueError(f"{name} holds nothing but white space: there is nothing to read in it.")
    try:
        tokens = reads.tokens(text, most)
    except ValueError as error:
        raise ValueError(f"{name} {error}.") from error
    if tokens.own < 2:
        had = "no token" if tokens.own == 0 else "one token"
        cut = f" within {most} tokens" if most is not None else ""
        raise ValueError(f"{name} has {had}{cut}: attention needs at least two, to choose between them.")
    if reads.most is not None and len(tokens) > reads.most:
        raise ValueError(
            f"{name} has {len(tokens):,} tokens, {reads.name} holds {reads.most:,}: shorten it, or read only its "
            f"beginning with max_tokens={reads.most} (--max-tokens {reads.most})."
        )
    return tokens


@contextmanager
def _evaluated(module: nn.Module) -> Iterator[None]:
    """In eval mode for a while; each layer goes back to its own."""
    before = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for layer, training in before:
            layer.training = training


@contextmanager
def _fused(module: nn.Module) -> Iterator[None]:
    """A model of the library attends by the fused kernel for a while, if it can."""
    config = getattr(module, "config", None)
    before = getattr(config, "_attn_implementation", None)
    if before is None:
        yield
        return
    try:
        module.set_attn_implementation("sdpa")
    except (ValueError, ImportError):  # it knows the plain way alone
        module.set_attn_implementation(before)
    try:
        yield
    finally:
        module.set_attn_implementation(before)


def _check_memory(reads: Reader, tokens: list[Tokens], rows: int) -> None:
    """The weights are there already, so only what comes on top is asked for."""
    check_fits(reads.name, needed(0, shape_of(reads.module), [len(each) for each in tokens], rows))


def _watched(reads: Reader, tokens: dict[str, Tokens], rows: int, progress: Progress | None) -> list[Record]:
    """One record a text, since special tokens stand elsewhere in each."""
    done, records = 0, []
    own = [layer for layer in reads.module.modules() if isinstance(layer, MultiHead)]
    in_all = len(tokens) * len(own or attention_layers(reads.module))

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, max(done, in_all))

    for name, text in tokens.items():
        asked = {"token_sets": text.special, "tokens": [text.words], "sample": rows, "hidden": True, "progress": step}
        with watch(reads.module, **asked) as record:
            _run(reads, name, text)
        record.model = reads.name
        records.append(record)
    return records


def _run(reads: Reader, name: str, text: Tokens) -> None:
    """A model of somebody else's may stop for any reason: say in which text, and what it said."""
    try:
        reads.run(text)
    except Exception as error:
        if out_of_memory(error):
            raise DoesNotFit(
                f"{reads.name} ran out of memory as it read {name} ({len(text):,} tokens): take a smaller model, or a "
                "shorter text (--max-tokens)."
            ) from error
        said = f"{type(error).__name__}: {str(error).strip() or 'without a word'}".splitlines()[0].rstrip(".")
        raise ValueError(
            f"{reads.name} stopped as it read {name} ({len(text):,} tokens), with {said}: look whether it reads text, "
            "and whether the tokeniser is its own."
        ) from error
