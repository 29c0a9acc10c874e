"""Watching the course's models: nothing changes, what is recorded is what the maps say, and no trace is left."""

import copy
import math

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.utils.checkpoint import checkpoint

from attn_course.attention import (
    ALiBi,
    MultiHead,
    Rotary,
    attention,
    causal,
    fused,
    padding,
    silencing,
    watching,
    window,
)
from attn_course.diagnosis.watch import watch
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.fusion import RelayedFusion
from attn_course.models.gpt import GPT
from attn_course.models.own import own
from attn_course.models.pretrained import load

torch.set_num_threads(1)
N, VOCABULARY = 11, 13


def text(batch=2, n=N):
    return torch.randint(1, VOCABULARY, (batch, n), generator=torch.Generator().manual_seed(1))


def gpt(seed=0, **stack):
    torch.manual_seed(seed)
    return GPT(VOCABULARY, 16, 4, 2, **stack).eval()


def by_hand(weights):
    """Two lines a measure, in float64, on the whole map (batch, head, query, key)."""
    a = weights.double()
    j = torch.arange(a.shape[-1])
    i = torch.arange(a.shape[-1] - a.shape[-2], a.shape[-1])
    return {
        "entropy": -torch.special.xlogy(a, a).sum(-1),
        "received": a.sum(-2),
        "mean_distance": (a * (i[:, None] - j).abs()).sum(-1),
        "participation": 1 / a.square().sum(-1),
    }


def assert_as_the_map_says(call, weights):
    for name, wanted in by_hand(weights).items():
        got = getattr(call.vitals, name).double()
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


MODELS = {
    "fused": {"mechanism": fused},
    "the formula": {"mechanism": attention},
    "rotary, grouped": {"positions": Rotary(4), "kv_heads": 2},
    "ALiBi": {"positions": ALiBi(4)},
    "one block, twice": {"shared": True},
}


@pytest.mark.parametrize("parts", MODELS.values(), ids=MODELS)
def test_outputs_are_the_same_and_the_vitals_are_those_of_the_maps(parts):
    model = gpt(**parts)
    before = model(text())
    with watch(model, token_sets={"first": [0]}) as record:
        during = model(text())
    assert torch.equal(before, during) and torch.equal(model(text()), before)
    with watching(model) as maps:
        model(text())
    assert [call.name for call in record.calls] == [layer.name for layer in maps] and record.notes == []
    for call, layer in zip(record.calls, maps, strict=True):
        assert call.kind == "self" and call.dtype == torch.float32 and call.finite
        assert_as_the_map_says(call, layer.weights)
        torch.testing.assert_close(call.vitals.set_mass["first"], layer.weights[..., 0])
        torch.testing.assert_close(call.value_norm, layer.v.norm(dim=-1))
        torch.testing.assert_close(call.weights.float(), layer.weights[:, :, call.rows], atol=1e-3, rtol=1e-3)
        assert call.largest_product >= (layer.q @ layer.k.transpose(-2, -1)).abs().max().item() * (1 - 1e-6)
        assert call.scale == pytest.approx(layer.scale)


MASKS = {
    "causal": causal,
    "window": causal & window(3),
    "a matrix": torch.arange(N) <= torch.arange(N)[:, None],
    "padded": causal & padding(torch.arange(N) >= torch.tensor([[0], [4]])),
}


@pytest.mark.parametrize("visible", MASKS.values(), ids=MASKS)
def test_who_may_look_is_what_the_layer_was_told(visible):
    model = gpt()
    with watch(model) as record:
        model(text(), visible=visible)
    with watching(model) as maps:
        model(text(), visible=visible)
    for call, layer in zip(record.calls, maps, strict=True):
        wanted = layer.visible.expand(layer.weights.shape).sum(-1, dtype=torch.int32)
        assert torch.equal(call.vitals.visible_keys, wanted)
        some = wanted > 0
        entropy = by_hand(layer.weights)["entropy"]
        torch.testing.assert_close(call.vitals.entropy.double()[some], entropy[some], atol=1e-5, rtol=1e-5)


