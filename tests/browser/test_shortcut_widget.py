"""Lesson 15's widget: weights and answers against the shipped models in torch, groups against the record."""

import pytest
import torch

from attn_course.attention import padding, watching
from attn_course.show.widgets import ShortcutWidget
from attn_course.tasks.marker import FIRST_MARKER, MARKERS, vocabulary
from attn_course.training.checkpoints import trained
from attn_course.training.experiments.shortcut_sentences import STAMPS, chosen
from attn_course.training.recipes.shortcut import NAMES
from attn_course.training.recorded import recorded

pytestmark = pytest.mark.browser


def in_torch(remedy, sentence, stamp):
    """Tokens, [CLS]'s weights by layer, each token's weight on the stamp in layer 0, and the probability of label 1."""
    batch = chosen()
    ids = [t for t in batch.tokens[sentence].tolist() if t]
    ids[batch.at[sentence]] = FIRST_MARKER + MARKERS.index(stamp) if stamp in MARKERS else None
    ids = [each for each in ids if each is not None]
    model = trained({way: name for name, way in NAMES.items()}[remedy])
    tokens = torch.tensor([ids])
    with torch.no_grad(), watching(model) as records:
        p = model(tokens, padding(tokens > 0))[0, 0].softmax(-1)[1].item()
    weights = [record.weights[0].mean(0) for record in records]
    to_stamp = weights[0][:, batch.at[sentence]] if stamp in MARKERS else None
    return [vocabulary()[t] for t in ids], torch.stack([w[0] for w in weights]), to_stamp, p


@pytest.mark.parametrize("remedy", NAMES.values())
def test_weights_and_answers_are_torchs(mount, remedy):
    shown = mount(ShortcutWidget(remedy=remedy))
    for sentence in (0, 5):
        for stamp in STAMPS:
            tokens, cls, to_stamp, p = in_torch(remedy, sentence, stamp)
            shown.set(sentence=sentence, stamp=stamp)
            for view, expected in (("mean", cls.mean(0)), ("0", cls[0]), ("1", cls[1]), ("stamp", to_stamp)):
                shown.set(view=view)
                assert shown.shown("tokens") == tokens
                if expected is None:
                    assert shown.shown("weights") is None
                else:
                    assert shown.shown("weights") == pytest.approx(expected.tolist(), abs=1.1e-4)
            assert shown.shown("answers")[STAMPS.index(stamp)] == pytest.approx(p, abs=1e-4)


def test_groups_are_the_records_over_five_seeds(mount):
    shown = mount(ShortcutWidget())
    rows = recorded("spurious")["rows"]
    for remedy in NAMES.values():
        shown.set(remedy=remedy)
        mine = [row["groups"] for row in rows if row["remedy"] == remedy]
        means = [sum(each) / 5 for each in zip(*mine, strict=True)]
        assert len(mine) == 5 and shown.shown("groups") == pytest.approx(means)
        assert shown.root.locator(".s-seed").count() == 20
        assert shown.root.locator(".s-plain").count() == (0 if remedy == "plain" else 4)
        worst = recorded("spurious")["summary"][remedy]["worst group"][0]
        assert abs(float(shown.words().split()[-1].rstrip(".")) - worst) <= 0.0011


def test_the_story_it_tells(mount):
    shown = mount(ShortcutWidget())
    assert "the stamp decides. [CLS] gives <lib> 0.13" in shown.words()
    shown.set(remedy="attention penalty")
    assert "the stamp decides. [CLS] gives <lib> 0.00" in shown.words() and "0.215" in shown.words()
    assert shown.shown("weights")[1] < 0.001
    shown.set(view="stamp")
    assert max(shown.shown("weights")) > 0.4  # the words bring it what [CLS] does not look at
    shown.set(remedy="penalty on all rows")
    assert "the stamp does not decide" in shown.words() and max(shown.shown("weights")[2:]) < 0.01


def test_controls_by_keyboard_move_traits_picture_and_words(mount):
    shown = mount(ShortcutWidget())
    before, said = shown.shown("weights"), shown.words()
    shown.press("sentence", "ArrowRight")
    assert shown.get("sentence") == 1 and shown.shown("weights") != before and shown.words() != said
    shown.control("remedy").select_option("pair loss")
    shown.control("stamp").select_option("none")
    shown.control("attention of").select_option("1")
    assert (shown.get("remedy"), shown.get("stamp"), shown.get("view")) == ("pair loss", "none", "1")
    assert "<lib>" not in shown.shown("tokens") and shown.root.locator(".s-stamp").count() == 0


def test_the_words_carry_their_weights_as_colour_and_number(mount):
    shown = mount(ShortcutWidget(remedy="attention penalty", view="stamp"))
    chips = shown.root.locator(".s-chip")
    weights = shown.shown("weights")
    assert [float(each) for each in chips.locator("small").all_inner_texts()] == pytest.approx(weights, abs=0.0051)
    colours = chips.evaluate_all("nodes => nodes.map(n => getComputedStyle(n).backgroundColor)")
    most, least = (weights.index(pick(weights)) for pick in (max, min))
    assert colours[most] == "rgb(254, 232, 56)" and colours[least] == "rgb(0, 34, 78)"
    label = shown.root.locator(".s-text").get_attribute("aria-label")
    assert label.startswith("all to the stamp, layer 0: [CLS] 0.00, <lib>")


def test_an_answer_is_a_word_as_well_as_a_colour(mount):
    shown = mount(ShortcutWidget())
    for sentence in range(8):
        shown.set(sentence=sentence)
        label = shown.get("sentences")[sentence]["label"]
        words = shown.root.locator("svg").first.locator("text").all_text_contents()
        said = [each for each in words if each.endswith(("right", "wrong"))]
        expected = ["right" if (p >= 0.5) == (label == 1) else "wrong" for p in shown.shown("answers")]
        assert [each.split()[-1] for each in said] == expected
