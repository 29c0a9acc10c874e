"""A fault is planted in a copy of a model; the first module named is the one it was planted in."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attn_course.attention import Learned, Rotary, attention, causal, fused, padding
from attn_course.attention.heads import split
from attn_course.diagnosis.trace import Trace, first_divergence, trace
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT

LAYER = 1
BLOCK = f"stack.blocks.{LAYER}"
TOKENS = torch.randint(0, 11, (2, 7), generator=torch.Generator().manual_seed(0))


def encoder(layers=3):
    torch.manual_seed(1)
    return Encoder(11, 16, heads=4, layers=layers, positions=Learned(8, 16), norm_first=True).eval()


def gpt(layers=3):
    torch.manual_seed(2)
    return GPT(11, 16, heads=4, layers=layers, kv_heads=2, positions=Rotary(4)).eval()


def planted(healthy, plant):
    sick = copy.deepcopy(healthy)
    plant(sick.stack.blocks[LAYER])
    return first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS))


def mechanism(change):
    """A fault in the mechanism: `change(q, k, v, visible)` in its place."""

    def plant(block):
        block.attention.mechanism = change

    return plant


def weight(path, change):
    """A fault in a parameter: `change` is given its numbers, to change them in place."""

    def plant(block):
        with torch.no_grad():
            change(block.get_parameter(path).data)

    return plant


def forward(path, change):
    """A fault in the code of a module: `change(module, *args, **kwargs)` in place of its `forward`."""

    def plant(block):
        module = block.get_submodule(path)
        module.forward = lambda *args, **kwargs: change(module, *args, **kwargs)

    return plant


def dense(visible):
    return None if visible is None else visible.dense(7)


def tiled(module, x, memory=None, visible=None, cache=None, at=None):
    """Grouped queries, but head h looks at h mod kv_heads and not at h // group."""
    at = torch.arange(x.shape[1])
    q, k, v = split(module.w_q(x), 4), split(module.w_k(x), 2), split(module.w_v(x), 2)
    q, k = module.positions.rotate(q, at), module.positions.rotate(k, at)
    output = module.mechanism(q, k.repeat(1, 2, 1, 1), v.repeat(1, 2, 1, 1), visible)
    return module.w_o(output.transpose(1, 2).flatten(2))


def merged(module, x, memory=None, visible=None, cache=None, at=None):
    """The heads joined without the transpose."""
    at = torch.arange(x.shape[1])
    q, k, v = (split(w(x), 4) for w in (module.w_q, module.w_k, module.w_v))
    q, k = module.positions.rotate(q, at), module.positions.rotate(k, at)
    output = module.mechanism(q, k, v, visible)
    return module.w_o(output.reshape(x.shape[0], x.shape[1], -1))


