from pathlib import Path

import pytest

from edge_daemon.errors import RecordingError
from edge_daemon.evidence.files import OpenFile
from edge_daemon.recordings.recording import read_metadata, read_recording
from tests.edge_daemon.evidence.steel import kept


def test_a_finished_file_names_what_it_is_evidence_of(tmp_path: Path) -> None:
    file = OpenFile(tmp_path / "x.mcap")
    file.begin(5)
    file.write(kept(0), now_ns=7)
    file.mark("a")
    file.mark("b")
    file.finish()
    assert file.touched_ns == 7
    assert read_metadata(file.path) == {f"evidence/{a}": {"camera": "top"} for a in "ab"}


def test_a_file_with_thousands_of_defects_can_still_be_read(tmp_path: Path) -> None:
    file = OpenFile(tmp_path / "x.mcap")
    file.begin(0)
    file.write(kept(0), now_ns=0)
    for n in range(3000):
        file.mark(f"{n:032x}")
    file.finish()
    assert len(read_metadata(file.path)) == 1000


def test_an_abandoned_file_keeps_what_was_synced(tmp_path: Path) -> None:
    file = OpenFile(tmp_path / "x.mcap")
    file.begin(0)
    for n in range(50):
        file.write(kept(n, payload=bytes(200_000)), now_ns=0)
    file.abandon()
    assert not file.path.exists()
    numbers: list[int] = []
    with pytest.raises(RecordingError, match="never finished"):
        numbers.extend(len(message.parts) for message in read_recording(tmp_path / "x.mcap.part"))
    assert len(numbers) >= 40
