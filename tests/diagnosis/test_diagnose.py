"""From a record to numbers: each against the plain definition on the whole map, padding and caches included."""

import math
from dataclasses import replace

import pytest
import torch
from planted import gradient, hidden, keep, planted, random_qkv

from attn_course.attention import attention_weights, causal, padding, window
from attn_course.diagnosis import vitals
from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.heads import sinks_of
from attn_course.diagnosis.maps import COLUMNS, ROWS
from attn_course.diagnosis.measures import MEASURES
from attn_course.diagnosis.record import Record
from attn_course.diagnosis.streaming import streaming_vitals_of
from attn_course.diagnosis.tables import tables
from attn_course.diagnosis.watch import watch
from attn_course.models.pretrained import load


def close(found, expected, tolerance=2e-3):
    expected = expected.tolist() if isinstance(expected, torch.Tensor) else expected
    assert len(found) == len(expected)
    off = [abs(a - b) / max(1, abs(b)) for a, b in zip(found, expected, strict=True)]
    assert max(off) <= tolerance, (found, expected)


def low(x: torch.Tensor) -> torch.Tensor:
    """(head, row) → the value below which one in twenty lies."""
    return x.sort(-1).values[:, max(1, round(0.05 * x.shape[-1])) - 1]


def test_each_head_s_numbers_are_those_of_the_whole_map():
    q, k, v = random_qkv(n=40, sharp=2.0)
    layer = diagnose(keep(Record("m"), q, k, v, causal, sample=None)).layers[0]
    w = attention_weights(q, k, causal)
    entropy = vitals.normalised_entropy(w, causal)[0, :, 1:]  # the first query has no choice
    close(layer.values["entropy"], entropy.mean(-1), 1e-4)
    close(layer.values["entropy_low"], low(entropy), 1e-4)
    close(layer.values["first_token"], w[0, :, :, 0].mean(-1), 1e-4)
    close(layer.values["distance"], vitals.mean_distance(w)[0].mean(-1), 1e-4)
    close(layer.values["participation"], vitals.participation(w)[0].mean(-1), 1e-4)
    close(layer.values["sparsity"], vitals.sparsity(w, causal)[0].mean(-1), 1e-4)
    close(layer.values["keys_needed"], vitals.keys_needed(w)[0].mean(-1), 1e-4)
    close(layer.values["coverage"], vitals.coverage(w, causal)[0].mean(-1), 1e-4)
    close(layer.values["window"], vitals.window(w)[0].mean(-1), 1e-4)
    share = w[0].mean(1)  # (head, key)
    close(layer.values["strongest_share"], share.amax(-1), 1e-4)
    assert list(layer.strongest) == share.argmax(-1).tolist()
    norm = v[0].norm(dim=-1)
    ratios = [norm[h, key] / norm[h, torch.arange(40) != key].median() for h, key in enumerate(layer.strongest)]
    close(layer.values["strongest_value"], torch.stack(ratios), 1e-4)
    close(layer.values["previous_token"], w[0].diagonal(-1, 1, 2).mean(-1))
    scores = (q @ k.mT / math.sqrt(8)).masked_fill(~causal.dense(40), -torch.inf)
    close(layer.values["max_logit"], scores[0].amax((1, 2)), 1e-4)
    between = vitals.divergence(w)[0].mean(0).fill_diagonal_(torch.inf)
    close(layer.values["divergence"], between.amin(1), 1e-4)
    assert list(layer.nearest) == between.argmin(1).tolist()
    assert set(layer.values) | {"null", "importance"} == {name for name, each in MEASURES.items() if each.of == "head"}
    assert all(error == 0 for errors in layer.errors.values() for error in errors)


def test_entropy_beside_sinks_is_that_of_the_map_without_them():
    q, k, v = random_qkv(n=40, sharp=2.0)
    k[:, :, 0], q[..., 0] = 0, 2.0
    k[:, :, 0, 0] = 4.0  # a first key that takes much
    record = keep(Record("m", token_sets={"[SEP]": [5]}), q, k, v, causal, sample=None)
    layer = diagnose(record).layers[0]
    w = attention_weights(q, k, causal)[0]
    rest = w.clone()
    rest[..., [0, 5]] = 0
    i = torch.arange(40)
    n = (i + 1) - 1 - (i >= 5).long()
    for head in range(3):
        keep_rows = (rest[head].sum(-1) >= 0.1) & (n >= 8)
        assert 5 <= keep_rows.sum() < 32
        p = rest[head][keep_rows] / rest[head][keep_rows].sum(-1, keepdim=True)
        h = -torch.special.xlogy(p, p).sum(-1) / n[keep_rows].log()
        close([layer.values["entropy_rest"][head], layer.values["entropy_rest_low"][head]], [h.mean(), low(h[None])[0]])
    close(layer.sets["[SEP]"], w[..., 5].mean(-1), 1e-4)