def no_residual(module, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
    x = module.norm_attention(module.attention(x, visible=visible))
    return module.norm_feed_forward(x + module.feed_forward(x))


def no_second_residual(module, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
    x = x + module.attention(module.norm_attention(x), visible=visible)
    return module.feed_forward(module.norm_feed_forward(x))


def norm_eps(block):
    block.norm_feed_forward.eps = 1e-2


MECHANISM = "attention.mechanism"
# (model, fault, the module that is named, where the difference is seen)
FAULTS = {
    "no scale": (encoder, mechanism(lambda q, k, v, visible: attention(q, k, v, visible, 1.0)), MECHANISM, MECHANISM),
    "scale by d": (gpt, mechanism(lambda q, k, v, visible: attention(q, k, v, visible, 1 / 4)), MECHANISM, MECHANISM),
    "mask inverted": (
        gpt,
        mechanism(lambda q, k, v, visible: attention(q, k, v, ~dense(visible))),
        MECHANISM,
        MECHANISM,
    ),
    "mask dropped": (gpt, mechanism(lambda q, k, v, visible: attention(q, k, v)), MECHANISM, MECHANISM),
    "softmax over queries": (
        encoder,
        mechanism(lambda q, k, v, visible: (q @ k.mT / 2).softmax(-2) @ v),
        MECHANISM,
        MECHANISM,
    ),
    "merged without transpose": (encoder, forward("attention", merged), "attention", "attention.w_o"),
    "tiled": (gpt, forward("attention", tiled), "attention", MECHANISM),
    "NaN in a weight": (
        encoder,
        weight("feed_forward.w_2.weight", lambda w: w[3, 2].fill_(math.nan)),
        "feed_forward.w_2",
        "feed_forward.w_2",
    ),
    "a bias shifted": (gpt, weight("attention.w_k.bias", lambda b: b[0].add_(0.5)), "attention.w_k", "attention.w_k"),
    "a value projection halved": (
        encoder,
        weight("attention.w_v.weight", lambda w: w.mul_(0.5)),
        "attention.w_v",
        "attention.w_v",
    ),
    "another eps": (encoder, norm_eps, "norm_feed_forward", "norm_feed_forward"),
    "another activation": (
        encoder,
        lambda block: setattr(block.feed_forward, "activation", F.relu),
        "feed_forward",
        "feed_forward.w_2",
    ),
    "no residual": (encoder, forward("", no_residual), "", "norm_attention"),
    "no residual at the end": (gpt, forward("", no_second_residual), "", ""),
    "dropout left on": (
        encoder,
        mechanism(lambda q, k, v, visible: F.dropout(attention(q, k, v, visible), 0.5)),
        MECHANISM,
        MECHANISM,
    ),
    "one head silent": (
        encoder,
        mechanism(lambda q, k, v, visible: attention(q, k, v) * torch.tensor([1, 1, 0, 1.0])[:, None, None]),
        MECHANISM,
        MECHANISM,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_module_named_is_the_one_with_the_fault(name):
    model, plant, blamed, seen_at = FAULTS[name]
    found = planted(model(), plant)
    assert found.module == f"{BLOCK}.{blamed}".rstrip(".")
    assert found.seen_at == f"{BLOCK}.{seen_at}".rstrip(".")
    assert found.same_inputs == (blamed == seen_at)
    assert str(found).startswith(f"{found.module} is the first to part") and str(found).count("first to part") == 1


@pytest.mark.parametrize("model", [encoder, gpt])
def test_a_model_does_not_part_from_its_copy(model):
    healthy = model()
    assert first_divergence(trace(copy.deepcopy(healthy), TOKENS), trace(healthy, TOKENS)) is None


def test_the_fused_kernel_stays_within_the_tolerance_and_exactly_equal_it_is_not():
    healthy = encoder()
    sick = copy.deepcopy(healthy)
    for block in sick.stack.blocks:
        block.attention.mechanism = fused
    assert first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS)) is None
    strict = first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS), tolerance=0)
    assert strict.module == "stack.blocks.0.attention.mechanism" and strict.distance < 1e-6


def test_swapped_blocks_are_seen_in_the_first_of_them():
    healthy = encoder()
    sick = copy.deepcopy(healthy)
    sick.stack.blocks = nn.ModuleList(sick.stack.blocks[i] for i in (0, 2, 1))
    assert first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS)).module == f"{BLOCK}.attention.w_q"


def test_where_and_how_far_are_those_of_the_planted_number():
    found = planted(encoder(), weight("attention.w_v.bias", lambda b: b[5].add_(3.0)))
    step = trace(encoder(), TOKENS)[f"{BLOCK}.attention.w_v"]
    assert found.where["feature"] == 5 and set(found.where) == {"batch", "token", "feature"}
    assert found.distance == pytest.approx(3 * math.sqrt(2 * 7) / step.output.norm().item(), rel=1e-5)
    assert found.sick == pytest.approx(found.healthy + 3, abs=1e-5)
    assert f"feature 5 ({found.sick:.4g} instead of {found.healthy:.4g})" in str(found)


