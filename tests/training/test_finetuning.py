"""LoRA against the library peft and its formula; prompts against words; what is not trained stays bit for bit."""

import math

import peft
import pytest
import torch
from torch import nn

from attn_course.attention import ALiBi, Learned, NoPositions, RelativeBias, Rotary, causal, document, padding, window
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.models.vit import ViT
from attn_course.training.finetuning import (
    full,
    head_only,
    loras,
    trainable_share,
    with_adapters,
    with_lora,
    with_prompt,
)
from attn_course.training.loop import train
from attn_course.training.lora import LoRA
from attn_course.training.prompt import behind_prompt, prompt_from

WAYS = {
    "lora": lambda model: with_lora(model, 2),
    "adapters": lambda model: with_adapters(model, 3),
    "prompt": lambda model: with_prompt(model, 3),
    "head": head_only,
    "full": full,
}


@pytest.fixture
def vit():
    torch.manual_seed(0)
    return ViT(image=8, patch=4, classes=10, d_model=16, heads=2, layers=2).eval()


@pytest.fixture
def gpt():
    torch.manual_seed(0)
    return GPT(vocabulary=11, d_model=16, heads=2, layers=2, positions=Rotary(8)).eval()


def images(n=5):
    return torch.rand(n, 8, 8, generator=torch.Generator().manual_seed(1))


def tokens(n=7):
    return torch.randint(11, (3, n), generator=torch.Generator().manual_seed(1))


