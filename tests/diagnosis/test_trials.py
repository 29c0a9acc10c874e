"""Things taken away from a model: each handle against another way to do the same, each number by its definition."""

import json

import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from torch import nn

from attn_course.attention import Learned, causal, sinks, watching, window
from attn_course.diagnosis.study.library import small
from attn_course.diagnosis.study.tasks import BEGIN, bigrams, copies, recall, recall_size, topic
from attn_course.diagnosis.study.unseen_tasks import TOPICS, WORDS, three
from attn_course.diagnosis.trials import Asked, Trials, trials
from attn_course.diagnosis.trials.asked import NOT_ASKED, losses
from attn_course.diagnosis.trials.examine import examine
from attn_course.diagnosis.trials.looking import alike, looks_of
from attn_course.diagnosis.trials.parts import blocks_of, parts_of, skipping
from attn_course.diagnosis.trials.run import cost
from attn_course.diagnosis.trials.swaps import swaps_of, without_group
from attn_course.models.gpt import GPT

N = 16


def gpt(layers: int = 2, heads: int = 3, seed: int = 0, **more) -> GPT:
    torch.manual_seed(seed)
    return GPT(11, 24, heads, layers, Learned(N, 24), **more).eval()


def tokens(rows: int = 5, kinds: int = 11) -> torch.Tensor:
    return torch.randint(kinds, (rows, N), generator=torch.Generator().manual_seed(1))


def families() -> list[nn.Module]:
    return [gpt(), gpt(registers=2), *(small(name, 11, 24, 0).eval() for name in ("gpt2", "llama", "bert"))]


def run(model, read=None) -> torch.Tensor:
    with torch.no_grad():
        found = model(tokens() if read is None else read)
    return getattr(found, "logits", found)


# ---- questions ----


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokens": torch.zeros(3, dtype=torch.long)}, r"tokens should have shape \(batch, token\)"),
        ({"wanted": torch.zeros(5, 3, dtype=torch.long)}, r"wanted should have shape \(5, 16\)"),
        ({"needed": torch.zeros(5, N, dtype=torch.bool)}, r"needed should have shape \(5, 16, 16\)"),
        ({"irrelevant": torch.zeros(5, 2, dtype=torch.bool)}, r"irrelevant should have shape \(5, 16\)"),
        ({"wanted": torch.full((5, N), NOT_ASKED)}, "Nothing is asked"),
    ],
)
def test_questions_that_do_not_fit_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Asked(**{"tokens": tokens(), "wanted": tokens()} | change)


def test_the_loss_is_that_of_the_places_that_are_asked():
    wanted = torch.where(torch.rand(5, N, generator=torch.Generator().manual_seed(2)) < 0.4, tokens(), NOT_ASKED)
    asked, model = Asked(tokens(), wanted), gpt()
    expected = F.cross_entropy(run(model).flatten(0, 1), wanted.flatten(), ignore_index=NOT_ASKED)
    assert losses(model, asked).mean() == pytest.approx(expected.item(), abs=1e-6)
    shares = wanted[wanted >= 0].bincount().double()
    assert asked.guess == pytest.approx(torch.distributions.Categorical(shares).entropy().item(), abs=1e-6)


def test_a_model_without_scores_is_refused():
    class Wrong(nn.Module):
        def forward(self, read):
            return read.float().mean()

    with pytest.raises(ValueError, match="should give scores"):
        losses(Wrong(), Asked(tokens(), tokens()))


def test_costs_are_paired():
    before = torch.randn(50, generator=torch.Generator().manual_seed(0)) * 100
    found = cost(before + 0.5, before)
    assert found.mean == pytest.approx(0.5, abs=1e-4) and found.error < 1e-4


# ---- handles ----


@pytest.mark.parametrize("model", families(), ids=lambda model: type(model).__name__)
def test_a_handle_that_takes_nothing_away_changes_nothing_and_leaves_nothing_behind(model):
    parts, plain = parts_of(model), run(model)
    for around in (
        parts.hidden(torch.ones(5, N, dtype=torch.bool)),
        parts.within(N),
        parts.heads(0, {}),
        parts.heads(0, {1: 1}),
    ):
        with around:
            assert torch.allclose(run(model), plain, atol=1e-5)
    with parts.within(1):
        assert not torch.allclose(run(model), plain, atol=1e-3)
    assert torch.equal(run(model), plain)