def test_the_leak_of_a_mask_is_located_by_head_and_token():
    def leaks_in_head_2(q, k, v, visible):
        out = attention(q, k, v, visible)
        out[:, 2, 0] = v[:, 2].mean(1)  # the first token of head 2 reads all the others
        return out

    found = planted(gpt(), mechanism(leaks_in_head_2))
    assert (found.where["head"], found.where["token"]) == (2, 0)


def test_a_wrong_mask_is_the_fault_of_who_handed_it_on():
    healthy = gpt()
    sick = copy.deepcopy(healthy)
    block = sick.stack.blocks[LAYER]
    block.forward = lambda x, visible=None, *rest: type(block).forward(block, x, causal & causal | ~causal, *rest)
    found = first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS))
    assert found.module == BLOCK and found.seen_at == f"{BLOCK}.attention"
    assert "visible of" in str(found)
    assert found.where == {"query": 0, "key": 1}


def test_nan_in_both_runs_is_no_difference_and_the_next_fault_is_found():
    def burnt(block):
        with torch.no_grad():
            block.attention.w_v.bias[0] = math.nan

    healthy = encoder()
    burnt(healthy.stack.blocks[0])
    for block in healthy.stack.blocks:
        block.attention.mechanism = lambda q, k, v, visible: attention(q, k, v.nan_to_num(0.1), visible)
    sick = copy.deepcopy(healthy)
    with torch.no_grad():
        sick.stack.blocks[LAYER].norm_attention.bias.add_(1)
    run = trace(healthy, TOKENS)
    assert run.first_not_finite == "stack.blocks.0.attention.w_v" and not run[run.first_not_finite].finite
    assert first_divergence(trace(sick, TOKENS), run).module == f"{BLOCK}.norm_attention"


def test_nan_where_the_healthy_run_has_a_number_is_infinitely_far():
    found = planted(encoder(), weight("attention.w_q.bias", lambda b: b[1].fill_(math.nan)))
    assert math.isinf(found.distance) and math.isnan(found.sick) and math.isfinite(found.healthy)
    assert "differs at batch 0, token 0, feature 1 (nan instead of" in str(found)


def test_different_inputs_are_no_fault_of_the_model():
    other = TOKENS.clone()
    other[1, 4] = (other[1, 4] + 1) % 11
    found = first_divergence(trace(encoder(), other), trace(encoder(), TOKENS))
    assert found.module is None and found.where == {"axis 0": 1, "axis 1": 4}
    assert str(found).startswith("The two runs were given different inputs: tokens differs at")


def test_another_padding_is_another_input():
    keep = torch.ones(2, 7, dtype=torch.bool)
    keep[0, 5:] = False
    model = encoder()
    assert first_divergence(trace(model, TOKENS, padding(keep)), trace(model, TOKENS, padding(keep))) is None
    found = first_divergence(trace(model, TOKENS, padding(~keep)), trace(model, TOKENS, padding(keep)))
    assert found.module is None and "visible" in str(found)
    missing = first_divergence(trace(model, TOKENS), trace(model, TOKENS, padding(keep)))
    assert "visible is missing in the sick run, and has shape" in str(missing)


def test_another_length_is_said_with_both_shapes():
    found = first_divergence(trace(encoder(), TOKENS[:, :5]), trace(encoder(), TOKENS))
    assert found.module is None and "(2, 5) instead of (2, 7)" in str(found)


def test_runs_of_other_modules_are_a_sentence():
    shallow, deep = gpt(2), gpt(3)
    deep.load_state_dict(shallow.state_dict(), strict=False)
    found = first_divergence(trace(shallow, TOKENS), trace(deep, TOKENS))
    assert found.module is None
    assert str(found) == (
        "The runs have different structures: after stack.blocks.1 the sick one calls stack.norm, "
        "the healthy one calls stack.blocks.2."
    )


def test_a_module_that_gives_another_shape_is_named():
    def wider(block):
        block.feed_forward.w_1 = nn.Linear(16, 80)
        block.feed_forward.w_2 = nn.Linear(80, 16)

    found = planted(encoder(), wider)
    assert found.module == f"{BLOCK}.feed_forward.w_1" and "(2, 7, 80) instead of (2, 7, 64)" in str(found)