def test_a_key_with_much_attention_and_little_value_counts_as_a_sink():
    heads_look_at_7 = torch.zeros(40, 40)
    heads_look_at_7[:, 7] = 5.0
    value = torch.ones(1, 4, 40, 4)
    value[:, :2, 7] *= 0.1  # in two of four heads
    text = tables([planted(lambda head: heads_look_at_7, value=value)])[0].texts[0]
    assert sinks_of(text)[:, 7].tolist() == [True, True, False, False]
    assert sinks_of(text)[:, 0].all() and sinks_of(text).sum() == 6


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("rule", [causal, window(64)], ids=["causal", "both ways"])
def test_padding_changes_nothing(side, rule):
    """Two texts in one batch, one of them padded: the same numbers as from two records, one text each."""
    q, k, v = random_qkv(batch=2, n=40)
    keys = torch.ones(2, 40, dtype=torch.bool)
    kept = slice(12, 40) if side == "left" else slice(0, 28)
    keys[1] = False
    keys[1, kept] = True
    together = diagnose(keep(Record("m"), q, k, v, rule & padding(keys), sample=None))
    pieces = [(x[:1] for x in (q, k, v)), (x[1:, :, kept] for x in (q, k, v))]
    alone = diagnose([keep(Record("m"), *piece, rule, sample=None) for piece in pieces])
    assert together.about["tokens"] == alone.about["tokens"] == 68
    exact = {"entropy", "entropy_low", "entropy_rest", "distance", "participation", "max_logit", "previous_token"}
    if side == "left" and rule is causal:  # nobody looks from padding, so what keys receive is right too
        exact |= {"first_token", "strongest_share", "strongest_value"}
    for name in exact:
        close(together.layers[0].values[name], alone.layers[0].values[name])


def test_a_text_written_token_by_token_is_one_text():
    q, k, v = random_qkv(n=24)
    record = keep(Record("m"), q[:, :, :10], k[:, :, :10], v[:, :, :10], sample=None)
    for n in range(11, 25):
        keep(record, q[:, :, n - 1 : n], k[:, :, :n], v[:, :, :n], sample=None)
    written, read = diagnose(record), diagnose(keep(Record("m"), q, k, v, sample=None))
    assert written.about == read.about | {"sequences": 1}
    assert written.layers[0].calls == 15 and read.layers[0].calls == 1
    for name, values in read.layers[0].values.items():
        close(written.layers[0].values[name], values)
    assert written.layers[0].maps == read.layers[0].maps


def test_a_cache_that_forgets_keeps_the_places_of_the_text():
    q, k, v = random_qkv(n=12)
    record = keep(Record("m", tokens=[list("abcdefghijkl")]), q[:, :, :8], k[:, :, :8], v[:, :, :8], window(8) & causal)
    for n in range(9, 13):
        keep(record, q[:, :, n - 1 : n], k[:, :, n - 8 : n], v[:, :, n - 8 : n], None)
        record.calls[-1] = replace(record.calls[-1], first_key=n - 8)
    report = diagnose(record)
    text = tables([record])[0].texts[0]
    whole = attention_weights(q, k, causal & window(8))[0]
    assert report.about["sequences"] == 1 and text.places.tolist() == list(range(12))
    assert (text.weights - whole).abs().max() < 1e-3
    assert (text.received - whole.sum(1)).abs().max() < 1e-5
    assert report.layers[0].strongest_token == tuple("abcdefghijkl"[at] for at in report.layers[0].strongest)


def test_several_texts_count_by_their_queries():
    first, second = random_qkv(1, n=30), random_qkv(2, n=60)
    both = diagnose([keep(Record("m"), *each, sample=None) for each in (first, second)]).layers[0]
    one, two = (diagnose(keep(Record("m"), *each, sample=None)).layers[0] for each in (first, second))
    for name in ("entropy", "first_token", "strongest_share", "divergence", "window"):
        mean = [(30 * a + 60 * b) / 90 for a, b in zip(one.values[name], two.values[name], strict=True)]
        if name != "divergence":  # the nearest head may be another in each text
            close(both.values[name], mean)
    assert both.values["max_logit"] == tuple(map(max, one.values["max_logit"], two.values["max_logit"]))


