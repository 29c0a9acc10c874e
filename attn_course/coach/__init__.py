"""What speaks to the learner: checks, hints, solutions, claims, progress, and the `attn-course` command.

Names are looked up when they are first used, so that the command line can list lessons without waiting for torch.
"""

from importlib import import_module

_HOMES = {
    "check": "checking",
    "Result": "result",
    "hint": "help",
    "solution": "help",
    "claim": "claims",
    "ClaimFailed": "claims",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