def test_dropout_is_named_as_the_reason():
    model = encoder()
    model.stack.blocks[LAYER].feed_forward = nn.Sequential(model.stack.blocks[LAYER].feed_forward, nn.Dropout(0.3))
    model.eval()
    assert trace(model, TOKENS).random == []
    model.train()
    first, second = trace(model, TOKENS), trace(model, TOKENS)
    assert first.random == [f"{BLOCK}.feed_forward.1"]
    found = first_divergence(first, second)
    assert found.module == f"{BLOCK}.feed_forward.1"
    assert "Both runs draw random numbers there: dropout is on, and model.eval() turns it off." in str(found)
    one = first_divergence(first, trace(model.eval(), TOKENS))
    assert "The sick run draws random numbers there" in str(one)


def test_a_small_difference_that_grows_is_told():
    def slightly(block):
        block.norm_attention.bias.data += 3e-6

    def then(block):
        slightly(block)
        block.norm_feed_forward.weight.data *= 1.5

    found = planted(encoder(), then)
    assert found.module == f"{BLOCK}.norm_feed_forward"
    assert f"is there from {BLOCK}.norm_attention on" in str(found)
    exact = first_divergence_at(then, tolerance=0)
    assert exact.module == f"{BLOCK}.norm_attention"


def first_divergence_at(plant, tolerance):
    healthy = encoder()
    sick = copy.deepcopy(healthy)
    plant(sick.stack.blocks[LAYER])
    return first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS), tolerance)


def test_steps_are_in_order_copied_and_numbered():
    torch.manual_seed(0)
    model = Encoder(11, 16, heads=4, layers=2, shared=True).eval()
    run = trace(model, TOKENS)
    names = [step.name for step in run.steps]
    assert names.index("stack.blocks.0.attention.w_q") < names.index("stack.blocks.0.attention.mechanism")
    assert names.index("stack.blocks.0") < names.index("stack.blocks.0.attention.w_q (2)") < names.index("the model")
    assert run["stack.blocks.0.attention.w_q (2)"].parent == "stack.blocks.0.attention (2)"
    x = model.embed(TOKENS)
    assert torch.equal(run["stack.blocks.0"].output, model.stack.blocks[0](x))
    assert run["stack.blocks.0"].norm == pytest.approx(model.stack.blocks[0](x).norm().item(), rel=1e-6)
    assert torch.equal(run["the model"].output, model(TOKENS)) and not run["the model"].output.requires_grad
    assert run["token"].output.dtype == torch.float32 and "stack.blocks.0 (2)" in str(run)
    with pytest.raises(KeyError, match=r"Nothing called 'h\.0' ran"):
        run["h.0"]


def test_what_is_changed_in_place_is_kept_as_it_was():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.relu = nn.Linear(3, 3), nn.ReLU(inplace=True)

        def forward(self, x):
            return self.relu(self.first(x))

    torch.manual_seed(0)
    model, x = Model(), torch.randn(4, 3)
    run = trace(model, x)
    assert torch.equal(run["first"].output, model.first(x).detach()) and (run["first"].output < 0).any()
    assert torch.equal(run["relu"].inputs["input"], run["first"].output)
    assert (run["relu"].output >= 0).all()


def test_the_model_is_left_as_it_was_even_when_it_raises():
    model = gpt()
    before = {name: module.__dict__.get("mechanism") for name, module in model.named_modules()}
    with pytest.raises(ValueError, match="Token 99"):
        trace(model, torch.full((1, 3), 99))
    assert before == {name: module.__dict__.get("mechanism") for name, module in model.named_modules()}
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_half_precision_is_widened_and_inference_mode_is_no_hindrance():
    model = encoder().to(torch.bfloat16)
    with torch.inference_mode():
        run = trace(model, TOKENS)
    assert run["stack.blocks.0"].output.dtype == torch.float32
    assert trace(encoder().double(), TOKENS)["stack.blocks.0"].output.dtype == torch.float64


