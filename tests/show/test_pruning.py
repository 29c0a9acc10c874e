"""The widget of heads and layers seen from Python."""

import json

import pytest
import traitlets

from attn_course.show.widgets import PruningWidget


def test_it_is_told_in_few_bytes_and_says_what_it_holds():
    widget = PruningWidget()
    assert repr(widget) == "PruningWidget(MiniLM: 72 heads, 6 layers, language model: 12 heads, 3 layers)"
    assert len(json.dumps(widget.get_state()["models"])) < 60_000
    assert repr(PruningWidget(models=["language"])).endswith("12 heads, 3 layers)")


def test_layers_that_are_gone_are_there_and_told_once():
    assert PruningWidget(gone=[1, 0, 1]).gone == [1, 0]
    for gone in ([6], [-1]):
        with pytest.raises(traitlets.TraitError, match=rf"gone names layers, 0 to 5; got {gone[0]}"):
            PruningWidget(gone=gone)
    for models in ([], ["BERT"], "language"):
        with pytest.raises(ValueError, match="a list of one or more of MiniLM, language"):
            PruningWidget(models)


@pytest.mark.parametrize(
    "wrong", [{"model": 2}, {"layer": 6}, {"head": 12}, {"model": 1, "layer": 3}, {"point": -1}, {"what": "neurons"}]
)
def test_what_is_not_there_is_refused(wrong):
    with pytest.raises(traitlets.TraitError):
        PruningWidget(**wrong)


def test_unknown_orders_are_told_the_known_ones():
    with pytest.raises(traitlets.TraitError, match=r"order should be one of ablation, .*; got 'luck'"):
        PruningWidget(order="luck")
