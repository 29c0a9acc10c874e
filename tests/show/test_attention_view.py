"""What the view of lessons 08 and 09 sends to the browser: no more than a widget may weigh, and close enough."""

import base64
import json

import numpy as np
import pytest
import torch

from attn_course.attention import LayerRecord, attention_weights, causal, masked_softmax, padding
from attn_course.models.pretrained import load
from attn_course.show.widgets import attention_view
from attn_course.show.widgets.packing import packed_head, packed_weights

TOLERANCE = 1e-3  # how far a weight in the browser may be from the model's own
SENTENCE = "The river that came over the wall by the bakery carries a whole mountain to the sea, grain by grain. "


def record(n=6, heads=2, batch=1, **changes) -> LayerRecord:
    q, k, v = torch.randn(3, batch, heads, n, 4, generator=torch.Generator().manual_seed(0))
    weights = attention_weights(q, k)
    fields = {"q": q, "k": k, "v": v, "scale": 0.5, "weights": weights, "output": weights @ v, "visible": None}
    return LayerRecord(**{**fields, **changes})


def unpacked(part: dict, n: int) -> torch.Tensor:
    """Read the bits as they are described: feature after feature, each number with its feature's count of bits."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(part["codes"]), np.uint8)).astype(np.int64)
    features = []
    for width in part["bits"]:
        taken, bits = bits[: n * width].reshape(n, width), bits[n * width :]
        features.append(taken @ (1 << np.arange(width)[::-1]) - (1 << width >> 1))
    return torch.tensor(np.stack(features, axis=1), dtype=torch.float64)


def in_the_browser(head: dict, n: int, seen=None) -> torch.Tensor:
    scores = head["step"] ** 2 * unpacked(head["q"], n) @ unpacked(head["k"], n).T
    return masked_softmax(scores if seen is None else scores.masked_fill(~seen, -torch.inf))


@pytest.fixture(scope="module")
def longest():
    """MiniLM on as many tokens as it holds."""
    model, text = load(), SENTENCE * 40
    words = text.split()
    while len(model.tokenizer.encode(" ".join(words)).ids) > 512:
        words.pop()
    return model.read(" ".join(words))


def test_every_weight_of_72_heads_is_within_the_tolerance(longest):
    text = attention_view(longest).text
    off = [
        (in_the_browser(head, len(longest.tokens)) - own).abs().max()
        for heads, layer in zip(text["layers"], longest.layers, strict=True)
        for head, own in zip(heads, layer.weights[0], strict=True)
    ]
    assert len(off) == 72 and max(off) <= TOLERANCE


def test_72_heads_on_512_tokens_stay_below_five_megabytes(longest):
    assert len(longest.tokens) >= 510
    assert len(json.dumps(attention_view(longest).get_state()["text"])) < 5e6


def test_a_reading_brings_its_tokens_and_marks_are_special():
    reading = load().read("The cat sat. Then it slept.")
    text = attention_view(reading).text
    assert text["tokens"] == list(reading.tokens) and text["special"] == [0, len(reading.tokens) - 1]
    assert attention_view(reading, special=[3, 2]).text["special"] == [2, 3]
    assert attention_view([record()], tokens=["Once", "upon", "a", "</s>", "<s>", "time"]).text["special"] == [0, 3, 4]


def test_a_mask_is_sent_once():
    seen = (causal & padding(torch.arange(6) > 0)).dense(6).expand(1, 2, 6, 6)
    records = [record(visible=seen, weights=attention_weights(record().q, record().k, seen)) for _ in range(3)]
    text = attention_view(records, tokens=list("abcdef")).text
    assert len(text["masks"]) == 1 and {head["mask"] for heads in text["layers"] for head in heads} == {0}
    sent = np.unpackbits(np.frombuffer(base64.b64decode(text["masks"][0]), np.uint8))[:36]
    assert np.array_equal(sent.reshape(6, 6), seen[0, 0].numpy())


def test_keys_that_nobody_sees_cost_no_precision():
    r = record(n=9)
    k = r.k.clone()
    k[..., -1, :] = 1e6  # a padded place may hold anything
    seen = padding(torch.arange(9) < 8).dense(9).expand(1, 2, 9, 9)
    weights = attention_weights(r.q, k, seen)
    head = packed_head(r.q[0, 0], k[0, 0], 0.5, seen[0, 0], weights[0, 0])
    assert (in_the_browser(head, 9, seen[0, 0]) - weights[0, 0]).abs().max() <= TOLERANCE
    assert max(head["k"]["bits"]) < 14


def test_one_of_a_batch():
    r = record(batch=2)
    text = attention_view([r], tokens=list("abcdef"), sequence=1).text
    assert (in_the_browser(text["layers"][0][1], 6) - r.weights[1, 1]).abs().max() <= TOLERANCE


def test_weights_as_they_are_come_back_to_a_sixteen_thousandth():
    weights = torch.rand(7, 7, generator=torch.Generator().manual_seed(0)).softmax(-1)
    packed = packed_weights(weights)
    assert (packed["step"] * unpacked(packed["weights"], 7) - weights).abs().max() <= 1 / 2**14


def test_q_and_k_are_never_sent_for_weights_that_are_not_theirs():
    r = record()
    other = [r.weights.flip(-1), 0.8 * r.weights, attention_weights(r.q, r.k, causal)]
    for weights in other:
        heads = attention_view([record(weights=weights)], tokens=list("abcdef")).text["layers"][0]
        assert all("weights" in head and "q" not in head for head in heads)
    assert "q" in attention_view([record(weights=other[2])], tokens=list("abcdef"), causal=True).text["layers"][0][0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"tokens": []}, "The text is empty"),
        ({"tokens": None}, r"do not know their text: attention_view\(records, tokens="),
        ({"tokens": list("abc")}, r"layer 0 should have weights \(head, 3 queries, 3 keys\), got \(2, 6, 6\)"),
        ({"tokens": ["a"] * 1025}, "The text has 1025 tokens, the view holds 1024: shorten it"),
        ({"source": []}, "at least one"),
        ({"source": torch.rand(2, 6, 6)}, "one entry for each layer"),
        ({"source": [record(), record(heads=3)]}, r"equally many heads, got \[2, 3\]"),
        ({"source": [torch.full((2, 6, 6), torch.nan)]}, "layer 0 has weights that are NaN"),
        ({"special": [6]}, r"0 to 5; got \[6\]"),
        ({"sequence": 1}, "sequence should be 0 to 0, got 1"),
    ],
)
def test_bad_input_gets_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        attention_view(**{"source": [record()], "tokens": list("abcdef"), **arguments})
    assert "\n" not in str(raised.value)


def test_more_than_a_widget_may_weigh_is_refused_with_its_size():
    maps = [torch.rand(12, 300, 300, generator=torch.Generator().manual_seed(0)) for _ in range(4)]
    with pytest.raises(
        ValueError, match=r"48 heads on 300 tokens take 1\d\.\d MB, the view holds 5: give fewer layers"
    ):
        attention_view(maps, tokens=["a"] * 300)