def shake(model):
    """Give everything that is trained some other value: an untrained LoRA or adapter adds nothing."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for each in model.parameters():
            if each.requires_grad:
                each.add_(0.3 * torch.randn(each.shape, generator=generator))
    return model


# LoRA


def test_lora_is_the_formula_in_float64():
    torch.manual_seed(0)
    layer = shake(LoRA(nn.Linear(6, 5).double().requires_grad_(False), r=2, alpha=3).double())
    x = torch.randn(4, 6, dtype=torch.float64)
    effective = layer.weight + 3 / 2 * torch.einsum("or,ri->oi", layer.B, layer.A)
    expected = torch.einsum("oi,ni->no", effective, x) + layer.bias
    torch.testing.assert_close(layer(x), expected, atol=1e-12, rtol=0)
    assert torch.linalg.matrix_rank(layer.update) == 2


def test_lora_is_pefts_outputs_and_gradients_included():
    """The same layers, the same A and B in both."""
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 5))
    ours = shake(with_lora(base, r=2, alpha=5, where=("0", "2")))
    config = peft.LoraConfig(r=2, lora_alpha=5, target_modules=["0", "2"], lora_dropout=0)
    theirs = peft.get_peft_model(full(base), config)
    with torch.no_grad():
        for name, layer in zip(("0", "2"), loras(ours), strict=True):
            other = theirs.base_model.model.get_submodule(name)
            other.lora_A["default"].weight.copy_(layer.A)
            other.lora_B["default"].weight.copy_(layer.B)
    x = torch.randn(4, 6)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-5)
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for name, layer in zip(("0", "2"), loras(ours), strict=True):
        other = theirs.base_model.model.get_submodule(name)
        torch.testing.assert_close(layer.A.grad, other.lora_A["default"].weight.grad, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(layer.B.grad, other.lora_B["default"].weight.grad, atol=1e-5, rtol=1e-4)
    assert sum(p.numel() for p in ours.parameters() if p.requires_grad) == theirs.get_nb_trainable_parameters()[0]


def test_merged_gives_the_same_outputs_and_unmerged_the_weights_bit_for_bit(vit):
    tuned = shake(with_lora(vit, 3, alpha=6))
    x, before = images(), {name: each.clone() for name, each in tuned.state_dict().items()}
    with torch.no_grad():
        apart = tuned(x)
        for layer in loras(tuned):
            layer.merge()
            layer.merge()  # twice is once
        torch.testing.assert_close(tuned(x), apart, atol=1e-6, rtol=1e-5)
        assert not torch.equal(tuned.stack.blocks[0].attention.w_q.weight, vit.stack.blocks[0].attention.w_q.weight)
        for layer in loras(tuned):
            layer.unmerge()
            layer.unmerge()
        assert torch.equal(tuned(x), apart)
    assert all(torch.equal(each, before[name]) for name, each in tuned.state_dict().items())


def test_merged_weights_fit_the_plain_model(vit):
    tuned = shake(with_lora(vit, 3))
    for layer in loras(tuned):
        layer.merge()
    plain = full(vit)
    plain.load_state_dict(tuned.state_dict(), strict=False)
    torch.testing.assert_close(plain(images()), tuned(images()), atol=1e-6, rtol=1e-5)


def test_layers_are_chosen_by_name_and_an_unknown_name_is_told_what_there_is(vit):
    chosen = with_lora(vit, 2, where=("*.w_q", "*.w_v"))
    names = {name for name, layer in chosen.named_modules() if isinstance(layer, LoRA)}
    assert names == {f"stack.blocks.{block}.attention.{w}" for block in (0, 1) for w in ("w_q", "w_v")}
    assert len(list(loras(with_lora(vit, 2)))) == 2 * 6  # four of the attention, two of the feed-forward network
    with pytest.raises(ValueError, match=r"No linear layer is named like \*\.w_x\. There are: patches\.w, stack"):
        with_lora(vit, 2, where=("*.w_x",))
    with pytest.raises(ValueError, match="rank 1 to 16, got 0"):
        with_lora(vit, 0)
    with pytest.raises(ValueError, match="rank 1 to 16, got 17"):
        with_lora(vit, 17)


def test_a_block_that_is_run_several_times_gets_one_lora():
    model = GPT(vocabulary=11, d_model=16, heads=2, layers=3, shared=True)
    assert len(list(loras(with_lora(model, 2)))) == 6


# All ways


@pytest.mark.parametrize("way", ["lora", "adapters", "head", "full"])
def test_nothing_changes_at_the_start(vit, gpt, way):
    assert torch.equal(WAYS[way](vit)(images()), vit(images()))
    if way not in ("head",):
        assert torch.equal(WAYS[way](gpt)(tokens()), gpt(tokens()))


@pytest.mark.parametrize("way", WAYS)
def test_training_leaves_the_model_and_what_is_frozen_bit_for_bit(vit, way):
    before = {name: each.clone() for name, each in vit.state_dict().items()}
    tuned = WAYS[way](vit)
    frozen = {name: each.clone() for name, each in tuned.named_parameters() if not each.requires_grad}
    trained = {name: each.clone() for name, each in tuned.named_parameters() if each.requires_grad}
    wanted = torch.arange(5)
    train(tuned, lambda model, generator: nn.functional.cross_entropy(model(images()), wanted), 3, lr=1e-2)
    assert all(torch.equal(each, before[name]) for name, each in vit.state_dict().items())
    after = dict(tuned.named_parameters())
    assert all(torch.equal(after[name], each) for name, each in frozen.items())
    keys = [
        name for name in trained if name.endswith("w_k.bias")
    ]  # adds the same to all scores of a query: no gradient
    assert all(not torch.equal(after[name], each) for name, each in trained.items() if name not in keys)


def test_the_share_that_is_trained(vit):
    everything = sum(each.numel() for each in vit.parameters())
    # rank r costs r (in + out): four times 16 + 16 in an attention, twice 16 + 64 in a feed-forward network
    assert trainable_share(with_lora(vit, 2), vit) == 2 * 2 * (4 * 32 + 2 * 80) / everything
    assert trainable_share(with_adapters(vit, 3), vit) == 2 * (16 * 3 + 3 + 3 * 16 + 16) / everything
    assert trainable_share(with_prompt(vit, 3), vit) == 3 * 16 / everything
    assert trainable_share(head_only(vit), vit) == 170 / everything
    assert trainable_share(full(vit), vit) == 1


def test_seeds_decide_the_start_and_leave_torchs_own_dice_alone(vit):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    a, b, c = with_lora(vit, 2, seed=1), with_lora(vit, 2, seed=1), with_lora(vit, 2, seed=2)
    with_adapters(vit, 2), with_prompt(vit, 2)
    assert torch.equal(torch.rand(3), expected)
    first = [next(loras(each)).A for each in (a, b, c)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


def test_an_adapter_is_its_formula(vit):
    tuned = shake(with_adapters(vit, 3)).double()
    adapter = tuned.stack.blocks[1].feed_forward
    x = torch.randn(2, 4, 16, dtype=torch.float64)
    y = adapter.feed_forward(x)
    inner = y @ adapter.down.weight.T + adapter.down.bias
    gelu = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
    expected = y + gelu @ adapter.up.weight.T + adapter.up.bias
    torch.testing.assert_close(adapter(x), expected, atol=1e-12, rtol=0)
    assert not torch.allclose(tuned(images().double()), vit.double()(images().double()))


@pytest.mark.parametrize("make", [lambda m: with_adapters(m, 2), lambda m: with_prompt(m, 2), head_only])
def test_a_model_without_the_parts_is_refused(make):
    with pytest.raises(ValueError, match=r"has no|No linear layer"):
        make(nn.Sequential(nn.Linear(3, 3)))


def test_no_width_and_no_vector_are_refused(vit):
    with pytest.raises(ValueError, match="at least one feature"):
        with_adapters(vit, 0)
    with pytest.raises(ValueError, match="at least one vector"):
        with_prompt(vit, 0)


# Prompts


@pytest.mark.parametrize(
    "positions", [NoPositions(), Rotary(8), ALiBi(2), RelativeBias(2)], ids=lambda p: type(p).__name__
)
@pytest.mark.parametrize("visible", [None, causal])
def test_a_prompt_of_words_vectors_is_those_words(positions, visible):
    """Where an encoding knows distances only, a prompt of words' vectors must be the words themselves, to 1e-6."""
    torch.manual_seed(0)
    model = shake(GPT(vocabulary=11, d_model=16, heads=2, layers=2, positions=positions)).eval()
    text = tokens(9)
    text[:, :4] = text[0, :4]  # one prompt for all
    prompted = with_prompt(model, 4)
    prompt_from(prompted, model.token(text[0, :4]).detach())
    torch.testing.assert_close(prompted(text[:, 4:], visible), model(text)[:, 4:], atol=1e-5, rtol=1e-5)


