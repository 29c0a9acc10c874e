"""Options in whole models: a layer has its own, training moves them, files hold them, and records say what they do."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from attn_course.attention import (
    ALiBi,
    MultiHead,
    Rotary,
    attention,
    causal,
    hiding,
    padding,
    patching,
    reweighing,
    silencing,
    watching,
)
from attn_course.attention.options import (
    Gated,
    KeyBias,
    NullKey,
    OffByOne,
    QKNorm,
    log_length,
    sigmoid_attention,
    soft_capped,
)
from attn_course.diagnosis import vitals
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.streaming import streaming_vitals
from attn_course.diagnosis.watch import watch
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.gpt import GPT
from attn_course.models.vit import ViT
from attn_course.training.files import load_weights, save_weights
from attn_course.training.loop import train

torch.set_num_threads(1)
N, VOCABULARY, HEADS, D = 11, 13, 4, 4

MAKERS = {
    "QK-norm": QKNorm,
    "QK-norm with a gain": partial(QKNorm, gain=3.0),
    "null key": NullKey,
    "a maker": lambda: NullKey(HEADS, logit=1.0),
    "off by one": OffByOne,
    "key bias": KeyBias,
    "gate": Gated,
    "gate, null key, QK-norm": lambda: Gated(HEADS, D, mechanism=NullKey(HEADS, mechanism=QKNorm(HEADS, D))),
    "soft-cap": soft_capped(0.5),
    "log length": log_length(attention, s=0.7),
    "sigmoid": sigmoid_attention,
}
every = pytest.mark.parametrize("name", MAKERS)
with_softmax = pytest.mark.parametrize("name", [name for name in MAKERS if name != "sigmoid"])


def text(batch=2, n=N):
    return torch.randint(1, VOCABULARY, (batch, n), generator=torch.Generator().manual_seed(1))


def gpt(name, **stack):
    """Its parameters moved away from where they begin, so that none is without effect."""
    torch.manual_seed(0)
    model = GPT(VOCABULARY, HEADS * D, HEADS, 2, mechanism=MAKERS[name], **stack).eval()
    with torch.no_grad():
        for layer in layers(model):
            for parameter in layer.mechanism.parameters() if isinstance(layer.mechanism, nn.Module) else ():
                parameter.add_(0.5 * torch.randn_like(parameter))
    return model


def layers(model):
    return [layer for layer in model.modules() if isinstance(layer, MultiHead)]


def own_parameters(model):
    return {name for name, _ in model.named_parameters() if ".mechanism." in name}


@every
def test_each_layer_has_its_own(name):
    first, second = (layer.mechanism for layer in layers(gpt(name)))
    if any(True for _ in getattr(first, "parameters", list)()):
        assert first is not second and type(first) is type(second)
        assert not {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
    else:
        assert callable(first) and (first is second or isinstance(first, OffByOne))


def test_one_option_with_parameters_for_several_layers_is_refused():
    with pytest.raises(ValueError, match="2 layers would share"):
        GPT(VOCABULARY, 16, HEADS, 2, mechanism=NullKey(HEADS))
    with pytest.raises(ValueError, match="2 layers would share"):
        EncoderDecoder(VOCABULARY, VOCABULARY, 16, HEADS, 1, mechanism=NullKey(HEADS))
    with pytest.raises(TypeError, match="A mechanism is called as"):
        GPT(VOCABULARY, 16, HEADS, 2, mechanism=lambda: None)
    GPT(VOCABULARY, 16, HEADS, 2, mechanism=NullKey(HEADS), shared=True)
    GPT(VOCABULARY, 16, HEADS, 2, mechanism=soft_capped(3.0))


@every
def test_every_kind_of_model_takes_it(name):
    torch.manual_seed(0)
    images = torch.rand(2, 8, 8)
    for model, given in (
        (Encoder(VOCABULARY, 16, HEADS, 2, mechanism=MAKERS[name]), (text(),)),
        (EncoderDecoder(VOCABULARY, VOCABULARY, 16, HEADS, 1, mechanism=MAKERS[name]), (text(), text(n=6))),
        (ViT(8, 2, 10, 16, HEADS, 2, mechanism=MAKERS[name]), (images,)),
    ):
        assert torch.isfinite(model(*given)).all()


@every
def test_text_is_written_token_by_token_as_it_is_read(name):
    model = gpt(name, positions=Rotary(D))
    written = model.write(text(n=3), 5)
    whole = model(written)[:, 2:-1].argmax(-1)
    assert torch.equal(whole, written[:, 3:])


@every
def test_training_moves_it_and_a_file_keeps_it(name, tmp_path):
    model = gpt(name)
    before = copy.deepcopy(model.state_dict())

    def loss(model, generator):
        tokens = torch.randint(1, VOCABULARY, (4, N), generator=generator)
        return nn.functional.cross_entropy(model(tokens)[:, :-1].transpose(1, 2), tokens[:, 1:])

    train(model, loss, steps=3)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert own_parameters(model) <= moved
    assert bool(own_parameters(model)) == (name not in ("off by one", "soft-cap", "log length", "sigmoid"))
    save_weights(model, tmp_path / "model.safetensors")
    torch.manual_seed(7)
    again = load_weights(GPT(VOCABULARY, HEADS * D, HEADS, 2, mechanism=MAKERS[name]), tmp_path / "model.safetensors")
    assert torch.equal(again(text()), model.eval()(text()))


def map_of(layer):
    """The whole map of a layer's softmax: a column for the learned key, or for nothing, before those of the text."""
    rest = 1 - layer.weights.double().sum(-1, keepdim=True)
    return torch.cat([rest.clamp(min=0), layer.weights.double()], dim=-1)


