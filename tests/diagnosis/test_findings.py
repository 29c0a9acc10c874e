"""Each fault planted, and exactly its finding; and sound models, in which none is found."""

import pytest
import torch
from planted import gradient, hidden, keep, planted, random_qkv
from sound_models import SHIPPED, UNTRAINED, shipped, untrained

from attn_course.attention import causal, visible_where
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.findings import RULES
from attn_course.diagnosis.readers import CharacterModel
from attn_course.diagnosis.record import Record
from attn_course.diagnosis.report import SEVERITIES, SURENESS, Place
from attn_course.diagnosis.run import OWN_TEXT, examine
from attn_course.diagnosis.watch import watch
from attn_course.models.pretrained import load
from attn_course.tasks.documentation import documentation

N = 40
AT = torch.arange(N)


def sound(**more) -> Record:
    """A record in which nothing stands out."""
    record = keep(Record("m"), *random_qkv(sharp=1.5), **more)
    record.hidden += [hidden("h.0"), hidden("h.1")]
    return record


def found(record) -> dict:
    findings = diagnose(record).findings
    assert len({finding.name for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.severity in SEVERITIES and finding.sure in SURENESS
        assert all(isinstance(place, Place) for place in finding.where)
        assert finding.evidence.endswith((".", ".)")) and finding.remedy.endswith(".")
        assert "nan" not in finding.evidence and "None" not in finding.evidence
    return {finding.name: finding for finding in findings}


def only(record, name: str):
    findings = found(record)
    assert list(findings) == [name]
    return findings[name]


def logits(pairs: torch.Tensor, strength=12.0) -> torch.Tensor:
    """Query i looks at key pairs[i] and next to nothing else."""
    return strength * (AT[None, :] == pairs[:, None])


def test_in_a_sound_record_nothing_is_found():
    assert found(sound()) == {}


def test_every_rule_is_listed_once():
    assert len(set(RULES)) == len(RULES) == 21


# ---- numerics ----


def test_the_first_module_that_is_not_finite_is_named():
    q, k, v = random_qkv()
    v[0, 1, 3, 2] = torch.nan
    record = keep(sound(), q, k, v, name="h.1.attn")
    record.hidden[1] = hidden("h.1", cosine=torch.nan, residual=torch.nan, influence=torch.nan, finite=False)
    record.first_not_finite = "h.1.attn.w_v"
    fault = only(record, "not-finite")
    assert fault.severity == "fault" and fault.where == (Place(layer=1), Place(block=1))
    assert "begins in h.1.attn.w_v" in fault.evidence and "1 of 2" in fault.evidence


def test_not_finite_outside_attention_is_found_too():
    record = sound()
    record.first_not_finite = "head"
    assert "No attention layer is touched." in only(record, "not-finite").evidence


def test_blind_queries_are_found_and_those_of_padding_are_not():
    blind = visible_where(lambda i, j: (j <= i) & (i != 7), "causal, but for 7")
    fault = only(sound(visible=blind), "blind-queries")
    assert fault.severity == "fault" and "Up to 1 of 40" in fault.evidence and "query 7 of text 0" in fault.evidence
    assert fault.where == tuple(Place(0, head) for head in range(3))
    left_padded = visible_where(lambda i, j: (j <= i) & (j >= 5), "causal after padding")
    assert found(sound(visible=left_padded)) == {}


@pytest.mark.parametrize(("dtype", "severity"), [(torch.float16, "fault"), (torch.float32, "look")])
def test_products_that_pass_float16_for_certain(dtype, severity):
    """The reproduced case: q = k = 23·1, d = 128 gives 67,712."""
    x = torch.full((1, 3, N, 128), 23.0)
    record = Record("m")
    keep(record, x, x, torch.ones(1, 3, N, 4), scale=1e-6, dtype=dtype)
    findings = found(record)
    fault = findings.pop("float16-overflow")
    assert set(findings) == {"diluted"}  # all logits are alike
    assert (fault.severity, fault.sure) == (severity, "strong") and "67,700" in fault.evidence


def test_products_that_may_pass_float16():
    q, k, v = random_qkv(sharp=1.5)
    q[..., 0], k[..., 1] = 300, 300  # long, but at right angles
    hint = only(keep(Record("m"), q, k, v, dtype=torch.float16, scale=0.01), "float16-overflow")
    assert (hint.severity, hint.sure) == ("look", "hint") and "not larger" in hint.evidence
    assert found(keep(Record("m"), q, k, v, scale=0.01)) == {}  # in float32 a mere bound is no news


def test_logits_beyond_what_any_run_survived():
    def looks(head):
        return logits(AT // 2, 12_000.0 if head == 2 else 3.0)

    findings = found(planted(looks))
    fault = findings["logits-beyond-10000"]
    assert fault.severity == "fault" and fault.where == (Place(0, 2),) and "12,000" in fault.evidence
    assert "large-logits" not in findings


def test_large_logits_are_worth_a_look():
    q, k, v = random_qkv()
    q[0, 1, 20] = 300 * k[0, 1, 10] / k[0, 1, 10].square().sum()
    look = only(keep(Record("m"), q, k, v, scale=1.0, sample=None), "large-logits")
    assert (
        look.severity == "look" and look.where == (Place(0, 1),) and "Of 3 heads, 1 has logits above" in look.evidence
    )


# ---- heads ----


def scattered(head: int) -> torch.Tensor:
    """A key for each query that follows from neither place nor word."""
    draw = torch.Generator().manual_seed(head)
    return (torch.rand(N, generator=draw) * AT).long()


def test_entropy_collapse():
    fault = only(planted(lambda head: logits(scattered(head)), heads=6), "entropy-collapse")
    assert fault.severity == "fault" and len(fault.where) == 6 and "our proposal" in fault.evidence


def test_a_few_sharp_heads_are_no_collapse():
    look = only(planted(lambda head: logits(scattered(head), 12.0 if head < 2 else 2.0), heads=6), "sharp-heads")
    assert look.severity == "look" and set(look.where) == {Place(0, 0), Place(0, 1)}


def test_heads_that_follow_a_position_are_no_collapse():
    def looks(head):
        return logits((AT - head - 1).clamp(min=0))

    assert only(planted(looks, heads=6), "positional-heads").severity == "normal"


def test_heads_that_rest_are_no_collapse():
    value = torch.ones(1, 6, N, 4)
    value[:, :, 9] = 0.05
    findings = found(planted(lambda head: logits(torch.full((N,), 9)) + torch.rand(N, N), heads=6, value=value))
    assert list(findings) == ["word-sink"]


def test_diluted_heads():
    look = only(planted(lambda head: torch.zeros(N, N)), "diluted")
    assert look.severity == "look" and look.where == (Place(layer=0),)


def test_heads_that_repeat_one_another():
    def looks(head):
        return logits(scattered(min(head, 2)), 2.5) + logits(scattered(10 + min(head, 2)), 2.5)

    look = only(planted(looks, heads=4), "duplicate-heads")
    assert look.where == (Place(0, 2), Place(0, 3)) and "1 pair" in look.evidence


# ---- the stream, and gradients ----


def test_rank_collapse():
    record = sound()
    record.hidden += [hidden(f"h.{at}", residual=10.0**-at, cosine=1 - 10.0**-at) for at in (3, 4)]
    fault = only(record, "rank-collapse")
    assert fault.severity == "fault" and fault.where == (Place(block=2), Place(block=3))
    assert "block 2" in fault.evidence and "0.0001" in fault.evidence


def test_tokens_that_are_alike_for_a_while_have_not_collapsed():
    record = sound()
    record.hidden.insert(1, hidden("h.5", residual=0.001, cosine=0.999))
    assert found(record) == {}
    record.hidden.append(hidden("h.6", residual=0.3, cosine=0.999))  # one large direction, shared by all
    assert found(record) == {}


def test_blocks_that_change_nothing():
    record = sound()
    record.hidden.append(hidden("h.2", influence=1e-5))
    look = only(record, "idle-blocks")
    assert look.severity == "look" and look.where == (Place(block=2),)


def test_massive_activations_are_normal():
    record = sound()
    record.hidden.append(hidden("h.2", largest=2000.0, median=0.2))
    normal = only(record, "massive-activations")
    assert (
        normal.severity == "normal" and "10,000 times" in normal.evidence and "Feature 7 of token 2" in normal.evidence
    )
    record.hidden[-1] = hidden("h.2", largest=2000.0, median=20.0)
    assert found(record) == {}


def test_queries_and_keys_that_starve():
    record = sound()
    record.gradients += [gradient(), gradient("h.0.attn", query_key=1e-6, value=0.5)]
    assert found(record) == {}  # on average they learn
    record.gradients = record.gradients[1:]
    look = only(record, "starving-queries")
    assert look.severity == "look" and look.where == (Place(layer=0),) and "2e-06" in look.evidence


# ---- what is normal ----


@pytest.mark.parametrize(
    ("key", "word", "name"),
    [
        (0, "<s>", "first-token-sink"),
        (11, "[SEP]", "special-token-sink"),
        (12, ".", "delimiter-sink"),
        (13, "Ċ", "delimiter-sink"),
        (14, "cat", "word-sink"),
    ],
)
def test_a_sink_is_told_by_its_place(key, word, name):
    q, k, v = random_qkv(n=N)
    q[..., 0], k[..., 0], k[:, :2, key, 0] = 3.0, 0.0, 6.0
    v[:, :2, key] *= 0.01
    tokens = [f"w{at}" for at in range(N)]
    tokens[key] = word
    record = keep(Record("m", tokens=[tokens], token_sets={"[SEP]": [11]}), q, k, v)
    sink = only(record, name)
    assert sink.where and {place.head for place in sink.where} == {0, 1} and repr(word) in sink.evidence
    assert sink.severity == ("look" if name == "word-sink" else "normal")


def test_a_key_that_is_read_is_no_sink():
    """Much attention, and a value as large as any: a head that looks something up."""
    q, k, v = random_qkv(n=N)
    q[..., 0], k[..., 0], k[:, :2, 12, 0] = 3.0, 0.0, 6.0
    assert found(keep(Record("m"), q, k, v)) == {}


# ---- sound models ----


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", SHIPPED)
def test_the_course_s_trained_models_have_no_fault(name, seed):
    model, run = shipped(name, seed)
    with watch(model, hidden=True) as record, torch.no_grad():
        run()
    assert diagnose(record).of_severity("fault") == ()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", UNTRAINED)
def test_untrained_models_have_no_fault(name, seed):
    model, run = untrained(name, seed)
    with watch(model, hidden=True) as record, torch.no_grad():
        run()
    assert diagnose(record).of_severity("fault") == ()


def texts() -> list[str]:
    paragraphs = [each for each in documentation().held_out.split("\n\n") if 300 < len(each) < 1200]
    return [OWN_TEXT.read_text(), *paragraphs[:4], "The cat sat on the mat because it was tired.", "1 2 3 " * 40]


def test_minilm_has_no_fault_on_any_text():
    for text in texts():
        report = examine(load(), [text])
        assert report.of_severity("fault") == (), text
        names = [finding.name for finding in report.of_severity("normal")]
        if len(report.tokens[0]) > 30:
            assert "first-token-sink" in names and "positional-heads" in names, (text, names)


# ---- faults planted in a sound model ----


def test_a_trained_model_whose_queries_grew_has_collapsed():
    model, run = shipped("language")
    with torch.no_grad():
        for block in model.stack.blocks:
            block.attention.w_q.weight *= 40
            block.attention.w_q.bias *= 40
    with watch(model, hidden=True) as record, torch.no_grad():
        run()
    faults = diagnose(record).of_severity("fault")
    assert [finding.name for finding in faults] == ["entropy-collapse"]


def test_a_model_without_its_skips_loses_its_rank():
    model, run = untrained("deep gpt")
    for block in model.stack.blocks:
        block.forward = lambda x, *rest, block=block, **more: block.attention(block.norm_attention(x), visible=causal)
        torch.nn.init.zeros_(block.attention.w_o.bias)
        torch.nn.init.zeros_(block.attention.w_v.bias)
    with watch(model, hidden=True) as record, torch.no_grad():
        run()
    assert "rank-collapse" in [finding.name for finding in diagnose(record).of_severity("fault")]


def test_nan_weights_name_their_layer():
    model, run = shipped("language")
    with torch.no_grad():
        model.stack.blocks[1].attention.w_k.weight[3, 3] = torch.nan
    with watch(model, hidden=True) as record, torch.no_grad():
        run()
    (fault,) = diagnose(record).of_severity("fault")
    assert fault.name == "not-finite" and "stack.blocks.1.attention.w_k" in fault.evidence
    assert fault.where[0] == Place(layer=1)


def test_a_weight_that_is_not_finite_is_found_though_no_text_used_it():
    model = CharacterModel("language")
    with torch.no_grad():
        model.model.token.weight[documentation().characters.index("~"), 3] = -torch.inf
    report = examine(model, ["the cat sat on the mat and then it slept for the rest of the day"])
    (fault,) = report.of_severity("fault")
    assert (fault.name, fault.sure, fault.where) == ("not-finite", "strong", ())
    assert fault.evidence.startswith("token.weight holds NaN or infinity. These texts did not use it")
    used = examine(model, ["the cat sat ~ on the mat and then it slept for the rest of the day"])
    (fault,) = used.of_severity("fault")
    assert "The first parameter that is not finite itself is token.weight." in fault.evidence and fault.where


# ---- short texts ----


@pytest.mark.parametrize("n", [2, 3, 5, 7, 15])
def test_of_a_handful_of_tokens_nothing_is_told_but_what_is_certain(n):
    """Heads that are alike, flat or at one distance, and tokens that are one, might be so by chance."""
    alike = torch.zeros(n, n)
    record = planted(lambda head: alike if head < 3 else 9.0 * (torch.arange(n)[:, None] - torch.arange(n) == 1), n=n)
    record.hidden += [hidden("h.0", residual=1e-4, cosine=0.9999)] * (n < 8)
    assert found(record) == {}


def test_on_a_short_text_the_doctor_is_less_sure():
    def sures(n):
        at = torch.arange(n)
        record = planted(lambda head: 9.0 * (at[:, None] - at == head + 1), n=n)
        record.hidden += [hidden("h.0", residual=1e-4, cosine=0.9999)]
        return {name: each.sure for name, each in found(record).items()}

    assert sures(40) == {"rank-collapse": "likely", "positional-heads": "strong"}
    assert sures(31) == {"rank-collapse": "hint", "positional-heads": "likely"}


def test_a_head_is_said_to_have_the_entropy_that_it_has():
    """Half of it at one distance, and half everywhere: order, and far from zero."""
    at = torch.arange(N)
    record = planted(lambda head: 3.5 * (at[:, None] - at == head + 1))
    normal, entropy = only(record, "positional-heads"), min(diagnose(record).layers[0].values["entropy"])
    assert entropy > 0.2 and f"mean entropy is {entropy:.3g} to " in normal.evidence


def test_the_greatest_of_many_noisy_means_is_no_distance_that_is_followed():
    """On drawn rows of a head that looks anywhere: what its distance takes is not above what it takes in truth."""
    q, k, v = random_qkv(n=300, heads=16, sharp=4.0)
    truth = diagnose(keep(Record("m"), q, k, v, sample=None)).layers[0].values["previous_token"]
    drawn = diagnose(keep(Record("m"), q, k, v, sample=24)).layers[0].values["fixed_offset"]
    assert sum(drawn) / 16 < 2 * sum(truth) / 16
