"""Some weights faster than others: the same steps as an optimiser with a rate for each group."""

import pytest
import torch
from torch import nn

from attn_course.training.faster import faster


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def stepped(model: nn.Module, groups: list[dict], steps: int = 20) -> list[torch.Tensor]:
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0, eps=1e-30)
    x = torch.randn(16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - x.sum(dim=1, keepdim=True)).square().mean().backward()
        optimizer.step()
    return [model[place].weight.detach() for place in (0, 2)] + [model[place].bias.detach() for place in (0, 2)]


@pytest.mark.parametrize("times", [30.0, 0.03])
def test_it_learns_as_with_a_rate_for_each_group(times):
    plain, hurried = network(), network()
    names = faster(hurried, lambda name: name.startswith("0."), times)
    assert names == ["0.weight", "0.bias"]
    wanted = stepped(
        plain,
        [{"params": plain[0].parameters(), "lr": 1e-3 * times}, {"params": plain[2].parameters(), "lr": 1e-3}],
    )
    found = stepped(hurried, [{"params": hurried.parameters(), "lr": 1e-3}])
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-9)


def test_outputs_stay():
    plain, hurried = network(), network()
    faster(hurried, lambda name: "weight" in name, 7.0)
    x = torch.randn(3, 4, dtype=torch.float64)
    assert torch.allclose(plain(x), hurried(x), atol=1e-12)


@pytest.mark.parametrize("times", [0, -1.0, float("nan")])
def test_a_factor_that_is_none_is_refused(times):
    with pytest.raises(ValueError, match="times is how many times as fast, above 0"):
        faster(network(), lambda name: True, times)


def test_nothing_chosen_is_refused():
    with pytest.raises(ValueError, match="No parameter has such a name"):
        faster(network(), lambda name: "w_q" in name, 2.0)