def test_hidden_keys_and_a_window_are_what_the_mask_says():
    model = gpt()
    parts, keep = parts_of(model), torch.ones(5, N, dtype=torch.bool)
    keep[:, 3] = keep[2, 0] = False
    seen = causal.dense(N) & keep[:, None, None, :]
    with parts.hidden(keep):
        found = run(model)
    with torch.no_grad():
        assert torch.allclose(found, model(tokens(), visible=seen), atol=1e-5)
        with parts.within(3):
            found = run(model)
        assert torch.allclose(found, model(tokens(), visible=causal & (window(3) | sinks(1))), atol=1e-5)


@pytest.mark.parametrize("model", families(), ids=lambda model: type(model).__name__)
def test_the_future_is_hidden_as_before_and_a_hidden_key_says_nothing(model):
    """Whatever stands at a hidden place, all others read the same."""
    other = tokens()
    other[:, 4] = (other[:, 4] + 1) % 11
    keep = torch.ones(5, N, dtype=torch.bool)
    keep[:, 4] = False
    rest = torch.arange(N) != 4
    with parts_of(model).hidden(keep):
        assert torch.allclose(run(model)[:, rest], run(model, other)[:, rest], atol=1e-5)
    assert not torch.allclose(run(model)[:, rest], run(model, other)[:, rest], atol=1e-4)


@pytest.mark.parametrize(("family", "at"), [("gpt2", "transformer.h.0.attn.c_proj"), ("llama", "o_proj")])
def test_a_head_of_the_library_gives_nothing_or_what_another_gives(family, at):
    """Against the output matrix with the rows of that head at zero, and moved to the other."""
    model = small(family, 11, 24, 0).eval()
    name = next(name for name, _ in model.named_modules() if name.endswith(at))
    layer, half = model.get_submodule(name), 12
    weight = layer.weight.data if family == "gpt2" else layer.weight.data.mT  # (in, out)
    before = weight.clone()
    for gives, rows in (
        ({0: None}, (0 * before[:half], before[half:])),
        ({0: 1}, (0 * before[:half], before.view(2, half, -1).sum(0))),
    ):
        with parts_of(model).heads(0, gives):
            found = run(model)
        weight.copy_(torch.cat(rows))
        assert torch.allclose(found, run(model), atol=1e-5)
        weight.copy_(before)


def test_heads_of_the_course_likewise():
    model = gpt()
    weight = model.stack.blocks[1].attention.w_o.weight.data  # (out, in)
    before = weight.clone()
    with parts_of(model).heads(1, {2: 0}):
        found = run(model)
    weight[:, :8] += before[:, 16:]
    weight[:, 16:] = 0
    assert torch.allclose(found, run(model), atol=1e-5)


@pytest.mark.parametrize("model", families(), ids=lambda model: type(model).__name__)
def test_a_skipped_block_hands_on_what_it_was_given(model):
    parts = parts_of(model)
    blocks = blocks_of(model, parts.names)
    assert len(blocks) == len(parts.names)
    given = {}
    handle = blocks[0].register_forward_hook(lambda block, args, made: given.update(before=args[0], after=made))
    with skipping(blocks[0]):
        run(model)
    handle.remove()
    if isinstance(model, GPT) and model.stack.registers is None:
        skipped = model.stack.blocks[0]
        with skipping(skipped):
            found = run(model)
        del model.stack.blocks[0]
        model.stack.layers = 1
        assert torch.equal(found, run(model))
    assert "before" in given


def test_weights_of_the_library_are_its_own():
    model = small("gpt2", 11, 24, 0).eval()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(tokens(), output_attentions=True).attentions
    found = parts_of(model).looked(tokens())
    assert torch.allclose(found[0].weights, expected[0], atol=1e-6)
    assert model.config._attn_implementation == "eager"


# ---- numbers ----


def test_likeness_is_the_jensen_shannon_divergence():
    a = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)).softmax(-1)
    expected = [
        jensenshannon(a[b, 0, q].double(), a[b, 2, q].double(), base=2) ** 2 for b in range(2) for q in range(6)
    ]
    assert alike(a, 2)[0, 2] == pytest.approx(sum(expected) / 12, abs=1e-6)
    assert alike(a, 2)[1, 1] == pytest.approx(0, abs=1e-9)


def test_looks_are_means_over_queries_that_need_something():
    asked, model = recall(0, 8, 24), GPT(recall_size(), 24, 2, 1).eval()
    with watching(model) as records, torch.no_grad():
        model(asked.tokens)
    look = looks_of(parts_of(model).looked(asked.tokens), asked)[1]
    a = records[0].weights[:, 1]
    where = asked.needed.any(-1)
    needed = sum(a[b, q][asked.needed[b, q]].sum() for b, q in where.nonzero().tolist()) / where.sum()
    assert look.needed == pytest.approx(needed.item(), abs=1e-5)
    noise = sum(a[b, q][asked.irrelevant[b]].sum() for b, q in where.nonzero().tolist()) / where.sum()
    assert look.irrelevant == pytest.approx(noise.item(), abs=1e-5)


