"""Head importance against explicit gates, gradients of projections against the parameters' own: float64."""

import math

import pytest
import torch
from torch import nn

from attn_course.attention import Learned, Rotary, attention
from attn_course.diagnosis.gradients import importance, watching_gradients
from attn_course.diagnosis.projections import attention_modules
from attn_course.diagnosis.record import Record
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.gpt import GPT

TOKENS = torch.randint(1, 11, (3, 7), generator=torch.Generator().manual_seed(0))


def gpt(**stack):
    torch.manual_seed(0)
    return GPT(11, 16, heads=4, layers=2, positions=Rotary(4), **stack).double()


def loss_of(model, *inputs):
    return nn.functional.cross_entropy(model(*inputs)[:, :-1].flatten(0, 1), inputs[-1][:, 1:].flatten())


def watched(model, loss):
    record = Record(type(model).__name__)
    with watching_gradients(model, record):
        loss().backward()
    return record


def gated(layers, loss):
    """|∂L/∂gate| by autograd, and by finite differences: a gate of 1 for each example and head of each layer."""
    before = [layer.mechanism for layer in layers]
    batch, heads = len(TOKENS), layers[0].heads
    gates = [torch.ones(batch, heads, dtype=torch.float64, requires_grad=True) for _ in layers]

    def through(mechanism, gate):
        return lambda q, k, v, visible, **change: mechanism(q, k, v, visible, **change) * gate[..., None, None]

    for layer, mechanism, gate in zip(layers, before, gates, strict=True):
        layer.mechanism = through(mechanism, gate)
    exact = [g.abs().mean(0) for g in torch.autograd.grad(loss(), gates)]
    step, by_steps = 1e-5, []
    with torch.no_grad():
        for gate in gates:
            found = torch.zeros_like(gate)
            for at in range(gate.numel()):
                gate.view(-1)[at] += step
                up = loss()
                gate.view(-1)[at] -= 2 * step
                found.view(-1)[at] = (up - loss()) / (2 * step)
                gate.view(-1)[at] += step
            by_steps.append(found.abs().mean(0))
    for layer, mechanism in zip(layers, before, strict=True):
        layer.mechanism = mechanism
    return exact, by_steps


@pytest.mark.parametrize("stack", [{}, {"kv_heads": 2}, {"kv_heads": 1}, {"d_head": 4, "bias": False}])
def test_importance_is_what_a_gate_on_the_head_would_be_sent(stack):
    model = gpt(**stack)
    record = watched(model, lambda: loss_of(model, TOKENS))
    exact, by_steps = gated([block.attention for block in model.stack.blocks], lambda: loss_of(model, TOKENS))
    assert [each.name for each in record.gradients] == ["stack.blocks.0.attention", "stack.blocks.1.attention"]
    for vitals, gate, steps in zip(record.gradients, exact, by_steps, strict=True):
        assert torch.allclose(vitals.head_importance, gate, rtol=1e-9, atol=1e-14)
        assert torch.allclose(vitals.head_importance, steps, rtol=1e-5, atol=1e-10)
    assert not record.notes


def test_importance_of_cross_attention():
    torch.manual_seed(1)
    model = EncoderDecoder(11, 11, 16, heads=4, layers=1, positions=Learned(8, 16)).double()
    block = model.decoder.stack.blocks[0]
    record = watched(model, lambda: loss_of(model, TOKENS, TOKENS))
    exact, _ = gated([block.attention, block.cross], lambda: loss_of(model, TOKENS, TOKENS))
    by_name = {each.name: each for each in record.gradients}
    assert len(by_name) == 3
    assert torch.allclose(by_name["decoder.stack.blocks.0.attention"].head_importance, exact[0], rtol=1e-9)
    assert torch.allclose(by_name["decoder.stack.blocks.0.cross"].head_importance, exact[1], rtol=1e-9)


def test_it_is_the_mean_over_examples_of_the_size_and_not_the_size_of_the_mean():
    output = torch.tensor([[[[1.0, 2.0]]], [[[1.0, 2.0]]]])
    gradient = torch.tensor([[[[3.0, 0.0]]], [[[-3.0, 0.0]]]])
    assert importance(output, gradient).mean(0).tolist() == [3.0]


