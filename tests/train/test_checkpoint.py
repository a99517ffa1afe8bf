"""A checkpoint is whole or refused."""

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
    torch.save({"weights": 1}, path)
    with pytest.raises(CheckpointError, match="schema"):
        load_checkpoint(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        load_checkpoint(path)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"schema": 1, "folder": tmp_path}, path)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        load_checkpoint(path)