class Marked(nn.Module):
    """The answer is class 1 where token 2 stands, and class 0 else, but for a vote of the last word."""

    def forward(self, read):
        marked = (read == 2).any(1).float()
        return torch.stack([0.5 - marked, marked - 0.5], dim=1)


def test_the_kind_that_decides_is_found_and_words_are_not():
    asked = topic(0, 64, 20, marker=0.5)
    swaps = {swap.kind: swap for swap in swaps_of(Marked(), asked)}
    assert 0 not in swaps, "the token that asks may decide"
    assert swaps[2].flips == 1 and all(swap.apart == 0 for kind, swap in swaps.items() if kind > 2)
    assert all(swap.flips <= 0.75 for kind, swap in swaps.items() if kind > 2)


class ByMarkers(nn.Module):
    """The last of the topics whose marker stands in the row, and of one without, that of most words."""

    def forward(self, read):
        topic = torch.arange(TOPICS)
        marked = (read[:, :, None] == topic + 1).any(1) * (1 + topic)
        words = ((read[:, :, None] - 1 - TOPICS) // WORDS == topic).double().mean(1)
        return 10 * marked + words


def test_of_three_markers_none_counts_as_the_change_of_a_word():
    asked = three(0, 96, 30, 1.0)
    swaps = {swap.kind: swap for swap in swaps_of(ByMarkers(), asked)}
    assert min(swaps[kind].flips for kind in (1, 2, 3)) == 1 and all(swaps[kind].apart == 0 for kind in (1, 2, 3))
    assert max(swap.apart for swap in swaps.values()) < 0.1, "a word is none, though it can be made into one:"
    assert min(swap.flips for swap in swaps.values()) > 0.3


def test_the_kinds_left_out_are_those_that_change_most():
    changed = torch.tensor([[0, 0.9, 0.2, 0.1], [0.8, 0, 0.3, 0.1], [0.1, 0.1, 0, 0.4], [0.1, 0.1, 0.6, 0]])
    kept = without_group(changed, 2)
    assert torch.equal(kept[2:, 2:], changed[2:, 2:]) and not kept[:2].any() and not kept[:, :2].any()
    assert not without_group(changed, 3).any() and not without_group(torch.zeros(5, 5), 4).any()


def test_everything_is_tried_and_goes_into_json_and_back():
    asked = recall(0, 16, 24)
    model = GPT(recall_size(), 24, 2, 2).train()
    found = trials(model, asked, [recall(1, 4, 48)])
    assert model.training
    assert found.answers == int(asked.places.sum()) and found.longer[0].tokens == 48 and len(found.skipped) == 2
    assert [window.w for window in found.windows] == [1, 2, 4, 8]
    assert found.windows[0].beyond == 1 and found.windows[3].reach == 14
    assert Trials.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert found.untested == ("Rows ask for several answers: a shortcut on a token was not looked for.",)


def test_of_a_block_that_is_run_twice_the_reach_is_that_of_both():
    found = trials(GPT(recall_size(), 24, 2, 2, shared=True), recall(0, 16, 24))
    assert len(found.skipped) == len(found.pairs) == 1 and [each.reach for each in found.windows] == [0, 2, 6, 14]


def test_what_was_not_declared_is_told():
    found = trials(GPT(24, 24, 1, 1, Learned(20, 24)), bigrams_as_copies())
    assert any("What a query needs was not declared" in said for said in found.untested)
    assert any("No longer rows" in said for said in found.untested)


def bigrams_as_copies() -> Asked:
    plain = copies(0, 8, 20)
    return Asked(plain.tokens, plain.wanted)


def test_the_whole_examination_gives_a_report():
    report = examine(GPT(16, 24, 2, 1), bigrams(0, 16, 20))
    assert report.of_severity("fault") == () and len(report.layers) == 1 and report.notes


# ---- tasks of the study ----


def test_a_question_s_answer_stands_where_it_is_said_to():
    for asked in (recall(3, 64, 24), recall(3, 64, 32, near=0.7)):
        assert (asked.tokens[:, 0] == BEGIN).all()
        for b, q in asked.places.nonzero().tolist():
            item = asked.tokens[b][asked.needed[b, q]].unique()
            assert len(item) == 1 and (int(item) - 7) // 4 == asked.tokens[b, q] - 1
            assert (int(item) - 7) % 4 == asked.wanted[b, q]
            assert not asked.needed[b, q, q:].any() and not asked.irrelevant[b][asked.needed[b, q]].any()