def test_a_silent_head_has_no_importance():
    model = gpt()
    keep = torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64)[:, None, None]
    model.stack.blocks[0].attention.mechanism = lambda q, k, v, visible, **change: attention(q, k, v, visible) * keep
    found = watched(model, lambda: loss_of(model, TOKENS)).gradients[0].head_importance
    assert found[2] == 0 and (found[[0, 1, 3]] > 0).all()


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_norms_are_those_of_the_parameters_gradients(kv_heads):
    model = gpt(kv_heads=kv_heads)
    record = watched(model, lambda: loss_of(model, TOKENS))
    for block, vitals in zip(model.stack.blocks, record.gradients, strict=True):
        layer = block.attention
        expected = torch.cat((layer.w_q.weight.grad.flatten(), layer.w_k.weight.grad.flatten())).norm()
        assert vitals.query_key == pytest.approx(expected.item(), rel=1e-12)
        assert vitals.value == pytest.approx(layer.w_v.weight.grad.norm().item(), rel=1e-12)


def test_gradients_from_before_do_not_count_and_two_backward_passes_add_up():
    model = gpt()
    loss_of(model, TOKENS).backward()
    once = watched(model, lambda: loss_of(model, TOKENS)).gradients[0]
    record = Record("twice")
    with watching_gradients(model, record):
        loss_of(model, TOKENS).backward()
        model.zero_grad()
        loss_of(model, TOKENS).backward()
    assert record.gradients[0].query_key == pytest.approx(2 * once.query_key, rel=1e-12)
    assert torch.allclose(record.gradients[0].head_importance, once.head_importance)


def test_rank_collapse_starves_queries_and_keys():
    """Equal tokens: every score of a row is equal, whatever queries and keys are, so no gradient reaches them."""
    torch.manual_seed(0)
    model = Encoder(11, 16, heads=4, layers=1, head=nn.Linear(16, 11)).double()
    same = torch.full((2, 6), 4)
    found = watched(model, lambda: nn.functional.cross_entropy(model(same).flatten(0, 1), same.flatten())).gradients[0]
    assert found.query_key < 1e-15 < 1e-3 < found.value


def test_the_model_computes_the_same_and_no_hook_stays():
    model = gpt()
    loss_of(model, TOKENS).backward()
    plain = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    watched(model, lambda: loss_of(model, TOKENS))
    for before, parameter in zip(plain, model.parameters(), strict=True):
        assert torch.equal(before, parameter.grad)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(parameter._backward_hooks for parameter in model.parameters())


def test_without_a_backward_pass_there_is_a_sentence_and_nothing_else():
    model, record = gpt(), Record("GPT")
    with watching_gradients(model, record), torch.no_grad():
        model(TOKENS)
    assert record.gradients == [] and len(record.notes) == 1
    assert record.notes[0].startswith("No gradient reached an attention layer: call loss.backward() inside")


def test_frozen_weights_are_told():
    model = gpt()
    model.stack.blocks[0].attention.w_q.weight.requires_grad_(False)
    record = watched(model, lambda: loss_of(model, TOKENS))
    assert math.isnan(record.gradients[0].query_key) and record.gradients[0].value > 0
    assert record.notes == [
        "stack.blocks.0.attention has weights that are not trained (requires_grad is off): no gradient of theirs."
    ]


def test_other_names_are_told_with_what_was_looked_for():
    class OddAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.asks, self.answers = nn.Linear(4, 4), nn.Linear(4, 4)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = OddAttention()

    found, sentences = attention_modules(Model())
    assert not found and len(sentences) == 1
    assert sentences[0].startswith(
        "The projections of layer (OddAttention) are not known: it has asks, answers; looked"
    )
    assert "q_proj/k_proj/v_proj" in sentences[0] and "query_key_value" in sentences[0]


