from pathlib import Path

import pytest

from edge_daemon.errors import RecordingError
from edge_daemon.evidence.folder import EvidenceFolder, evidence_name
from edge_daemon.recordings.recording import count_frames
from edge_daemon.recordings.writing import RecordingWriter
from tests.edge_daemon.evidence.steel import NOW_NS, SECOND_NS


def name(second: int, *, about: str = "0" * 32) -> str:
    return evidence_name(NOW_NS + second * SECOND_NS, "top-1", about)


def folder(path: Path, *, max_bytes: int = 2**20, leave_free_bytes: int = 0) -> EvidenceFolder:
    return EvidenceFolder(path, max_bytes=max_bytes, leave_free_bytes=leave_free_bytes)


def test_a_name_carries_time_camera_and_defect() -> None:
    assert name(0, about="image-quality") == "20260921T141320.000000Z-top-1-image-quality"


def test_the_oldest_files_make_room_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for second in range(4):
        (tmp_path / f"{name(second)}.mcap").write_bytes(bytes(1000))
    (tmp_path / "keep-this.mcap").write_bytes(bytes(5000))
    (tmp_path / "20250101.mcap").write_bytes(bytes(5000))
    held = folder(tmp_path, max_bytes=4000)
    with held.taken():
        assert held.size == 4000
        assert held.make_room(1500, unfinished=0)
        assert held.size == 2000
        assert not held.make_room(2000, unfinished=2001)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"keep-this.mcap", "20250101.mcap"}


def test_a_disk_that_is_nearly_full_gives_up_old_evidence_and_then_says_so(tmp_path: Path) -> None:
    (tmp_path / f"{name(0)}.mcap").write_bytes(bytes(1000))
    held = folder(tmp_path, leave_free_bytes=2**60)
    with held.taken(), pytest.raises(RecordingError, match="of the disk are free; make room"):
        held.make_room(1, unfinished=0)
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_mended(tmp_path: Path) -> None:
    part = tmp_path / f"{name(0)}.mcap.part"
    with RecordingWriter(tmp_path / "x.mcap") as writer:
        for n in range(3):
            writer.write([b"top-1", b"%d" % n], n)
    whole = (tmp_path / "x.mcap").read_bytes()
    part.write_bytes(whole[: whole.index(b"\x05\0\0\0top-1\1\0\0\0002") + 3])
    (tmp_path / "x.mcap").unlink()
    (tmp_path / f"{name(1)}.mcap.part").write_bytes(b"")
    (tmp_path / f"{name(2)}.mcap.recovering").write_bytes(b"half")
    (tmp_path / "mine.mcap.part").write_bytes(b"mine")
    held = folder(tmp_path)
    with held.taken():
        assert held.size > 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{name(0)}.mcap", "mine.mcap.part"}
    assert count_frames(tmp_path / f"{name(0)}.mcap") == 2


def test_two_daemons_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        folder(tmp_path).taken(),
        pytest.raises(RecordingError, match="taken by another daemon"),
        folder(tmp_path).taken(),
    ):
        pass
    with folder(tmp_path).taken():
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(RecordingError, match="file/evidence"),
        folder(tmp_path / "file" / "evidence").taken(),
    ):
        pass


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    held = folder(tmp_path)
    (tmp_path / f"{name(0)}.mcap").write_bytes(b"")
    (tmp_path / f"{name(0)}-2.mcap.part").write_bytes(b"")
    assert held.unused(name(0)).name == f"{name(0)}-3.mcap"
    assert held.unused(name(1)).name == f"{name(1)}.mcap"


def test_what_a_crash_left_waits_where_mending_would_take_the_alerts_room(tmp_path: Path) -> None:
    part = tmp_path / f"{name(0)}.mcap.part"
    part.write_bytes(bytes(5000))
    held = folder(tmp_path, leave_free_bytes=2**60)
    with pytest.raises(RecordingError, match="of the disk are free"), held.taken():
        pass
    assert part.stat().st_size == 5000
    assert [path.name for path in tmp_path.iterdir()] == [part.name]
