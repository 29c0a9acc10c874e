"""Watching the library's families of models, against their own eager maps and against maps known in closed form."""

import contextlib
import copy
import math
import shutil
import sys

import pytest
import torch
from diagnosis.families import (
    CAUSAL,
    COMMON,
    EAGER_ONLY,
    FAMILIES,
    MARKED,
    WINDOWED,
    N,
    build,
    inputs,
    planted,
    random_model,
    result,
    text,
)

from attn_course.diagnosis.watch import watch

torch.set_num_threads(1)
HALVES = (torch.bfloat16, torch.float16)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
MEASURES = ("entropy", "received", "mean_distance", "participation", "max_logit", "energy", "visible_keys", "key_seen")


def implementations(family):
    return ("eager",) if family in EAGER_ONLY else ("eager", "sdpa")


EACH = [(family, implementation) for family in FAMILIES for implementation in implementations(family)]


def by_hand(weights, null=0.0):
    """Two lines a measure, in float64, on the whole map (batch, head, query, key); null: what a learned sink took."""
    a = weights.double()
    null = torch.as_tensor(null, dtype=a.dtype)
    i = torch.arange(a.shape[-1] - a.shape[-2], a.shape[-1])
    return {
        "entropy": -torch.special.xlogy(a, a).sum(-1) - torch.special.xlogy(null, null),
        "received": a.sum(-2),
        "mean_distance": (a * (i[:, None] - torch.arange(a.shape[-1])).abs()).sum(-1),
    }


def assert_as_the_map_says(call, weights, null=0.0):
    for name, wanted in by_hand(weights, null).items():
        got = getattr(call.vitals, name).double()
        torch.testing.assert_close(got, wanted.expand(got.shape), **CLOSE, msg=lambda m, name=name: f"{name}: {m}")


def assert_alike(one, other, **tolerance):
    for name in MEASURES:
        a, b = getattr(one.vitals, name), getattr(other.vitals, name)
        torch.testing.assert_close(
            a, b, **(CLOSE | tolerance), msg=lambda m, name=name: f"{one.name}, {name}: {m}", check_dtype=False
        )


@contextlib.contextmanager
def eager_scores(model):
    """The scores of each call of the model's own eager function, in float64, hidden ones −∞."""
    files = {type(layer).__module__: vars(sys.modules[type(layer).__module__]) for layer in model.modules()}
    (file,) = (file for file in files.values() if "eager_attention_forward" in file)
    own, scores = file["eager_attention_forward"], []

    def spy(module, query, key, value, mask, scaling=None, softcap=None, position_bias=None, **kwargs):
        k = key.double().repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        s = query.double() @ k.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
        s = s if softcap is None else softcap * (s / softcap).tanh()
        s = s if position_bias is None else s + position_bias
        scores.append(s if mask is None else s.masked_fill(mask < -1e4, -math.inf))
        given = {"scaling": scaling, "softcap": softcap, "position_bias": position_bias}
        return own(module, query, key, value, mask, **{k: x for k, x in given.items() if x is not None}, **kwargs)

    file["eager_attention_forward"] = spy
    try:
        yield scores
    finally:
        file["eager_attention_forward"] = own


def own_maps(model, family, **given):
    """The maps that the model itself gives, in the order of the calls."""
    out = model(**given, output_attentions=True)
    if family != "t5":
        return out.attentions
    decoder = [each for pair in zip(out.decoder_attentions, out.cross_attentions, strict=True) for each in pair]
    return (*out.encoder_attentions, *decoder)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=str)