@with_softmax
@pytest.mark.parametrize("positions", [None, ALiBi(HEADS)], ids=["", "ALiBi"])
def test_the_record_is_what_the_whole_map_says(name, positions):
    model = gpt(name, positions=positions)
    before = model(text())
    with watch(model, token_sets={"first": [0]}) as record:
        assert torch.equal(model(text()), before)
    with watching(model) as maps:
        assert torch.equal(model(text()), before)
    for call, layer, has in zip(record.calls, maps, layers(model), strict=True):
        whole = map_of(layer)
        learned_key, null = name == "key bias", "null" in name or name in ("a maker", "off by one")
        torch.testing.assert_close(call.vitals.entropy, vitals.entropy(whole).float(), atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(call.vitals.set_mass["first"], layer.weights[..., 0], atol=2e-6, rtol=1e-4)
        received = call.vitals.received[..., 1:] if learned_key else call.vitals.received
        torch.testing.assert_close(received, layer.weights.sum(-2), atol=2e-5, rtol=1e-4)
        i, j = torch.arange(N)[:, None], torch.arange(N)
        distance = (layer.weights * (i - j).abs()).sum(-1) + (
            whole[..., 0].float() * (i[:, 0] + 1) if learned_key else 0
        )
        if null:
            torch.testing.assert_close(call.vitals.null_mass, whole[..., 0].float(), atol=2e-6, rtol=1e-4)
        else:
            assert call.vitals.null_mass is None
        if not null:
            torch.testing.assert_close(call.vitals.mean_distance, distance, atol=2e-5, rtol=1e-4)
        assert call.vitals.visible_keys[0, 0].tolist() == [i + 1 + learned_key for i in range(N)]
        assert not any("does more, or other" in note for note in record.notes)
        if "QK-norm" in name:
            norm = next(each for each in has.mechanism.modules() if isinstance(each, QKNorm))
            lengths = layer.q.norm(dim=-1)
            torch.testing.assert_close(lengths, norm.gain.abs()[:, None].expand_as(lengths).contiguous())
            assert layer.scale == 1.0 and call.scale == 1.0 and call.largest_product <= norm.gain.abs().max() * 1.001


def test_what_is_unusual_is_said_and_nothing_else():
    for name, sentence in (("key bias", "one more key"), ("gate", "before the gate"), ("sigmoid", "without a softmax")):
        model = gpt(name)
        with watch(model) as record:
            model(text())
        assert len(record.notes) == 2 and all(sentence in note for note in record.notes)
    for name in ("QK-norm", "null key", "off by one", "soft-cap", "log length"):
        model = gpt(name)
        with watch(model) as record:
            model(text())
        assert record.notes == [] and len(record.calls) == 2


def test_a_gate_that_is_told_wrongly_is_noticed():
    model = gpt("gate")
    layer = layers(model)[0].mechanism
    layer.forward = lambda q, k, v, visible=None, **change: attention(q, k, v, visible, **change)
    with watch(model) as record:
        model(text())
    assert any("blocks.0.attention does more, or other" in note for note in record.notes)


def test_without_a_softmax_there_is_no_entry_and_the_weights_can_be_had():
    model = gpt("sigmoid")
    with watch(model, token_sets={"first": [0]}) as record:
        model(text())
    assert record.calls == []
    with watching(model) as maps:
        model(text())
    for layer in maps:
        scores = (layer.q.double() @ layer.k.double().transpose(-2, -1)) * layer.scale
        n = torch.arange(1, N + 1)[:, None]
        wanted = torch.sigmoid(scores - n.log()) * torch.ones(N, N).tril()
        torch.testing.assert_close(layer.weights.double(), wanted, atol=1e-6, rtol=1e-5)


def test_sets_and_padding_name_the_tokens_of_the_text_beside_a_learned_key():
    model, keep = gpt("key bias"), torch.arange(N) < torch.tensor([[N], [7]])
    marks = torch.arange(N) == 2
    with watch(model, token_sets={"third": marks, "padding": ~keep}, keep=keep) as record:
        model(text(), visible=causal & padding(keep))
    with watching(model) as maps:
        model(text(), visible=causal & padding(keep))
    for call, layer in zip(record.calls, maps, strict=True):
        kept = keep[:, None].expand(-1, HEADS, -1)
        torch.testing.assert_close(call.vitals.set_mass["third"][kept], layer.weights[..., 2][kept])
        assert call.vitals.set_mass["padding"].abs().max() == 0
        assert torch.equal(call.vitals.visible_keys > 0, kept)


@with_softmax
def test_a_report_can_be_made_of_it(name):
    model = gpt(name)
    with watch(model, token_sets={"first": [0]}) as record:
        model.write(text(n=8), 3)
    assert diagnose(record) is not None


@every
def test_heads_can_be_silenced_patched_and_hidden_from_and_the_record_follows(name):
    model, where = gpt(name), "stack.blocks.0.attention"
    with watching(model) as plain:
        model(text())
    with silencing(model, {where: [1]}), watching(model) as maps:
        model(text())
    assert maps[0].output[:, 1].abs().max() == 0 and maps[0].weights[:, 1].abs().max() == 0
    torch.testing.assert_close(maps[0].weights[:, 0], plain[0].weights[:, 0])
    with patching(model, {where: [1]}, plain), watching(model) as maps:
        model(text().flip(1))
    assert torch.equal(maps[0].output[:, 1], plain[0].output[:, 1])
    keep = torch.arange(N) != 3
    with hiding(model, keep), watching(model) as maps:
        hidden = model(text())
    assert all(layer.weights[..., 3].abs().max() == 0 for layer in maps)
    with hiding(model, keep), watch(model) as record:
        assert torch.equal(model(text()), hidden)
    assert all(not call.vitals.key_seen[..., 3 + (name == "key bias")].any() for call in record.calls)


@every
def test_weights_are_exchanged_where_they_are_all_there_is(name):
    model = gpt(name)
    before = model(text())
    if "gate" in name or name == "key bias":
        with pytest.raises(ValueError, match="more than mix values"), reweighing(model, lambda _, weights: weights):
            pass
    else:
        with reweighing(model, lambda _, weights: weights):
            torch.testing.assert_close(model(text()), before, atol=1e-5, rtol=1e-5)


def test_a_null_key_is_the_learned_sink_of_the_streaming_vitals():
    model = gpt("null key")
    with watching(model) as maps, watch(model) as record:
        model(text())
    for call, layer, has in zip(record.calls, maps, layers(model), strict=True):
        alone = streaming_vitals(layer.q, layer.k, visible=causal, sinks=has.mechanism.logit.detach())
        torch.testing.assert_close(call.vitals.null_mass, alone.null_mass)
        torch.testing.assert_close(call.vitals.entropy, alone.entropy)
