"""The rules, held to every notebook in the course."""

from pathlib import Path

import pytest

from tests.notebooks.rules import RULES
from tools.normalise import read, stored_text

ROOT = Path(__file__).parents[2]
FILES = {folder: sorted((ROOT / folder).glob("*.ipynb")) for folder in RULES}
CASES = [
    pytest.param(path, rule, id=f"{folder}/{path.stem}-{rule.__name__}")
    for folder, files in FILES.items()
    for path in files
    for rule in RULES[folder]
]


def test_there_are_lessons():
    assert FILES["notebooks"], "There is no notebook in notebooks/."


def test_every_lesson_has_its_exercise_and_its_solution():
    names = {folder: [path.name for path in files] for folder, files in FILES.items()}
    assert names["notebooks"] == names["exercises"] == names["solutions"]


@pytest.mark.parametrize(("path", "rule"), CASES)
def test_the_notebook_keeps_the_rule(path, rule):
    assert rule(read(path)) == []


@pytest.mark.parametrize(
    "path", [path for files in FILES.values() for path in files], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_the_file_is_stored_to_the_byte(path):
    assert path.read_bytes() == stored_text(read(path), path).encode()
