"""Saving the whole state of a run so that it can go on as if it had never stopped."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from edge_daemon.errors import ConfigurationError

SCHEMA = 2
READABLE = (1, 2)
"""Schema 1 has no `config`, so a run can't go on from it; its weights are as good."""


class CheckpointError(ConfigurationError):
    """A checkpoint can't be read or belongs to something else."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that at any moment either the old or the new one is whole on disk.

    Raises:
        CheckpointError: it can't be written; the one before it stays.
    """
    draft = path.with_suffix(".draft")
    try:
        with draft.open("wb") as file:
            torch.save({"schema": SCHEMA, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch's writer gives RuntimeError on a full disk
        if draft.is_file():
            draft.unlink()
        raise CheckpointError(
            f"{path}: can't be written ({str(error).splitlines()[0]}); make room on the disk and "
            "start the run again: it goes on from the checkpoint before"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming last: until then a power cut may bring the old file back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are accepted, no pickled code.

    Raises:
        CheckpointError: missing, damaged, or of another schema.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: damaged, or holds more than tensors and values") from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise CheckpointError(f"{path}: {why}; delete it to begin the run anew") from error
    if not isinstance(state, dict) or state.pop("schema", None) not in READABLE:
        raise CheckpointError(f"{path}: no checkpoint of schema {SCHEMA}; start the run anew")
    return state
