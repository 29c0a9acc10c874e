"""The widgets seen from Python: what they accept, what they say, and that nothing in them comes from elsewhere."""

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
import torch
import traitlets

from attn_course import attention
from attn_course.attention import causal, document, sinks, window
from attn_course.show import palette
from attn_course.show.widgets import (
    AttentionViewWidget,
    CollapseWidget,
    FormulaWidget,
    Head,
    HeadsWidget,
    InductionWidget,
    LimitsWidget,
    Maps,
    OrderWidget,
    PruningWidget,
    ScalingWidget,
    ScrubberWidget,
    ShortcutWidget,
    Steps,
    TranslationWidget,
    VisibilityWidget,
    WasteWidget,
    base,
)
from attn_course.show.widgets.scaling import WIDTHS, dot_products

EVERY = [FormulaWidget, ScalingWidget, VisibilityWidget, HeadsWidget, OrderWidget, InductionWidget, TranslationWidget]
EVERY += [AttentionViewWidget, ScrubberWidget, CollapseWidget, LimitsWidget, WasteWidget, ShortcutWidget]
EVERY += [PruningWidget]
Q = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


def head(**changes) -> Head:
    return Head(**{"label": "a head", "tokens": list("abcd"), "q": Q, "k": Q, **changes})


def test_repr_is_short_and_stable():
    assert repr(FormulaWidget()) == "FormulaWidget(plane: 1 query, 4 keys)"
    assert repr(FormulaWidget(heads=[head()])) == "FormulaWidget(plane: 1 query, 4 keys; sentence: 4 tokens, 1 head)"
    assert repr(ScalingWidget()) == "ScalingWidget(d_k = 1 to 512, scale 1/d_k^a, 24 keys)"
    assert repr(TranslationWidget()) == "TranslationWidget(1 number, 2 heads)"
    assert repr(HeadsWidget()) == "HeadsWidget(2 layers of 4 heads, 1 sentence)"
    assert repr(InductionWidget()) == "InductionWidget(2 models of 2 layers, 9 steps from 0 to 800)"
    assert repr(AttentionViewWidget()) == "AttentionViewWidget(2 layers of 4 heads, 12 tokens)"
    assert repr(ScrubberWidget()) == "ScrubberWidget(2 curves, 1 map, 1 cloud; 7 moments, layer 0 to 6)"
    assert repr(CollapseWidget()) == "CollapseWidget(12 tokens, 12 layers; layer, skip, sharpness)"
    assert repr(LimitsWidget()) == "LimitsWidget(parity of 10 bits; layer norm none, log n off)"
    assert repr(ShortcutWidget()) == "ShortcutWidget(8 sentences, 4 ways to train)"
    assert repr(WasteWidget()) == "WasteWidget(2 texts, 2 heads)"
    assert repr(OrderWidget()) == "OrderWidget(sinusoidal: 64 places, query at 32)"
    assert repr(VisibilityWidget(window=True)) == "VisibilityWidget(causal & window(4): 12 queries, 12 keys)"


@pytest.mark.parametrize("widget", EVERY)
def test_plain_text_is_the_repr(widget):
    data = widget()._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == repr(widget())


@pytest.mark.parametrize("widget", EVERY)
def test_modules_and_styles_fetch_nothing(widget):
    state = widget().get_state()
    assert "export default" in state["_esm"] and "function softmax" in state["_esm"]
    for text in (state["_esm"], state["_css"]):
        assert not re.search(r"^\s*import\b|\bimport\(|\bfetch\(|@import|url\(['\"]?http", text, re.M)
        assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert palette.QUERY in state["_css"] and palette.OUTPUT in state["_css"]


