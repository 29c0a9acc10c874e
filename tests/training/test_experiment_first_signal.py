"""Which signal comes first: alarms ring where a made-up series says, and the record is what the code measures."""

from itertools import pairwise

import pytest

from attn_course.training.experiments import first_signal
from attn_course.training.recorded import recorded


def made(n: int = 120, **series) -> dict:
    quiet = {"max logit": [1.0] * n, "collapsed": [0.0] * n, "gradient": [1.0] * n}
    return {name: [series[name](i) for i in range(1, n + 1)] if name in series else quiet[name] for name in quiet}


def test_each_alarm_rings_at_its_step_and_the_others_do_not():
    assert first_signal.alarms(made()) == dict.fromkeys(first_signal.BARS, [None] * 3)
    logits = first_signal.alarms(made(**{"max logit": lambda i: 10.0 * i}))
    assert logits["max logit"] == [4, 11, 101] and logits["entropy"] == [None] * 3
    entropy = first_signal.alarms(made(collapsed=lambda i: i / 120))
    assert entropy["entropy"] == [31, 61, 91]
    gradient = first_signal.alarms(made(gradient=lambda i: 1.0 if i < 70 else 5.0))
    assert gradient["gradient"] == [70, 70, None]


def test_a_gradient_is_judged_only_after_fifty_steps():
    assert first_signal.over_median([1.0] * 10 + [99.0] * 10) == [0.0] * 20


def test_the_loss_breaks_where_it_stands_half_a_nat_above_its_best():
    losses = [3.0] * 10 + [2.0] * 10 + [2.4] * 10 + [2.6] * 10
    # Five steps must hold enough of the new level: the mean passes 2.5 with the third 2.6 of five.
    assert first_signal.breaks(losses) == 33
    assert first_signal.breaks([2.0] * 50) is None and first_signal.breaks([2.0]) is None


def test_signals_are_watched_at_every_step():
    series = first_signal.watched(0.01, steps=3)
    assert set(series) == {"loss", "held out", "gradient", "max logit", "entropy", "collapsed"}
    assert {len(values) for values in series.values()} == {3}


def test_the_record_is_of_the_bars_that_were_fixed():
    small, whole = first_signal.measure(seeds=(0,), steps=2), recorded("first_signal")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    assert whole["settings"]["bars"] == {name: list(bars) for name, bars in first_signal.BARS.items()}
    assert len(whole["seeds"]) >= 10 and whole["settings"]["fixed"] == 1
    for row in whole["rows"]:
        for steps in row["alarms"].values():
            rung = [step if step is not None else float("inf") for step in steps]
            assert all(a <= b for a, b in pairwise(rung)), "a stricter bar is passed no earlier"


@pytest.mark.parametrize("lr", [first_signal.BREAKING, first_signal.CALM])
def test_every_seed_of_both_rates_is_recorded(lr):
    rows = [row for row in recorded("first_signal")["rows"] if row["lr"] == lr]
    assert [row["seed"] for row in rows] == list(first_signal.SEEDS)
