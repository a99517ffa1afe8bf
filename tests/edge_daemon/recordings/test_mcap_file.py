import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from mcap.opcode import Opcode
from mcap.writer import MCAP0_MAGIC

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.losses import Losses
from edge_daemon.recordings.mcap_file import MAX_RECORD_BYTES, read_records, read_summary
from edge_daemon.recordings.writing import RecordingWriter

fuzzed = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def framed(opcode: int, body: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(body)) + body


@fuzzed
@given(
    st.lists(st.tuples(st.sampled_from([Opcode.METADATA, Opcode.CHANNEL]), st.binary(max_size=20))),
    st.integers(0, 300),
)
def test_whole_records_come_back_from_wherever_a_file_is_cut(
    tmp_path: Path, records: list[tuple[Opcode, bytes]], size: int
) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(MCAP0_MAGIC + b"".join(framed(*record) for record in records)[:size])
    losses = Losses()
    found = [(record.opcode, bytes(record.body)) for record in read_records(path, losses)]
    assert found == records[: len(found)]
    assert losses.count == 1
    left = path.stat().st_size - len(MCAP0_MAGIC) - sum(9 + len(body) for _, body in found)
    assert len(found) == len(records) or left < 9 + len(records[len(found)][1])


@fuzzed
@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(MCAP0_MAGIC + body)
    assert sum(len(record.body) for record in read_records(path, Losses())) <= len(body)
    read_summary(path)


def test_a_record_over_the_limit_is_not_loaded_even_if_its_bytes_are_there(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with path.open("wb") as file:
        file.write(MCAP0_MAGIC + struct.pack("<BQ", Opcode.CHUNK, MAX_RECORD_BYTES + 1))
        file.truncate(MAX_RECORD_BYTES + 1000)
    losses = Losses()
    assert list(read_records(path, losses)) == []
    assert "is the most" in str(losses)


def test_a_file_of_eight_tebibytes_of_nothing_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with path.open("wb") as file:
        file.write(MCAP0_MAGIC)
        try:
            file.truncate(2**43)
        except OSError as error:
            pytest.skip(f"the file system has no room for holes: {error}")
    losses = Losses()
    assert list(read_records(path, losses)) == []
    assert "nothing was written from byte 8 on" in str(losses)


def test_a_file_without_an_end_is_told_from_a_finished_one(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    for end, complaints in ((framed(Opcode.DATA_END, bytes(4)), 0), (b"", 1)):
        path.write_bytes(MCAP0_MAGIC + framed(Opcode.METADATA, b"x") + end)
        losses = Losses()
        assert len(list(read_records(path, losses))) == 1
        assert losses.count == complaints


def test_an_attachment_of_another_program_is_passed_over_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with path.open("wb") as file:
        file.write(MCAP0_MAGIC + struct.pack("<BQ", Opcode.ATTACHMENT, 2 * MAX_RECORD_BYTES))
        file.seek(2 * MAX_RECORD_BYTES, 1)
        file.write(framed(Opcode.METADATA, b"x") + framed(Opcode.DATA_END, bytes(4)))
    losses = Losses()
    assert [bytes(record.body) for record in read_records(path, losses)] == [b"x"]
    assert losses.count == 0


def test_a_summary_whose_checksum_is_wrong_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path) as writer:
        writer.write([b"top-1"], 1)
    whole = path.read_bytes()
    channels, statistics = read_summary(path)
    assert [channel.topic for channel in channels.values()] == ["frames/top-1"]
    assert statistics is not None
    path.write_bytes(
        whole[: whole.rindex(b"top-1")] + b"top-2" + whole[whole.rindex(b"top-1") + 5 :]
    )
    assert read_summary(path) == ({}, None)


@fuzzed
@given(st.binary(max_size=60), st.integers(0, 100) | st.integers(0, 2**64 - 1))
def test_no_footer_makes_the_summary_reader_fail(tmp_path: Path, body: bytes, start: int) -> None:
    path = tmp_path / "x.mcap"
    footer = framed(Opcode.FOOTER, struct.pack("<QQI", start, 0, 0))
    path.write_bytes(MCAP0_MAGIC + body + footer + MCAP0_MAGIC)
    channels, _ = read_summary(path)
    assert len(channels) <= len(body)


def test_what_vanishes_is_a_recording_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"gone\.mcap"):
        list(read_records(tmp_path / "gone.mcap", Losses()))
