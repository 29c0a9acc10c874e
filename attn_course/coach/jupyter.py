"""JupyterLab, opened on one notebook: which one, on which port, with which settings."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

from attn_course.coach.catalogue import Lesson, exercises, lessons
from attn_course.coach.lab import LabError, is_notebook

FIRST_PORT, LAST_PORT = 8888, 8987


class UnknownLesson(LookupError):
    """Raised for a word that names no lesson; says which there are."""


def notebook_of(word: str) -> str:
    """The notebook that "02", "scaling", "02_scaling" or an exercise's id means, as a path below the folder."""
    if word in exercises():
        return f"exercises/{exercises()[word].lesson}.ipynb"
    for lesson in lessons():
        if word.removesuffix(".ipynb").removeprefix("notebooks/") in _names(lesson):
            return f"notebooks/{lesson.name}.ipynb"
    topics = ", ".join(f"{lesson.number} {lesson.topic}" for lesson in lessons())
    raise UnknownLesson(f"There is no lesson {word!r}. There are {topics}.")


def free_port(wanted: int | None = None) -> int:
    """`wanted` if nothing listens there, else LabError; without a wish the first free one from 8888 up."""
    if wanted is not None:
        if not 1 <= wanted <= 65535:
            raise LabError(f"A port is a number from 1 to 65535, got {wanted}.")
        if not _is_free(wanted):
            raise LabError(f"Port {wanted} is in use or not yours to open. Leave --port out and a free one is chosen.")
        return wanted
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if _is_free(port):
            return port
    raise LabError(f"All ports from {FIRST_PORT} to {LAST_PORT} are in use. Name a free one with --port.")


def command(folder: Path, notebook: str, port: int, browser: bool = True) -> list[str]:
    """JupyterLab on 127.0.0.1, opened on one notebook, asking the network for nothing. It makes its own token."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError(f"JupyterLab is not installed for this Python: {sys.executable} -m pip install jupyterlab")
    path = folder / notebook
    if not path.is_file():
        raise LabError(f"{path} is missing. Start in the folder where the lessons are, or in an empty one.")
    if not is_notebook(path):
        print(
            f"{notebook} is no complete notebook (edited or saved halfway?), so it may not open; it was left as it is."
        )
    words = [
        *(sys.executable, "-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{notebook}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--log-level=WARN",
    ]
    if not browser:
        words.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container one is often root; it listens to this host only
        words.append("--allow-root")
    return words


def launch(words: list[str]) -> int:
    """Become JupyterLab. It returns only where a process cannot become another (Windows)."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one that an older install left behind
    # Beside the learner's own settings, never over them: no question about news in front of the first lesson.
    ours = str(Path(__file__).with_name("jupyter_config"))
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, (ours, os.environ.get("JUPYTER_CONFIG_PATH"))))
    sys.stdout.flush()
    if os.name == "nt":
        return subprocess.call(words)
    os.execv(words[0], words)


def _names(lesson: Lesson) -> tuple[str, ...]:
    return lesson.name, lesson.number, lesson.number.lstrip("0"), lesson.topic


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
