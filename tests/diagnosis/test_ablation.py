"""What a model loses without a part, against the model with that part's weights set to zero, or really without it."""

import copy

import pytest
import torch
from families import FAMILIES, inputs, random_model, result
from torch import nn

from attn_course.attention import Learned, Rotary, silencing
from attn_course.diagnosis.ablation import (
    attention_ablation,
    block_ablation,
    head_ablation,
    heads_of,
    silent_heads,
    skipped,
)
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.models.pruned import without_attention, without_blocks

torch.set_num_threads(1)
TOKENS = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(0))


def gpt():
    torch.manual_seed(0)
    return GPT(11, 16, heads=4, layers=2, positions=Rotary(4)).double()


def encoder():
    torch.manual_seed(0)
    return Encoder(11, 16, heads=4, layers=3, positions=Learned(8, 16)).double()


def of_each_text(model):
    return model(TOKENS).square().mean((1, 2))


@pytest.mark.parametrize("make", [gpt, encoder])
def test_heads_of_the_course_s_models(make):
    model = make()
    found = head_ablation(model, of_each_text)
    assert list(found) == list(heads_of(model)) and all(costs.shape == (4, 3) for costs in found.values())
    whole = of_each_text(model)
    for name, costs in found.items():
        for head in range(4):
            with silencing(model, {name: [head]}):
                torch.testing.assert_close(costs[head], of_each_text(model) - whole)
    assert all(costs.abs().min() > 0 and not costs.requires_grad for costs in found.values())


@pytest.mark.parametrize("make", [gpt, encoder])
def test_layers_and_blocks_against_models_that_are_really_without_them(make):
    model = make()
    whole = of_each_text(model).mean()
    for number, (name, cost) in enumerate(attention_ablation(model, lambda m: of_each_text(m).mean()).items()):
        assert name == f"stack.blocks.{number}.attention"
        torch.testing.assert_close(cost, of_each_text(without_attention(model, [number])).mean() - whole)
    for number, (name, cost) in enumerate(block_ablation(model, lambda m: of_each_text(m).mean().item()).items()):
        assert name == f"stack.blocks.{number}"
        wanted = of_each_text(without_blocks(model, [number])).mean() - whole
        torch.testing.assert_close(cost, wanted.to(cost.dtype), atol=1e-6, rtol=1e-5)


# Where the library keeps W_O, and whether a head has its columns there or its rows.
OUTPUTS = {
    "gpt2": ("attn.c_proj", 0),
    "llama": ("self_attn.o_proj", 1),
    "qwen3": ("self_attn.o_proj", 1),
    "bert": ("attention.output.dense", 1),
    "distilbert": ("attention.out_lin", 1),
    "opt": ("self_attn.out_proj", 1),
    "neox": ("attention.dense", 1),
}


@pytest.mark.parametrize("family", OUTPUTS)
def test_a_silent_head_of_the_library_is_one_whose_output_weights_are_zero(family):
    model, given = random_model(family), inputs(family)
    ending, axis = OUTPUTS[family]
    for number, name in enumerate(heads_of(model)):
        other = copy.deepcopy(model)
        (projection,) = [m for n, m in other.named_modules() if n.endswith(ending) and f".{number}." in f".{n}"]
        weight = projection.weight.detach().unflatten(axis, (4, -1))
        weight.index_fill_(axis, torch.tensor([1, 3]), 0)
        projection.weight = nn.Parameter(weight.flatten(axis, axis + 1))
        with torch.no_grad(), silent_heads(model, {name: [1, 3]}):
            torch.testing.assert_close(result(model, **given), result(other, **given))
        assert (result(other, **given) - result(model, **given)).abs().max() > 1e-3  # and afterwards it speaks again


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_taken_apart(family):
    model, given = random_model(family), inputs(family)

    def loss(m):
        return result(m, **given)[..., 5].square().mean().item()  # of a whole vector, a norm leaves the same

    found = {**attention_ablation(model, loss), **block_ablation(model, loss)}
    assert all(cost.isfinite() and cost != 0 for cost in found.values())
    heads = head_ablation(model, loss)
    assert {len(costs) for costs in heads.values()} == {4} and all((costs != 0).all() for costs in heads.values())


@pytest.mark.parametrize("family", ["llama", "bert", "gpt2"])
def test_a_skipped_block_of_the_library_is_one_that_is_not_there(family):
    model, given = random_model(family), inputs(family)
    other = copy.deepcopy(model)
    (blocks,) = [
        m for m in other.modules() if isinstance(m, nn.ModuleList) and len(m) == 2 and next(m[0].children(), None)
    ]
    del blocks[1]
    if hasattr(other.config, "num_hidden_layers"):
        other.config.num_hidden_layers = 1
    (name,) = [n for n, m in model.named_modules() if n.endswith(".1") and isinstance(m, type(blocks[0]))]
    with torch.no_grad(), skipped(model.get_submodule(name)):
        torch.testing.assert_close(result(model, **given), result(other, **given))


def test_nothing_is_left_behind_when_the_loss_fails():
    model = gpt()
    with pytest.raises(ZeroDivisionError):
        head_ablation(model, lambda m: 1 / 0)
    with pytest.raises(RuntimeError), silent_heads(model, {"stack.blocks.0.attention": [0]}):
        raise RuntimeError
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_layers_and_heads_that_are_not_there_are_told():
    for heads in ({"stack.blocks.0.attention": [4]}, {"h.0": [0]}):
        with (
            pytest.raises(ValueError, match=r"There are: stack.blocks.0.attention \(4 heads\)"),
            silent_heads(gpt(), heads),
        ):
            pass
    number = {"stack.blocks.0.attention": 2}
    with pytest.raises(ValueError, match="heads 2, which is no list"), silent_heads(gpt(), number):
        pass
    with pytest.raises(ValueError, match="no attention layer whose heads can be told apart"):
        head_ablation(nn.Linear(2, 2), lambda m: 0.0)
    with pytest.raises(ValueError, match="it is no block"), skipped(layer := nn.Linear(2, 3)):
        layer(torch.zeros(1, 1, 2))
