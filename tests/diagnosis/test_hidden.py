"""Vitals of the residual stream: equal to the plain definitions, at the right place, and with nothing of N × N."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from attn_course.attention import Learned, padding
from attn_course.diagnosis import states
from attn_course.diagnosis.hidden import SINGLE, block_of, hidden_vitals, watching_hidden
from attn_course.diagnosis.record import Record
from attn_course.models.encoder import Encoder
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.gpt import GPT


def random(seed, *shape, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def low_rank(seed, batch, n, d, rank):
    return random(seed, batch, n, rank) @ random(seed + 1, batch, rank, d)


STREAMS = {
    "more tokens than features": random(0, 3, 40, 8),
    "fewer tokens than features": random(1, 2, 5, 32),
    "collapsed": random(2, 2, 1, 16).expand(2, 9, 16) + 1e-6 * random(3, 2, 9, 16),
    "low rank": low_rank(4, 2, 30, 20, 3),
    "two tokens": random(5, 1, 2, 6),
    "one token is zero": random(6, 2, 7, 5) * (torch.arange(7) > 0)[:, None],
    "a large feature": random(7, 2, 12, 10) + 300 * torch.eye(10)[4],
    "large numbers": 1e20 * random(8, 2, 6, 4),
    "zeros": torch.zeros(1, 4, 6),
}


@pytest.mark.parametrize("name", STREAMS)
def test_vitals_are_those_of_the_definitions(name):
    after = STREAMS[name].double()
    before = after + random(9, *after.shape).double() * after.abs().mean()
    found = hidden_vitals("h.0", before, after)
    for measure in ("rank_residual", "effective_rank", "stable_rank", "token_cosine"):
        expected = getattr(states, measure)(after)
        assert torch.allclose(getattr(found, measure).double(), expected, atol=1e-6, rtol=1e-6), measure
    assert torch.allclose(found.block_influence.double(), states.block_influence(before, after), atol=1e-6)
    size = after.abs().flatten(1)
    assert torch.equal(found.largest, size.amax(1).float())
    assert torch.equal(found.median, size.median(1).values.float())
    for b, (token, feature) in enumerate(found.largest_at.tolist()):
        assert after[b, token, feature].abs() == size[b].max()
    assert found.finite


def test_massive_activations_can_be_told_from_largest_and_median():
    x = random(0, 2, 10, 8)
    x[1, 6, 3] = 2000
    found = hidden_vitals("h.0", x, x)
    massive = states.massive_activations(x)
    assert massive.sum() == 1 and found.largest_at[1].tolist() == massive.nonzero()[0, 1:].tolist() == [6, 3]
    assert ((found.largest > 100) & (found.largest >= 1000 * found.median)).tolist() == [False, True]


def test_padding_is_left_out():
    before, after = random(0, 2, 9, 6), random(1, 2, 9, 6)
    keep = torch.ones(2, 9, dtype=torch.bool)
    keep[0, :3] = False  # padded on the left
    after[0, :3] = 1e6  # what stands there must not matter
    before[0, 1] = torch.nan
    found = hidden_vitals("h.0", before, after, keep)
    alone = hidden_vitals("h.0", before[:1, 3:], after[:1, 3:])
    for measure in ("rank_residual", "effective_rank", "stable_rank", "token_cosine", "block_influence", "median"):
        assert torch.equal(getattr(found, measure)[:1], getattr(alone, measure)), measure
    assert found.largest_at[0].tolist() == [alone.largest_at[0, 0] + 3, alone.largest_at[0, 1]]
    assert found.finite


def test_a_sequence_of_nothing_but_padding_and_one_with_nan_have_nan_and_the_others_do_not():
    x = random(0, 3, 5, 4)
    x[1, 2, 3] = torch.inf
    keep = torch.ones(3, 5, dtype=torch.bool)
    keep[0] = False
    found = hidden_vitals("h.0", x, x, keep)
    assert found.token_cosine.isnan().tolist() == [True, True, False]
    assert found.largest[1].isinf() and found.largest_at[1].tolist() == [2, 3]
    assert not found.finite
    assert not hidden_vitals("h.0", x, x.masked_fill(x == x.min(), torch.nan)).finite


TOKENS = torch.randint(1, 11, (2, 7), generator=torch.Generator().manual_seed(0))


def gpt():
    torch.manual_seed(0)
    return GPT(11, 16, heads=4, layers=3, positions=Learned(8, 16)).eval()


def test_each_block_is_watched_before_and_after():
    model, record = gpt(), Record("GPT")
    layers = [f"stack.blocks.{n}.attention" for n in range(3)]
    with torch.no_grad(), watching_hidden(model, layers, record):
        plain = model(TOKENS)
    assert [vitals.name for vitals in record.hidden] == ["stack.blocks.0", "stack.blocks.1", "stack.blocks.2"]
    with torch.no_grad():
        assert torch.equal(model(TOKENS), plain)
        x = model.embed(TOKENS)
        for block, vitals in zip(model.stack.blocks, record.hidden, strict=True):
            y = block(x, visible=torch.ones(7, 7, dtype=torch.bool).tril())
            assert torch.allclose(vitals.rank_residual, states.rank_residual(y), atol=1e-5)
            assert torch.allclose(vitals.token_cosine, states.token_cosine(y), atol=1e-5)
            assert torch.allclose(vitals.block_influence, states.block_influence(x, y), atol=1e-5)
            x = y
    assert len(record.hidden) == 3 and not record.notes  # the hooks are gone


def test_the_stream_of_a_padded_batch_is_that_of_the_sentence_alone():
    torch.manual_seed(0)
    model, layers = Encoder(11, 16, heads=2, layers=2).eval(), ["stack.blocks.1.attention"]
    keep = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    padded, alone = Record("padded"), Record("alone")
    with torch.no_grad():
        with watching_hidden(model, layers, padded, keep):
            model(TOKENS, padding(keep))
        with watching_hidden(model, layers, alone):
            model(TOKENS[1:, :4])
    assert torch.allclose(padded.hidden[0].effective_rank[1:], alone.hidden[0].effective_rank, rtol=1e-5)
    assert torch.allclose(padded.hidden[0].token_cosine[1:], alone.hidden[0].token_cosine, atol=1e-5)


def test_a_decoder_s_two_attentions_stand_in_one_block_and_an_encoder_in_another():
    torch.manual_seed(0)
    model, record = EncoderDecoder(11, 11, 16, heads=2, layers=1).eval(), Record("EncoderDecoder")
    layers = [f"decoder.stack.blocks.0.{which}" for which in ("attention", "cross")] + [
        "encoder.stack.blocks.0.attention"
    ]
    with torch.no_grad(), watching_hidden(model, layers, record):
        model(TOKENS, TOKENS[:, :5])
    assert [vitals.name for vitals in record.hidden] == ["encoder.stack.blocks.0", "decoder.stack.blocks.0"]


def test_single_tokens_are_left_out_and_said_once():
    model, record = gpt(), Record("GPT")
    with watching_hidden(model, ["stack.blocks.0.attention"], record):
        model.write(TOKENS[:, :4], 3)
    assert len(record.hidden) == 1 and record.notes == [SINGLE]


def test_a_mask_of_another_size_is_told():
    model, record = gpt(), Record("GPT")
    with torch.no_grad(), watching_hidden(model, ["stack.blocks.0.attention"], record, torch.ones(2, 5) > 0):
        model(TOKENS)
    assert record.notes == [
        "The padding mask is (2, 5), the stream after stack.blocks.0 (2, 7): padding is not left out there."
    ]
    assert len(record.hidden) == 1


def test_a_layer_outside_of_every_list_is_told_and_an_unknown_one_refused():
    class Lonely(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.Linear(3, 3)

    record = Record("Lonely")
    with watching_hidden(Lonely(), ["attention"], record):
        pass
    assert record.notes == ["attention stands in no list of blocks, so the stream after it is not watched."]
    with (
        pytest.raises(ValueError, match=r"GPT has no layer 'h\.0\.attn'"),
        watching_hidden(gpt(), ["h.0.attn"], record),
    ):
        pass


def test_the_block_is_the_nearest_module_in_a_list():
    modules = {"h": nn.ModuleList(), "h.0": nn.Identity(), "h.0.layer": nn.ModuleList(), "h.0.layer.1": nn.Identity()}
    assert block_of("h.0.layer.1.SelfAttention", modules) == "h.0.layer.1"
    assert block_of("h.0.attn.self", modules) == "h.0"
    assert block_of("attn", modules) is None


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert", "t5"])
def test_models_of_the_library(family):
    import transformers

    torch.manual_seed(0)
    small = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 32}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    if family == "gpt2":
        config = transformers.GPT2Config(vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=4, **ends)
        model, layer, block = transformers.GPT2Model(config), "h.1.attn", "h.1"
    elif family == "llama":
        model = transformers.LlamaModel(transformers.LlamaConfig(vocab_size=11, **small, **ends))
        layer, block = "layers.1.self_attn", "layers.1"
    elif family == "bert":
        model = transformers.BertModel(transformers.BertConfig(vocab_size=11, max_position_embeddings=8, **small))
        layer, block = "encoder.layer.1.attention.self", "encoder.layer.1"
    else:
        config = transformers.T5Config(vocab_size=11, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4)
        model = transformers.T5EncoderModel(config)
        layer, block = "encoder.block.1.layer.0.SelfAttention", "encoder.block.1.layer.0"
    record = Record(family)
    with torch.no_grad(), watching_hidden(model.eval(), [layer], record):
        kept = model(TOKENS, output_hidden_states=True).hidden_states
    assert [vitals.name for vitals in record.hidden] == [block] and not record.notes
    if family == "bert":  # whose last hidden state is that of the last block
        assert torch.allclose(record.hidden[0].rank_residual, states.rank_residual(kept[-1]), atol=1e-5)
        assert torch.allclose(record.hidden[0].block_influence, states.block_influence(*kept[-2:]), atol=1e-5)


class Largest(TorchDispatchMode):
    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for x in result if isinstance(result, tuple) else (result,):
            if isinstance(x, torch.Tensor):
                self.numbers = max(self.numbers, x.numel())
        return result


def test_nothing_larger_than_the_stream_is_built():
    x = random(0, 1, 6000, 16)
    with Largest() as largest:
        hidden_vitals("h.0", x, x + 0.1 * random(1, 1, 6000, 16))
    assert largest.numbers == x.numel()
