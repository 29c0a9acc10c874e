"""Exercises are held to their promises: every listed mistake is named, and nothing else gets through."""

import ast
import math

import nbformat
import pytest
import torch
import torch.nn.functional as F

from attn_course.attention import (
    attention,
    attention_scores,
    attention_weights,
    causal,
    masked_softmax,
    sinks,
    window,
)
from attn_course.attention.heads import split
from attn_course.coach import check
from attn_course.coach.catalogue import exercises
from attn_course.coach.exercises import task_for
from attn_course.coach.running import close, run
from attn_course.diagnosis import asking, attribution, vitals
from attn_course.diagnosis.streaming import streaming_vitals
from attn_course.models.parity import parity as built_parity
from attn_course.tasks.token_audit import audit
from attn_course.training.calibration import ece
from attn_course.training.group_dro import group_means
from attn_course.training.spurious_measures import flips, group_accuracies
from tools.notebooks import course_notebooks

IDS = list(exercises())
MISTAKES = [(id, mistake) for id in IDS for mistake in task_for(id).mistakes]


def answers(folder):
    """The learner's functions in a folder of notebooks, by exercise, run cell by cell as a learner would."""
    found = {}
    for path in course_notebooks((folder,)):
        namespace = {}  # two lessons may call two functions by one name
        for cell in nbformat.read(path, 4).cells:
            graded = cell.metadata.get("nbgrader", {})
            if cell.cell_type == "code" and (graded.get("solution") or "setup" in cell.metadata.get("tags", [])):
                exec(cell.source, namespace)
                if graded.get("solution"):
                    id = ".".join(graded["grade_id"].rsplit("-", 1))  # a topic may have a hyphen of its own
                    found[id] = namespace[id.split(".")[1]]
    return found


@pytest.mark.parametrize("id", IDS)
def test_the_reference_and_the_solution_pass(id):
    assert check(id, task_for(id).reference).passed
    result = check(id, answers("solutions")[id])
    assert result.passed, result


def test_the_unedited_stub_fails_with_a_sentence():
    stubs = answers("exercises")
    assert list(stubs) == IDS
    for id, stub in stubs.items():
        result = check(id, stub)
        assert not result.passed and "still the empty stub" in result.message


@pytest.mark.parametrize(("id", "mistake"), MISTAKES, ids=[f"{id}-{mistake.id}" for id, mistake in MISTAKES])
def test_every_listed_mistake_fails_and_is_named(id, mistake):
    result = check(id, mistake.answer)
    assert (result.passed, result.mistake, result.message) == (False, mistake.id, mistake.sentence)


@pytest.mark.parametrize("id", IDS)
def test_an_exercise_has_three_hints_each_saying_more_and_four_mistakes_or_more(id):
    hints = exercises()[id].hints
    assert len(hints) == 3 and len(set(hints)) == 3
    assert len(task_for(id).mistakes) >= 4
    assert len({mistake.sentence for mistake in task_for(id).mistakes}) == len(task_for(id).mistakes)


def poor_answers(id):
    """Answers that no exercise may accept: a constant, NaN, nothing, the right numbers in the wrong clothes."""
    right = task_for(id).reference
    sample = right(*task_for(id).cases[0].args)
    yield "constant", lambda *args: sample
    yield "nothing", lambda *args: None
    yield "text", lambda *args: "0.5"
    if isinstance(sample, torch.Tensor):
        yield "nan", lambda *args: right(*args).double() * float("nan")
        yield "zeros", lambda *args: torch.zeros_like(right(*args))
        yield "numpy", lambda *args: right(*args).detach().numpy()
        yield "one axis more", lambda *args: right(*args)[None]
    if isinstance(sample, torch.Tensor) and task_for(id).accepts is None:
        yield "noise", lambda *args: right(*args) + torch.randn(right(*args).shape, dtype=torch.float64)
    if isinstance(sample, float):
        yield "nan", lambda *args: float("nan")
        yield "negative", lambda *args: -right(*args)


@pytest.mark.parametrize("id", IDS)
def test_poor_answers_are_refused_with_one_sentence(id):
    for name, answer in poor_answers(id):
        result = check(id, answer)
        assert not result.passed, name
        assert result.message.strip() and len(result.message) < 600


