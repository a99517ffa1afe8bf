import os
from pathlib import Path

import pytest

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.records import opened


def test_bytes_come_from_anywhere_and_no_further_than_the_end(tmp_path: Path) -> None:
    content = os.urandom(200_000)
    path = tmp_path / "x"
    path.write_bytes(content)
    with opened(path) as file:
        for at, size in ((0, 10), (65_530, 100), (70_000, 5000), (3, 4096), (199_999, 10)):
            assert file.read(at, size) == content[at : at + size]
        assert file.read(200_000, 1) == b""


def test_a_file_that_shrinks_is_short_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100_000))
    with opened(path) as file:
        os.truncate(path, 10)
        assert len(file.read(0, 50_000)) == 10
        assert file.read(20_000, 10) == b""


def test_holes_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.seek(2**30)
        file.write(b"x")
        file.truncate(2**31)
    with opened(path) as content:
        assert 2**29 < content.next_data(0) <= 2**30
        assert content.next_data(2**30 + 2**20) == 2**31


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is no file"), opened(tmp_path):
        pass