@pytest.mark.parametrize(("family", "implementation"), EACH)
def test_the_output_is_the_same_to_the_last_bit(family, implementation, dtype):
    model = random_model(family, implementation)
    model = model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)
    given = inputs(family, dtype=dtype)
    before = result(model, **given)
    with watch(model, token_sets={"first": [0]}) as record:
        during = result(model, **given)
    assert torch.equal(before, during) and torch.equal(result(model, **given), before)
    assert record.notes == [] and record.first_not_finite is None
    assert len(record.calls) == (6 if family == "t5" else 2)
    for call in record.calls:
        assert call.dtype == dtype and call.finite
        assert call.vitals.entropy.dtype == call.value_norm.dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_the_vitals_are_those_of_the_models_own_map(family):
    model = random_model(family)
    given = inputs(family)
    maps = own_maps(model, family, **given)
    with eager_scores(model) as scores, watch(model, sample=None) as record:
        model(**given)
    assert len(maps) == len(scores) == len(record.calls)
    for call, weights, s in zip(record.calls, maps, scores, strict=True):
        null = (1 - weights.double().sum(-1)).clamp(min=0) if family == "gpt_oss" else 0.0
        assert_as_the_map_says(call, weights, null)
        torch.testing.assert_close(call.vitals.max_logit.double(), s.amax((-2, -1)), **CLOSE)
        torch.testing.assert_close(call.weights.float(), weights, atol=1e-3, rtol=1e-3)
        assert torch.equal(call.vitals.visible_keys, (s > -math.inf).sum(-1, dtype=torch.int32))
        assert call.kind == ("cross" if "EncDec" in call.name else "self")
    if family == "gpt_oss":
        for call, weights in zip(record.calls, maps, strict=True):
            torch.testing.assert_close(call.vitals.null_mass, 1 - weights.sum(-1), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_halves_are_measured_in_float32_on_what_the_model_computed(family):
    model = copy.deepcopy(random_model(family)).to(torch.bfloat16)
    with eager_scores(model) as scores, watch(model) as record:
        model(**inputs(family, dtype=torch.bfloat16))
    for call, s in zip(record.calls, scores, strict=True):
        if family == "gpt_oss":  # the learned sink takes its share, as one more key
            sinks = model.get_submodule(call.name).sinks.double()
            s = torch.cat((s, sinks[:, None, None].expand(*s.shape[:-1], 1)), dim=-1)
        torch.testing.assert_close(call.vitals.entropy.double(), by_hand(s.softmax(-1))["entropy"], **CLOSE)


def seen_by(family, layer, n=N):
    """Who may look at whom, written out."""
    i, j = torch.arange(n)[:, None], torch.arange(n)
    if family in CAUSAL:
        size = WINDOWED.get(family, (None, None))[layer]
        return (j <= i) & (i - j < (size or n))
    return (i >= 0) & (j >= 0)


def closed_form(family, seen, at, lead):
    """The map of scores that are `lead` at one key and 0 elsewhere, over the keys that are seen; and the null mass."""
    scores = torch.zeros(seen.shape, dtype=torch.float64)
    if at is not None:
        scores[:, at] = lead
    e = scores.masked_fill(~seen, -math.inf).exp()
    null = torch.ones(len(e), dtype=torch.float64) if family == "gpt_oss" else torch.zeros(len(e), dtype=torch.float64)
    total = e.sum(-1) + null  # a learned sink of 0, or none
    return e / total[:, None], null / total


def planted_inputs(family, at):
    given = inputs(family, batch=1)
    for name in given:
        if "input_ids" in name:
            given[name] = torch.full_like(given[name], COMMON)
            given[name][:, at] = MARKED
    return {name: torch.zeros_like(x) if name == "pixel_values" else x for name, x in given.items()}


@torch.no_grad()
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "t5"])
def test_equal_scores_share_evenly(family):
    model = planted(family, gain=0.0)
    with watch(model) as record:
        model(**inputs(family))
    for layer, call in enumerate(record.calls):
        n_key = call.vitals.received.shape[-1]
        n = seen_by(family, layer, n_key).sum(-1).double()
        i = torch.arange(n_key).double()
        entropy = (n + 1).log() if family == "gpt_oss" else n.log()
        real = n / (n + 1) if family == "gpt_oss" else torch.ones_like(n)
        distance = (n - 1) / 2 if family in CAUSAL else (i * (i + 1) + (n - 1 - i) * (n - i)) / 2 / n
        received = (seen_by(family, layer, n_key) * (real / n)[:, None]).sum(0)
        for name, wanted in {"entropy": entropy, "mean_distance": real * distance, "received": received}.items():
            got = getattr(call.vitals, name).double()
            torch.testing.assert_close(got, wanted.expand(got.shape), **CLOSE)
        assert call.vitals.max_logit.abs().max() == 0


