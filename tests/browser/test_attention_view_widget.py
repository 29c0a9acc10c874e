"""The view of lessons 08 and 09: weights out of packed q and k, and the vitals of a head, against torch's numbers."""

import pytest
import torch

from attn_course.attention import LayerRecord, attention_weights, causal, padding, window
from attn_course.diagnosis.streaming import streaming_vitals
from attn_course.show.widgets import attention_view

pytestmark = pytest.mark.browser

TOLERANCE = 1e-3  # how far a weight in the browser may be from torch's
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


def test_arrow_keys_move_the_token_along_the_line_and_between_lines(mount):
    shown = mount(attention_view([record()], tokens=TOKENS, token=20))
    shown.root.get_by_role("option", name="w20, token 20").focus()
    for key, token in (("ArrowRight", 21), ("ArrowLeft", 20), ("Home", 0), ("ArrowLeft", 0), ("End", N - 1)):
        shown.page.keyboard.press(key)
        assert shown.get("token") == token
    top = "document.activeElement.getBoundingClientRect().top"
    last = shown.page.evaluate(top)
    shown.page.keyboard.press("ArrowUp")
    assert shown.page.evaluate(top) < last and shown.get("token") < N - 1
    shown.page.keyboard.press("ArrowDown")
    assert shown.page.evaluate(top) == last
    assert shown.root.locator('[role=option][tabindex="0"]').count() == 1
    assert f"token {shown.get('token')}, looks at" in shown.words()


def test_hovering_shows_and_a_click_keeps(mount):
    r = record()
    shown = mount(attention_view([r], tokens=TOKENS, token=3))
    chip = shown.root.locator(".a-token").nth(12)
    chip.hover()
    assert (row(shown) - r.weights[0, 0, 12]).abs().max() <= TOLERANCE and "“w12”, token 12" in shown.words()
    assert shown.get("token") == 3
    shown.page.mouse.move(2, 2)
    assert (row(shown) - r.weights[0, 0, 3]).abs().max() <= TOLERANCE
    chip.click()
    shown.page.mouse.move(2, 2)
    assert shown.get("token") == 12 and "“w12”, token 12" in shown.words()


def test_the_map_tells_a_pair_and_a_click_chooses_its_row(mount):
    r = record()
    shown = mount(attention_view([r], tokens=TOKENS))
    box = shown.root.locator(".a-map canvas").bounding_box()
    place = [box["x"] + (9 + 0.5) / N * box["width"], box["y"] + (25 + 0.5) / N * box["height"]]
    shown.page.mouse.move(*place)
    said = shown.root.locator(".a-readout").inner_text()
    assert said.startswith("“w25” (25) looks at “w9” (9): ")
    assert float(said.split(": ")[1]) == pytest.approx(r.weights[0, 0, 25, 9].item(), abs=0.006)
    shown.page.mouse.click(*place)
    assert shown.get("token") == 25
    frame = shown.root.locator(".a-row").bounding_box()
    assert frame["y"] < place[1] < frame["y"] + frame["height"]


def test_the_colours_of_the_map_are_its_weights(mount):
    weights = torch.eye(N) * 0.75 + 0.25 / N
    shown = mount(attention_view([weights[None]], tokens=TOKENS, causal=True))
    pixel = "([x, y]) => [...document.querySelector('.a-map canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
    on, off, hidden = (shown.page.evaluate(pixel, place) for place in ([5, 5], [2, 5], [5, 2]))
    assert hidden[3] == 0 and on[3] == off[3] == 255
    assert sum(on[:2]) > 300 > sum(off[:2])  # yellow is much, blue little


def test_the_strongest_five_are_listed_and_lead_on(mount):
    r = record()
    shown = mount(attention_view([r], tokens=TOKENS, token=4))
    found = shown.root.locator(".a-looks .a-five button").evaluate_all("all => all.map(b => b.ariaLabel)")
    best = r.weights[0, 0, 4].topk(5)
    for said, place, weight in zip(found, best.indices.tolist(), best.values.tolist(), strict=True):
        assert said.startswith(f"{TOKENS[place]}, token {place}: ")
        assert float(said.split(": ")[1]) == pytest.approx(weight, abs=0.006)
    askers = shown.root.locator(".a-looked .a-five button")
    assert str(r.weights[0, 0, :, 4].argmax().item()) in askers.first.inner_text()
    askers.first.click()
    assert shown.get("token") == r.weights[0, 0, :, 4].argmax()


def test_who_looks_at_it_can_be_put_out(mount):
    shown = mount(attention_view([record()], tokens=TOKENS))
    lines = "all => all.filter(chip => chip.style.boxShadow).length"
    assert shown.root.locator(".a-token").evaluate_all(lines) > 0 and "It is looked at most by" in shown.words()
    shown.control("who looks at it").click()
    assert shown.root.locator(".a-token").evaluate_all(lines) == 0 and "looked at" not in shown.words()
    assert shown.root.locator(".a-looked").is_hidden()


def test_shading_begins_at_an_equal_share(mount):
    weights = torch.full((1, N, N), 0.5 / N)
    weights[0, :, 7] += 0.5
    shown = mount(attention_view([weights], tokens=TOKENS, token=4))
    shaded = "all => all.flatMap((chip, i) => chip.style.backgroundColor ? [i] : [])"
    assert shown.root.locator(".a-token").evaluate_all(shaded) == [7]


def test_the_overview_leads_to_a_head_and_shows_a_number_of_each(mount):
    records = [record(seed) for seed in (0, 1)]
    shown = mount(attention_view(records, tokens=TOKENS))
    drawn = "() => [...document.querySelectorAll('.attn-heads canvas')].every(c => c.width === 37)"
    shown.page.wait_for_function(drawn)
    shown.root.get_by_role("button", name="layer 1, head 2").click()
    assert (shown.get("layer"), shown.get("head")) == (1, 2)
    shown.control("all heads").select_option("special")
    share = records[1].weights[0, 2][:, [0, N - 1]].sum(-1).mean().item()
    label = shown.root.locator('.attn-heads [aria-pressed="true"]').get_attribute("aria-label")
    assert label.startswith("layer 1, head 2: ") and float(label.split(": ")[1]) == pytest.approx(share, abs=0.006)
    shown.page.keyboard.press("Tab")
    shown.root.locator('.attn-heads [tabindex="0"]').focus()
    shown.page.keyboard.press("ArrowUp")
    assert (shown.get("layer"), shown.get("head")) == (0, 2)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["[CLS]", "un", "##happy", ",", "he", "said", "."], "[CLS] unhappy, he said."),
        (["Un", "happy", ",", "Ġhe", "Ġsaid", "."], "Unhappy, he said."),
        (["▁Un", "happy", "▁he", "▁said"], "Unhappy he said"),
    ],
)
def test_pieces_are_put_together_into_words(mount, tokens, text):
    n = len(tokens)
    shown = mount(attention_view([torch.full((1, n, n), 1 / n)], tokens=tokens))
    assert shown.root.locator(".a-text").inner_text().strip() == text


def test_what_goes_to_no_token_is_said(mount):
    shown = mount(attention_view([torch.full((1, 8, 8), 0.1)], tokens=list("abcdefgh")))
    assert "0.20 of its row goes to no token" in shown.words()


def test_it_says_that_a_map_is_no_proof(mount):
    shown = mount(attention_view([record()], tokens=TOKENS))
    assert "A map is no proof" in shown.root.inner_text() and "importan" not in shown.root.inner_text()