IN_PLACE = {
    "formula.scores": lambda q, k: q.mul_(1 / q.shape[-1] ** 0.5) @ k.transpose(-2, -1),
    "formula.softmax": lambda s: s.sub_(s.amax(-1, keepdim=True)).exp() / s.exp().sum(-1, keepdim=True),
    "formula.attention": lambda q, k, v: (q.mul_(q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v,
    "visibility.masked": lambda s, visible: task_for("visibility.masked").reference(
        s.masked_fill_(~visible, 0), visible
    ),
}


@pytest.mark.parametrize("id", IN_PLACE)
def test_changing_the_inputs_in_place_is_said(id):
    result = check(id, IN_PLACE[id])
    assert not result.passed and "in place" in result.message


READY_MADE = [
    ("formula.scores", lambda q, k: attention_scores(q, k), "the course's own attention_scores"),
    ("formula.softmax", lambda s: s.softmax(-1), "torch's softmax"),
    ("formula.softmax", lambda s: torch.softmax(s, -1), "torch's softmax"),
    ("formula.softmax", lambda s: F.log_softmax(s, -1).exp(), "torch's log_softmax"),
    ("formula.softmax", torch.nn.Softmax(dim=-1), "torch's softmax"),
    ("formula.softmax", lambda s: masked_softmax(s), "the course's own masked_softmax"),
    ("formula.attention", attention, "the course's own attention"),
    ("formula.attention", lambda q, k, v: attention_weights(q, k) @ v, "the course's own attention_weights"),
    ("formula.attention", F.scaled_dot_product_attention, "torch's scaled_dot_product_attention"),
    (
        "formula.attention",
        lambda q, k, v: torch.ops.aten.scaled_dot_product_attention(q, k, v),
        "torch's scaled_dot_product_attention",
    ),
    ("scaling.half", lambda q, k: attention_scores(q, k), "the course's own attention_scores"),
    (
        "visibility.masked",
        lambda s, visible: masked_softmax(s.masked_fill(~visible, -torch.inf)),
        "the course's own masked_softmax",
    ),
    ("heads.split", lambda x, heads: split(x, heads), "the course's own split"),
    (
        "heads.grouped",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        "torch's scaled_dot_product_attention",
    ),
    (
        "transformer.cross",
        lambda x, memory, keep, w_q, w_k, w_v: attention(x @ w_q, memory @ w_k, memory @ w_v, keep[:, None]),
        "the course's own attention",
    ),
    (
        "transformer.attention",
        lambda q, k, v, visible: F.scaled_dot_product_attention(q, k, v, attn_mask=visible),
        "torch's scaled_dot_product_attention",
    ),
    (
        "heads.step",
        lambda q, k, v, *past: attention(q, *(torch.cat(pair, -2) for pair in zip(past, (k, v), strict=True)), causal),
        "the course's own attention",
    ),
    (
        "reach.fuse",
        lambda text, left, right, w_q, w_k: F.scaled_dot_product_attention(
            text @ w_q,
            torch.cat([left, right], 1) @ w_k,
            F.one_hot((torch.arange(left.shape[1] + right.shape[1]) >= left.shape[1]).long(), 2)
            .to(text.dtype)
            .expand(len(text), -1, -1),
        ),
        "torch's scaled_dot_product_attention",
    ),
    (
        "reading-maps.patch",
        lambda clean, corrupted, head, readout: (
            readout(streaming_vitals(*corrupted, sample=0).output) / readout(streaming_vitals(*clean, sample=0).output)
        ),
        "the course's own streaming_vitals",
    ),
    ("reading-maps.kendall", lambda a, b: attribution.kendall(a, b), "the course's own kendall"),
    ("reading-maps.rollout", lambda maps: attribution.rollout(maps[:, None])[0], "the course's own rollout"),
    (
        "vitals.entropy",
        lambda q, k, rows: streaming_vitals(q, k, visible=causal, sample=0).entropy,
        "the course's own streaming_vitals",
    ),
    (
        "vitals.entropy",
        lambda q, k, rows: vitals.entropy((q @ k.mT).softmax(-1)),
        "the course's own entropy",
    ),
    ("vitals.probe", lambda attend, q, k: asking.entropy(q[None], k[None])[0], "the course's own entropy"),
    (
        "vitals.received",
        lambda q, k, lse, columns: asking.received(q, k, causal=True),
        "the course's own received",
    ),
    (
        "sinks.mass",
        lambda w: torch.stack([vitals.sink_mass(w, k) for k in range(w.shape[-1])], dim=-1),
        "the course's own sink_mass",
    ),
    (
        "sinks.null",
        lambda s, b: masked_softmax(torch.cat([s, b[:, None, None].expand_as(s[..., :1])], dim=-1))[..., :-1],
        "the course's own masked_softmax",
    ),
    (
        "sinks.log_n",
        lambda q, k, s: attention_weights(s * q * torch.arange(1, q.shape[-2] + 1)[:, None].log(), k, causal),
        "the course's own attention_weights",
    ),
    ("sinks.log_n", lambda q, k, s: F.scaled_dot_product_attention(q, k, k), "torch's scaled_dot_product_attention"),
    (
        "sinks.evict",
        lambda t, s, w: (window(w) | sinks(s)).dense(t + 1)[-1:].nonzero().mT,
        "the course's own window",
    ),
    ("sinks.underload", lambda w, v, r: vitals.set_mass(w, ~r), "the course's own set_mass"),
    (
        "limits.bits",
        lambda logits, odd: F.softplus(torch.where(odd, -logits, logits)) / math.log(2),
        "torch's softplus",
    ),
    ("limits.parity", lambda bits, c: built_parity()(bits.long()), "the course's own parity"),
    ("bias.audit", lambda tokens, labels, words: audit(tokens.tolist(), labels), "the course's own audit"),
    (
        "bias.worst",
        lambda said, labels, marks: min(group_accuracies((said == labels).double(), 2 * labels + marks)),
        "the course's own group_accuracies",
    ),
    ("bias.dro", lambda q, losses, groups, step: group_means(losses, groups, len(q)), "the course's own group_means"),
    ("bias.flips", lambda model, tokens, marks: flips(model(tokens), model(tokens)), "the course's own flips"),
    ("bias.calibration", lambda p, labels, bins: ece(p, labels, bins), "the course's own ece"),
    (
        "waste.small",
        lambda weights, visible, epsilon: vitals.sparsity(weights, visible, epsilon).mean(-1),
        "the course's own sparsity",
    ),
    (
        "waste.cover",
        lambda weights, share: vitals.keys_needed(weights[None], share)[0].long(),
        "the course's own keys_needed",
    ),
    (
        "waste.without",
        lambda x, w_q, w_k, w_v, w_o, heads, gone: F.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v) @ w_o,
        "torch's scaled_dot_product_attention",
    ),
    (
        "waste.influence",
        lambda states, keep: vitals.block_influence(*(x.flatten(0, 1) for x in (states[:-1], states[1:]))),
        "the course's own block_influence",
    ),
]


@pytest.mark.parametrize(("id", "answer", "named"), READY_MADE)
def test_an_answer_that_calls_what_it_should_build_is_refused(id, answer, named):
    result = check(id, answer)
    assert not result.passed and f"Your answer calls {named}" in result.message


def test_the_packages_own_visibility_is_refused_where_it_is_the_exercise():
    from attn_course.attention import document

    tries = {
        "visibility.causal": lambda n_query, n_key: causal.dense(n_query, n_key),
        "visibility.window": lambda n, w: (causal & window(w)).dense(n),
        "visibility.documents": lambda ids: (causal & document(ids)).dense(len(ids)),
    }
    for id, answer in tries.items():
        assert "Your answer calls the course's own" in check(id, answer).message


def test_right_answers_in_other_words_pass():
    others = {
        "formula.scores": lambda q, k: torch.einsum("...id,...jd->...ij", q, k) / q.size(-1) ** 0.5,
        "formula.softmax": lambda s: (s - torch.logsumexp(s, -1, keepdim=True)).exp(),
        "formula.query": lambda keys, wanted: (
            1e6 * torch.linalg.lstsq(keys, torch.eye(len(keys), dtype=keys.dtype)[wanted]).solution
        ),
        "formula.received": lambda w: torch.einsum("...ij->...j", w) / w.shape[-2],
        "scaling.entropy": lambda w: torch.special.entr(w).sum(-1),
        "scaling.half": lambda q, k: (q.double() @ k.double().mT) * q.shape[-1] ** -0.5,
        "visibility.causal": lambda a, b: torch.ones(a, b, dtype=torch.bool).tril(b - a),
        "visibility.masked": lambda s, v: torch.where(v, s, -1e30).softmax(-1) * v,
    }
    for id, answer in others.items():
        result = check(id, answer)
        assert result.passed, f"{id}: {result}"


def test_references_are_slow_and_their_own():
    """A reference that used the package's functions would test the package against itself."""
    from pathlib import Path

    import attn_course.coach.exercises as home

    for path in Path(home.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not node.module.startswith("attn_course.attention"), path


def test_references_are_deterministic():
    for id in IDS:
        task = task_for(id)
        for case in task.cases:
            called = task.reference if case.within is None else case.within(task.reference)
            a, b = (run(called, case.args, task.gradients) for _ in range(2))
            assert a.error is None and close(a.output, b.output, 0.0)
