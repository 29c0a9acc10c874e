"""A run that was interrupted ends as if it had not been: weights, data order, dropout, bit for bit."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from attn_course.attention import Learned
from attn_course.models.gpt import GPT
from attn_course.training.files import load_weights, save_weights
from attn_course.training.loop import train
from attn_course.training.schedules import warmup, warmup_cosine


class WithDropout(nn.Module):
    """A GPT whose embeddings are dropped out at random, so that torch's own dice count too."""

    def __init__(self):
        super().__init__()
        self.gpt = GPT(10, 8, 2, 2, Learned(6, 8))
        self.dropout = nn.Dropout(0.2)

    def forward(self, tokens):
        return self.gpt.head(self.gpt.run(self.dropout(self.gpt.embed(tokens))))


def next_token(model, generator):
    tokens = torch.randint(10, (4, 7), generator=generator)
    return nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def interrupted_at(step):
    calls = 0

    def loss(model, generator):
        nonlocal calls
        calls += 1
        if calls > step:
            raise KeyboardInterrupt
        return next_token(model, generator)

    return loss


def measure(model):
    return {"size": sum(p.square().sum().item() for p in model.parameters())}


SETTINGS = {
    "steps": 23,
    "lr": 3e-3,
    "seed": 5,
    "schedule": warmup_cosine(4),
    "clip": 1.0,
    "measure": measure,
    "every": 5,
}


def fresh():
    torch.manual_seed(0)
    return WithDropout()


@pytest.mark.parametrize("step", [3, 5, 13, 20])
def test_resumed_is_uninterrupted_bit_for_bit(tmp_path, step):
    whole = fresh()
    torch.manual_seed(7)
    expected = train(whole, next_token, **SETTINGS)
    file = tmp_path / "run.safetensors"
    first = fresh()
    torch.manual_seed(7)
    with pytest.raises(KeyboardInterrupt):
        train(first, interrupted_at(step), **SETTINGS, save=file)
    resumed = fresh()
    torch.manual_seed(7 if step < 5 else 99)  # once something was saved, the dice lie as they lay
    history = train(resumed, next_token, **SETTINGS, save=file)
    assert history == expected and history.measured == expected.measured
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_a_finished_run_is_not_run_again_and_a_longer_one_goes_on(tmp_path):
    file, settings = tmp_path / "run.safetensors", {"lr": 1e-3, "schedule": warmup(3)}
    model = fresh()
    short = train(model, next_token, 10, save=file, **settings)
    assert train(fresh(), interrupted_at(0), 10, save=file, **settings) == short
    longer = train(fresh(), next_token, 15, save=file, **settings)
    assert longer[:10] == short and len(longer) == 15


BAD = [
    ({"lr": 2e-3}, "trained step 0 with lr 0.001, this call would have with 0.002"),
    ({"seed": 1}, "begun with seed=0, this call has 1"),
    ({"steps": 6}, "has run 8 steps already, more than steps=6"),
    ({"schedule": warmup(2)}, "trained step 0 with lr 0.001"),
]


@pytest.mark.parametrize(("other", "sentence"), BAD)
def test_another_training_is_not_mixed_with_the_saved_one(tmp_path, other, sentence):
    file = tmp_path / "run.safetensors"
    train(fresh(), next_token, 8, save=file)
    with pytest.raises(ValueError, match=sentence):
        train(fresh(), next_token, **({"steps": 12} | other), save=file)


def test_files_that_are_no_such_run_are_refused(tmp_path):
    file = tmp_path / "run.safetensors"
    train(fresh(), next_token, 4, save=file)
    with pytest.raises(ValueError, match=r"is the run of another model: weight is missing there and \(1, 3\) here"):
        train(nn.Linear(3, 1), lambda model, generator: model(torch.ones(1, 3)).mean(), 8, save=file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ValueError, match="is damaged or cut short"):
        train(fresh(), next_token, 8, save=file)
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="holds no training run of this course"):
        train(fresh(), next_token, 8, save=file)


def test_weights_alone_are_saved_and_loaded(tmp_path):
    file = tmp_path / "folder" / "weights.safetensors"
    model, other = fresh(), WithDropout().train()
    save_weights(model, file)
    assert load_weights(other, file) is other and not other.training
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    with pytest.raises(ValueError, match=r"belongs to another model: weight is missing there and \(1, 3\) here"):
        load_weights(nn.Linear(3, 1), file)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_weights(other, tmp_path / "none.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged or cut short"):
        load_weights(other, file)


def test_nothing_is_left_half_written(tmp_path):
    save_weights(fresh(), tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
