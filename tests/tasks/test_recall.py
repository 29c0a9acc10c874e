import pytest
import torch

from attn_course.tasks.recall import recall_batch


def test_names_do_not_repeat_and_the_answer_is_beside_the_name():
    batch = recall_batch(torch.Generator().manual_seed(0), batch=200, pairs=16, vocabulary=32)
    assert all(len(set(row)) == 16 for row in batch.names.tolist())
    for names, contents, asked, answer in zip(batch.names, batch.contents, batch.asked, batch.answer, strict=True):
        assert contents[names == asked].tolist() == [answer.item()]
    assert len(set(batch.answer.tolist())) > 16


def test_too_many_pairs_get_a_sentence():
    with pytest.raises(ValueError, match="65 different names cannot be drawn from 64"):
        recall_batch(torch.Generator(), pairs=65)
