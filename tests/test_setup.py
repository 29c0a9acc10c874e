"""The two commands, `make lab` and `make test`: who calls them, and how they set up their virtual environment."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def test_ci_workflow_and_devcontainer_call_the_two_commands():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    said = "\n".join(step.get("run", "") for step in workflow["jobs"]["test"]["steps"])
    assert ".ci/run" in said and "make lab" in said
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["postCreateCommand"] == ".ci/run"
    assert container["postAttachCommand"].startswith("make lab")
    script = (ROOT / ".ci/run").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "set -euo pipefail" in script and "export CI=true" in script
    assert script.splitlines()[-1] == "make test"


def make(*words: str, **environment: str) -> subprocess.CompletedProcess:
    # As a user would: not as a part of the make that may be running these tests.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")} | environment
    return subprocess.run(["make", *words], cwd=ROOT, env=env, capture_output=True, text=True)


def test_make_alone_lists_the_targets():
    said = make().stdout
    for target in ("lab", "test", "notebooks", "exercises", "claims", "site", "bench"):
        assert re.search(rf"^make {target} +\w", said, re.MULTILINE), target


def test_make_lab_and_make_test_do_what_they_say():
    lab = make("--dry-run", "lab", "LAB_FLAGS=--no-browser").stdout
    assert "attn-course lab --no-browser" in lab
    test = make("--dry-run", "test").stdout
    for step in ("ruff check", "ruff format --check", "tools/check_notebooks.py", "pytest tests -n 2 --dist loadfile"):
        assert step in test
    assert "pytest tests" in test.strip().splitlines()[-1]  # pytest's own verdict is the last line


# tools/setup.sh, with a python that writes down what pip is asked for and installs nothing

FAKE = """#!/bin/sh
case "$*" in
    --version) echo Python 3.9.2 ;;
    *version_info*) {fits} ;;
    *ensurepip*) {whole} ;;
    "-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip config list") echo "{config}" ;;
    "-m pip install"*{unreachable}*) echo "$*" >>{log}; exit 1 ;;
    "-m pip install"*) echo "$*" >>{log} ;;
esac
"""


class Machine:
    """A machine with a few commands, and what happens on it."""

    def __init__(self, place: Path):
        self.bin, self.venv, self.log = place / "bin", place / "venv", place / "log"
        self.bin.mkdir()
        for name in ("sh", "cat", "cksum", "grep", "mkdir", "cp", "rm"):
            (self.bin / name).symlink_to(shutil.which(name))
        self.command("uname", "#!/bin/sh\necho Linux\n")
        self.python()

    def command(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def python(self, fits="true", whole="true", config="", unreachable="no such index") -> None:
        words = {"fits": fits, "whole": whole, "config": config, "unreachable": f'"{unreachable}"', "log": self.log}
        self.command("python3", FAKE.format(**words))

    def set_up(self, purpose: str = "lab", **environment: str) -> subprocess.CompletedProcess:
        words = [str(self.bin / "sh"), "tools/setup.sh", str(self.venv), purpose]
        env = {"PATH": str(self.bin), **environment}
        return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True)

    def installed(self) -> list[str]:
        """What pip was asked for, without the options that are always there; forgets it."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.removeprefix("-m pip install --disable-pip-version-check ") for line in lines]


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def test_an_old_python_is_one_sentence(machine):
    machine.python(fits="exit 1")
    done = machine.set_up()
    assert done.returncode == 1 and not machine.venv.exists()
    assert done.stderr == (
        "This course needs Python 3.11, 3.12 or 3.13 (found: Python 3.9.2). "
        "Install one from python.org, or name yours: make lab PYTHON=/path/to/python3.12\n"
    )


def test_no_python_is_one_sentence(machine):
    (machine.bin / "python3").unlink()
    done = machine.set_up()
    assert done.returncode == 1 and "(found: no python3)" in done.stderr and len(done.stderr.splitlines()) == 1


def test_debians_python_without_venv_is_one_sentence(machine):
    machine.python(fits="echo python3.11-venv", whole="exit 1")
    done = machine.set_up()
    assert done.returncode == 1 and not machine.venv.exists()
    assert done.stderr == (
        "python3 has no venv module. On Debian and Ubuntu: sudo apt install python3.11-venv, "
        "then the same command again.\n"
    )


def test_an_old_python3_beside_a_newer_one_is_passed_over(machine):
    (machine.bin / "python3").rename(machine.bin / "python3.12")
    machine.command("python3", "#!/bin/sh\nexit 1\n")
    assert machine.set_up().returncode == 0
    assert machine.installed()


def test_torch_comes_first_and_the_second_run_installs_nothing(machine):
    assert machine.set_up().returncode == 0
    pip, torch, rest = machine.installed()
    assert pip == "--quiet -c constraints.txt --upgrade pip"
    assert re.match(r"--no-deps torch==\d", torch)
    assert rest == "--quiet -c constraints.txt -e ."
    assert machine.set_up().returncode == 0
    assert machine.installed() == []
    machine.set_up("test")
    assert machine.installed()[-1] == "--quiet -c constraints.txt -e .[test,teach,site]"
    machine.set_up("lab")  # what `make test` installed is enough for `make lab`
    assert machine.installed() == []


def test_an_install_that_failed_is_tried_again(machine):
    machine.python(unreachable="-e .")
    assert machine.set_up().returncode != 0
    machine.installed()
    assert machine.set_up().returncode != 0
    assert machine.installed()


def torch_step(machine: Machine, **environment: str) -> list[str]:
    done = machine.set_up(**environment)
    assert done.returncode == 0, done.stderr
    return [line for line in machine.installed() if "torch==" in line]


def test_linux_without_nvidia_takes_torchs_cpu_wheels(machine):
    (step,) = torch_step(machine)
    assert f"--index-url {CPU_INDEX}" in step


def test_an_unreachable_cpu_index_falls_back(machine):
    machine.python(unreachable=CPU_INDEX)
    first, second = torch_step(machine)
    assert CPU_INDEX in first and "index-url" not in second


def test_with_an_nvidia_driver_torch_comes_from_the_plain_index(machine):
    machine.command("nvidia-smi", "#!/bin/sh\n")
    (step,) = torch_step(machine)
    assert "index-url" not in step


def test_on_a_mac_torch_comes_from_the_plain_index(machine):
    machine.command("uname", "#!/bin/sh\necho Darwin\n")
    (step,) = torch_step(machine)
    assert "index-url" not in step


@pytest.mark.parametrize("line", ["global.index-url='x'", ":env:.find-links='x'", "global.extra-index-url='x'"])
def test_a_configured_pip_is_left_to_its_owner(machine, line):
    machine.python(config=line)
    (step,) = torch_step(machine)
    assert "index-url" not in step


def test_torch_index_decides(machine):
    machine.python(config="global.index-url='x'")
    (step,) = torch_step(machine, TORCH_INDEX="https://example.org/cu130")
    assert "--index-url https://example.org/cu130" in step
