"""Plugins for every pytest run in this folder, `pytest --nbval notebooks` included."""

pytest_plugins = ["tools.nbval_as_jupyter"]
