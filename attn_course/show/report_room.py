"""A report in so many bytes: what is only there to be looked at is drawn coarser until it fits."""

import json

A_HEAD, LEAST = 4_500, 1_400_000  # bytes of JSON
DIGITS = 4  # of a weight: a screen tells 256 apart
FEWEST = 16  # columns: pooled further, a row says little


def fitted(report: dict, room: int | None = None) -> tuple[dict, list[str]]:
    """The report with its maps made coarse enough, and sentences on what was done. The report given stays as it is.

    Keys are pooled two by two (their weights added), then every other row is left out, then the maps.
    """
    heads = sum(layer["heads"] for layer in report["layers"])
    room = max(LEAST, A_HEAD * heads) if room is None else room
    maps = [layer["maps"] and _rounded(layer["maps"]) for layer in report["layers"]]
    left = room - _bytes(_with_maps(report, [None] * len(maps)))
    notes = []
    for coarser, applies, note in STEPS:
        while _bytes(maps) > left and any(each and applies(each) for each in maps):
            maps = [coarser(each) if each and applies(each) else each for each in maps]
            notes += [] if note in notes else [note]
    return _with_maps(report, maps), notes


def _with_maps(report: dict, maps: list[dict | None]) -> dict:
    layers = [{**layer, "maps": each} for layer, each in zip(report["layers"], maps, strict=True)]
    return {**report, "layers": layers}


def _bytes(value) -> int:
    return len(json.dumps(value, separators=(",", ":")))


def _rounded(maps: dict) -> dict:
    """Weights with few digits, and whole numbers without a point: half of the bytes."""
    short = lambda row: [None if x is None else _short(x) for x in row]  # noqa: E731
    weights = [[short(row) for row in head] for head in maps["weights"]]
    return {**maps, "weights": weights, "received": [short(row) for row in maps["received"]]}


def _short(x: float) -> float | int:
    x = round(x, DIGITS)
    return int(x) if x == int(x) else x


def _pooled(maps: dict) -> dict:
    """Two columns in one: their weights added."""
    columns = [*maps["columns"][:-1][::2], maps["columns"][-1]]
    weights = [[_pairs(row) for row in head] for head in maps["weights"]]
    return {**maps, "columns": columns, "weights": weights, "received": [_pairs(row) for row in maps["received"]]}


def _pairs(row: list) -> list:
    pairs = [row[at : at + 2] for at in range(0, len(row), 2)]
    return [None if None in pair else _short(sum(pair)) for pair in pairs]


def _thinned(maps: dict) -> dict:
    """Every other row, the last one always among them."""
    keep = range((len(maps["rows"]) - 1) % 2, len(maps["rows"]), 2)
    weights = [[head[at] for at in keep] for head in maps["weights"]]
    return {**maps, "rows": [maps["rows"][at] for at in keep], "weights": weights}


STEPS = (
    (
        _pooled,
        lambda maps: len(maps["columns"]) - 1 >= 2 * FEWEST,
        "To keep this page small, neighbouring keys of the rows to look at are added up.",
    ),
    (
        _thinned,
        lambda maps: len(maps["rows"]) > 4,
        "To keep this page small, some of the rows to look at are left out.",
    ),
    (lambda maps: None, bool, "To keep this page small, the rows to look at are left out."),
)
