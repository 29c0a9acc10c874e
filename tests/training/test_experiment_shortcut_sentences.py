"""The sentences that the widget shows: chosen without a look at any model, and recorded as the models read them."""

import torch

from attn_course.tasks.marker import split
from attn_course.training.experiments import shortcut_sentences as made
from attn_course.training.recorded import recorded

torch.set_num_threads(1)


def test_the_record_is_what_is_measured():
    found, kept = made.measure(), recorded("shortcut_sentences")
    assert found["sentences"] == kept["sentences"] and list(found["stamps"]) == kept["stamps"]
    for remedy, of_stamp in found["answers"].items():
        for stamp, answers in of_stamp.items():
            for ours, theirs in zip(answers, kept["answers"][remedy][stamp], strict=True):
                assert abs(ours["p"] - theirs["p"]) < 0.002
                assert torch.allclose(torch.tensor(ours["cls"]), torch.tensor(theirs["cls"]), atol=2e-3)


def test_sentences_are_held_out_short_whole_and_of_either_label_in_turn():
    batch = made.chosen()
    assert batch.labels.tolist() == [0, 1] * 4
    held_out = {tuple(t for t in row if t) for row in split(0).held_out.tokens.tolist()}
    for row in batch.tokens.tolist():
        tokens = tuple(t for t in row if t)
        assert tokens in held_out and 8 <= len(tokens) <= 14 and 2 not in tokens


def test_every_sentence_is_read_with_the_stamp_that_was_asked_for():
    batch = made.chosen()
    for marker in range(2):
        stamped = made._all(batch, marker)
        assert (stamped.tokens[stamped.is_marker] == 3 + marker).all()
        assert torch.equal(stamped.tokens[~stamped.is_marker], batch.tokens[~batch.is_marker])