def test_a_sampled_measure_carries_an_error_that_covers_the_truth():
    q, k, v = random_qkv(n=400, sharp=2.0)
    exact = diagnose(keep(Record("m"), q, k, v, sample=None)).layers[0]
    sampled = diagnose(keep(Record("m"), q, k, v, sample=64)).layers[0]
    off = []
    for name, errors in sampled.errors.items():
        if name == "fixed_offset":  # no distance is followed here, so that each choice is another
            continue
        truth, found = exact.values[name], sampled.values[name]
        off += [abs(a - b) / max(error, 1e-9) for a, b, error in zip(truth, found, errors, strict=True)]
    assert len(off) == 8 * 3 and max(off) < 4 and sum(each < 2 for each in off) >= 0.8 * len(off)


def test_the_distance_that_a_head_follows_is_found():
    at = torch.arange(40)

    def looks(head):  # 3 back, 0, 17 back, everywhere
        back = (3, 0, 17, None)[head]
        return torch.zeros(40, 40) if back is None else 9.0 * (at[:, None] - at == back)

    layer = diagnose(planted(looks)).layers[0]
    assert layer.offset[:3] == (-3, 0, -17)
    assert min(layer.values["fixed_offset"][:3]) > 0.98 > 0.2 > layer.values["fixed_offset"][3]


def test_on_drawn_rows_a_distance_has_its_error():
    n, draw = 400, torch.Generator().manual_seed(0)
    at = torch.arange(n)
    follows = torch.randint(1, 7, (4, n, 1), generator=draw) * (at[:, None] - at == 3)  # some rows more than others

    def layer(sample):
        k = torch.eye(n).expand(1, 4, n, n)
        return diagnose(keep(Record("m"), follows[None].float(), k, k, sample=sample, scale=1.5)).layers[0]

    exact, drawn = layer(None), layer(64)
    assert exact.offset == drawn.offset == (-3,) * 4
    truth, found, errors = exact.values, drawn.values, drawn.errors
    for a, b, error in zip(*(each["fixed_offset"] for each in (truth, found, errors)), strict=True):
        assert 0 < error < 0.2 and abs(a - b) < 3 * error


def test_cross_attention_has_no_distances_and_counts_every_query():
    q, k, v = random_qkv(n=30)
    record = keep(Record("m"), q, k[:, :, :12], v[:, :, :12], None, kind="cross", sample=None)
    layer = diagnose(record).layers[0]
    assert layer.kind == "cross" and layer.offset == (None,) * 3 and "previous_token" not in layer.values
    w = attention_weights(q, k[:, :, :12])
    close(layer.values["entropy"], vitals.normalised_entropy(w)[0].mean(-1), 1e-4)


def test_maps_are_small_and_keep_the_mass():
    q, k, v = random_qkv(n=300, heads=2)
    maps = diagnose(keep(Record("m"), q, k, v, sample=64)).layers[0].maps
    assert len(maps.rows) == ROWS and len(maps.columns) <= COLUMNS + 1
    assert maps.columns == tuple(range(0, 301, 3))  # all columns alike: three keys
    weights = torch.tensor(maps.weights)
    assert weights.shape == (2, ROWS, 100)
    assert (weights.sum(-1) - 1).abs().max() < 0.001 * 100
    whole = attention_weights(q, k, causal)[0, :, list(maps.rows)]
    pooled = torch.stack([whole[..., a:b].sum(-1) for a, b in zip(maps.columns, maps.columns[1:], strict=False)], -1)
    assert (weights - pooled).abs().max() < 2e-3
    assert abs(sum(maps.received[0]) - 1) < 0.05


def test_many_heads_share_the_room_for_maps():
    q, k, v = random_qkv(n=200, heads=40, d=4)
    record = Record("m")
    for layer in range(12):
        keep(record, q, k, v, name=f"h.{layer}.attn", sample=32)
    rows = len(diagnose(record).layers[0].maps.rows)
    assert 1 <= rows < ROWS and 12 * 40 * rows * COLUMNS <= 600_000


def test_a_learned_sink_is_a_share_of_its_own():
    q, k, v = random_qkv()
    vitals_ = streaming_vitals_of(q, k, v, causal, sinks=torch.tensor([-torch.inf, 0.0, 3.0]), sample=None)
    record = keep(Record("m"), q, k, v)
    record.calls[0] = replace(record.calls[0], vitals=vitals_)
    null = diagnose(record).layers[0].values["null"]
    assert null[0] == 0 and 0 < null[1] < null[2] < 1
    close(null, vitals_.null_mass[0].mean(-1), 1e-4)


