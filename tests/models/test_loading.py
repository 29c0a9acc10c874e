"""The course's transformer is the real one: the library's weights give the library's logits."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from attn_course.attention import fused, padding
from attn_course.models.loading import from_folder, from_weights

GPT2 = GPT2Config(vocab_size=50, n_embd=32, n_layer=3, n_head=4, n_positions=16, bos_token_id=0, eos_token_id=0)
SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 56,
}  # fmt: skip
MODELS = {
    "gpt2": (GPT2LMHeadModel, GPT2),
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=2, rope_theta=5_000.0)),
    "llama-tied": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=1, tie_word_embeddings=True)),
    "llama-wide-heads": (LlamaForCausalLM, LlamaConfig(**SIZES, head_dim=12)),
    "bert": (BertModel, BertConfig(**SIZES, max_position_embeddings=16)),
    "bert-masked": (BertForMaskedLM, BertConfig(**SIZES, max_position_embeddings=16)),
}


@pytest.fixture(scope="module", params=sorted(MODELS))
def pair(request):
    """The library's model with weights large enough that attention is far from uniform, and ours."""
    make, config = MODELS[request.param]
    torch.manual_seed(0)
    theirs = make(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return request.param, theirs, from_weights(config.to_dict(), theirs.state_dict())


def tokens(length=11):
    return torch.randint(1, 50, (3, length), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_same_weights_give_the_same_logits(pair):
    _, theirs, ours = pair
    expected = theirs(tokens())[0]
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(tokens()), expected, atol=1e-4, rtol=1e-4)


def test_and_the_same_gradients_of_the_token_table(pair):
    _, theirs, ours = pair
    theirs.zero_grad(), ours.zero_grad()
    theirs(tokens())[0].square().mean().backward()
    ours(tokens())[0:].square().mean().backward()
    mine = ours.token.weight.grad.clone()
    tied = theirs.get_output_embeddings() is not None and theirs.config.tie_word_embeddings
    if tied:  # the library's table is the readout too; ours are two copies, and the gradients add
        mine += (ours.head.weight if hasattr(ours.head, "weight") else ours.head.readout.weight).grad
    torch.testing.assert_close(mine, theirs.get_input_embeddings().weight.grad, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_padding_on_the_right_hides_the_same_tokens(pair):
    name, theirs, ours = pair
    if not name.startswith("bert"):
        pytest.skip("a decoder never looks at what follows")
    keep = torch.arange(11) < torch.tensor([[11], [7], [4]])
    expected = theirs(tokens(), attention_mask=keep.long())[0]
    torch.testing.assert_close(ours(tokens(), padding(keep))[keep], expected[keep], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_writing_with_a_cache_gives_what_the_library_writes(pair):
    name, theirs, ours = pair
    if name.startswith("bert"):
        pytest.skip("an encoder does not write")
    expected = theirs.generate(
        tokens(5), max_new_tokens=6, min_new_tokens=6, do_sample=False, pad_token_id=0, eos_token_id=None
    )
    assert torch.equal(ours.write(tokens(5), 6), expected)


@torch.no_grad()
def test_any_mechanism_can_be_put_in(pair):
    name, theirs, ours = pair
    config = MODELS[name][1].to_dict()
    other = from_weights(config, theirs.state_dict(), mechanism=fused)
    torch.testing.assert_close(other(tokens()), ours(tokens()), atol=1e-4, rtol=1e-4)


def test_a_saved_folder_is_loaded_without_the_library(tmp_path):
    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(GPT2).eval()
    theirs.save_pretrained(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(from_folder(tmp_path)(tokens()), theirs(tokens())[0], atol=1e-5, rtol=1e-4)


def test_loading_draws_no_random_numbers_and_leaves_no_weight_out(pair):
    name, theirs, _ = pair
    before = torch.get_rng_state()
    torch.use_deterministic_algorithms(True)  # then memory that nobody filled holds NaN
    try:
        ours = from_weights(MODELS[name][1].to_dict(), theirs.state_dict())
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.isfinite().all() and parameter.requires_grad for parameter in ours.parameters())


def test_what_is_loaded_is_a_copy(pair):
    name, theirs, _ = pair
    ours = from_weights(MODELS[name][1].to_dict(), theirs.state_dict())
    before = theirs.get_input_embeddings().weight.clone()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.zero_()
    assert torch.equal(theirs.get_input_embeddings().weight, before)


def changed(**config):
    return lambda c, w: from_weights(c | config, w)


@pytest.mark.parametrize(
    ("load", "sentence"),
    [
        (changed(model_type="mamba"), "Models of type 'mamba' cannot be loaded here, only gpt2, llama, bert"),
        (changed(n_embd=64), "has shape .* where the configuration promises"),
        (changed(n_layer=4), "The weights hold no h.3.ln_1.weight"),
        (changed(activation_function="swish"), "The activation 'swish' is not known here"),
        (changed(scale_attn_by_inverse_layer_idx=True), "sets scale_attn_by_inverse_layer_idx to True"),
        (lambda c, w: from_weights(c | SIZES | {"model_type": "llama", "rope_scaling": {"rope_type": "yarn"}}, w),
         "stretched by 'yarn'"),
        (lambda c, w: from_weights(c | SIZES | {"model_type": "bert", "is_decoder": True, "hidden_act": "gelu"}, w),
         "absolute positions that reads in both directions"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_gets_one_sentence(load, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        load(GPT2.to_dict(), GPT2LMHeadModel(GPT2).state_dict())
    assert "\n" not in str(caught.value)


def test_folders_that_hold_no_model_get_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        from_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(FileNotFoundError, match=r"holds no model\.safetensors"):
        from_folder(tmp_path)
    save_file({"a": torch.zeros(9)}, tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-5])
    with pytest.raises(ValueError, match="damaged or cut short"):
        from_folder(tmp_path)
