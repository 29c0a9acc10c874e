"""JupyterLab is started beside the learner's own settings, with no question in front of the first lesson."""

import os

import pytest
from jupyterlab_server.config import get_static_page_config

from attn_course.coach import jupyter


class Became(Exception):
    """Stands for the process that would have become JupyterLab."""


@pytest.fixture
def environment(monkeypatch):
    def become(path, words):
        raise Became

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/the/learners/own")
    with pytest.raises(Became):
        jupyter.launch(["python"])
    return os.environ


def test_news_are_off_and_the_learners_own_folder_stays(environment):
    assert environment["JUPYTER_CONFIG_PATH"].endswith(os.pathsep + "/the/learners/own")
    assert get_static_page_config(level="all")["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"]


def test_the_kernel_is_this_environments(environment):
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"
