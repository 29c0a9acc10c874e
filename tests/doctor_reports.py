"""Reports to draw: of a sound made-up model, of a sick one, of one that wrote its text, and of big and small ones."""

from dataclasses import replace

import torch

from attn_course.attention import causal
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.record import AttentionCall, GradientVitals, HiddenVitals, Record
from attn_course.diagnosis.report import Finding, Place, Report
from attn_course.diagnosis.streaming import streaming_vitals_of

TOKENS = ["[CLS]", "the", "cat", "sat", "on", "the", "mat", "because", "it", "was", "tired", "[SEP]"]
MALICE = "</script><img src=x onerror=alert(1)><!--<script>"


def call(name: str, heads: int, n: int, seed: int, n_query: int | None = None, sick: bool = False) -> AttentionCall:
    """One call of a layer whose first key is a sink in every other head; the queries are the last ones."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, n, 8, generator=generator) for _ in range(3))
    q[:, ::2, :, 0] = 4.0
    k[:, ::2, 0, 0] = 3.0
    v[:, ::2, 0] *= 0.1
    if sick:
        q[:, :, n // 2] = torch.nan
    q = q[:, :, n - (n_query or n) :]
    vitals = streaming_vitals_of(q, k, v, causal, token_sets={"CLS": [0]}, sample=24)
    rows = vitals.close.rows
    i = torch.arange(n - q.shape[2], n)[:, None]
    scores = (q @ k.mT / 8**0.5).masked_fill(torch.arange(n) > i, -torch.inf)
    weights = scores.softmax(-1)[:, :, rows].half()
    norm = v.norm(dim=-1)
    return AttentionCall(name, "self", vitals, norm, 50.0, torch.float32, not sick, rows, weights)


def hidden(name: str, seed: int, sick: bool = False) -> HiddenVitals:
    x = torch.rand(7, 1, generator=torch.Generator().manual_seed(seed))
    x = x * torch.nan if sick else x
    residual, effective, stable, cosine, influence, largest, median = x
    at = torch.tensor([[2, 5]])
    return HiddenVitals(
        name, residual, 8 * effective, 3 * stable, cosine, influence, 400 * largest, median, at, not sick
    )


def record(layers: int, heads: int, tokens: list[str] | None, n: int | None = None, sick: bool = False) -> Record:
    n = n or len(tokens)
    made = Record("a made-up model", tokens=None if tokens is None else [tokens], token_sets={"CLS": [0]})
    for layer in range(layers):
        made.calls.append(call(f"h.{layer}.attn", heads, n, layer, sick=sick and layer > 0))
        made.hidden.append(hidden(f"h.{layer}", layer, sick=sick and layer > 0))
    return made


FINDINGS = (
    Finding(
        "entropy-collapse",
        "Attention has collapsed onto single keys",
        "fault",
        "strong",
        "on every row",
        tuple(Place(1, head) for head in range(3)),
        "Greatest logit 1656; the lowest twentieth of the rows has 0.02 of log n.",
        "Normalise queries and keys (QK-norm), and lower the learning rate.",
    ),
    Finding(
        "duplicate-heads",
        "Two heads do the same",
        "look",
        "hint",
        "on 64 of 210 rows, drawn at random",
        (Place(0, 1),),
        "Their rows differ by 0.004 bits.",
        "Prune one of them, and see what the loss says.",
    ),
    Finding(
        "sink",
        "A sink on the first token",
        "normal",
        "strong",
        "on every row",
        (Place(0, 0), Place(0, 2)),
        "It takes 62 % and has a value of 0.1 of the others.",
        "Leave it.",
    ),
)


def report(layers: int = 2, heads: int = 4, tokens: list[str] | None = TOKENS, n: int | None = None, **more) -> Report:
    """A sound model's, with findings of every severity."""
    found = diagnose(record(layers, heads, tokens, n))
    places = lambda each: tuple(p for p in each.where if p.layer < layers and p.head < heads)  # noqa: E731
    findings = tuple(replace(each, where=places(each)) for each in FINDINGS)
    return replace(found, **({"findings": findings, "notes": ("A second loss was not given.",)} | more))


def sick() -> Report:
    """NaN from its second layer on."""
    return diagnose(record(2, 4, TOKENS, sick=True))


def written() -> Report:
    """A text of 12 tokens, read up to the sixth and written from there, one call a token."""
    made = Record("a writer", tokens=[TOKENS], token_sets={"CLS": [0]})
    for n_query, n in [(6, 6), *((1, n) for n in range(7, 13))]:
        made.calls += [call(f"h.{layer}.attn", 4, n, layer, n_query) for layer in range(2)]
    return diagnose(made)


def with_gradients(found: Report) -> Report:
    made = record(len(found.layers), found.layers[0].heads, TOKENS)
    made.gradients = [
        GradientVitals(layer.name, torch.linspace(0.1, 1, layer.heads), 0.2, 0.5) for layer in found.layers
    ]
    return replace(diagnose(made), findings=found.findings)


def malicious() -> Report:
    """A model's name, text and findings that try to be markup."""
    found = report(tokens=[MALICE, "\u202egnp", "\n", "\ud800", "Ġthe", "&lt;", "'", '"', "a", "b", "c", "d"])
    nasty = replace(found.findings[0], title=MALICE, evidence=f"'{MALICE}", remedy='" onmouseover="alert(1)')
    return replace(found, model=MALICE, findings=(nasty, *found.findings[1:]))


def uneven() -> Report:
    """Layers of 4 and of 2 heads, one of them of cross-attention: its keys are another text's."""
    found = report(2, 4)
    other = replace(report(1, 2).layers[0], name="cross", kind="cross")
    return replace(found, layers=(*found.layers, other))


def shaded() -> Report:
    """Its grid has every shade of the colour map."""
    found = report(1, 25, None, n=24)
    shares = [tuple((25 * row + head) / 249 for head in range(25)) for row in range(10)]
    layers = [replace(found.layers[0], values=found.layers[0].values | {"entropy": each}) for each in shares]
    return replace(found, layers=tuple(layers))