@torch.no_grad()
@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "t5"])
def test_a_planted_key_is_looked_at_by_all_who_may(family, at):
    model = planted(family, gain=4.0)
    at = 0 if family == "vit" else at  # its class token
    with watch(model) as record:
        model(**planted_inputs(family, at))
    lead = 3.0 if family == "gemma2" else 60.0  # its soft-cap lets no more through
    for layer, call in enumerate(record.calls):
        weights, null = closed_form(family, seen_by(family, layer, call.vitals.received.shape[-1]), at, lead)
        assert_as_the_map_says(call, weights, null)
        rows = weights[call.rows].expand(call.weights.shape)
        torch.testing.assert_close(call.weights.double(), rows, atol=1e-3, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("gain", [0.0, 4.0])
def test_t5_planted_in_encoder_decoder_and_between(gain):
    model = planted("t5", gain)
    with watch(model) as record:
        model(**planted_inputs("t5", 2))
    assert [call.kind for call in record.calls] == ["self", "self", "self", "cross", "self", "cross"]
    for call in record.calls:
        n_query, n_key = call.vitals.entropy.shape[-1], call.vitals.received.shape[-1]
        i, j = torch.arange(n_query)[:, None], torch.arange(n_key)
        seen = (j <= i) if "decoder" in call.name and call.kind == "self" else (i >= 0) & (j >= 0)
        assert_as_the_map_says(call, *closed_form("t5", seen, 2 if gain else None, 60.0))


def padded(lengths, right):
    """Texts of these lengths in one batch: True for a token, False for padding."""
    n = torch.tensor(lengths)[:, None]
    return torch.arange(N) < n if right else torch.arange(N) >= N - n


@torch.no_grad()
@pytest.mark.parametrize("right", [False, True], ids=["left", "right"])
@pytest.mark.parametrize(("family", "implementation"), [each for each in EACH if each[0] not in ("vit", "t5")])
def test_padding_on_either_side_is_as_if_it_were_not_there(family, implementation, right):
    model = random_model(family, implementation)
    lengths = (N, 7)
    kept = padded(lengths, right)
    given = {"input_ids": text(), "attention_mask": kept.long()}
    if family in ("gpt2", "opt", "bert", "distilbert"):  # learned positions are counted from the first token
        given["position_ids"] = (kept.cumsum(-1) - 1).clamp(min=0)
    if family == "distilbert" and not right:  # it counts from the left by itself
        del given["position_ids"]
        lengths = (N,)
    before = result(model, **given)
    with watch(model, keep=kept) as record:
        assert torch.equal(result(model, **given), before)
    assert record.notes == []
    for row, n in enumerate(lengths):
        rows = slice(0, n) if right else slice(N - n, N)
        short = {name: x[row : row + 1, rows] for name, x in given.items() if name != "attention_mask"}
        with watch(model) as solo:
            logits = result(model, **short)
        torch.testing.assert_close(logits, before[row : row + 1, rows], atol=2e-5, rtol=1e-5)
        for call, wanted in zip(record.calls, solo.calls, strict=True):
            for name in ("entropy", "mean_distance", "energy", "participation", "visible_keys", "received"):
                got = getattr(call.vitals, name)[row, :, rows]
                torch.testing.assert_close(got, getattr(wanted.vitals, name)[0], atol=2e-5, rtol=1e-5)
            torch.testing.assert_close(call.vitals.max_logit[row], wanted.vitals.max_logit[0], atol=2e-5, rtol=1e-5)
            assert torch.equal(call.vitals.key_seen[row, 0], kept[row])
            assert torch.equal(call.vitals.visible_keys[row, 0] > 0, kept[row])


@torch.no_grad()
@pytest.mark.parametrize("right", [False, True], ids=["left", "right"])
def test_padding_in_a_t5_is_left_out_where_it_is_padding(right):
    """The decoder's text is as long as the encoder's, and has no padding: the mask says so."""
    model = random_model("t5", "sdpa")
    kept = padded((N, 7), right)
    given = {"input_ids": text(), "attention_mask": kept.long(), "decoder_input_ids": text(seed=2)}
    with watch(model, keep=kept) as record:
        result(model, **given)
    for call in record.calls:
        if "encoder." in call.name.replace("decoder.", ""):
            assert torch.equal(call.vitals.visible_keys[:, 0] > 0, kept)
        elif call.kind == "self":
            assert (call.vitals.visible_keys > 0).all()
        else:
            assert torch.equal(call.vitals.visible_keys[:, 0, 0], kept.sum(-1, dtype=torch.int32))
    assert len(record.notes) == 2 and all("decoder" in note and "SelfAttention" in note for note in record.notes)


@torch.no_grad()
@pytest.mark.parametrize("side", [None, "left", "right"])
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in EAGER_ONLY])
def test_masks_say_the_same_under_every_implementation(family, side):
    given = inputs(family)
    if side is not None and family != "vit":  # there is no padding among patches
        given["attention_mask"] = padded((N, 7), side == "right").long()
    records = []
    for implementation in ("eager", "sdpa"):
        with watch(random_model(family, implementation)) as record:
            result(random_model(family, implementation), **given)
        records.append(record)
    for one, other in zip(records[0].calls, records[1].calls, strict=True):
        # A query that sees nothing gets an average of all values under "eager", zeros under "sdpa": rows not compared.
        some = one.vitals.visible_keys > 0
        assert torch.equal(one.vitals.visible_keys, other.vitals.visible_keys)
        assert torch.equal(one.vitals.key_seen, other.vitals.key_seen)
        for name in ("entropy", "mean_distance", "energy"):
            got, wanted = getattr(one.vitals, name)[some], getattr(other.vitals, name)[some]
            torch.testing.assert_close(got, wanted, atol=2e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize(("family", "implementation"), [each for each in EACH if each[0] in (*CAUSAL, "t5")])
def test_writing_with_a_cache_token_by_token(family, implementation, cache):
    """Each step is a call of its own, and says of its query what one pass over the whole text says of that row."""
    model = random_model(family, implementation)
    given = {"input_ids": text(n=8)}
    how = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    how |= {} if cache == "dynamic" else {"cache_implementation": "static"}
    before = model.generate(**given, **how)
    sets = {"first": [0], "two": torch.arange(8) < 2}
    with watch(model, token_sets=sets) as record:
        written = model.generate(**given, **how)
    assert torch.equal(before, written)
    whole = {"input_ids": written[:, :-1]}
    if family == "t5":
        whole = given | {"decoder_input_ids": written[:, :-1]}
    n = written.shape[1] - 1
    with watch(model, token_sets={"first": [0], "two": [0, 1]}) as full:
        model(**whole)
    own = [name for name in record.layers if family != "t5" or "decoder" in name]
    for name in own:
        (wanted,) = full.of_layer(name)
        steps = record.of_layer(name)
        assert sum(call.vitals.entropy.shape[-1] for call in steps) == n
        for measure in ("entropy", "mean_distance", "energy", "visible_keys", "max_logit"):
            if measure == "max_logit":
                got = torch.stack([call.vitals.max_logit for call in steps]).amax(0)
            elif measure == "mean_distance" and wanted.kind == "cross":
                continue  # positions of two texts cannot be compared
            else:
                got = torch.cat([getattr(call.vitals, measure) for call in steps], dim=-1)
            torch.testing.assert_close(got, getattr(wanted.vitals, measure), atol=2e-5, rtol=1e-5)
        for each in ("first", "two") if family != "t5" else ("first",):
            got = torch.cat([call.vitals.set_mass[each] for call in steps], dim=-1)
            torch.testing.assert_close(got, wanted.vitals.set_mass[each], atol=2e-5, rtol=1e-5)


@torch.no_grad()
def test_padding_on_the_right_that_no_mask_names_is_left_out_where_nobody_looks_at_it():
    kept, model = padded((N, 7), right=True), random_model("llama", "sdpa")
    with watch(model, keep=kept) as record:
        model(input_ids=text())
    for call in record.calls:
        assert torch.equal(call.vitals.visible_keys[:, 0] > 0, kept) and (call.vitals.received[1, :, 7:] == 0).all()
    with watch(random_model("bert", "sdpa"), keep=kept) as record:
        random_model("bert", "sdpa")(input_ids=text())
    assert len(record.notes) == 2 and "Padding may be looked at in encoder.layer.0" in record.notes[0]
    assert (record.calls[0].vitals.visible_keys == N).all()


def states(model):
    """Whatever a watch could leave behind."""
    from transformers import AttentionInterface, AttentionMaskInterface

    files = {type(layer).__module__ for layer in model.modules()}
    return (
        {name: layer.config._attn_implementation for name, layer in model.named_modules() if hasattr(layer, "config")},
        [(len(layer._forward_hooks), len(layer._forward_pre_hooks)) for layer in model.modules()],
        [getattr(sys.modules[file], "eager_attention_forward", None) for file in sorted(files)],
        dict(AttentionInterface._global_mapping),
        dict(AttentionMaskInterface._global_mapping),
        [sorted(vars(layer)) for layer in model.modules()],
    )


@torch.no_grad()
@pytest.mark.parametrize(("family", "implementation"), [("llama", "sdpa"), ("t5", "eager"), ("gemma2", "eager")])
def test_afterwards_the_model_is_as_it_was(family, implementation):
    model = random_model(family, implementation)
    before = states(model)
    with watch(model):
        model(**inputs(family))
    assert states(model) == before
    with pytest.raises(KeyError, match="mine"), watch(model):
        model(**inputs(family))
        raise KeyError("mine")
    assert states(model) == before
    with pytest.raises(ValueError, match="fits no attention layer"), watch(model, token_sets={"far": [99]}):
        model(**inputs(family))
    assert states(model) == before


@torch.no_grad()
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_watches_nest_and_other_models_run_unwatched(implementation):
    model, other = random_model("llama", implementation), build("llama", implementation, seed=1)
    given = inputs("llama")
    with watch(model) as outer:
        result(model, **given)
        other(**given)
        clone = copy.deepcopy(model)
        assert torch.equal(result(clone, **given), result(model, **given))
        clone.model.layers[0].self_attn.v_proj.weight.fill_(math.inf)
        clone(**given)
        with watch(model) as inner, watch(other) as third:
            result(model, **given)
            result(other, **given)
        result(model, **given)
    clone(**given)
    assert outer.first_not_finite is None
    assert (len(outer.calls), len(inner.calls), len(third.calls)) == (8, 2, 2)
    assert_alike(outer.calls[0], inner.calls[0], atol=0, rtol=0)
    assert not torch.equal(third.calls[0].vitals.entropy, inner.calls[0].vitals.entropy)


def trained_once(model, watched):
    torch.manual_seed(3)
    model.train().zero_grad()
    with watch(model) if watched else contextlib.nullcontext() as record:
        loss = result(model, **inputs("bert")).square().mean()
        loss.backward()
    return loss.detach(), [weight.grad.clone() for weight in model.parameters() if weight.grad is not None], record


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable`")
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_training_goes_on_as_before_dropout_included(implementation, checkpointing):
    model = build("bert", implementation)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    loss, gradients, _ = trained_once(model, watched=False)
    loss_watched, gradients_watched, record = trained_once(model, watched=True)
    assert torch.equal(loss, loss_watched) and len(gradients) > 30
    assert all(torch.equal(a, b) for a, b in zip(gradients, gradients_watched, strict=True))
    assert len(record.calls) == 2 and record.notes == []  # what is computed anew on the way back is not entered twice
    assert not any(call.vitals.entropy.requires_grad or call.weights.requires_grad for call in record.calls)


OUTSIDE = {
    "BloomModel": lambda t: t.BloomModel(t.BloomConfig(vocab_size=20, hidden_size=32, n_layer=2, n_head=4)),
    "FalconModel": lambda t: t.FalconModel(
        t.FalconConfig(vocab_size=20, hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    ),
    "MptModel": lambda t: t.MptModel(t.MptConfig(vocab_size=20, d_model=32, n_layers=2, n_heads=4, max_seq_len=16)),
    "GPTJModel": lambda t: t.GPTJModel(t.GPTJConfig(vocab_size=20, n_embd=32, n_layer=2, n_head=4, rotary_dim=4)),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_model_outside_the_interface_is_told_by_name_before_it_runs(name):
    import transformers

    model = OUTSIDE[name](transformers)
    sentence = rf"^{name} computes its attention in a way of its own \(\S*\.0\.\S* \(\w+"
    with pytest.raises(ValueError, match=sentence), watch(model):
        pytest.fail("the watch opened")


def test_a_model_without_attention_is_told_so():
    import transformers

    model = transformers.MambaModel(transformers.MambaConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1))
    with pytest.raises(ValueError, match=r"^MambaModel has no attention layer that can be watched"), watch(model):
        pass


class Mixed(torch.nn.Module):
    """A layer of the library's, and one of torch's own beside it."""

    def __init__(self):
        super().__init__()
        self.reader = build("bert", "sdpa")
        self.pool = torch.nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, tokens):
        x = self.reader(input_ids=tokens).last_hidden_state
        return self.pool(x[:, :1], x, x)[0]


@torch.no_grad()
def test_what_is_not_watched_in_a_model_is_noted():
    with watch(Mixed().eval()) as record:
        record_of = Mixed().eval()
    assert record.notes[-1] == "Mixed did not run while it was watched."
    model = record_of
    with watch(model) as record:
        model(text())
    assert record.layers == [f"reader.encoder.layer.{i}.attention.self" for i in range(2)]
    assert record.notes == ["Not watched, for they have their own way to attend: pool (MultiheadAttention)."]


@torch.no_grad()
def test_layers_that_are_never_called_are_noted_and_a_run_without_any_is_an_error():
    model = build("t5", "sdpa")
    with watch(model) as record:
        model.encoder(input_ids=text())
    assert len(record.calls) == 2 and len(record.notes) == 1
    assert record.notes[0].startswith("Never called while watched: decoder.block.0.layer.0.SelfAttention")
    sentence = r"^T5ForConditionalGeneration ran, but no call of its attention could be watched: encoder\.block\.0"
    with pytest.raises(ValueError, match=sentence), watch(model):
        model.shared(text())


@torch.no_grad()
def test_a_change_that_the_library_does_not_tell_is_noticed():
    """A family's own function that does more than its arguments say: the vitals are marked as not its own."""
    import transformers.models.llama.modeling_llama as file

    own = file.eager_attention_forward

    def doubled(module, query, *rest, **kwargs):
        return own(module, 2 * query, *rest, **kwargs)

    file.eager_attention_forward = doubled
    try:
        with watch(random_model("llama")) as record:
            random_model("llama")(**inputs("llama"))
    finally:
        file.eager_attention_forward = own
    assert len(record.notes) == 2
    assert record.notes[0].startswith("model.layers.0.self_attn does more, or other, than softmax(QKᵀ)V")


@torch.no_grad()
def test_an_attention_function_of_ones_own_is_watched_too():
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    called = []

    def mine(*args, **kwargs):
        called.append(True)
        return sdpa_attention_forward(*args, **kwargs)

    AttentionInterface.register("mine", mine)
    AttentionMaskInterface.register("mine", sdpa_mask)
    try:
        model = build("llama", "mine")
        with watch(model) as record:
            model(**inputs("llama"))
        assert len(called) == 2 and AttentionInterface._global_mapping["mine"] is mine
    finally:
        del AttentionInterface._global_mapping["mine"], AttentionMaskInterface._global_mapping["mine"]
    with watch(random_model("llama", "sdpa")) as wanted:
        random_model("llama", "sdpa")(**inputs("llama"))
    for one, other in zip(record.calls, wanted.calls, strict=True):
        assert_alike(one, other)


@torch.no_grad()
@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_the_first_layer_that_made_a_number_not_finite_is_named(family):
    model = build(family)
    name, layer = {
        "gpt2": ("transformer.h.1.mlp.c_fc", lambda m: m.transformer.h[1].mlp.c_fc),
        "llama": ("model.layers.1.self_attn.v_proj", lambda m: m.model.layers[1].self_attn.v_proj),
        "bert": ("encoder.layer.0.intermediate.dense", lambda m: m.encoder.layer[0].intermediate.dense),
    }[family]
    layer(model).weight[0, 0] = math.inf
    with watch(model) as record:
        model(**inputs(family))
    assert record.first_not_finite == name
    assert [call.finite for call in record.calls] == [True, family == "gpt2"]


@torch.no_grad()
def test_numbers_that_the_attention_itself_made_are_its_own():
    """Keys and queries are finite, their product in float16 is not; the vitals see what it would have been."""
    model = build("opt").to(torch.float16)  # it scales its queries before the product
    attention = model.model.decoder.layers[0].self_attn
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight.zero_()
        projection.bias.fill_(250.0 if projection is attention.q_proj else 300.0)
    with watch(model) as record:
        model(**inputs("opt"))
    assert record.first_not_finite == "model.decoder.layers.0.self_attn"
    call = record.calls[0]
    assert not call.finite and call.largest_product > 65504 and call.vitals.entropy.isfinite().all()
    torch.testing.assert_close(call.vitals.normalised_entropy[..., 1:], torch.ones(2, 4, N - 1))


def test_masks_of_the_flash_kernels_and_of_flex_attention():
    from torch.nn.attention.flex_attention import create_block_mask
    from transformers.masking_utils import and_masks, padding_mask_function, sliding_window_causal_mask_function

    from attn_course.diagnosis.watch_masks import Masks

    kept = padded((N, 7), right=False)
    i, j = torch.arange(N)[:, None], torch.arange(N)
    wanted = ((j <= i) & (i - j < 5)) & kept[:, None, None, :]
    flash = Masks().read("flash_attention_2", kept, N, N, "self", True, 5)
    assert torch.equal(flash.visible.dense(N), wanted) and flash.bias is None
    rule = and_masks(sliding_window_causal_mask_function(5), padding_mask_function(kept))
    blocks = create_block_mask(rule, 2, None, N, N, device="cpu", BLOCK_SIZE=16)
    flex = Masks().read("flex_attention", blocks, N, N, "self", True, None)
    assert torch.equal(flex.visible.dense(N), wanted)
    late = create_block_mask(lambda b, h, q, k: k <= q + N - 3, 2, None, 3, N, device="cpu", BLOCK_SIZE=16)
    seen = Masks().read("flex_attention", late, 3, N, "self", True, None).visible.dense(3, N)
    assert torch.equal(seen, (j <= i[-3:]).expand(2, 1, 3, N))


def test_masks_of_numbers_hide_at_the_lowest_and_add_elsewhere():
    from attn_course.attention import causal
    from attn_course.diagnosis.watch_masks import Masks

    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        lowest = torch.finfo(dtype).min
        i, j = torch.arange(N)[:, None], torch.arange(N)
        plain = torch.zeros(1, 1, N, N, dtype=dtype).masked_fill(j > i, lowest).expand(2, 1, N, N)
        seen = Masks().read("eager", plain, N, N, "self", True, None)
        assert seen.visible is causal and seen.bias is None
        slope = -(i - j).to(dtype) / 4
        both = Masks().read("eager", (plain + slope.masked_fill(j > i, 0)), N, N, "self", True, None)
        assert both.visible is causal and torch.equal(
            both.bias[0, 0].masked_fill(j > i, 0), slope.masked_fill(j > i, 0)
        )
        assert Masks().read("eager", torch.zeros(1, 1, N, N, dtype=dtype), N, N, "self", True, None).visible is None
        minus_infinity = torch.zeros(N, N, dtype=dtype).masked_fill(j > i, -torch.inf)
        assert Masks().read("eager", minus_infinity, N, N, "self", True, None).visible is causal
    masks = Masks()
    assert masks.read("eager", plain, N, N, "self", True, None) is masks.read("eager", plain, N, N, "self", True, None)


@torch.no_grad()
def test_a_bias_in_a_mask_of_numbers_is_part_of_the_scores():
    model = random_model("llama", "sdpa")
    i, j = torch.arange(N)[:, None], torch.arange(N)
    mask = -(i - j).float().abs() / 2
    mask = mask.masked_fill(j > i, torch.finfo(torch.float32).min).expand(2, 1, N, N)
    given = inputs("llama") | {"attention_mask": mask}
    with watch(model) as record:
        model(**given)
    maps = random_model("llama")(**given, output_attentions=True).attentions
    for call, weights in zip(record.calls, maps, strict=True):
        assert_as_the_map_says(call, weights)
    assert record.notes == []


@torch.no_grad()
def test_models_that_come_with_their_tokenizer_are_taken_out_of_it():
    from attn_course.models.library import LibraryModel

    model = random_model("bert", "sdpa")
    with watch(LibraryModel("a/name", model, None)) as record:
        model(**inputs("bert"))
    assert record.model == "a/name" and record.layers == [f"encoder.layer.{i}.attention.self" for i in range(2)]


@torch.no_grad()
def test_the_same_weights_in_the_library_and_in_the_course_give_the_same_record():
    """MiniLM, published weights: the library's BERT beside the course's own encoder, which shares no line with it."""
    from transformers import BertModel

    from attn_course.models.pretrained import load, minilm_folder

    reader = load()
    ids = torch.tensor([reader.tokenizer.encode("The bank of the river was steeper than it looked.").ids])
    library = BertModel.from_pretrained(minilm_folder(), local_files_only=True, add_pooling_layer=False).eval()
    sets = {"special": [0, ids.shape[1] - 1]}
    with watch(library, token_sets=sets) as theirs:
        library(input_ids=ids)
    with watch(reader, token_sets=sets) as ours:
        reader.model(ids)
    assert len(theirs.calls) == len(ours.calls) == 6
    for one, other in zip(theirs.calls, ours.calls, strict=True):
        assert_alike(one, other, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(one.vitals.set_mass["special"], other.vitals.set_mass["special"], **CLOSE)
        torch.testing.assert_close(one.value_norm, other.value_norm, atol=1e-4, rtol=1e-4)
        assert one.largest_product == pytest.approx(other.largest_product, rel=1e-4)
        assert one.scale == pytest.approx(other.scale)


@torch.no_grad()
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="flex_attention is compiled, on a processor by g++")
def test_flex_attention_is_watched_as_it_runs():
    kept = padded((N, 7), right=False)
    given = {"input_ids": text(), "attention_mask": kept.long()}
    model = build("mistral", "flex_attention")
    before = model(**given).logits
    with watch(model, keep=kept) as record:
        assert torch.equal(model(**given).logits, before)
    with watch(random_model("mistral"), keep=kept) as wanted:
        random_model("mistral")(**given)
    assert record.notes == []
    for one, other in zip(record.calls, wanted.calls, strict=True):
        assert_alike(one, other)
