"""Long work shows a bar and leaves nothing behind; where outputs are compared, there is none."""

import time

import torch
from torch import nn

from attn_course.training.loop import train


def slow(model, generator):
    time.sleep(0.12)
    return model(torch.randn(4, 3, generator=generator)).square().mean()


def test_long_work_shows_a_bar_with_the_loss(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    train(nn.Linear(3, 1), slow, steps=22)
    said = capsys.readouterr().err
    assert "training" in said and "/22" in said and "loss" in said


def test_short_work_shows_none(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    train(nn.Linear(3, 1), slow, steps=2)
    assert capsys.readouterr().err == ""


def test_it_can_be_silenced(capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    train(nn.Linear(3, 1), slow, steps=22)
    assert capsys.readouterr().err == ""