def test_a_model_in_half_precision_is_measured_in_float32():
    model = gpt().to(torch.bfloat16)
    found = watched(model, lambda: loss_of(model, TOKENS)).gradients[0]
    assert found.head_importance.dtype == torch.float32 and found.head_importance.isfinite().all()


# Models of the library: the same gates, on the heads' outputs, by its own attention function.

SMALL = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4}
ENDS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


def library(family):
    import transformers as t

    torch.manual_seed(0)
    made = {
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0)
        ),
        "llama": lambda: t.LlamaForCausalLM(
            t.LlamaConfig(vocab_size=11, intermediate_size=32, num_key_value_heads=2, **SMALL, **ENDS)
        ),
        "bert": lambda: t.BertForMaskedLM(
            t.BertConfig(vocab_size=11, intermediate_size=32, max_position_embeddings=8, **SMALL)
        ),
        "gpt_neox": lambda: t.GPTNeoXForCausalLM(
            t.GPTNeoXConfig(vocab_size=11, intermediate_size=32, max_position_embeddings=8, **SMALL, **ENDS)
        ),
        "phi3": lambda: t.Phi3ForCausalLM(
            t.Phi3Config(vocab_size=11, intermediate_size=32, num_key_value_heads=2, **SMALL, **ENDS)
        ),
        "bloom": lambda: t.BloomForCausalLM(t.BloomConfig(vocab_size=11, hidden_size=16, n_layer=2, n_head=4, **ENDS)),
        "falcon": lambda: t.FalconForCausalLM(
            t.FalconConfig(vocab_size=11, new_decoder_architecture=True, num_kv_heads=2, alibi=False, **SMALL, **ENDS)
        ),
        "falcon, one key head": lambda: t.FalconForCausalLM(
            t.FalconConfig(vocab_size=11, multi_query=True, alibi=False, **SMALL, **ENDS)
        ),
        "codegen": lambda: t.CodeGenForCausalLM(
            t.CodeGenConfig(vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=4, rotary_dim=2, **ENDS)
        ),
        "big code": lambda: t.GPTBigCodeForCausalLM(
            t.GPTBigCodeConfig(
                vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=4, multi_query=False, bos_token_id=0
            )
        ),
        "big code, one key head": lambda: t.GPTBigCodeForCausalLM(
            t.GPTBigCodeConfig(vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=4, bos_token_id=0)
        ),
        "distilbert": lambda: t.DistilBertForMaskedLM(
            t.DistilBertConfig(vocab_size=11, dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=8)
        ),
    }
    return made[family]().eval().double()


def loss_of_library(model):
    return nn.functional.cross_entropy(model(TOKENS).logits[:, :-1].flatten(0, 1), TOKENS[:, 1:].flatten())


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert", "gpt_neox", "phi3", "distilbert"])
def test_importance_in_models_of_the_library(family):
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    model = library(family)
    record = watched(model, lambda: loss_of_library(model))
    assert len(record.gradients) == 2 and not record.notes
    gates = []

    def through_gates(*args, **kwargs):
        output, weights = sdpa_attention_forward(*args, **kwargs)  # (batch, query, head, d)
        gates.append(torch.ones(len(TOKENS), 4, dtype=torch.float64, requires_grad=True))
        return output * gates[-1][:, None, :, None], weights

    AttentionInterface.register("through_gates", through_gates)
    AttentionMaskInterface.register("through_gates", sdpa_mask)
    model.set_attn_implementation("through_gates")
    loss = loss_of_library(model)
    for vitals, gradient in zip(record.gradients, torch.autograd.grad(loss, gates), strict=True):
        assert torch.allclose(vitals.head_importance, gradient.abs().mean(0), rtol=1e-6, atol=1e-12)


