"""The widget of weights seen from Python: what it is given, in how few bytes, and what it refuses."""

import json

import pytest
import torch
import traitlets

from attn_course.attention import LayerRecord, attention_weights, causal
from attn_course.models.pretrained import Reading, load
from attn_course.show.widgets import WasteWidget, waste
from attn_course.show.widgets.packing import RELATIVE, packed_fine_head, packed_values


def record(n=6, score=None, visible=None) -> LayerRecord:
    q, k, v = torch.randn(3, 1, 2, n, 8, generator=torch.Generator().manual_seed(0))
    weights = attention_weights(4 * q, k, visible, score=score)
    seen = None if visible is None else visible.dense(n).expand(weights.shape)
    return LayerRecord(4 * q, k, v, 8**-0.5, weights, weights @ v, seen)


def reading(n=6, **changes) -> Reading:
    return Reading(tuple("abcdefghijkl"[:n]), (record(n, **changes),))


def test_names_are_given_or_counted():
    widget = waste([reading(4), reading(6)], heads=[(0, 1)])
    assert [text["name"] for text in widget.texts] == ["4 tokens", "6 tokens"]
    assert widget.texts[1]["heads"][0]["name"] == "layer 0, head 1" and repr(widget) == "WasteWidget(2 texts, 1 head)"
    assert waste(reading(), [(0, 0)], names=["a text"]).texts[0]["name"] == "a text"
    assert waste(reading(visible=causal), [(0, 0)]).texts[0]["heads"][0]["mask"] == "causal"


def test_small_weights_of_the_real_model_are_packed_as_closely_as_large_ones():
    layer = load().read("The cat that the dog saw sat on the mat because it was tired.").layers[2]
    for head in range(12):
        q, k, weights = (x[0, head].double() for x in (layer.q, layer.k, layer.weights))
        packed = packed_fine_head(q, k, layer.scale, None, weights)
        assert packed is not None and max(packed["q"]["bits"]) <= 14
        off = (
            q * layer.scale @ (k + 0.02 * k.std() * torch.randn(k.shape, generator=torch.Generator().manual_seed(1))).T
        )
        assert ((off.softmax(-1) / weights - 1).abs() > RELATIVE).any()  # so much would have been refused


def test_values_keep_three_digits():
    v = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    packed = packed_values(v)
    assert packed["step"] == pytest.approx(v.abs().max().item() / 1024) and max(packed["bits"]) <= 12


def test_six_heads_on_a_long_text_take_few_bytes():
    long = load().read(" ".join(["river"] * 120))
    widget = waste(long, heads=[(layer, 3) for layer in range(6)])
    assert len(json.dumps(widget.get_state()["texts"])) < 250_000


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: waste([], heads=[(0, 0)]), "at least one reading and one head"),
        (lambda: waste(reading(), heads=[]), "at least one reading and one head"),
        (lambda: waste(reading(), heads=(0, 1)), r"as in heads=\[\(0, 2\)\]; got 0"),
        (lambda: WasteWidget([]), "no text to show"),
        (lambda: waste(reading(), heads=[(0, 2)]), r"6 tokens has no head \(0, 2\)"),
        (lambda: waste(reading(), heads=[(1, 0)]), r"6 tokens has no head \(1, 0\)"),
        (lambda: waste(reading(), heads=[(0, 0)], names=["a", "b"]), "1 readings and 2 names"),
        (lambda: waste(Reading(("a",) * 300, (record(300),)), heads=[(0, 0)]), "300 tokens, the widget holds 256"),
        (lambda: waste(reading(score=lambda s, i, j: s - (i - j).abs()), heads=[(0, 0)]), "a bias or a soft-cap"),
    ],
)
def test_what_cannot_be_shown_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_traits_out_of_range_are_refused():
    for wrong in ({"text": 2}, {"head": 2}, {"head": -1}, {"exponent": 2.0}, {"exponent": float("nan")}):
        with pytest.raises(traitlets.TraitError):
            WasteWidget(**wrong)
