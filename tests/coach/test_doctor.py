"""`attn-course doctor`: what it examines, what it writes, and one sentence for everything that cannot be done."""

import io
import json
import os
import subprocess
import sys
import threading
from collections import namedtuple
from importlib import resources
from pathlib import Path

import jsonschema
import psutil
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, BartConfig, BloomConfig, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from attn_course.coach import cli, doctor
from attn_course.diagnosis import memory
from attn_course.diagnosis.report import Report
from attn_course.diagnosis.run import OWN_TEXT, examine
from attn_course.models import library
from attn_course.models.pretrained import load

WORDS = ["<unk>", "<s>", "the", "cat", "sat", "on", "mat", "and", "dog", ".", "slept"]
TEXT = "the cat sat on the mat and the dog slept . " * 3
CONFIGS = {
    "gpt2": GPT2Config(vocab_size=len(WORDS), n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=1),
    "llama": LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    ),
    "bart": BartConfig(
        vocab_size=len(WORDS),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        decoder_start_token_id=1,
    ),
    "bloom": BloomConfig(vocab_size=len(WORDS), hidden_size=32, n_layer=2, n_head=4),
}
Memory = namedtuple("Memory", "available")


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    """A folder with a text in it, as the working directory; models are loaded anew."""
    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(library, "_hub_reachable", lambda: False)
    load.cache_clear()
    return tmp_path


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder for each tiny model, made once, with random weights."""
    made = {}

    def folder(family: str):
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            torch.manual_seed(0)
            AutoModel.from_config(CONFIGS[family]).save_pretrained(made[family])
            tokeniser().save_pretrained(made[family])
        return made[family]

    return folder


def tokeniser() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>")


def run(capfd, *words) -> tuple[int, str]:
    sys.stdout.flush()
    capfd.readouterr()
    code = cli.main(["doctor", *map(str, words)])
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return code, printed.out


def refused(capfd, *words) -> str:
    """The one sentence, with exit code 1."""
    before = sorted(os.listdir())
    code, said = run(capfd, *words)
    assert code == 1 and len(said.splitlines()) == 1 and said.rstrip().endswith("."), said
    assert sorted(os.listdir()) == before
    return said.strip()


# ---- what it does ----


def test_on_a_bare_machine_it_examines_minilm(tmp_path):
    """A process of its own, as a user starts it; in 20 seconds of the processor, on nothing but what is shipped."""
    before = os.times()
    words = [sys.executable, "-m", "attn_course", "doctor", "--json", "r.json"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    after = os.times()
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert after.children_user + after.children_system - before.children_user - before.children_system < 20
    assert "all-MiniLM-L6-v2: 6 attention layers, 72 heads, on 1 text with 209 tokens" in done.stdout
    assert "No fault" in done.stdout and "'[CLS]'" in done.stdout
    assert "transformers" not in done.stdout
    report = Report.from_dict(json.loads((tmp_path / "r.json").read_text()))
    assert report.sets == {"[CLS]": (0,), "[SEP]": (208,)} and report.about["sampled_rows"] == 64
    schema = json.loads((resources.files("attn_course.diagnosis") / "report.schema.json").read_text())
    jsonschema.validate(report.to_dict(), schema)


def test_the_course_s_text_is_neither_short_nor_long():
    assert 150 <= len(load().tokenizer.encode(OWN_TEXT.read_text(encoding="utf-8")).ids) <= 250


@pytest.mark.parametrize("name", ["language", "masked"])
def test_the_course_s_own_models_read_characters(capfd, name):
    code, said = run(capfd, name)
    assert code == 0 and f"{name}: " in said and "with 128 tokens" in said and "No fault" in said


@pytest.mark.parametrize(("family", "layers"), [("gpt2", 2), ("llama", 3)])
def test_a_folder_of_the_library(capfd, saved, family, layers):
    code, said = run(capfd, saved(family), "--text", "text.txt", "--json", "r.json", "--rows", 8)
    sentence = f"{layers} attention layers, {4 * layers} heads, on 1 text with 34 tokens"
    assert code == 0 and sentence in " ".join(said.split())  # a long name of a folder wraps it
    report = Report.from_dict(json.loads(Path("r.json").read_text()))
    assert report.sets == {"<s>": (0,)} and report.tokens[0][:3] == ("<s>", "the", "cat")
    assert len(report.blocks) == layers and report.about["sampled_rows"] == 8 and report.notes == ()
    assert len(report.layers[0].maps.rows) == 8


def test_several_texts_are_read_one_after_another(capfd, saved):
    for name, count in {"a.txt": 5, "b.txt": 12}.items():
        Path(name).write_text("the cat " * count)
    code, said = run(capfd, saved("gpt2"), "--text", "a.txt", "b.txt", "--text", "text.txt", "--json", "r.json")
    assert code == 0 and "on 3 texts with 70 tokens" in " ".join(said.split())
    assert [len(text) for text in json.loads(Path("r.json").read_text())["tokens"]] == [11, 25, 34]


def test_max_tokens_cuts_every_text(capfd, saved):
    assert "with 10 tokens" in run(capfd, saved("gpt2"), "--text", "text.txt", "--max-tokens", 10)[1]
    assert "with 12 tokens" in run(capfd, "--max-tokens", 12, "--text", "text.txt")[1]
    assert load().read(TEXT).tokens[-1] == "[SEP]" and len(load().read(TEXT).tokens) > 12  # only for that run


def test_of_a_library_only_the_beginning_is_split_into_tokens(saved, monkeypatch):
    model = load(str(saved("gpt2")))
    lengths, own = [], type(model.tokenizer).__call__

    def counted(self, text, **more):
        lengths.append(len(text))
        return own(self, text, **more)

    monkeypatch.setattr(type(model.tokenizer), "__call__", counted)
    whole = examine(model, ["the cat sat " * 100_000], max_tokens=20)
    assert max(lengths) < 1000 and whole.tokens == examine(model, ["the cat sat " * 20], max_tokens=20).tokens
    spread = examine(model, [("the" + " " * 200 + "cat ") * 100], max_tokens=20)  # one token in a hundred characters
    assert len(spread.tokens[0]) == 20


def test_the_page_is_written(capfd, monkeypatch):
    page = pytest.importorskip("attn_course.show.report").page
    code, said = run(capfd, "language", "--html", "page.html", "--json", "page.json")
    assert code == 0 and "Wrote page.html." in said and "Wrote page.json." in said
    report = Report.from_dict(json.loads(Path("page.json").read_text(encoding="utf-8")))
    assert Path("page.html").read_text(encoding="utf-8") == page(report)
    assert sorted(os.listdir()) == ["page.html", "page.json", "text.txt"]


def test_nan_weights_are_a_finding_and_not_a_crash(capfd, saved, mine):
    model = AutoModel.from_pretrained(saved("llama"))
    with torch.no_grad():
        model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    model.save_pretrained(mine / "sick")
    tokeniser().save_pretrained(mine / "sick")
    code, said = run(capfd, "sick", "--text", "text.txt", "--json", "r.json")
    assert code == 0 and "1 fault" in said
    words = " ".join(said.split())
    assert "It begins in layers.1.mlp.up_proj, the first module whose output is not finite." in words
    assert json.loads(Path("r.json").read_text())["findings"][0]["name"] == "not-finite"


def test_the_model_is_as_it_was(saved):
    model = load(str(saved("llama")))
    before = model.read(TEXT)
    examine(model, [TEXT])
    after = model.read(TEXT)
    assert model.model.config._attn_implementation == "eager"
    assert all(torch.equal(a.weights, b.weights) for a, b in zip(before.layers, after.layers, strict=True))


def test_a_model_that_trains_is_evaluated_and_trains_on(saved):
    model = load(str(saved("gpt2")))
    still = examine(model, [TEXT])
    model.model.train()
    model.model.h[0].eval()  # a layer that was frozen
    assert examine(model, [TEXT]).layers == still.layers
    assert model.model.training and not model.model.h[0].training and model.model.h[1].mlp.dropout.training
    model.model.eval()


def test_progress_is_told():
    steps = []
    examine(load(), ["The cat sat.", "A dog did not."], rows=4, progress=lambda *step: steps.append(step))
    assert steps == [(at, 12) for at in range(1, 13)]


def test_into_a_pipe_no_bar_is_drawn_and_on_a_terminal_it_is(capfd, monkeypatch):
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal, raising=False)
        monkeypatch.setattr(doctor, "TERMINAL_SECONDS", 0)
        capfd.readouterr()
        assert cli.main(["doctor", "language"]) == 0
        assert ("Reading" in capfd.readouterr().err) == terminal


# ---- what it cannot do ----


def test_texts_that_cannot_be_read(capfd, mine):
    (mine / "bytes").write_bytes(b"\xff\xfe\x00")
    (mine / "zero").write_bytes(b"a\0b")
    (mine / "empty").write_text(" \n")
    (mine / "word").write_text("the")
    (mine / "strange").write_text("naïve ∑")
    assert refused(capfd, "--text", "bytes").startswith("bytes is not text: it is not encoded in UTF-8")
    assert refused(capfd, "--text", "zero") == "zero is not text: it holds a zero byte."
    assert refused(capfd, "--text", mine) == f"{mine} is a folder: name a file of text."
    assert refused(capfd, "--text", "nowhere") == "nowhere cannot be read: no such file or directory."
    assert refused(capfd, "--text", "empty") == "empty holds nothing but white space: there is nothing to read in it."
    assert refused(capfd, "--text", "word").startswith("word has one token: attention needs at least two")
    assert "within 3 tokens" in refused(capfd, "--text", "text.txt", "--max-tokens", 3)
    assert "which this model has never seen" in refused(capfd, "language", "--text", "strange")


def test_a_model_after_the_texts_is_not_taken_for_one(capfd):
    said = refused(capfd, "--text", "text.txt", "language")
    assert said == "language is no file of text: if it is the model, name it before --text."


def test_a_text_that_is_too_long_says_what_to_do(capfd, saved, mine):
    (mine / "long").write_text("the cat " * 300)
    said = refused(capfd, saved("gpt2"), "--text", "long")
    assert said.startswith("long has 601 tokens, ") and "holds 64" in said and "--max-tokens 64" in said
    assert "--max-tokens 512" in refused(capfd, "--text", "long")
    assert run(capfd, saved("gpt2"), "--text", "long", "--max-tokens", 64)[0] == 0


@pytest.mark.parametrize("option", ["--rows", "--max-tokens"])
@pytest.mark.parametrize("value", [0, -3])
def test_counts_are_positive(capfd, option, value):
    assert refused(capfd, option, value) == f"{option} counts, so it is a whole number from 1 up; got {value}."


def test_what_cannot_be_written_is_said_before_the_long_run(capfd, mine, monkeypatch):
    monkeypatch.setattr(doctor, "loaded", lambda name: pytest.fail("the model was loaded first"))
    assert refused(capfd, "--json", "nowhere/r.json") == "nowhere/r.json cannot be written: no such file or directory."
    assert refused(capfd, "--html", mine) == f"{mine} is a folder: name a file to write."
    assert "two names" in refused(capfd, "--html", "a", "--json", "a")
    assert "would be overwritten" in refused(capfd, "--html", "text.txt", "--text", "text.txt")
    if os.geteuid():
        (mine / "closed").mkdir(mode=0o500)
        assert refused(capfd, "--json", "closed/a.json") == "closed/a.json cannot be written: permission denied."


def test_one_file_by_two_names_is_found(capfd, mine):
    (mine / "r.json").write_text("")
    (mine / "link").symlink_to("r.json")
    os.link("r.json", "hard")
    for other in (f"../{mine.name}/r.json", "link", "hard"):
        assert "give them two names" in refused(capfd, "--json", "r.json", "--html", other)
    (mine / "text").symlink_to("text.txt")
    assert "would be overwritten" in refused(capfd, "--text", "text.txt", "--json", "text")
    assert refused(capfd, "--json", "-") == "A report is written into a file, and - is none: name one."


def test_a_pipe_gets_the_report_and_stays_a_pipe(capfd, mine):
    os.mkfifo(mine / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((mine / "pipe").read_text()), daemon=True)
    reader.start()
    code, _ = run(capfd, "language", "--json", "pipe")
    reader.join(10)
    assert code == 0 and (mine / "pipe").is_fifo() and json.loads(read[0])["model"] == "language"


class Failing(io.StringIO):
    """A stdout whose disk is full, or whose reader has gone."""

    def __init__(self, error: OSError):
        super().__init__()
        self.error = error
        self.end = os.open(os.devnull, os.O_WRONLY)

    def write(self, text):
        raise self.error

    def fileno(self):
        return self.end


@pytest.mark.parametrize(
    ("stdout", "said"),
    [
        (Failing(OSError(28, "No space left on device")), "The report cannot be printed: no space left on device."),
        (None, "The report cannot be printed: standard output is closed."),
    ],
)
def test_what_cannot_be_printed_is_written_all_the_same(mine, monkeypatch, stdout, said):
    monkeypatch.setattr(sys, "stdout", stdout)
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "language", "--json", "r.json"])
    assert ended.value.code == said and json.loads(Path("r.json").read_text())["model"] == "language"
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "language", "--rows", "0"])
    assert ended.value.code == "--rows counts, so it is a whole number from 1 up; got 0."


def test_files_are_there_though_nobody_reads_along(mine, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError(32, "Broken pipe")))
    assert cli.main(["doctor", "language", "--json", "r.json"]) == 0
    assert json.loads(Path("r.json").read_text())["model"] == "language"


def test_nothing_half_written_is_left_when_the_disk_is_full(capfd, monkeypatch):
    Path("r.json").write_text("the old one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    code, said = run(capfd, "language", "--json", "r.json")
    assert code == 1 and said == "r.json cannot be written: no space left on device.\n"
    assert Path("r.json").read_text() == "the old one" and sorted(os.listdir()) == ["r.json", "text.txt"]


def test_folders_without_a_model(capfd, saved, mine):
    def without(*names):
        folder = mine / ("without " + " ".join(names))
        folder.mkdir()
        for path in saved("gpt2").iterdir():
            if path.name not in names:
                (folder / path.name).write_bytes(path.read_bytes())
        return folder

    assert "holds no config.json" in refused(capfd, without("config.json"))
    assert "holds no *.safetensors" in refused(capfd, without("model.safetensors"))
    no_tokeniser = without("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    assert "holds no tokeniser" in refused(capfd, no_tokeniser)
    pickled = mine / "without model.safetensors"
    (pickled / "pytorch_model.bin").write_bytes(b"")
    assert "holds its weights in pytorch_model.bin, which is not read, since" in refused(capfd, pickled)
    cut = without("nothing")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:200])
    assert "is damaged or cut short" in refused(capfd, cut)


def copy_of(folder: Path, mine: Path, **config) -> Path:
    """The folder again, its configuration changed."""
    made = mine / "changed"
    made.mkdir()
    for path in folder.iterdir():
        (made / path.name).write_bytes(path.read_bytes())
    known = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(known | config))
    return made


def test_weights_that_are_missing_are_random_and_said_to_be(capfd, saved, mine):
    folder = copy_of(saved("gpt2"), mine, n_layer=3)
    code, said = run(capfd, folder, "--text", "text.txt")
    assert code == 0 and "12 of the model's weights are not in its files, so they are random" in " ".join(said.split())


def test_weights_without_a_place_are_said_to_be_left_out(capfd, saved, mine):
    folder = copy_of(saved("gpt2"), mine, n_layer=1)
    code, said = run(capfd, folder, "--text", "text.txt")
    assert code == 0
    assert "in the model that was examined, so nothing is said about them: h.1.attn.c_attn" in " ".join(said.split())


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"n_embd": 64}, "the weights and the configuration belong to two models"),
        ({"model_type": "nothing-known"}, "does not recognize this architecture"),
        (
            {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}},
            "code of its own, which was not run",
        ),
    ],
)
def test_models_that_cannot_be_made(capfd, saved, mine, config, words):
    assert words in refused(capfd, copy_of(saved("gpt2"), mine, **config), "--text", "text.txt")


def test_a_missing_library_is_one_sentence(capfd, saved, monkeypatch):
    def missing(name):
        raise ImportError("SomeTokenizer requires the sentencepiece library.\nInstall it.")

    monkeypatch.setattr(library, "load_from_library", missing)
    said = refused(capfd, saved("gpt2"), "--text", "text.txt")
    assert said.endswith("needs a library that is not installed: SomeTokenizer requires the sentencepiece library.")


def test_a_tokeniser_of_another_model_is_one_sentence(capfd, saved, mine):
    small = mine / "small"
    AutoModel.from_config(GPT2Config(vocab_size=5, n_positions=64, n_embd=32, n_layer=1, n_head=4)).save_pretrained(
        small
    )
    tokeniser().save_pretrained(small)
    said = refused(capfd, small, "--text", "text.txt")
    assert (
        "stopped as it read text.txt (34 tokens), with IndexError" in said
        and "whether the tokeniser is its own" in said
    )


def test_an_encoder_and_a_decoder_read_the_same_text(capfd, saved):
    code, said = run(capfd, saved("bart"), "--text", "text.txt", "--json", "r.json")
    assert code == 0 and "Note: Encoder and decoder were given the same text." in said
    kinds = [layer.kind for layer in Report.from_dict(json.loads(Path("r.json").read_text())).layers]
    assert kinds == ["self", "self", "cross"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-such-model", "is neither a folder here nor a model that could be fetched"),
        ("./nowhere", "There is no folder ./nowhere"),
        ("somebody/no-such-model", "is neither a folder here nor a model that could be fetched"),
        ("langauge", "There is no model 'langauge': say language for the course's own"),
        ("digits", "digits is one of the course's models, but it reads no text. Those that do: language, masked."),
    ],
)
def test_an_unknown_model_is_one_sentence(capfd, name, words):
    assert words in refused(capfd, name)


def test_a_model_outside_the_attention_interface(capfd, saved):
    said = refused(capfd, saved("bloom"), "--text", "text.txt")
    assert "cannot be watched" in said and "Bloom" in said


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(capfd, saved, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(available=100_000))
    monkeypatch.setattr(library, "load_from_library", lambda name: pytest.fail("it was loaded first"))
    said = refused(capfd, saved("gpt2"), "--text", "text.txt")
    assert "would need about 0.1 MB" in said and "0.1 MB of memory are free" in said


def test_a_text_that_does_not_fit_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(available=1_000_000))
    with pytest.raises(memory.DoesNotFit, match=r"^all-MiniLM-L6-v2 would need about \d\.\d MB .* \(--max-tokens\)\.$"):
        examine(load(), [TEXT])


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_container_counts_too(monkeypatch, tmp_path, version):
    names = ("memory.max", "memory.current", "memory.stat")
    if version == 1:
        names = ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat")
        (tmp_path / "memory").mkdir()
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(available=10**12))
    assert memory.free_memory() == 10**12  # no such files
    cached = "inactive_file 200000" if version == 2 else "total_inactive_file 200000"
    for name, said in zip(names, ("1000000", "700000", f"anon 1\n{cached}\n"), strict=True):
        (tmp_path / name).write_text(said)
    assert memory.free_memory() == 500_000
    with pytest.raises(memory.DoesNotFit, match=r"and 0\.5 MB of memory are free"):
        examine(load(), [TEXT])
    (tmp_path / names[0]).write_text("max\n")
    assert memory.free_memory() == 10**12


def test_running_out_of_memory_is_said_as_what_it_is(capfd, saved, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    folder = saved("gpt2")
    monkeypatch.setattr("transformers.models.gpt2.modeling_gpt2.GPT2MLP.forward", full)
    said = refused(capfd, folder, "--text", "text.txt")
    assert "ran out of memory as it read text.txt (34 tokens): take a smaller model, or a shorter text" in said
    monkeypatch.setattr(library, "load_from_library", full)
    load.cache_clear()
    assert refused(capfd, folder, "--text", "text.txt").endswith("there is not enough memory for its weights.")


def test_only_the_files_that_are_loaded_are_weighed(saved, mine):
    folder = copy_of(saved("gpt2"), mine)
    size = memory.weights_in(saved("gpt2"))
    (folder / "consolidated.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert memory.weights_in(folder) == size
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
    assert memory.weights_in(folder) == size
    (folder / "model.safetensors.index.json").unlink()
    assert memory.weights_in(folder) == 2 * size


def test_the_size_of_weights_is_read_from_headers(saved):
    model = AutoModel.from_pretrained(saved("llama"))
    expected = sum(p.numel() * p.element_size() for p in model.parameters())
    assert memory.weights_in(saved("llama")) == expected


def test_more_tokens_heads_and_rows_need_more():
    shape = memory.Shape(layers=2, heads=4, d_model=32, d_hidden=128, plain=False, bytes_each=4)
    least = memory.needed(1000, shape, [100], 64)
    assert least.total == 1000 + least.between + least.kept + least.strips and least.strips < 10 * 4 * 4 * 100 * 100
    assert memory.needed(1000, shape, [200], 64).between > least.between
    assert memory.needed(1000, shape, [100, 100], 64).kept == 2 * least.kept
    plain = memory.Shape(**{**vars(shape), "plain": True})
    assert memory.needed(1000, plain, [100], 64).between == least.between + 3 * 4 * 100 * 100 * 4
    biased = memory.Shape(**{**vars(shape), "biased": True})
    assert memory.needed(1000, biased, [100], 64).between == least.between + 4 * 4 * 100 * 100 * 4
    assert memory.needed(1000, shape, [10**5], 64).strips == 10 * 4 * 2**21  # longer texts, the same strips


@pytest.mark.parametrize("bad", [{"rows": 0}, {"rows": 2.5}, {"max_tokens": -1}, {"max_tokens": True}])
def test_counts_are_checked_from_python_too(bad):
    with pytest.raises(ValueError, match=r"^(rows|max_tokens) counts, so it is a whole number from 1 up; got .*\.$"):
        examine(load(), [TEXT], **bad)


def test_what_is_no_model_and_what_is_no_list_of_texts():
    with pytest.raises(TypeError, match=r"^examine wants a model with its tokeniser, .*\.$"):
        examine(torch.nn.Linear(2, 2), [TEXT])
    with pytest.raises(TypeError, match=r"^texts is a list of texts: "):
        examine(load(), TEXT)
    with pytest.raises(TypeError, match=r"^A text is a string, but text 0 is of type bytes\.$"):
        examine(load(), [b"abc"])
    with pytest.raises(ValueError, match=r"^There is no text to read: give at least one\.$"):
        examine(load(), [])