def test_widgets_import_only_what_lies_below():
    allowed = (
        "attn_course.attention",
        "attn_course.show.palette",
        "attn_course.show.widgets",
        "attn_course.training.recorded",
        # What the lesson's own measurements are called by, so that a picture and its numbers cannot part.
        "attn_course.models.pretrained.Reading",
        "attn_course.training.experiments.waste_layers.best",
        "attn_course.training.waste.MODELS",
    )
    for file in Path(base.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("attn_course"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                assert all(name.startswith(allowed) for name in names), (file.name, names)


def test_a_head_sends_rounded_numbers_and_its_scale():
    state = head().state()
    assert state["scale"] == pytest.approx(8**-0.5)
    assert torch.tensor(state["q"]).sub(Q).abs().max() <= 5e-5 + 1e-7
    assert head(scale=0.5).state()["scale"] == 0.5


@pytest.mark.parametrize("wrong", [{"tokens": list("abc")}, {"k": Q[:3]}, {"q": Q[:, :0], "k": Q[:, :0]}])
def test_a_head_that_does_not_fit_its_tokens_is_refused(wrong):
    with pytest.raises(ValueError, match="Take one sequence and one head first"):
        head(**wrong).state()


@pytest.mark.parametrize(
    ("widget", "wrong", "sentence"),
    [
        (FormulaWidget, {"q": (3, 0)}, "between −2 and 2"),
        (FormulaWidget, {"k": [(1, 0)] * 2, "v": [(1, 0)] * 2}, "3 to 5 keys"),
        (FormulaWidget, {"k": [(1, 0)] * 3}, "as many values"),
        (FormulaWidget, {"mode": "sentence"}, "needs a head"),
        (FormulaWidget, {"heads": [head()], "token": 4}, "token should be 0 to 3, got 4"),
        (ScalingWidget, {"d_k": 63}, "a power of two from 1 to 512, got 63"),
        (ScalingWidget, {"n_keys": 25}, "n_keys"),
        (VisibilityWidget, {"ids": []}, "at least one entry"),
        (VisibilityWidget, {"n_tokens": 25}, "n_tokens"),
        (CollapseWidget, {"layer": 13}, "layer"),
        (CollapseWidget, {"skip": 1.5}, "skip"),
        (LimitsWidget, {"bits": [0, 1], "length": 1}, "2 bits or more; got 1"),
        (LimitsWidget, {"bits": []}, "1 to 16 bits can be turned over, got 0"),
        (LimitsWidget, {"length": 1001}, "length"),
        (LimitsWidget, {"bits": [0, 2]}, "A bit is 0 or 1, got 2"),
        (LimitsWidget, {"question": "last"}, "question"),
        (OrderWidget, {"d": 6}, "d should be 4, 8, 16, 32 or 64, got 6"),
        (OrderWidget, {"heads": 4, "head": 4}, "head should be 0 to 3, got 4"),
        (OrderWidget, {"table": torch.rand(63, 4)}, "each of 64 places or more"),
        (OrderWidget, {"query": 64}, "query"),
        (InductionWidget, {"step": 250}, "step should be one of 0, 100, 200, 260, 300, 340, 400, 500, 800; got 250"),
        (InductionWidget, {"period": 3}, "period should be one of 4 to 24; got 3"),
        (InductionWidget, {"head": 4}, "head"),
        (TranslationWidget, {"step": 3}, "step should be 0 to 2, got 3"),
        (TranslationWidget, {"head": -2}, "head should be -1 to 1, got -2"),
        (TranslationWidget, {"numbers": [[]]}, "at least one reading"),
        (TranslationWidget, {"numbers": [[Steps("ab", "c", torch.rand(1, 1, 2), [], [])]]}, "2 steps, 2 source words"),
        (TranslationWidget, {"numbers": [[Steps("ab", "c", torch.rand(1, 2, 2), [(1, 0)], [])]]}, "joins no two words"),
        (
            TranslationWidget,
            {"numbers": [[Steps("ab", word, torch.rand(1, 2, 2), [], []) for word in "cd"]]},
            "same target words",
        ),
        (AttentionViewWidget, {"token": 12}, "token should be 0 to 11, got 12"),
        (AttentionViewWidget, {"overview": "importance"}, "overview"),
        (HeadsWidget, {"layer": 2}, "layer should be 0 to 1, got 2"),
        (HeadsWidget, {"distance": 9}, "distance"),
        (HeadsWidget, {"sentences": [Maps("abc", [torch.rand(2, 4, 4)])]}, "3 queries, 3 keys"),
        (HeadsWidget, {"sentences": [Maps("ab", [torch.rand(h, 2, 2)]) for h in (1, 2)]}, "from one model"),
    ],
)
def test_bad_input_gets_a_sentence(widget, wrong, sentence):
    with pytest.raises((ValueError, traitlets.TraitError), match=sentence):
        widget(**wrong)


def test_dot_products_of_one_draw_serve_every_width():
    products = dot_products()
    assert products.shape == (len(WIDTHS), 32, 24)
    assert torch.equal(products, dot_products()) and not torch.equal(products, dot_products(seed=1))
    # 32 queries: at d_k = 1 the spread of a product is known to about a fifth
    spread = products.flatten(1).std(dim=1) / torch.tensor(WIDTHS).sqrt()
    assert ((spread > 0.8) & (spread < 1.25)).all()


def test_visibility_is_the_courses_own_object():
    widget = VisibilityWidget(window=True, sinks=True, document=True, ids=[0, 0, 1], n_tokens=6, n_query=2)
    ids = torch.tensor([0, 0, 1, 1, 1, 1])
    expected = causal & (window(4) | sinks(1)) & document(ids)
    assert torch.equal(widget.visibility.dense(*widget.shape), expected.dense(2, 6))
    widget.invert = True
    assert torch.equal(widget.visibility.dense(*widget.shape), ~expected.dense(2, 6))


def test_sources_are_the_packages_own():
    whole = inspect.getsource(inspect.getmodule(attention.Visibility))
    sources = VisibilityWidget().sources
    assert set(sources) == {"everything", "causal", "window", "sinks", "document", "padding", "&", "|", "~"}
    for name in ("causal", "everything", "window", "padding"):
        assert sources[name] in whole
    assert sources["~"].startswith("def __invert__")


def test_maps_are_sent_in_thousandths_with_special_tokens_marked():
    weights = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0)).softmax(-1)
    state = Maps(["[CLS]", "cup", "."], [weights, weights]).state()
    assert state["special"] == [True, False, True]
    assert (torch.tensor(state["weights"]) / 1000 - weights).abs().max() <= 5.1e-4
    with pytest.raises(ValueError, match="no layer"):
        Maps("ab", []).state()


def test_two_sentences_of_the_real_model_stay_small():
    layers = [torch.rand(12, 13, 13, generator=torch.Generator().manual_seed(i)).softmax(-1) for i in range(6)]
    state = HeadsWidget([Maps(["word"] * 13, layers)] * 2).sentences
    assert len(json.dumps(state, separators=(",", ":"))) < 100_000


def test_the_shortcut_widget_refuses_what_is_not_there():
    with pytest.raises(ValueError, match="remedies should be some of plain"):
        ShortcutWidget(["prayer"])
    widget = ShortcutWidget(["attention penalty"])
    assert widget.remedy == "attention penalty" and list(widget.groups) == ["attention penalty"]
    for wrong in ({"sentence": 8}, {"remedy": "plain"}, {"stamp": "<x>"}, {"view": "2"}):
        with pytest.raises(traitlets.TraitError):
            widget.set_trait(*next(iter(wrong.items())))
    assert len(json.dumps([widget.sentences, widget.answers], separators=(",", ":"))) < 40_000