def test_a_run_that_stops_is_followed_as_far_as_it_goes():
    def stops(q, k, v, visible):
        raise RuntimeError("out of memory")

    healthy = encoder()
    sick = copy.deepcopy(healthy)
    sick.stack.blocks[LAYER].attention.mechanism = stops
    run = trace(sick, TOKENS)
    assert "stopped: RuntimeError: out of memory" in str(run) and run[f"{BLOCK}.attention"].left is None
    found = first_divergence(run, trace(healthy, TOKENS))
    assert found.module == f"{BLOCK}.attention.mechanism"
    assert str(found) == (
        f"The runs agree until the sick one stops in {BLOCK}.attention.mechanism with RuntimeError: out of memory"
    )
    assert first_divergence(run, run) is None
    assert "until the healthy one stops" in str(first_divergence(trace(healthy, TOKENS), run))


def test_an_error_that_the_model_catches_is_one_step_that_was_never_done():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(3, 2)

        def forward(self, x):
            try:
                return self.first(torch.cat([x, x], dim=-1))
            except RuntimeError:
                return self.second(x)

    torch.manual_seed(0)
    run = trace(Careful(), torch.randn(2, 3))
    assert [(step.name, step.left is None) for step in run.steps] == [
        ("second", False),
        ("first", True),
        ("the model", False),
    ]
    assert run.stopped is None and run["the model"].shape == (2, 2)


def test_bad_input_is_a_sentence():
    with pytest.raises(TypeError, match="trace follows a torch module, got function"):
        trace(lambda x: x, TOKENS)
    with pytest.raises(ValueError, match="A trace without a step"):
        first_divergence(Trace(), trace(encoder(), TOKENS))


# Models of the library, with random weights.


def library(family):
    import transformers

    torch.manual_seed(3)
    small = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 32}
    if family == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
        )
        return transformers.GPT2Model(config).eval()
    if family == "llama":
        return transformers.LlamaModel(transformers.LlamaConfig(vocab_size=11, num_key_value_heads=2, **small)).eval()
    return transformers.BertModel(transformers.BertConfig(vocab_size=11, max_position_embeddings=8, **small)).eval()


LIBRARY = {
    "gpt2": ("h.1.mlp.c_fc", "h.1.ln_2"),
    "llama": ("layers.1.self_attn.k_proj", "layers.1.mlp.down_proj"),
    "bert": ("encoder.layer.1.attention.self.value", "encoder.layer.1.output.dense"),
}


@pytest.mark.parametrize("family", LIBRARY)
def test_a_fault_in_a_model_of_the_library_is_named(family):
    healthy = library(family)
    run = trace(healthy, TOKENS)
    assert first_divergence(trace(copy.deepcopy(healthy), input_ids=TOKENS), run) is None
    for name in LIBRARY[family]:
        sick = copy.deepcopy(healthy)
        with torch.no_grad():
            sick.get_submodule(name).weight.view(-1)[0] += 0.3
        found = first_divergence(trace(sick, TOKENS), run)
        assert found.module == found.seen_at == name and found.same_inputs


def test_a_model_of_the_library_in_training_mode_draws_and_says_where():
    model = library("gpt2")
    run = trace(model.train(), TOKENS)
    assert run.random[0] == "drop" and {"h.0.attn", "h.1.mlp.dropout"} < set(run.random)
    found = first_divergence(trace(model, TOKENS), run)
    assert found.module == "drop" and "Both runs draw random numbers there" in str(found)


def test_a_wrong_mask_in_a_model_of_the_library_is_seen_inside_its_attention():
    healthy = library("llama")
    sick = copy.deepcopy(healthy)
    layer = sick.layers[1].self_attn
    layer.scaling = 1.0
    found = first_divergence(trace(sick, TOKENS), trace(healthy, TOKENS))
    assert found.module == "layers.1.self_attn" and found.seen_at == "layers.1.self_attn.o_proj"
    assert "between layers.1.self_attn.v_proj and layers.1.self_attn.o_proj" in str(found)
