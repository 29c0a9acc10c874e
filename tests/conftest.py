"""Every test has a progress file of its own, one torch thread, and no network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_progress(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("ATTN_COURSE_HOME", str(tmp_path_factory.mktemp("progress")))