def test_an_encoder_and_a_decoder_look_at_themselves_and_at_one_another():
    torch.manual_seed(0)
    model = EncoderDecoder(VOCABULARY, VOCABULARY, 16, 4, 2).eval()
    source, target = text(), text(n=6)
    source[1, 8:] = 0
    kept = source != 0
    with watch(model, keep=kept, token_sets={"first": [0], "kept": kept}) as record:
        during = model(source, target)
    with watching(model) as maps:
        assert torch.equal(model(source, target), during)
    assert [call.kind for call in record.calls] == ["self"] * 2 + ["self", "cross"] * 2
    for call, layer in zip(record.calls, maps, strict=True):
        assert call.name == layer.name
        weights = layer.weights * kept[:, None, :, None] if "encoder" in call.name else layer.weights
        for name in ("entropy", "received", "participation"):
            wanted = by_hand(weights)[name]
            got = getattr(call.vitals, name).double()
            torch.testing.assert_close(got, wanted.nan_to_num(posinf=0), atol=1e-5, rtol=1e-5)
        if layer.weights.shape[-1] == N:
            torch.testing.assert_close(call.vitals.set_mass["kept"], weights.sum(-1))
    left_out = "The token set 'kept' does not fit the 6 keys of decoder.stack.blocks.{}.attention: left out there."
    assert record.notes == [left_out.format(0), left_out.format(1)]


def test_writing_with_a_cache_each_step_is_a_call():
    model = gpt(positions=Rotary(4))
    with watch(model, token_sets={"first": [0], "prompt": torch.ones(N, dtype=torch.bool)}) as record:
        written = model.write(text(), 4)
    with watch(model, token_sets={"first": [0], "prompt": list(range(N))}) as whole:
        model(written[:, :-1])
    assert record.notes == [] and len(record.calls) == 8
    for name in record.layers:
        (wanted,), steps = whole.of_layer(name), record.of_layer(name)
        for measure in ("entropy", "mean_distance", "visible_keys"):
            got = torch.cat([getattr(call.vitals, measure) for call in steps], dim=-1)
            torch.testing.assert_close(got, getattr(wanted.vitals, measure), atol=1e-5, rtol=1e-5)
        for each in ("first", "prompt"):
            got = torch.cat([call.vitals.set_mass[each] for call in steps], dim=-1)
            torch.testing.assert_close(got, wanted.vitals.set_mass[each], atol=1e-5, rtol=1e-5)


def test_padding_in_a_models_own_mask_is_left_out_as_a_query():
    torch.manual_seed(0)
    model = Encoder(VOCABULARY, 16, 4, 2).eval()
    kept = torch.arange(N) < torch.tensor([[N], [6]])
    tokens = text() * kept
    with watch(model, keep=kept.long()) as record:
        model(tokens, padding(kept))
    with watch(model) as alone:
        model(tokens[1:, :6])
    assert record.notes == []
    for call, wanted in zip(record.calls, alone.calls, strict=True):
        for name in ("entropy", "received"):
            got = getattr(call.vitals, name)[1, :, :6]
            torch.testing.assert_close(got, getattr(wanted.vitals, name)[0], atol=1e-5, rtol=1e-5)
        assert (call.vitals.visible_keys[1, :, 6:] == 0).all()
    with watch(model, keep=kept) as record:
        model(tokens)
    assert len(record.notes) == 2 and "Padding may be looked at in stack.blocks.0.attention" in record.notes[0]


class Sharpened(nn.Module):
    """A mechanism with a parameter, and another scale than it is told."""

    def __init__(self):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(3.0))

    def forward(self, q, k, v, visible=None):
        return attention(q, k, v, visible, scale=self.power.item())


