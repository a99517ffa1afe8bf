import io
import os
import random
import struct
import zlib
from pathlib import Path

import pytest
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.writer import MCAP0_MAGIC, CompressionType, Writer

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.parts import pack_parts
from edge_daemon.recordings.recording import (
    RecordedMessage,
    count_frames,
    read_metadata,
    read_recording,
    read_truth,
)
from edge_daemon.recordings.writing import RecordingWriter

MESSAGES = [[b"top-1", f'{{"seq":{n}}}'.encode(), bytes([n]) * 300] for n in range(12)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three chunks of four messages, with truth behind each."""
    path = tmp_path / "line.mcap"
    with RecordingWriter(path) as writer:
        writer.write_metadata("made", {"by": "a test"})
        for n, parts in enumerate(MESSAGES):
            writer.write(parts, 1000 + n)
            if n % 4 == 3:
                writer.write_truth({"after": n})
                writer.sync()
    return path


def read_all(path: Path) -> tuple[list[list[bytes]], str]:
    """The messages that came, and what the reader complained of at the end."""
    read = []
    try:
        for message in read_recording(path):
            read += [message.parts]
    except RecordingError as error:
        return read, str(error)
    return read, ""


def test_messages_come_in_the_order_of_the_file_with_their_times(recording: Path) -> None:
    assert list(read_recording(recording)) == [
        RecordedMessage(parts, 1000 + n) for n, parts in enumerate(MESSAGES)
    ]


def test_truth_and_metadata_are_kept_apart_from_the_frames(recording: Path) -> None:
    assert list(read_truth(recording)) == [{"after": 3}, {"after": 7}, {"after": 11}]
    assert read_metadata(recording) == {"made": {"by": "a test"}}


def test_the_summary_tells_how_many_frames_there_are(recording: Path) -> None:
    assert count_frames(recording) == len(MESSAGES)


def test_other_mcap_readers_understand_the_file(recording: Path) -> None:
    with recording.open("rb") as file:
        topics = [channel.topic for _, channel, _ in make_reader(file).iter_messages()]
    assert topics.count("frames/top-1") == len(MESSAGES)
    assert topics.count("truth") == 3


def test_a_file_cut_anywhere_gives_what_is_whole_and_then_says_what_is_missing(
    recording: Path, tmp_path: Path
) -> None:
    whole = recording.read_bytes()
    ends = {parts[1]: whole.index(parts[1]) + len(pack_parts(parts)) - 17 for parts in MESSAGES}
    cut = tmp_path / "cut.mcap"
    for size in [*range(8, len(whole), 61), *range(len(whole) - 40, len(whole))]:
        cut.write_bytes(whole[:size])
        read, complaint = read_all(cut)
        assert read == [parts for parts in MESSAGES if ends[parts[1]] <= size]
        assert complaint or len(read) == len(MESSAGES)
        assert count_frames(cut) is None


def test_a_cut_behind_the_data_loses_nothing_and_is_no_fault(recording: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-30])
    assert read_all(recording) == (MESSAGES, "")


def test_a_flipped_bit_costs_its_message_and_is_told(recording: Path) -> None:
    damaged = bytearray(recording.read_bytes())
    damaged[damaged.index(MESSAGES[5][2])] ^= 1
    recording.write_bytes(damaged)
    read, complaint = read_all(recording)
    assert read == MESSAGES[:5] + MESSAGES[6:]
    assert "checksum" in complaint
    assert "11 frames could be read" in complaint


def test_a_damaged_length_costs_its_message_only(recording: Path) -> None:
    damaged = bytearray(recording.read_bytes())
    damaged[damaged.index(MESSAGES[1][1]) - 40] = 0xFF
    recording.write_bytes(damaged)
    assert read_all(recording)[0] == MESSAGES[:1] + MESSAGES[2:]


def test_a_damaged_channel_does_not_make_the_other_chunks_unreadable(recording: Path) -> None:
    damaged = bytearray(recording.read_bytes())
    damaged[damaged.index(b"edge-daemon.parts")] ^= 1
    recording.write_bytes(damaged)
    read, complaint = read_all(recording)
    assert read == MESSAGES
    assert "checksum" in complaint


def test_truth_from_a_damaged_chunk_is_not_believed(recording: Path) -> None:
    damaged = recording.read_bytes().replace(b'{"after":7}', b'{"after":9}')
    recording.write_bytes(damaged)
    truths = read_truth(recording)
    assert [next(truths), next(truths)] == [{"after": 3}, {"after": 11}]
    with pytest.raises(RecordingError, match="checksum"):
        next(truths)


def test_noise_anywhere_neither_crashes_the_reader_nor_gives_messages_that_never_were(
    recording: Path,
) -> None:
    whole = recording.read_bytes()
    rng = random.Random(1)  # noqa: S311 - repeatable noise
    for _ in range(300):
        noisy = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            noisy[rng.randrange(len(noisy))] = rng.randrange(256)
        recording.write_bytes(noisy)
        read, _ = read_all(recording)
        assert all(parts in MESSAGES for parts in read)
        count_frames(recording)


def test_zeros_at_the_end_as_a_power_cut_leaves_them_are_told(recording: Path) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[: len(whole) // 2] + bytes(4096))
    read, complaint = read_all(recording)
    assert read == MESSAGES[: len(read)]
    assert complaint


@pytest.mark.parametrize("content", [b"", b"P", b"not a recording at all", bytes(100)])
def test_what_is_no_mcap_file_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="no recording"):
        list(read_recording(path))
    assert count_frames(path) is None


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mcap")
    with pytest.raises(RecordingError, match="no file"):
        list(read_recording(tmp_path / "pipe.mcap"))


def test_a_missing_file_is_a_recording_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nowhere\.mcap"):
        list(read_recording(tmp_path / "nowhere.mcap"))


def chunk(data: bytes, *, compression: str = "", size: int | None = None, crc: int = 0) -> bytes:
    builder = RecordBuilder()
    Chunk(compression, data, 0, 0, crc, len(data) if size is None else size).write(builder)
    return bytes(builder.end())  # type: ignore[no-untyped-call] # mcap leaves it bare


def record(opcode: int, body: bytes, *, length: int | None = None) -> bytes:
    return struct.pack("<BQ", opcode, len(body) if length is None else length) + body


HOSTILE = {
    "a record of 8 TiB": record(Opcode.CHUNK, b"x", length=2**43),
    "a record of 2^64 - 1 bytes": record(Opcode.CHUNK, b"x", length=2**64 - 1),
    "a chunk that claims 8 TiB": chunk(b"abc", size=2**43),
    "a chunk whose data claims 2^63 bytes": record(
        Opcode.CHUNK, struct.pack("<QQQII", 0, 0, 1, 0, 0) + struct.pack("<Q", 2**63) + b"x"
    ),
    "a zstd bomb": chunk(b"(\xb5/\xfd" + bytes(64), compression="zstd", size=2**31),
    "an lz4 bomb": chunk(bytes(64), compression="lz4", size=2**31),
    "an unknown compression": chunk(b"abc", compression="\N{SNOWMAN}"),
    "a chunk in a chunk": chunk(chunk(b"abc")),
    "a message of an unknown channel": chunk(record(Opcode.MESSAGE, bytes(30))),
    "a message that is too short": chunk(record(Opcode.MESSAGE, bytes(3))),
    "a channel whose name is not text": chunk(
        record(Opcode.CHANNEL, struct.pack("<HHI", 1, 0, 2) + b"\xff\xff" + bytes(12))
    ),
    "a channel whose name has 4 GiB": chunk(
        record(Opcode.CHANNEL, struct.pack("<HHI", 1, 0, 2**32 - 1) + b"x")
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_for_what_is_wrong_with_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(MCAP0_MAGIC + HOSTILE[name] + record(Opcode.DATA_END, bytes(4)))
    if name == "a chunk in a chunk":
        assert read_all(path) == ([], "")
        return
    with pytest.raises(RecordingError, match="0 frames could be read"):
        list(read_recording(path))


def test_a_compressed_recording_is_refused_with_the_remedy(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    writer = Writer(buffer, compression=CompressionType.ZSTD)
    writer.start()
    channel = writer.register_channel("frames", "edge-daemon.parts.v1", 0)
    writer.add_message(channel, 1, b"\0\0\0\0", 1)
    writer.finish()  # type: ignore[no-untyped-call] # mcap leaves it bare
    path = tmp_path / "x.mcap"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(RecordingError, match="mcap decompress"):
        list(read_recording(path))


def test_a_recording_of_something_else_is_told_from_an_empty_one(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    writer = Writer(buffer, compression=CompressionType.NONE)
    writer.start()
    writer.add_message(writer.register_channel("/imu", "cdr", 0), 1, b"x", 1)
    writer.finish()  # type: ignore[no-untyped-call] # mcap leaves it bare
    path = tmp_path / "x.mcap"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(RecordingError, match="/imu"):
        list(read_recording(path))
    with RecordingWriter(tmp_path / "empty.mcap"):
        pass
    assert list(read_recording(tmp_path / "empty.mcap")) == []


def test_truth_that_is_no_json_is_a_recording_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    writer = Writer(buffer, compression=CompressionType.NONE)
    writer.start()
    writer.add_message(writer.register_channel("truth", "json", 0), 1, b"[" * 100_000, 1)
    writer.finish()  # type: ignore[no-untyped-call] # mcap leaves it bare
    path = tmp_path / "x.mcap"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(RecordingError, match="no JSON"):
        list(read_truth(path))


def test_a_summary_that_lies_about_its_place_costs_the_count_only(recording: Path) -> None:
    whole = bytearray(recording.read_bytes())
    whole[-28:-20] = struct.pack("<Q", 2**63)
    recording.write_bytes(whole)
    assert count_frames(recording) is None
    assert read_all(recording) == (MESSAGES, "")


def test_the_checksum_in_the_file_is_the_chunks_crc32(recording: Path) -> None:
    body = recording.read_bytes()
    with recording.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    first = summary.chunk_indexes[0]
    start = first.chunk_start_offset + 9 + 16
    size, crc = struct.unpack_from("<QI", body, start)
    data = body[start + 24 : start + 24 + size]
    assert zlib.crc32(data) == crc