@torch.no_grad()
def test_padding_that_watch_is_told_of_changes_nothing():
    """MiniLM on two texts of unlike length, in one batch and one by one."""
    model = load()
    ids = [model.tokenizer.encode(text).ids for text in ("The cat sat on the mat because it was tired.", "A dog.")]
    longest = max(map(len, ids))
    batch = torch.tensor([each + [0] * (longest - len(each)) for each in ids])
    kept = torch.tensor([[True] * len(each) + [False] * (longest - len(each)) for each in ids])
    with watch(model, keep=kept, sample=None, hidden=True) as together:
        model.model(batch, padding(kept))
    alone = []
    for each in ids:
        with watch(model, sample=None, hidden=True) as record:
            model.model(torch.tensor([each]))
        alone.append(record)
    padded, apart = diagnose(together), diagnose(alone)
    assert padded.about == apart.about
    for a, b in zip(padded.layers, apart.layers, strict=True):
        for name in set(a.values) - {"divergence", "sparsity", "keys_needed", "coverage", "window"}:
            known = [(x, y) for x, y in zip(a.values[name], b.values[name], strict=True) if x is not None]
            assert all(abs(x - y) < 1e-3 * max(1, abs(y)) for x, y in known), name
    for a, b in zip(padded.blocks, apart.blocks, strict=True):
        assert all(abs(a.values[name] - b.values[name]) < 1e-3 * max(1, b.values[name]) for name in a.values)


def test_without_sampled_rows_there_is_less_to_say():
    q, k, v = random_qkv()
    layer = diagnose(keep(Record("m"), q, k, v, sample=0)).layers[0]
    assert layer.maps is None and "window" not in layer.values
    assert layer.values["entropy_rest"] == (None,) * 3 and layer.values["entropy"][0] is not None
    assert layer.nearest == (None,) * 3


def test_a_single_head_and_a_single_token():
    q, k, v = random_qkv(heads=1, n=1)
    layer = diagnose(keep(Record("m"), q, k, v)).layers[0]
    assert layer.values["divergence"] == (None,) and layer.nearest == (None,)
    assert layer.values["entropy"] == (None,) and layer.values["strongest_value"] == (None,)


def test_blocks_and_gradients_are_means_over_records():
    q, k, v = random_qkv()
    records = []
    for cosine, largest in ((0.2, 5.0), (0.4, 9.0)):
        record = keep(Record("m", tokens=[list("abcdefgh")]), q, k, v)
        record.hidden.append(hidden(cosine=cosine, largest=largest))
        record.gradients.append(gradient(query_key=cosine, value=2.0))
        records.append(record)
    report = diagnose(records)
    block, found = report.blocks[0], report.gradients[0]
    assert block.values["token_cosine"] == pytest.approx(0.3) and block.values["largest"] == 9
    assert block.largest_at == (2, 7) and block.largest_token == "c"
    assert found.values["gradient_ratio"] == pytest.approx(0.15) and found.importance == (0.5, 1.0, 0.25)


@pytest.mark.parametrize("rows", [slice(None), slice(25, None)], ids=["all queries", "some queries"])
def test_a_head_that_is_not_finite_has_no_numbers_and_takes_none_from_the_others(rows):
    q, k, v = random_qkv(n=40, heads=5, sharp=2.0)
    q[:, 3] = q[:, 4]
    k[:, 3] = k[:, 4]
    q[:, 1, rows] = torch.nan
    layer = diagnose(keep(Record("m"), q, k, v, sample=None)).layers[0]
    others = [0, 2, 3, 4]
    alone = diagnose(keep(Record("m"), *(x[:, others] for x in (q, k, v)), sample=None)).layers[0]
    for name, values in layer.values.items():
        # What is taken on rows that are numbers may stay.
        assert values[1] is None or (rows.start and name.startswith("entropy_rest")), name
        assert [values[head] for head in others] == list(alone.values[name]), name
        assert layer.errors.get(name, values)[1] is None or name.startswith("entropy_rest")
    assert (layer.nearest[1], layer.offset[1], layer.strongest[1], layer.strongest_token[1]) == (None,) * 4
    assert [layer.nearest[head] for head in others] == [others[head] for head in alone.nearest]
    (pair,) = [each for each in diagnose(keep(Record("m"), q, k, v, sample=None)).findings if each.severity == "look"]
    assert pair.name == "duplicate-heads" and [place.head for place in pair.where] == [3, 4]


def test_an_empty_record_and_two_models_are_one_sentence():
    with pytest.raises(ValueError, match=r"^No attention was watched: .*\.$"):
        diagnose(Record("m"))
    q, k, v = random_qkv()
    with pytest.raises(ValueError, match=r"^The records are of different models \(a, b\): diagnose them one by one\.$"):
        diagnose([keep(Record(name), q, k, v) for name in "ab"])
