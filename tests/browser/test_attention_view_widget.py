"""The view of lessons 08 and 09: weights out of packed q and k, and the vitals of a head, against torch's numbers."""

import pytest
import torch

from attn_course.attention import LayerRecord, attention_weights, causal, padding, window
from attn_course.diagnosis.streaming import streaming_vitals
from attn_course.show.widgets import attention_view
from attn_course.show.widgets.packing import TOLERANCE

pytestmark = pytest.mark.browser

N, HEADS, D = 37, 3, 16
TOKENS = ["[CLS]", *(f"w{i}" for i in range(1, N - 1)), "[SEP]"]


def record(seed=0, gain=2.0, visible=None, n=N, score=None, d=D) -> LayerRecord:
    """One layer of random heads; the keys have something in common, as real keys do."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 1, HEADS, n, d, generator=generator)
    q, k = gain * q, k + 3
    weights = attention_weights(q, k, visible, score=score)
    seen = None if visible is None else visible.dense(n).expand(weights.shape)
    return LayerRecord(q, k, v, d**-0.5, weights, weights @ v, seen)


def row(shown):
    return torch.tensor(shown.shown("row"))


def column(shown):
    return torch.tensor(shown.shown("column"))


def the_same_as_torchs(shown, weights, places=((0, 0), (1, 2), (1, 1))):
    """Rows and columns of several heads, as `weights[layer][head]` has them."""
    for layer, head in places:
        for token in (0, 1, weights[0].shape[-1] // 2, weights[0].shape[-1] - 1):
            shown.set(layer=layer, head=head, token=token)
            wanted = weights[layer][head]
            assert (row(shown) - wanted[token]).abs().max() <= TOLERANCE + 1e-6
            assert (column(shown) - wanted[:, token]).abs().max() <= TOLERANCE + 1e-6


@pytest.mark.parametrize(
    "visible",
    [None, causal, padding(torch.arange(N) < 30), causal & window(5), causal & padding(torch.arange(N) > 2)],
    ids=["everything", "causal", "padding", "window", "rows that see nothing"],
)
def test_rows_and_columns_are_torchs(mount, visible):
    records = [record(seed, visible=visible) for seed in (0, 1)]
    shown = mount(attention_view(records, tokens=TOKENS))
    the_same_as_torchs(shown, [r.weights[0] for r in records])


@pytest.mark.parametrize("gain", [0.0, 0.05, 8.0, 40.0])
def test_flat_and_peaked_scores_are_torchs(mount, gain):
    records = [record(seed, gain=gain) for seed in (2, 3)]
    shown = mount(attention_view(records, tokens=TOKENS))
    assert all("q" in head for heads in shown.get("text")["layers"] for head in heads)
    the_same_as_torchs(shown, [r.weights[0] for r in records])


def test_causal_is_hidden_where_the_records_do_not_say_so(mount):
    records = [record(seed) for seed in (0, 1)]
    hidden = [record(seed, visible=causal).weights for seed in (0, 1)]
    blind = [LayerRecord(r.q, r.k, r.v, r.scale, w, r.output, None) for r, w in zip(records, hidden, strict=True)]
    shown = mount(attention_view(blind, tokens=TOKENS, causal=True))
    assert shown.get("text")["masks"] == ["causal"]
    the_same_as_torchs(shown, [w[0] for w in hidden])


def test_weights_that_q_and_k_do_not_give_are_shown_as_they_are(mount):
    capped = [record(seed, gain=20, score=lambda s, i, j: 5 * torch.tanh(s / 5)) for seed in (0, 1)]
    shown = mount(attention_view(capped, tokens=TOKENS))
    assert all("weights" in head for heads in shown.get("text")["layers"] for head in heads)
    the_same_as_torchs(shown, [r.weights[0] for r in capped])


def test_plain_weights_are_shown_as_they_are(mount):
    rollout = [record(seed).weights[0].mean(0, keepdim=True) for seed in (0, 1)]
    shown = mount(attention_view(rollout, tokens=TOKENS))
    the_same_as_torchs(shown, rollout, places=((0, 0), (1, 0)))


@pytest.mark.parametrize("visible", [None, causal, causal & padding(torch.arange(N) > 2)], ids=str)
def test_the_line_of_a_head_has_the_vitals_of_the_diagnosis(mount, visible):
    r = record(visible=visible)
    shown = mount(attention_view([r], tokens=TOKENS))
    vitals = streaming_vitals(r.q, r.k, visible=visible, token_sets={"special": [0, N - 1]}, sample=0)
    for head in range(HEADS):
        shown.set(head=head)
        found = shown.shown("vitals")
        count = vitals.visible_keys[0, head]
        wanted = vitals.normalised_entropy[0, head][count > 1].mean()
        assert found["entropy"] == pytest.approx(wanted.item(), abs=2e-3)
        assert found["special"] == pytest.approx(vitals.set_mass["special"][0, head][count > 0].mean().item(), abs=1e-3)
        assert found["distance"] == pytest.approx(vitals.mean_distance[0, head][count > 0].mean().item(), abs=0.02)
        received = vitals.received[0, head]
        assert found["key"] == received.argmax()
        assert found["share"] == pytest.approx((received.max() / received.sum()).item(), abs=1e-3)


def test_a_head_without_its_special_tokens_is_scaled_up_and_says_so(mount):
    r = record()
    shown = mount(attention_view([r], tokens=TOKENS, head=1, token=5))
    shown.control("leave out [CLS] and [SEP]").click()
    rest = r.weights[0, 1].clone()
    rest[:, [0, N - 1]] = 0
    rest /= rest.sum(-1, keepdim=True)
    assert (row(shown) - rest[5]).abs().max() <= 3 * TOLERANCE  # what is left is scaled up, and its errors with it
    assert (column(shown) - rest[:, 5]).abs().max() <= 3 * TOLERANCE
    taken = r.weights[0, 1, 5, [0, N - 1]].sum().item()
    assert f"Without [CLS] and [SEP], which take {taken:.{2 if taken >= 0.0995 else 3}f}"[:-1] in shown.words()
    assert shown.root.locator(".a-token.a-out").count() == 2
