import struct
from pathlib import Path

from edge_daemon.recordings.parts import pack_parts
from edge_daemon.recordings.records import Record, opened
from edge_daemon.recordings.salvage import Salvage


def message(n: int, payload: bytes = b"steel") -> bytes:
    data = pack_parts([b"top", b"%d" % n, payload])
    return struct.pack("<BQHIQQ", 5, 22 + len(data), 1, n, n, n) + data


def chunk_head(size: int) -> bytes:
    return struct.pack("<BQQQQIIQ", 6, 40 + size, 0, 0, size, 0, 0, size)


def search(path: Path, content: bytes, *, chunks: bool = False) -> tuple[list[Record], int]:
    path.write_bytes(content)
    found = []
    with opened(path) as file:
        searching = Salvage(file).search(0, file.size, chunks=chunks)
        while True:
            try:
                found.append(next(searching))
            except StopIteration as end:
                return found, end.value


def test_messages_are_found_between_any_bytes(tmp_path: Path) -> None:
    content = b"\x05junk" + message(1) + bytes(3) + message(2) + b"\x06\x05" + message(3)[:-1]
    found, end = search(tmp_path / "x", content)
    assert [record.offset for record in found] == [5, 8 + len(message(1))]
    assert not any(record.is_sound for record in found)
    assert end == len(content)


def test_the_search_stops_at_a_chunk_where_it_is_told_to(tmp_path: Path) -> None:
    content = message(1) + chunk_head(1000) + message(2)
    found, end = search(tmp_path / "x", content, chunks=True)
    assert (len(found), end) == (1, len(message(1)))
    found, end = search(tmp_path / "x", content)
    assert (len(found), end) == (2, len(content))


def test_heads_are_found_wherever_the_file_is_read_in_pieces(tmp_path: Path) -> None:
    for before in range(2**20 - 60, 2**20 + 5, 3):
        found, _ = search(tmp_path / "x", b"\x05" * before + message(1))
        assert [record.offset for record in found] == [before]


def test_a_message_in_a_picture_is_not_taken_for_one_of_its_own(tmp_path: Path) -> None:
    content = message(1, payload=message(2))
    found, _ = search(tmp_path / "x", content)
    assert [bytes(record.body) for record in found] == [content[9:]]


def test_a_message_whose_times_differ_is_not_believed(tmp_path: Path) -> None:
    damaged = bytearray(message(1))
    damaged[9 + 6] ^= 1
    assert search(tmp_path / "x", bytes(damaged))[0] == []


def test_what_is_read_in_vain_is_bounded(tmp_path: Path) -> None:
    size = 31 * 2**16
    heads = b"".join(
        struct.pack("<BQHIQQ", 5, size - at - 9, 1, 0, 1, 1) for at in range(0, size, 31)
    )
    path = tmp_path / "x"
    path.write_bytes(heads)
    with opened(path) as file:
        salvage = Salvage(file)
        assert list(salvage.search(0, file.size, chunks=True)) == []
        assert 0 <= salvage.credit_bytes < 2**20
