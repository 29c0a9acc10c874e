"""What a check says, whatever the learner hands it."""

import contextlib
import time

import pytest
import torch

from attn_course.coach import check, progress
from attn_course.coach.catalogue import UnknownExercise
from attn_course.coach.exercises import task_for
from attn_course.coach.result import NotPassed


def right(q, k):
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5


def refused(answer, id="formula.scores", **kwargs):
    result = check(id, answer, **kwargs)
    assert not result.passed and result.message and "Traceback" not in result.message
    return result.message


def test_a_result_reads_well_in_a_terminal_and_on_a_page():
    result = check("formula.scores", lambda q, k: q @ k.transpose(-2, -1))
    text, page = repr(result), result._repr_html_()
    assert text.startswith("Not yet. These are the dot products") and "target" in text and "yours" in text
    assert text.endswith('Three hints left: `hint("formula.scores")`.')
    assert "<table" in page and "Smallest case where it shows: 1 query, 2 keys, d_k = 2." in page
    assert result.mistake == "no_scale" and not result
    passed = check("formula.scores", right)
    assert repr(passed).startswith("Passed.") and bool(passed) and passed.mistake is None


def test_require_raises_for_a_gradebook_and_only_then():
    check("formula.scores", right).require()
    with pytest.raises(NotPassed, match="not yet divided"):
        check("formula.scores", lambda q, k: q @ k.transpose(-2, -1)).require()


def test_tries_and_passes_are_noted():
    check("formula.scores", None)
    check("formula.scores", right)
    assert progress.tries("formula.scores") == 2 and progress.passed("formula.scores")


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(UnknownExercise, match=r"Did you mean formula\.scores"):
        check("formula.score", right)


def test_answers_that_are_no_function():
    assert "There is nothing to check yet" in refused(None)
    assert "There is nothing to check yet" in refused(...)
    assert "wants the function itself" in refused(torch.ones(2)) and "shape (2,)" in refused(torch.ones(2))
    assert "should take (q, k); yours takes (q)" in refused(lambda q: q)


def test_exceptions_name_the_line():
    def answer(q, k):
        return q.view(7, 7)  # it has two numbers

    message = refused(answer)
    assert "raised RuntimeError on line" in message and "return q.view(7, 7)" in message and "(1, 2), (2, 2)" in message


def test_wrong_kinds_of_output():
    assert "returns None. Is there a `return`" in refused(lambda q, k: None)
    assert "it returned a list" in refused(lambda q, k: [1.0])
    assert "it returned a numpy ndarray" in refused(lambda q, k: right(q, k).detach().numpy())
    assert "has shape (2, 1), it should have (1, 2): (…, query, key)" in refused(
        lambda q, k: right(q, k).mT.clone() * 3
    )
    assert "NaN at 2 of 2 places" in refused(lambda q, k: right(q, k) * float("nan"))
    assert "should hold True and False" in refused(lambda a, b: torch.ones(a, b).tril(b - a), "visibility.causal")


def test_gradients_count():
    assert "no gradient flows back" in refused(lambda q, k: right(q, k).detach())
    assert "the gradients are not" in refused(lambda q, k: right(q.detach(), k) + 0 * q.sum())


def test_an_unlisted_mistake_gets_the_place_and_both_numbers():
    message = refused(lambda q, k: right(q, k) + 0.25)
    assert "The largest difference is at query 0, key" in message and "yours is" in message
    message = refused(lambda a, b: torch.ones(a, b, dtype=torch.bool).tril(b - a + 1), "visibility.causal")
    assert "1 of 4 cells differ, the first at query 0, key 1: should be False" in message


def test_a_law_that_is_broken_is_said_before_the_numbers():
    assert "every row must sum to 1" in refused(lambda s: s.sigmoid(), "formula.softmax")


def test_an_endless_loop_is_stopped():
    def answer(q, k):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    began = time.monotonic()
    assert "still running after 0.5 seconds" in refused(answer, seconds=0.5)
    assert time.monotonic() - began < 3


def test_a_flood_of_print_is_stopped_and_a_little_is_shown(capsys):
    def flood(q, k):
        while True:
            print("noise " * 100)

    assert "printed more than 20,000 characters" in refused(flood)

    def trickle(q, k):
        print("here I am")
        return q @ k.transpose(-2, -1)

    assert "It printed: here I am" in refused(trickle)
    assert capsys.readouterr().out == ""


def test_hunger_for_memory_is_stopped():
    def slowly(q, k):
        kept = []
        while True:
            kept.append(torch.ones(4_000_000))

    message = refused(slowly)
    assert "more than 2 GB of memory" in message or "allocate memory" in message
    assert "raised RuntimeError" in refused(lambda q, k: torch.ones(10**13)[:1] * right(q, k))


def test_exit_and_recursion_end_in_a_sentence():
    assert "calls exit()" in refused(lambda q, k: exit())
    loop = lambda q, k: loop(q, k)  # noqa: E731
    assert "raised RecursionError" in refused(loop)


def test_an_interrupt_by_the_learner_goes_through():
    def answer(q, k):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("formula.scores", answer)


def test_the_picture_shows_the_matrix_that_differs_and_frames_only_what_differs():
    def second_head(q, k):
        out = right(q, k)
        return out + torch.eye(*out.shape[-2:]) * torch.tensor([0, 5, 0])[:, None, None] if q.dim() == 4 else out

    result = check("formula.scores", second_head)
    assert "[0, 1] of the leading axes" in str(result)
    assert result._repr_html_().count("outline:2px") == 4  # one for each query, on the diagonal


def test_equal_numbers_look_equal_and_text_is_safe_on_a_page():
    page = check("formula.scores", lambda q, k: 3 * right(q, k))._repr_html_()
    assert page.count("0,114,178,0.45") == 2  # the target's largest, and yours, which is larger still
    over_queries = task_for("formula.softmax").mistakes[0].answer
    assert "Each <em>query</em> decides" in check("formula.softmax", over_queries)._repr_html_()

    def prints(q, k):
        print("<script>")

    assert "&lt;script&gt;" in check("formula.scores", prints)._repr_html_()
