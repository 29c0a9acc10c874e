"""The house: a room imports only from the floors below it, and the command line waits for no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "attn_course"
# Ground floor first.
FLOORS = (("attention",), ("models", "tasks"), ("training",), ("diagnosis",), ("show",), ("coach",))
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def imported_rooms(file):
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name.split(".")[1] for name in names if name and name.startswith("attn_course."))


def test_every_folder_of_the_package_is_a_room_with_a_floor():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == set(FLOOR)


@pytest.mark.parametrize("room", FLOOR)
def test_a_room_imports_only_from_below(room):
    for file in (PACKAGE / room).rglob("*.py"):
        above = [other for other in imported_rooms(file) if other != room and FLOOR[other] >= FLOOR[room]]
        assert not above, f"{file.relative_to(PACKAGE)} imports {above}"


def test_the_catalogue_and_the_command_line_need_no_torch():
    use = "import sys, attn_course.coach.cli, attn_course.coach.catalogue as c; c.exercises()"
    code = f"{use}; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
