"""Lesson 06's widget: rows, looks and alignment error against torch's and the course's own."""

import pytest
import torch

from attn_course.show.widgets import Steps, TranslationWidget
from attn_course.tasks.alignment import alignment_error, looks
from attn_course.tasks.translation import pair, swapped

pytestmark = pytest.mark.browser

PAIRS = [pair(42), pair(342_012), pair(7)]


def weights(one, seed=0):
    shape = (3, len(one.target) + 1, len(one.source))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).mul(2).softmax(-1)


def steps(one, seed=0):
    return Steps(one.source, one.target, weights(one, seed), one.sure, one.possible)


def widget(**state):
    return TranslationWidget([[steps(one), steps(swapped(one, 0) or one, seed=1)] for one in PAIRS], **state)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("head", [-1, 0, 2])
def test_rows_looks_and_error_are_torchs(mount, head, late):
    shown = mount(widget(head=head, late=late))
    for number, one in enumerate(PAIRS):
        shown.set(number=number, step=0)
        sent = torch.tensor(widget().numbers[number][0]["weights"], dtype=torch.float64) / 1000
        rows = (sent.mean(0) if head < 0 else sent[head])[late : late + len(one.target)]
        assert torch.allclose(torch.tensor(shown.shown("rows"), dtype=torch.float64), rows, atol=1e-12)
        assert set(enumerate(shown.shown("looks"))) == looks(rows)
        assert shown.shown("error") == pytest.approx(alignment_error([looks(rows)], [one]))


def test_the_slider_walks_the_words_and_the_words_say_so(mount):
    shown = mount(TranslationWidget())
    assert shown.words().startswith("Step 1, read so far: nothing yet. To write “zwei”")
    shown.press("step", "ArrowRight")
    shown.press("step", "ArrowRight")
    shown.press("step", "ArrowRight")  # there are three words
    assert shown.get("step") == 2
    assert "Step 3, read so far: “zwei und”. To write “vierzig”" in shown.words()


def test_late_shows_the_row_of_the_next_step(mount):
    shown = mount(TranslationWidget(head=0))
    row = shown.shown("rows")[1]
    shown.control("read one step late").click()
    assert shown.get("late") is True and shown.shown("rows")[0] == row
    assert "Read one step late: with “zwei” already there, and “und” to write" in shown.words()


def test_doubles_show_the_second_reading(mount):
    shown = mount(TranslationWidget(head=0))
    shown.control("doubles for English words").click()
    assert shown.root.locator(".t-step text", has_text="twain").count() == 1


def test_without_a_second_reading_there_is_no_switch(mount):
    shown = mount(TranslationWidget([[steps(PAIRS[0])]], doubles=True))
    assert shown.control("doubles for English words").is_hidden()
    assert "of 3 looks are right" in shown.words()


def test_gold_links_are_framed_in_both_pictures(mount):
    shown = mount(widget(number=1, step=3))  # drei hundert zwei "und" vierzig …
    assert shown.root.locator(".t-map .t-gold").count() == len(PAIRS[1].possible)
    assert shown.root.locator(".t-step .t-gold").count() == len([1 for t, _ in PAIRS[1].possible if t == 3])


def test_a_click_on_a_word_or_a_row_chooses_the_step(mount):
    shown = mount(TranslationWidget())
    shown.root.locator(".t-step text", has_text="vierzig").click()
    assert shown.get("step") == 2
    shown.root.locator(".t-map text", has_text="und").click()
    assert shown.get("step") == 1


def test_another_number_keeps_head_and_place(mount):
    shown = mount(widget(number=1, step=6, head=1))
    shown.control("number").select_option("0")
    assert (shown.get("number"), shown.get("step"), shown.get("head")) == (0, 2, 1)
    shown.control("heads").select_option("-1")
    assert shown.get("head") == -1