def test_a_mechanism_that_does_something_else_is_noticed():
    model = gpt(mechanism=Sharpened())
    before = {name: type(layer.mechanism) for name, layer in model.named_modules() if isinstance(layer, MultiHead)}
    with watch(model) as record:
        model(text())
    assert "stack.blocks.0.attention does more, or other, than softmax(QKᵀ)V" in record.notes[0]
    after = {name: type(layer.mechanism) for name, layer in model.named_modules() if isinstance(layer, MultiHead)}
    assert before == after and "mechanism" not in vars(model.stack.blocks[0].attention)


def test_scale_and_change_of_scores_that_the_layer_is_told_count():
    """`ALiBi` is handed to the mechanism as a change of scores: the greatest one holds its slopes."""
    model = gpt(positions=ALiBi(4))
    with watch(model) as record:
        model(text())
    with watching(model) as maps:
        model(text())
    layer = maps[0]
    scores = layer.q.double() @ layer.k.double().transpose(-2, -1) * layer.scale
    i = torch.arange(N)
    scores = model.stack.positions.score(scores.float(), i[:, None], i[None]).double()
    wanted = scores.masked_fill(~layer.visible, -math.inf).amax((-2, -1))
    torch.testing.assert_close(record.calls[0].vitals.max_logit.double(), wanted, atol=1e-5, rtol=1e-5)


def test_a_mechanism_of_ones_own_and_silenced_heads():
    model = gpt(mechanism=own(lambda q, k, v, visible: attention(q, k, v, visible)))
    with watch(model) as record:
        model(text())
    assert len(record.calls) == 2 and record.notes == []
    with silencing(model, {"stack.blocks.1.attention": [2]}), watch(model) as record:
        silent = model(text())
    with silencing(model, {"stack.blocks.1.attention": [2]}):
        assert torch.equal(silent, model(text()))
    assert record.notes and record.notes[0].startswith("stack.blocks.1.attention does more, or other")


def test_two_images_and_a_question():
    torch.manual_seed(0)
    model = RelayedFusion().eval()
    left, right = torch.rand(2, 2, 8, 8)
    words = torch.zeros(2, 4, dtype=torch.long)
    with watch(model) as record:
        model(left, right, words)
    with watching(model) as maps:
        model(left, right, words)
    assert [call.kind for call in record.calls] == ["cross" if m.name.endswith("cross") else "self" for m in maps]
    for call, layer in zip(record.calls, maps, strict=True):
        torch.testing.assert_close(call.vitals.received, layer.weights.sum(-2), atol=1e-5, rtol=1e-5)


def states(model):
    layers = list(model.modules())
    hooks = [(len(layer._forward_hooks), len(layer._forward_pre_hooks)) for layer in layers]
    return (
        hooks,
        [layer.mechanism for layer in layers if isinstance(layer, MultiHead)],
        [sorted(vars(x)) for x in layers],
    )


def test_afterwards_the_model_is_as_it_was_after_an_exception_too():
    model = gpt()
    before = states(model)
    with watch(model), watch(model):
        model(text())
    assert states(model) == before
    with pytest.raises(ValueError, match="not in the vocabulary"), watch(model):
        model(text() + VOCABULARY)
    assert states(model) == before


def test_watches_nest_and_a_copy_made_meanwhile_is_a_sound_model_of_its_own():
    model = gpt(mechanism=Sharpened())
    with watch(model) as outer:
        model(text())
        clone = copy.deepcopy(model)
        with torch.no_grad():
            for layer in clone.modules():
                if isinstance(layer, Sharpened):
                    layer.power.fill_(0.5)
            clone.head.weight[0, 0] = math.nan
        clone(text())
        with watch(model) as inner:
            model(text())
    clone(text())
    assert (len(outer.calls), len(inner.calls)) == (4, 2) and outer.first_not_finite is None
    assert isinstance(clone.stack.blocks[0].attention.mechanism, Sharpened)
    assert clone.stack.blocks[0].attention.mechanism is not model.stack.blocks[0].attention.mechanism
    assert torch.equal(outer.calls[2].vitals.entropy, inner.calls[0].vitals.entropy)