def test_with_learned_positions_tokens_keep_theirs():
    """A prompt that holds what words hold, positions included, before tokens that stand where they stood."""
    torch.manual_seed(0)
    model = GPT(vocabulary=11, d_model=16, heads=2, layers=1, positions=Learned(5, 16)).eval()
    prompted = with_prompt(model, 2)
    prompted(tokens(5))  # as long as the model can read: the prompt takes no place
    words, at = torch.tensor([[3, 4]]), torch.tensor([0, 1])
    prompt_from(prompted, model.embed(words)[0].detach())
    asked = torch.tensor([[6, 7, 8]])
    at = torch.tensor([0, 1, 0, 1, 2])
    expected = model(torch.cat([words, asked], dim=1), at=at)[:, 2:]
    torch.testing.assert_close(prompted(asked), expected, atol=1e-6, rtol=1e-5)


def test_a_prompted_decoder_does_not_see_the_future(gpt):
    prompted = shake(with_prompt(gpt, 3))
    text, changed = tokens(), tokens()
    changed[:, 4:] = (changed[:, 4:] + 1) % 11
    for visible in (None, causal, causal & window(3)):
        torch.testing.assert_close(prompted(text, visible)[:, :4], prompted(changed, visible)[:, :4])


def test_the_mask_behind_a_prompt():
    mask = behind_prompt(causal & window(2), p=2, n=3).int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 1, 1],
    ]
    ids = torch.tensor([[0, 0, 1], [0, 1, 1]])
    dense = behind_prompt(document(ids), p=1, n=3)
    assert dense.shape == (2, 1, 4, 4)
    assert dense[0, 0].int().tolist() == [[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert torch.equal(behind_prompt(document(ids).dense(3), p=1, n=3), dense)


def test_padding_stays_unseen_behind_a_prompt():
    torch.manual_seed(0)
    prompted = shake(with_prompt(Encoder(vocabulary=11, d_model=16, heads=2, layers=2), 3)).eval()
    keep = torch.tensor([[True] * 5 + [False] * 2] * 3)
    text, changed = tokens(), tokens()
    changed[:, 5:] = 0
    ours, theirs = prompted(text, padding(keep)), prompted(changed, padding(keep))
    torch.testing.assert_close(ours[:, :5], theirs[:, :5])
    assert not torch.allclose(prompted(text)[:, :5], prompted(changed)[:, :5])


def test_a_prompt_changes_what_an_image_is_taken_for_and_its_own_places_are_not_read(vit):
    prompted = shake(with_prompt(vit, 3))
    assert prompted(images()).shape == (5, 10)
    assert not torch.allclose(prompted(images()), vit(images()))
    x = torch.cat([prompted.prompt.expand(5, -1, -1), vit.embed(images())], dim=1)
    expected = vit.readout(vit.stack(x)[:, 3:].mean(dim=1))
    torch.testing.assert_close(prompted(images()), expected)
    with pytest.raises(ValueError, match=r"The prompt is \(3, 16\), the vectors are \(2, 16\)"):
        prompt_from(prompted, torch.zeros(2, 16))
