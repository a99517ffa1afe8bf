from pathlib import Path

from edge_daemon.storage.reserve import Reserve


def taken_bytes(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir())


def test_room_that_is_taken_is_really_taken_and_given_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "o.db")
    assert reserve.take()
    assert reserve.take()
    assert taken_bytes(tmp_path) >= 1 << 20
    reserve.give()
    assert taken_bytes(tmp_path) < 1 << 16
    assert reserve.take()


def test_where_there_is_no_folder_nothing_is_taken_and_nothing_fails(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "away" / "o.db")
    reserve.give()
    assert not reserve.take()
