"""What holds for every widget: names on all controls, words that are announced, room on a narrow page."""

import pytest
import torch

from attn_course.show.widgets import (
    AttentionViewWidget,
    FormulaWidget,
    Head,
    HeadsWidget,
    InductionWidget,
    LimitsWidget,
    PruningWidget,
    ScalingWidget,
    ScrubberWidget,
    ShortcutWidget,
    VisibilityWidget,
    WasteWidget,
)

pytestmark = pytest.mark.browser

Q = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
WIDGETS = {
    "plane": FormulaWidget,
    "sentence": lambda: FormulaWidget(heads=[Head("a head", ["token"] * 12, Q, Q)]),
    "scaling": ScalingWidget,
    "visibility": lambda: VisibilityWidget(window=True, sinks=True, document=True, padding=True, n_tokens=24),
    "heads": HeadsWidget,
    "induction": InductionWidget,
    "attention view": AttentionViewWidget,
    "scrubber": ScrubberWidget,
    "limits": LimitsWidget,
    "waste": WasteWidget,
    "pruning": PruningWidget,
    "pruning, layers": lambda: PruningWidget(what="attention", gone=[1]),
    "shortcut": ShortcutWidget,
}
every_widget = pytest.mark.parametrize("make", WIDGETS.values(), ids=WIDGETS)


@every_widget
def test_every_control_has_a_name(mount, make):
    shown = mount(make())
    controls = shown.root.locator("input, select, button, [tabindex], [role=button], [role=option]").all()
    assert len(controls) >= 2
    for control in controls:
        assert control.get_attribute("aria-label"), control.evaluate("node => node.outerHTML")


@every_widget
def test_words_are_announced(mount, make):
    shown = mount(make())
    assert shown.root.locator('[aria-live="polite"]').count() == 1
    assert len(shown.words()) > 60


@every_widget
@pytest.mark.parametrize("width", [400, 900])
def test_nothing_is_cut_off(mount, page, make, width):
    page.set_viewport_size({"width": width, "height": 800})
    shown = mount(make())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = shown.root.bounding_box()
    assert box["width"] <= 768 and box["x"] + box["width"] <= width
    for control in shown.root.locator("input:visible, select:visible, button:visible").all():
        inside = control.bounding_box()
        assert inside["x"] >= box["x"] and inside["x"] + inside["width"] <= box["x"] + box["width"]


@every_widget
def test_the_page_decides_between_dark_and_light(mount, make):
    shown = mount(make())
    colours = "node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]"
    themes = {
        "--jp-content-font-color1: rgb(250, 250, 250); --jp-layout-color0: rgb(17, 17, 17)": (250, 17),
        "--jp-content-font-color1: rgb(20, 20, 20); --jp-layout-color0: rgb(255, 255, 255)": (20, 255),
        "--color-foreground-primary: rgb(207, 208, 208); --color-background-primary: rgb(19, 20, 22)": (207, 19),
    }
    for theme, (ink, paper) in themes.items():
        shown.page.evaluate("css => document.body.style.cssText = css", theme)
        found = shown.root.evaluate(colours)
        assert found[0].startswith(f"rgb({ink},") and found[1].startswith(f"rgb({paper},")


@every_widget
def test_without_a_theme_the_readers_preference_decides(mount, page, make):
    shown = mount(make())
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        seen[scheme] = shown.root.evaluate("node => getComputedStyle(node).backgroundColor")
    assert seen == {"light": "rgb(252, 252, 250)", "dark": "rgb(21, 23, 26)"}


@every_widget
def test_what_has_the_focus_keeps_jupyterlabs_shortcuts_out(mount, make):
    shown = mount(make())
    for _ in range(8):
        shown.page.keyboard.press("Tab")
        inside = "document.activeElement.closest('.attn') && document.activeElement"
        assert shown.page.evaluate(f"({inside})?.dataset.lmSuppressShortcuts ?? 'outside'") in ("true", "outside")
    assert shown.root.locator("[data-lm-suppress-shortcuts=true]").count() >= 4


@pytest.mark.parametrize("name", ["limits", "waste", "pruning", "pruning, layers"])
def test_words_in_pictures_can_be_read_on_a_telephone(mount, page, name):
    """A picture that shrinks takes its words with it, unless they are made larger."""
    page.set_viewport_size({"width": 360, "height": 800})
    shown = mount(WIDGETS[name]())
    size = "t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a"
    sizes = [words.evaluate(size) for words in shown.root.locator("svg text:visible").all()]
    assert len(sizes) > 5 and min(sizes) > 9.2
