"""Reports of every sort, and what the browser tests read from their pages."""

import re
from dataclasses import replace

import doctor_reports
import matplotlib
import numpy as np
import pytest

CIVIDIS = matplotlib.colormaps["cividis"]
SHADE = 16  # of 255: the page's ten stops, against the colour map's 256
REPORTS = {
    "sound": doctor_reports.report,
    "one head": lambda: doctor_reports.report(1, 1),
    "nothing found": lambda: doctor_reports.report(findings=(), notes=()),
    "no text": lambda: doctor_reports.report(2, 3, None, n=40),
    "written": doctor_reports.written,
    "sick": doctor_reports.sick,
    "gradients": lambda: doctor_reports.with_gradients(doctor_reports.report()),
    "malicious": doctor_reports.malicious,
    "uneven": doctor_reports.uneven,
    "bare": lambda: replace(doctor_reports.report(), layers=(), blocks=(), findings=(), tokens=(), sets={}),
}
every_report = pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)


def cells(page):
    return page.locator("[role=gridcell]")


def shown(page) -> list[list[str]]:
    rows = "rows => rows.map(r => [...r.querySelectorAll('[role=gridcell]')].map(c => c.textContent))"
    return page.locator("[role=row]").evaluate_all(rows)[1:]


def number(words: str) -> float | None:
    return None if words == "–" else float(words.replace("−", "-"))


def rounding(words: str) -> float:
    """Half a unit of the last digit shown."""
    mantissa, _, power = words.replace("−", "-").partition("e")
    digits = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(power or 0) - digits)


def close(words: str, value: float | None) -> bool:
    shown = number(words)
    return shown == value if None in (shown, value) else abs(shown - value) <= rounding(words) * 1.001


def rgb(words: str) -> np.ndarray:
    return np.array([float(each) for each in re.findall(r"[\d.]+", words)])


def some(row) -> bool:
    return any(x is not None for x in row)


def pixels(page) -> np.ndarray:
    """(row, column, 4) of the heat map."""
    read = "c => [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    wide, tall, *flat = page.locator(".field canvas").evaluate(read)
    return np.array(flat).reshape(tall, wide, 4)
