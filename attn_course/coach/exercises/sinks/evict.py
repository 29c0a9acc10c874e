"""A cache that keeps the first keys and the last: which they are, and where they stand in it."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_evict(t: int, s: int, w: int) -> Tensor:
    """Xiao et al. (2023, 2309.17453): token after token goes in, and the oldest that is no sink goes out."""
    cache: list[int] = []
    for token in range(t + 1):
        cache.append(token)
        if len([kept for kept in cache if kept >= s]) > w:
            cache.remove(min(kept for kept in cache if kept >= s))
    return torch.tensor([cache, list(range(len(cache)))])


def _window(t: int, s: int, w: int) -> list[int]:
    return [j for j in range(max(s, t - w + 1), t + 1)]


def _sinks(t: int, s: int, w: int) -> list[int]:
    return [j for j in range(min(s, t + 1))]


def _places(kept: list[int], t: int) -> list[int]:
    return list(range(len(kept)))


def _with(
    sinks: Callable = _sinks,
    window: Callable = _window,
    join: Callable = lambda sinks, window: sinks + window,
    places: Callable = _places,
    rows: Callable = lambda kept, places: [kept, places],
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(t, s, w):
        kept = join(sinks(t, s, w), window(t, s, w))
        return torch.tensor(rows(kept, places(kept, t)))

    return answer


def _where(last: int, kept: Callable) -> Tensor:
    tokens = [j for j in range(last + 1) if kept(j)]
    return torch.tensor([tokens, list(range(len(tokens)))], dtype=torch.int64)


def _newest_evicted(t: int, s: int, w: int) -> Tensor:
    kept = list(range(min(t + 1, s + w)))
    return torch.tensor([kept, kept])


def _kept_in_order(out: Tensor, t: int, s: int, w: int) -> str | None:
    kept = out[0].tolist()
    if kept and max(kept) > t:
        return f"You keep token {max(kept)}, which has not come yet: the query stands at {t}."
    if kept and min(kept) < 0:
        return f"You keep token {min(kept)}: there is none before token 0."
    if len(set(kept)) < len(kept):
        twice = next(j for j in kept if kept.count(j) > 1)
        return f"Token {twice} is in the cache twice, so it would be looked at twice."
    if kept != sorted(kept):
        return "The tokens in the cache should stand in the order of the text."
    return None


def _own_key(out: Tensor, t: int, s: int, w: int) -> str | None:
    if t in out[0].tolist():
        return None
    return f"The query at {t} does not see its own key: w counts it as one of the last."


def _case(name: str, t: int, s: int, w: int) -> Case:
    return Case(f"{name} (t = {t}, s = {s}, w = {w})", (t, s, w))


TASK = Task(
    id="sinks.evict",
    reference=slow_evict,
    cases=(
        _case("the first token", 0, 1, 1),
        _case("all tokens still fit", 2, 1, 5),
        _case("the first eviction", 3, 1, 2),
        _case("the cache is exactly full", 4, 2, 3),
        _case("fewer tokens than sinks", 1, 4, 2),
        _case("sinks and window touch", 4, 2, 4),
        _case("a longer text", 11, 2, 4),
        _case("no sinks", 6, 0, 3),
        _case("a window of the query alone", 9, 3, 1),
        _case("a thousand tokens", 999, 4, 12),
    ),
    axes=("row", "kept"),
    gradients=False,
    properties=(_kept_in_order, _own_key),
    mistakes=(
        Mistake(
            "sinks_twice",
            "Early in the text the last w reach back into the first s, and you keep those tokens twice. Their weight "
            "would be counted twice: let the window begin at s at the earliest.",
            _with(window=lambda t, s, w: _window(t, 0, w)),
        ),
        Mistake(
            "sinks_that_have_not_come",
            "You keep s sinks from the start. At position t only the tokens 0 … t have come: min(s, t + 1) of them.",
            _with(sinks=lambda t, s, w: list(range(s))),
        ),
        Mistake(
            "both_not_clamped",
            "Right once the text is long. Early in it only the tokens 0 … t have come, and the last w reach back into "
            "the first s: min(s, t + 1) sinks, and a window that begins at s at the earliest.",
            _with(sinks=lambda t, s, w: list(range(s)), window=lambda t, s, w: _window(t, 0, w)),
        ),
        Mistake(
            "begins_before_the_text",
            "Early in the text t − w + 1 is below zero, and you keep tokens that never were. Let the window begin at s "
            "at the earliest.",
            _with(window=lambda t, s, w: list(range(t - w + 1, t + 1))),
        ),
        Mistake(
            "begins_after_its_end",
            "While fewer than s tokens have come, your window begins at s, after its end at t + 1, and torch refuses "
            "such a range. It is empty then. (One condition on all tokens 0 … t needs no such care.)",
            lambda t, s, w: torch.stack(
                [
                    kept := torch.cat([torch.arange(min(s, t + 1)), torch.arange(max(s, t - w + 1), t + 1)]),
                    torch.arange(len(kept)),
                ]
            ),
        ),
        Mistake(
            "as_if_full",
            "You answer as if the cache were always full: s sinks and w others. Early in the text only t + 1 tokens "
            "have come: keep those of 0 … t that are below s or above t − w.",
            lambda t, s, w: torch.tensor([[*range(s), *range(t - w + 1, t + 1)], list(range(s + w))]),
        ),
        Mistake(
            "both_conditions",
            "You keep what is a sink *and* among the last w. One of the two is enough: or, `|`.",
            lambda t, s, w: _where(t, lambda j: j < s and j > t - w),
        ),
        Mistake(
            "one_sink_too_many",
            "Off by one: with j ≤ s you keep s + 1 sinks. Counted from 0, the first s are 0 … s − 1.",
            lambda t, s, w: _where(t, lambda j: j <= s or j > t - w),
        ),
        Mistake(
            "all_but_its_own",
            "Your list of tokens ends at t − 1, as range(t) does. The query's own has come too: range(t + 1).",
            lambda t, s, w: _where(t - 1, lambda j: j < s or j > t - w),
        ),
        Mistake(
            "one_too_many",
            "Off by one: your window holds w + 1 tokens. The last w, with the query's own among them, begin at "
            "t − w + 1.",
            _with(window=lambda t, s, w: _window(t, s, w + 1)),
        ),
        Mistake(
            "one_too_few",
            "Off by one: your window holds w − 1 tokens. The last w, with the query's own among them, begin at "
            "t − w + 1.",
            _with(window=lambda t, s, w: _window(t, s, w - 1)),
        ),
        Mistake(
            "without_its_own",
            "Your window ends before the query. It sees its own key, which is the last of the w: t − w + 1 … t.",
            _with(
                sinks=lambda t, s, w: list(range(min(s, t))),
                window=lambda t, s, w: list(range(max(s, t - w), t)),
            ),
        ),
        Mistake(
            "places_in_the_text",
            "The kept tokens are right; the positions are those of the text. In the cache they count on without a gap, "
            "0, 1, 2, …: else a long text leads to distances that the model has never seen.",
            _with(places=lambda kept, t: kept),
        ),
        Mistake(
            "places_from_one",
            "The kept tokens are right; their places in the cache count from 0.",
            _with(places=lambda kept, t: [at + 1 for at in range(len(kept))]),
        ),
        Mistake(
            "places_backwards",
            "The kept tokens are right; their places are counted back from the query. They count from the cache's "
            "first token, 0, up to the query's own.",
            _with(places=lambda kept, t: list(range(len(kept)))[::-1]),
        ),
        Mistake(
            "query_always_last",
            "Your query stands at s + w − 1 from the start, so an unfilled cache begins late. Places count from 0: the "
            "query moves up until the cache is full, and stays there.",
            lambda t, s, w: _with(places=lambda kept, t: list(range(s + w - len(kept), s + w)))(t, s, w),
        ),
        Mistake(
            "distances",
            "The second row holds distances to the query, t − j. Asked are places in the cache: 0, 1, 2, …",
            _with(places=lambda kept, t: [t - j for j in kept]),
        ),
        Mistake(
            "window_begins_anew",
            "The places begin anew at the window. Sinks and window are one cache: count on.",
            lambda t, s, w: torch.tensor(
                [
                    _sinks(t, s, w) + _window(t, s, w),
                    list(range(len(_sinks(t, s, w)))) + list(range(len(_window(t, s, w)))),
                ]
            ),
        ),
        Mistake(
            "newest_evicted",
            "You keep the first s + w and let nothing new in. What goes out is the oldest that is no sink: first s, "
            "last w.",
            _newest_evicted,
        ),
        Mistake(
            "window_first",
            "The window stands before the sinks. Order them as in the text, sinks first: the places follow it.",
            _with(join=lambda sinks, window: window + sinks),
        ),
        Mistake(
            "newest_first",
            "The window is turned round, newest first. Order the tokens as in the text.",
            _with(window=lambda t, s, w: _window(t, s, w)[::-1]),
        ),
        Mistake(
            "no_sinks",
            "This is a plain window of w: the first s tokens are gone, and with them the sink. That is the eviction "
            "that makes the loss jump.",
            _with(sinks=lambda t, s, w: [], window=lambda t, s, w: _window(t, 0, w)),
        ),
        Mistake(
            "last_of_all",
            "You keep the last s + w tokens. As many, but the first s are gone, and with them the sink.",
            lambda t, s, w: _where(t, lambda j: j > t - w - s),
        ),
        Mistake(
            "w_is_the_whole_cache",
            "You count the sinks into w. The cache holds s and, beside them, the last w: s + w in all.",
            _with(window=lambda t, s, w: _window(t, s, max(1, w - s))),
        ),
        Mistake(
            "rows_exchanged",
            "The two rows are exchanged: first which tokens are kept, then their places.",
            _with(rows=lambda kept, places: [places, kept]),
        ),
    ),
)
