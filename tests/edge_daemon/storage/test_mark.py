from pathlib import Path

import pytest

from edge_daemon.storage.mark import Mark, Marked, mark_path, read_mark


def test_what_was_noted_is_read_and_the_ceiling_is_above_every_number(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "o.db", Marked(3, 40, 1000))
    mark.begin()
    assert read_mark(tmp_path / "o.db") == Marked(3, 40, 1000)
    mark.rise_above(1001)
    mark.note(4, 1001)
    assert read_mark(tmp_path / "o.db") == Marked(4, 1001, 2001)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"commits 1 seq 2 ceiling 3\n"])
def test_a_mark_that_makes_no_sense_is_none(tmp_path: Path, content: bytes) -> None:
    mark_path(tmp_path / "o.db").write_bytes(content)
    assert read_mark(tmp_path / "o.db") is None
    assert read_mark(tmp_path / "other.db") is None


def test_a_mark_keeps_its_length_so_that_a_full_disk_cannot_refuse_it(tmp_path: Path) -> None:
    mark = Mark(tmp_path / "o.db", Marked())
    mark.begin()
    before = mark_path(tmp_path / "o.db").stat().st_size
    mark.note(2**62, 2**62)
    assert mark_path(tmp_path / "o.db").stat().st_size == before