def test_watches_may_be_closed_in_any_order():
    model = gpt()
    before = states(model)
    first, second = watch(model), watch(model)
    a, b = first.__enter__(), second.__enter__()
    model(text())
    first.__exit__(None, None, None)
    model(text())
    second.__exit__(None, None, None)
    model(text())
    assert (len(a.calls), len(b.calls)) == (2, 4)
    assert states(model) == before
    assert torch._dynamo.eval_frame._stance.stance == "default"


def test_a_copy_takes_nothing_into_the_record_it_was_made_under():
    model = gpt()
    with watch(model, hidden=True) as record:
        model(text())
        clone = copy.deepcopy(model)
    clone(text())
    assert len(record.calls) == len(record.hidden) == 2
    with watch(model) as idle:
        clone(text())
    assert idle.notes == ["GPT did not run while it was watched."]


def test_marks_for_padding_that_do_not_fit_are_told():
    model = gpt()
    with watch(model, keep=torch.ones(1, N + 3, dtype=torch.bool)) as record:
        model(text())
    assert any(note.startswith("keep has shape") for note in record.notes)


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = gpt(mechanism=fused)

    def forward(self, tokens):
        x = self.model.embed(tokens)
        for block in self.model.stack.blocks:
            x = checkpoint(block, x, causal, use_reentrant=False)
        return self.model.head(self.model.stack.norm(x))


@pytest.mark.parametrize("model", [gpt(), Checkpointed()], ids=["plain", "computed anew on the way back"])
def test_gradients_are_those_of_the_model_alone(model):
    def gradients():
        model.zero_grad()
        model(text()).square().mean().backward()
        return [weight.grad.clone() for weight in model.parameters()]

    alone = gradients()
    with watch(model) as record:
        watched = gradients()
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True)) and len(record.calls) == 2
    assert not any(call.vitals.entropy.requires_grad for call in record.calls)


def test_a_compiled_model_runs_uncompiled_while_it_is_watched():
    torch.manual_seed(0)
    counter = CompileCounter()
    compiled = torch.compile(nn.Sequential(MultiHead(8, 2, mechanism=fused)).eval(), backend=counter)
    x = torch.randn(2, 5, 8)
    before = compiled(x)
    graphs = counter.frame_count
    with watch(compiled) as record:
        during = compiled(x)
    assert graphs > 0 and counter.frame_count == graphs  # what the watch does is not compiled either
    assert record.model == "Sequential" and record.layers == ["0"] and record.notes == []
    torch.testing.assert_close(before, during)
    torch.testing.assert_close(compiled(x), before)


