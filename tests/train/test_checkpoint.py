"""A checkpoint is whole or refused."""

import threading
from pathlib import Path

import pytest
import torch

from train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"weights": torch.arange(5), "step": 7})
    state = load_checkpoint(path)
    assert state["step"] == 7
    assert torch.equal(state["weights"], torch.arange(5))
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_missing_damaged_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        load_checkpoint(path)
    torch.save({"weights": 1, "schema": 99}, path)
    with pytest.raises(CheckpointError, match="schema"):
        load_checkpoint(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        load_checkpoint(path)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"schema": 2, "folder": tmp_path}, path)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        load_checkpoint(path)


def test_weights_of_the_schema_before_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"schema": 1, "step": 3}, path)
    assert load_checkpoint(path) == {"step": 3}


def test_a_writing_that_fails_leaves_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises(TypeError):
        save_checkpoint(path, {"step": 2, "thread": threading.Lock()})
    assert load_checkpoint(path) == {"step": 1}


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})
    (tmp_path / "checkpoint.draft").mkdir()
    with pytest.raises(CheckpointError, match="can't be written"):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path)["step"] == 1
