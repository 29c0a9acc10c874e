"""The wheel in an empty folder, and versions: pins that fit the ranges, conda and CI that follow pyproject."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHIPPED = ("notebooks", "exercises")


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for line in sum(extras, PROJECT["dependencies"])]


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pairs}


# The wheel


def build(project: Path) -> Path:
    """The wheel of this project, built without fetching anything."""
    shutil.rmtree(project / "dist", ignore_errors=True)
    words = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(project / "dist"),
        str(project),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (project / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of what the wheel is made of, with a lesson that the tests may change."""
    folder = tmp_path_factory.mktemp("project")
    leave = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info")
    for part in ("attn_course", "tools", "notebooks", "exercises", "solutions"):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=leave)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    for part in ("notebooks", "exercises", "solutions"):
        write_notebook(folder / part / "98_change.ipynb", f"{part}, first edition")
    (folder / "notebooks/.ipynb_checkpoints").mkdir()
    write_notebook(folder / "notebooks/.ipynb_checkpoints/98_change-checkpoint.ipynb", "an editor's own copy")
    return folder


def write_notebook(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": text}]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


class Installed:
    """The wheel in a folder of its own, used from another one that has nothing to do with the checkout."""

    def __init__(self, place: Path):
        self.site, self.empty, self.home = place / "site", place / "empty", place / "home"
        self.empty.mkdir()

    def install(self, wheel: Path) -> None:
        shutil.rmtree(self.site, ignore_errors=True)
        words = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(self.site), str(wheel)]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True)

    def run(self, *words: str) -> str:
        # PYTHONPATH comes before the checkout that this Python may have installed.
        env = {**os.environ, "PYTHONPATH": str(self.site), "ATTN_COURSE_HOME": str(self.home)}
        done = subprocess.run([sys.executable, *words], cwd=self.empty, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def lay_out(self) -> str:
        code = "from pathlib import Path; from attn_course.coach.lab import lay_out; print(lay_out(Path.cwd()))"
        return self.run("-c", code)


def test_the_wheel_lays_the_course_out_and_an_upgrade_spares_what_was_changed(project, tmp_path):
    user = Installed(tmp_path)
    user.install(build(project))
    assert str(user.site) in user.run("-c", "import attn_course; print(attn_course.__file__)")
    assert "01 The formula" in user.run("-m", "attn_course", "list")

    user.lay_out()
    for part in SHIPPED:
        shipped = {path.name: path.read_bytes() for path in (project / part).glob("*.ipynb")}
        assert {path.name: path.read_bytes() for path in (user.empty / part).iterdir()} == shipped
    assert not (user.empty / "solutions").exists()

    write_notebook(user.empty / "exercises/98_change.ipynb", "the learner's own")
    for part in SHIPPED:
        write_notebook(project / part / "98_change.ipynb", f"{part}, second edition")
    write_notebook(project / "notebooks/99_new.ipynb", "a new lesson")
    user.install(build(project))
    said = user.lay_out()
    assert "added=('notebooks/99_new.ipynb',)" in said
    assert "updated=('notebooks/98_change.ipynb',)" in said
    assert "kept=('exercises/98_change.ipynb',)" in said
    assert "the learner's own" in (user.empty / "exercises/98_change.ipynb").read_text()
    assert "second edition" in (user.empty / "notebooks/98_change.ipynb").read_text()
    assert "Wrote" in user.run("-m", "attn_course", "lab", "--fresh", "exercises/98_change.ipynb")
    assert "second edition" in (user.empty / "exercises/98_change.new.ipynb").read_text()


def test_the_wheel_carries_solutions_and_the_licence_but_no_editors_copies(project):
    with zipfile.ZipFile(build(project)) as wheel:
        names = wheel.namelist()
    assert "attn_course/course/solutions/98_change.ipynb" in names
    assert "attn_course/coach/catalogue.toml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "ipynb_checkpoints" in name or name.startswith(("tools", "tests"))]


def test_the_wheel_carries_trained_models_measurements_and_texts(project):
    with zipfile.ZipFile(build(project)) as wheel:
        names = wheel.namelist()
    for folder in ("checkpoints", "recorded", "tasks/data"):
        files = [f"attn_course/{folder}/{path.name}" for path in (ROOT / "attn_course" / folder).iterdir()]
        assert files and set(files) <= set(names)


def test_a_teachers_copy_without_solutions_builds(project, tmp_path):
    copy = shutil.copytree(project, tmp_path / "copy")
    shutil.rmtree(copy / "solutions")
    with zipfile.ZipFile(build(copy)) as wheel:
        assert not [name for name in wheel.namelist() if "/solutions/" in name]


# Versions


def workflow() -> dict:
    return yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_each_dependency_is_pinned_within_its_range(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin is not None, f"{requirement.name} is not in constraints.txt: make constraints"
    assert requirement.specifier.contains(Version(pin), prereleases=True)


def test_the_pins_are_versions_alone_and_name_nothing_twice():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(pins()) == len(lines)
    for line in lines:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line  # no "+cpu", no "@ file:…", no "-e"
    assert "attn-course" not in pins()


def test_conda_takes_pyprojects_python_and_its_packages_through_pip():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"][0] == "conda-forge"
    python, pip, rest = environment["dependencies"]
    assert Requirement(python).specifier == Requirement(f"python{PROJECT['requires-python']}").specifier
    assert pip == "pip"
    assert rest == {"pip": ["-c constraints.txt", "-e ."]}  # so every other version is pyproject's


def test_classifiers_name_the_pythons_that_ci_runs():
    matrix = workflow()["strategy"]["matrix"]["python"]
    spoken = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert matrix == spoken
    for version in matrix:
        assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)