def test_halves_by_autocast_are_measured_in_float32():
    model = gpt()
    for layer in model.modules():
        if isinstance(layer, MultiHead):
            layer.w_q.weight.data.mul_(8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = model(text())
        with watch(model) as record:
            assert torch.equal(model(text()), before)
    assert record.notes == []
    for call in record.calls:
        assert call.dtype == torch.bfloat16 and call.vitals.entropy.dtype == torch.float32
        total = call.vitals.received.sum(-1)
        torch.testing.assert_close(total, torch.full_like(total, N), atol=1e-5, rtol=0)
        of_rows = by_hand(call.weights)["entropy"]
        torch.testing.assert_close(call.vitals.entropy.double(), of_rows, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("sample", "kept"), [(None, N), (0, 0), (3, 3), (64, N)])
def test_as_many_rows_are_kept_as_were_asked_for(sample, kept):
    model = gpt()
    with watch(model, sample=sample, seed=5) as record:
        model(text())
    call = record.calls[0]
    assert call.weights.shape == (2, 4, kept, N) and call.weights.dtype == torch.float16 and len(call.rows) == kept
    if sample == 0:
        assert call.vitals.close is None
    else:
        assert torch.equal(call.rows, call.vitals.close.rows)


@pytest.mark.parametrize(("weight", "wanted"), [("w_v", "attention.w_v"), ("w_o", "attention.w_o")])
def test_the_first_layer_that_made_a_number_not_finite_is_named(weight, wanted):
    model = gpt(mechanism=fused)
    with torch.no_grad():
        getattr(model.stack.blocks[1].attention, weight).weight[0, 0] = math.nan
    with watch(model) as record:
        model(text())
    assert record.first_not_finite == f"stack.blocks.1.{wanted}"
    assert [call.finite for call in record.calls] == [True, weight == "w_o"]


def test_progress_is_told_of_each_call_and_texts_are_handed_on():
    told, words = [], [["a"] * N] * 2
    model = gpt()
    with watch(model, tokens=words, progress=lambda: told.append(True)) as record:
        model(text())
    assert len(told) == len(record.calls) == 2 and record.tokens is words and record.model == "GPT"


def test_hidden_states_and_gradients_go_into_the_same_record():
    model = gpt()
    with watch(model, hidden=True, gradients=True) as record:
        model(text()).square().mean().backward()
    assert [each.name for each in record.hidden] == ["stack.blocks.0", "stack.blocks.1"]
    assert [each.name for each in record.gradients] == record.layers
    assert states(model) == states(gpt()) or record.notes == []


def test_minilm_is_taken_out_of_its_wrapping():
    reader = load()
    ids = torch.tensor([reader.tokenizer.encode("The cat sat on the mat.").ids])
    with torch.no_grad(), watch(reader, token_sets={"special": [0, ids.shape[1] - 1]}) as record:
        reader.model(ids)
    maps = reader.read("The cat sat on the mat.").layers
    assert record.model == "all-MiniLM-L6-v2" and len(record.calls) == 6 and record.notes == []
    for call, layer in zip(record.calls, maps, strict=True):
        assert_as_the_map_says(call, layer.weights)
        torch.testing.assert_close(call.vitals.set_mass["special"], layer.weights[..., [0, -1]].sum(-1))


@pytest.mark.parametrize(
    ("model", "asked", "error", "sentence"),
    [
        (nn.Linear(2, 2), {}, ValueError, "Linear has no attention layer that can be watched"),
        (nn.TransformerEncoderLayer(8, 2), {}, ValueError, r"a way of its own \(self_attn \(MultiheadAttention\)\)"),
        ("gpt2", {}, TypeError, "watch wants a model"),
        (gpt(), {"token_sets": {"x": [-1]}}, ValueError, "'x' should be a list of key numbers from 0 up"),
        (gpt(), {"token_sets": {"x": [0.5]}}, ValueError, "'x' should be a list of key numbers from 0 up"),
        (gpt(), {"keep": torch.arange(4)}, ValueError, r"keep should be True .* \(batch, token\)"),
        (gpt(), {"sample": -1}, ValueError, "sample counts query rows"),
        (gpt(), {"sample": 2.5}, ValueError, "sample counts query rows"),
        (gpt(), {"tokens": ["a", "b"]}, ValueError, "a list of texts, each a list of its tokens"),
        (gpt().to("meta"), {}, ValueError, "shapes and no numbers: load its weights first"),
    ],
)
def test_bad_input_gets_a_sentence(model, asked, error, sentence):
    with pytest.raises(error, match=sentence), watch(model, **asked):
        pytest.fail("the watch opened")


def test_a_set_that_fits_nowhere_is_an_error_and_a_watch_without_a_run_is_noted():
    model = gpt()
    sentence = r"'late' fits no attention layer.*have 11 keys"
    with pytest.raises(ValueError, match=sentence), watch(model, token_sets={"late": [N]}):
        model(text())
    with watch(model) as record:
        pass
    assert record.notes == ["GPT did not run while it was watched."]