# How each model cuts its matrix, in the words of its own code.
CUTS = {
    "gpt2": ("attn.c_attn", lambda w: w.T.split(16)),
    "phi3": ("self_attn.qkv_proj", lambda w: w.split([16, 8, 8])),
    "gpt_neox": ("attention.query_key_value", lambda w: w.view(4, 3, 4, 16).unbind(1)),
    "bloom": ("self_attention.query_key_value", lambda w: w.view(4, 3, 4, 16).unbind(1)),
    "falcon": ("self_attention.query_key_value", lambda w: w.view(2, 4, 4, 16).split([2, 1, 1], dim=1)),
    "falcon, one key head": ("self_attention.query_key_value", lambda w: w.split([16, 4, 4])),
    "codegen": ("attn.qkv_proj", lambda w: [w.view(4, 3, 4, 16)[:, at] for at in (0, 2, 1)]),
    "big code": ("attn.c_attn", lambda w: w.view(4, 3, 4, 16).unbind(1)),
    "big code, one key head": ("attn.c_attn", lambda w: w.split([16, 4, 4])),
}


@pytest.mark.parametrize("family", CUTS)
def test_one_matrix_is_cut_as_the_model_cuts_it(family):
    model = library(family)
    record = watched(model, lambda: loss_of_library(model))
    end, cut = CUTS[family]
    weight = next(p for name, p in model.named_parameters() if name.endswith(f"{end}.weight"))
    query, key, value = cut(weight.grad)
    vitals = record.gradients[0]
    assert vitals.query_key == pytest.approx((query.square().sum() + key.square().sum()).sqrt().item(), rel=1e-6)
    assert vitals.value == pytest.approx(value.norm().item(), rel=1e-6)
    # And those cuts are true: with the value's rows at zero every head gives zero, so nothing reaches queries and keys.
    with torch.no_grad():
        cut(weight)[2].zero_()
        for name, parameter in model.named_parameters():
            if name.endswith(f"{end}.bias") and name.startswith(_layer(model, end)):
                parameter.zero_()
    starved = watched(model, lambda: loss_of_library(model)).gradients[0]
    assert starved.query_key < 1e-12 < starved.value


def _layer(model, end):
    return next(name for name, _ in model.named_parameters() if name.endswith(f"{end}.weight")).removesuffix(".weight")


def test_cross_attention_of_gpt2_has_its_queries_apart():
    import transformers as t

    torch.manual_seed(0)
    config = t.GPT2Config(
        vocab_size=11, n_positions=8, n_embd=16, n_layer=1, n_head=4, add_cross_attention=True, bos_token_id=0
    )
    model = t.GPT2Model(config).eval().double()
    memory = torch.randn(3, 5, 16, dtype=torch.float64)
    record = watched(model, lambda: model(TOKENS, encoder_hidden_states=memory).last_hidden_state.sin().sum())
    layer, vitals = model.h[0].crossattention, record.gradients[1]
    assert vitals.name == "h.0.crossattention"
    key, value = layer.c_attn.weight.grad.split(16, dim=1)
    assert vitals.value == pytest.approx(value.norm().item(), rel=1e-6)
    squares = layer.q_attn.weight.grad.square().sum() + key.square().sum()
    assert vitals.query_key == pytest.approx(squares.sqrt().item(), rel=1e-6)


def test_torch_s_own_layer_is_told_not_to_be_known():
    record = Record("MultiheadAttention")
    model = nn.Sequential(nn.MultiheadAttention(8, 2))
    with watching_gradients(model, record):
        pass
    assert record.notes[0].startswith("The projections of 0 (MultiheadAttention) are not known: it has out_proj")


def test_an_encoder_with_a_shared_block_is_averaged_over_its_calls():
    torch.manual_seed(0)
    model = Encoder(11, 16, heads=4, layers=2, shared=True, head=nn.Linear(16, 11)).double()
    heard = []
    layer = model.stack.blocks[0].attention
    layer.w_o.register_forward_pre_hook(lambda _, args: args[0].retain_grad() or heard.append(args[0]))
    record = watched(model, lambda: nn.functional.cross_entropy(model(TOKENS).flatten(0, 1), TOKENS.flatten()))
    each = [(x * x.grad).unflatten(-1, (4, -1)).sum((1, 3)).abs().mean(0) for x in heard]
    assert len(each) == 2
    assert torch.allclose(record.gradients[0].head_importance, torch.stack(each).mean(0), rtol=1e-9)
