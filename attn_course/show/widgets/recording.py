"""A training as the scrubber reads it: curves as numbers, maps and points in one or two bytes a value.

A map's values are rounded to 1/65534 of the range of all maps where that takes little room, else to 1/254; attention
weights always have the range 0 to 1. What is no number (NaN, inf) keeps its place: a gap in a curve, an empty cell.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

MOST_BYTES = 2_000_000  # of base64, maps and points together
FINE_BYTES = 400_000  # as long as maps stay below it, they get two bytes a value
MOST_RUNS = 4
DECADES = 1e3  # a curve whose largest value is this many times its smallest gets a logarithmic axis


def recording(steps, runs: Mapping[str, Mapping], tokens, axes, healthy, marks, step_name, log) -> dict:
    """Everything the browser needs; raises ValueError with one sentence for what does not fit together."""
    steps = _steps(steps)
    if not 1 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"The scrubber shows 1 to {MOST_RUNS} runs side by side, got {len(runs)}.")
    for name, run in runs.items():
        unknown = sorted(set(run) - {"curves", "maps", "points"})
        if unknown:
            raise ValueError(f"A run holds curves, maps and points; {name or 'this run'} also has {unknown}.")
    curves = _each(runs, "curves", lambda name, given: _curve(name, given, len(steps)))
    maps = _each(runs, "maps", lambda name, given: _tensor("Map", name, given, len(steps), "query, key"))
    points = _each(runs, "points", lambda name, given: _tensor("Points", name, given, len(steps), "token, 2"))
    if not any(curves) and not any(maps) and not any(points):
        raise ValueError("There is nothing to show: give at least one curve, map or cloud of points.")
    tokens = None if tokens is None else [str(token) for token in tokens]
    _fit(maps, points, tokens)
    names = list(dict.fromkeys(name for run in curves for name in run))
    packed_maps, packed_points = _pack_maps(maps), _pack_points(points)
    total = sum(len(codes) for kind in (packed_maps, packed_points) for run in kind["runs"] for codes in run.values())
    if total > MOST_BYTES:
        raise ValueError(
            f"Maps and points take {total / 1e6:.1f} MB, the scrubber holds {MOST_BYTES / 1e6:.0f}: "
            "give fewer steps, fewer heads or fewer tokens."
        )
    return {
        "steps": steps,
        "step_name": str(step_name),
        "marks": _marks(marks or {}, steps),
        "tokens": tokens,
        "runs": [str(name) for name in runs],
        "curves": [
            {
                "name": name,
                "unit": _known(axes, names, "axes").get(name, ""),
                "healthy": _band(name, _known(healthy, names, "healthy").get(name)),
                "log": _log(name, [run.get(name, []) for run in curves], log, names),
                "values": [_plain(run[name]) if name in run else None for run in curves],
            }
            for name in names
        ],
        "maps": packed_maps,
        "points": packed_points,
    }


def _steps(steps) -> list:
    steps = steps.tolist() if hasattr(steps, "tolist") else list(steps)
    if not steps:
        raise ValueError("There are no steps: record at least one.")
    if not all(isinstance(step, int | float) and math.isfinite(step) for step in steps):
        raise ValueError("Each step should be a number: which step of the training, or which layer, was recorded.")
    if any(later <= step for step, later in pairwise(steps)):
        raise ValueError("The steps should rise from one to the next.")
    return steps


def _each(runs: Mapping, kind: str, read) -> list[dict]:
    return [
        {str(name): read(str(name), given) for name, given in (run.get(kind) or {}).items()} for run in runs.values()
    ]


def _curve(name: str, values, n: int) -> list[float]:
    try:
        values = [math.nan if value is None else float(value) for value in values]
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"The curve {name} should hold one number for each step.") from None
    if len(values) != n:
        raise ValueError(f"There are {n} steps, but the curve {name} has {len(values)} values; fill gaps with NaN.")
    return values


def _tensor(kind: str, name: str, given, n: int, rest: str) -> Tensor:
    try:
        if not isinstance(given, Tensor):
            given = torch.stack([torch.as_tensor(step) for step in given])
        given = given.detach().cpu().float()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{kind} {name} should be one tensor ({n} steps, {rest}), each step as large.") from None
    if given.dim() != 3 or len(given) != n or 0 in given.shape or (rest.endswith("2") and given.shape[2] != 2):
        raise ValueError(f"{kind} {name} should be ({n} steps, {rest}), got {tuple(given.shape)}.")
    return given


def _fit(maps: list[dict], points: list[dict], tokens: list[str] | None) -> None:
    sizes = {name: tuple(each.shape[1:]) for run in maps for name, each in run.items()}
    if len({tuple(each.shape[1:]) for run in maps for each in run.values()}) > 1:
        raise ValueError(f"All maps should be of one size, so that one cell can be followed in all; got {sizes}.")
    counts = {len(tokens)} if tokens is not None else set()
    counts |= {each.shape[1] for run in points for each in run.values()}
    if tokens is not None:
        counts |= {side for size in sizes.values() for side in size}
    if len(counts) > 1:
        raise ValueError(f"Tokens, maps and points should have equally many tokens, got {sorted(counts)}.")


def _known(given, names: Sequence[str], what: str) -> dict:
    given = given or {}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"{what} speaks of {', '.join(map(repr, unknown))}; the curves are {', '.join(names)}.")
    return given


def _band(name: str, band) -> list[float | None] | None:
    if band is None:
        return None
    low, high = map(float, band)
    if not low < high or (math.isinf(low) and math.isinf(high)):
        raise ValueError(f"The healthy range of {name} should be (low, high), got ({low:g}, {high:g}).")
    return [None if math.isinf(bound) else bound for bound in (low, high)]


def _log(name: str, runs: list[list[float]], log, names: Sequence[str]) -> bool:
    """Whether the axis is logarithmic: as asked, else where the values span three decades."""
    finite = [value for run in runs for value in run if math.isfinite(value)]
    if log is None:
        return bool(finite) and min(finite) > 0 and max(finite) >= DECADES * min(finite)
    asked = name in _known(dict.fromkeys(log), names, "log")
    if asked and any(value <= 0 for value in finite):
        raise ValueError(f"{name} has values of 0 or less, which a logarithmic axis cannot show: leave it out of log.")
    return asked


def _marks(marks: Mapping, steps: Sequence) -> list:
    for step in marks:
        if not steps[0] <= step <= steps[-1]:
            raise ValueError(f"The mark at {step} lies outside the steps, {steps[0]} to {steps[-1]}.")
    return [[step, str(words)] for step, words in sorted(marks.items())]


def _plain(values: Sequence[float]) -> list:
    """As JSON can say it: NaN is null, the infinite is a word."""
    return [
        float(f"{value:.6g}") if math.isfinite(value) else None if math.isnan(value) else str(value) for value in values
    ]


def _pack_maps(maps: list[dict]) -> dict:
    every = [each for run in maps for each in run.values()]
    if not every:
        return {"names": [], "runs": [{} for _ in maps]}
    numbers = torch.cat([each[each.isfinite()] for each in every])
    low, high = (numbers.min().item(), numbers.max().item()) if len(numbers) else (0.0, 1.0)
    weights = low >= 0 and high <= 1.001 and all((each.nan_to_num().sum(-1) <= 1.01).all() for each in every)
    if weights:
        low, high = 0.0, 1.0
    elif high <= low:
        high = low + 1
    queries, keys = every[0].shape[1:]
    above = torch.ones(queries, keys, dtype=torch.bool).triu(1)
    past = queries == keys > 1 and not any(each.nan_to_num()[:, above].any() for each in every)
    bits = 16 if sum(each.numel() for each in every) * 8 / 3 <= FINE_BYTES else 8
    packed = [{name: _codes((each - low) / (high - low), bits) for name, each in run.items()} for run in maps]
    names = list(dict.fromkeys(name for run in maps for name in run))
    shape = {"queries": queries, "keys": keys, "low": low, "high": high, "bits": bits}
    return {"names": names, **shape, "weights": bool(weights), "past": bool(past), "runs": packed}


def _pack_points(points: list[dict]) -> dict:
    """Each cloud in a square that holds it at every step and in every run, so that distances may be compared."""
    names = list(dict.fromkeys(name for run in points for name in run))
    squares, packed = {}, [{} for _ in points]
    for name in names:
        every = torch.cat([run[name].flatten(0, 1) for run in points if name in run])
        every = every[every.isfinite().all(-1)]
        low, high = (every.min(0).values, every.max(0).values) if len(every) else (torch.zeros(2), torch.ones(2))
        side = (high - low).max().item() or 1.0
        corner = (low + high) / 2 - side / 2
        squares[name] = {"corner": corner.tolist(), "side": side}
        for run, own in zip(points, packed, strict=True):
            if name in run:
                own[name] = _codes((run[name] - corner) / side, 16)
    return {"names": names, "squares": squares, "runs": packed}


def _codes(shares: Tensor, bits: int) -> str:
    """Shares of the range as whole numbers from 0 to 2^bits − 2; 2^bits − 1 is no number."""
    top = 2**bits - 2
    codes = torch.where(shares.isfinite(), (shares.clamp(0, 1) * top).round(), top + 1.0)
    return base64.b64encode(codes.numpy().astype("<u2" if bits == 16 else "u1").tobytes()).decode()
