"""Which model `attn-course doctor` examines: found and loaded, or refused with one sentence."""

import difflib
from pathlib import Path

TOKENISERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tokenizer_config.json")


class DoctorError(Exception):
    """Something the user can put right; the message is the one sentence that says how."""


def loaded(name: str | None):
    """The course's MiniLM, one of the course's own checkpoints, a folder, or an id on the hub."""
    from attn_course.diagnosis.readers import CHARACTER_MODELS, CharacterModel
    from attn_course.models.pretrained import load
    from attn_course.training.checkpoints import recipes

    if name is None:
        return load()
    folder = Path(name).expanduser()
    if not folder.is_dir() and name in recipes():
        return CharacterModel(name)
    if folder.is_dir():
        _check_folder(folder)
        _check_weights(name, folder)
    else:
        near = difflib.get_close_matches(name, CHARACTER_MODELS, n=1)
        _check_name(name, near)
        _check_cached(name)
    try:
        return load(name)
    except Exception as error:
        better = _why_not(name, folder, error)
        if better is None:
            raise
        raise better from error


def _why_not(name: str, folder: Path, error: Exception) -> DoctorError | None:
    """One sentence; None where the error's own is the best there is."""
    from attn_course.diagnosis.memory import out_of_memory

    if out_of_memory(error):
        return DoctorError(f"{name} cannot be loaded: there is not enough memory for its weights.")
    if isinstance(error, ImportError):
        return DoctorError(f"{name} needs a library that is not installed: {_first_line(error)}.")
    if "trust_remote_code" in f"{error} {error.__cause__}":
        return DoctorError(f"{name} brings code of its own, which was not run; a model that needs it is not examined.")
    if isinstance(error, OSError) and folder.is_dir() and error.__cause__ is not None:
        return DoctorError(f"{name} cannot be loaded: {_first_line(error.__cause__)}.")
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


def _check_folder(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names:
        raise DoctorError(f"{folder} holds no config.json: give the folder that a model was saved in.")
    pickled = sorted(name for name in names if name.startswith("pytorch_model") and not name.endswith(".json"))
    if pickled and not any(name.endswith(".safetensors") for name in names):
        raise DoctorError(
            f"{folder} holds its weights in {pickled[0]}, which is not read, since a file of that kind may run code as "
            "it is opened: if you trust it, load the model and save it again, which gives *.safetensors."
        )
    if not any(name.endswith(".safetensors") for name in names):
        raise DoctorError(f"{folder} holds no *.safetensors, so there are no weights: save the model there again.")
    if not names & set(TOKENISERS):
        raise DoctorError(
            f"{folder} holds no tokeniser ({', '.join(TOKENISERS[:4])}, …): save it beside the model, with "
            "tokenizer.save_pretrained."
        )


def _check_name(name: str, near: list[str]) -> None:
    if "/" not in name and near:
        raise DoctorError(
            f"There is no model {name!r}: say {near[0]} for the course's own, or give a folder or a hub id, owner/name."
        )


def _check_cached(name: str) -> None:
    """The weights of a model that was fetched before."""
    try:
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(name, local_files_only=True))
    except Exception:  # not fetched yet, or no such name: loading says so
        return
    _check_weights(name, folder)


def _check_weights(name: str, folder: Path) -> None:
    """Read the files' headers only: whether the weights fit is known before they are loaded."""
    from attn_course.diagnosis.memory import Needed, check_fits, weights_in

    check_fits(name, Needed(weights_in(folder), between=0, kept=0))
