"""More data, more width, a stronger marker, a higher price: that the record fits the experiment, and what it says."""

import torch

from attn_course.training.experiments import spurious_more
from attn_course.training.recorded import recorded

torch.set_num_threads(1)
SERIES = {
    "data": spurious_more.KNOWN,
    "width": spurious_more.WIDTHS,
    "strength": spurious_more.STRENGTHS,
    "price": spurious_more.PRICES,
}


def test_a_short_run_has_the_form_of_the_record():
    whole = recorded("spurious_more")
    small = spurious_more.measure((0,), 1, known=(74,), widths=(8, 32), strengths=(0.5,), prices=(0.0, 3.0))
    assert set(small) <= set(whole)
    for name, amounts in SERIES.items():
        assert [(row["amount"], row["seed"]) for row in whole[name]] == [
            (amount, seed) for seed in spurious_more.SEEDS for amount in amounts
        ]
        assert all(set(row) == set(small[name][0]) for row in whole[name])


def test_the_series_have_the_plain_run_of_the_other_record_in_common():
    plain = [row for row in recorded("spurious")["rows"] if row["remedy"] == "plain"]
    usual = recorded("spurious_more")["settings"]["usual"]
    for name, amount in usual.items():
        same = [row for row in recorded("spurious_more")[name] if row["amount"] == amount]
        for ours, theirs in zip(same, plain, strict=True):
            assert {key: theirs[key] for key in theirs if key != "remedy"}.items() <= ours.items()


def test_each_amount_changes_one_thing():
    usual = spurious_more.usual(0, 1)
    assert spurious_more.of_data(740, 0, 1) == {"amount": 740} | {k: v for k, v in usual.items() if k != "remedy"}
    for other in (
        spurious_more.of_data(74, 0, 1),
        spurious_more.of_width(8, 0, 1),
        spurious_more.of_strength(0.5, 0, 1),
        spurious_more.of_price(100.0, 0, 1),
    ):
        assert other["groups"] != usual["groups"] or other["layers"] != usual["layers"]


def test_the_record_holds_what_the_lesson_says_of_it():
    table = recorded("spurious_more")["summary"]

    def mean(series, amount, name):
        return table[series][str(amount)][name][0]

    # Ten times the data and four times the width: more accurate, and the worst group stays below guessing.
    assert mean("data", 740, "accuracy") > mean("data", 74, "accuracy") + 0.05 and mean("data", 740, "flips") > 0.6
    assert mean("width", 128, "accuracy") > mean("width", 32, "accuracy")
    assert all(mean("data", n, "worst group") < 0.3 for n in spurious_more.KNOWN)
    assert all(mean("width", d, "worst group") < 0.3 for d in spurious_more.WIDTHS)
    # The stronger the marker, the better it looks and the worse it is.
    for weaker, stronger in zip(spurious_more.STRENGTHS, spurious_more.STRENGTHS[1:], strict=False):
        assert mean("strength", stronger, "accuracy") > mean("strength", weaker, "accuracy")
        assert mean("strength", stronger, "worst group") < mean("strength", weaker, "worst group")
    assert mean("price", 100.0, "on marker") < 0.001 and mean("price", 100.0, "flips") > 0.6
