import struct

import pytest
from mcap.data_stream import RecordBuilder
from mcap.records import Channel as McapChannel, Metadata

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.fields import MALFORMED, Channel, parse_channel, parse_metadata


def body(record: McapChannel | Metadata) -> memoryview:
    builder = RecordBuilder()
    record.write(builder)
    return memoryview(builder.end())[9:]  # type: ignore[no-untyped-call] # mcap leaves it bare


def test_a_channel_is_read_as_the_library_writes_it() -> None:
    written = McapChannel(7, "frames/top", "edge-daemon.parts.v1", {"a": "b"}, 0)
    assert parse_channel(body(written)) == (7, Channel("frames/top", "edge-daemon.parts.v1"))


def test_metadata_are_read_as_the_library_writes_them() -> None:
    assert parse_metadata(body(Metadata("made", {"by": "a test"}))) == ("made", {"by": "a test"})


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(RecordingError, match="4096 is the most"):
        parse_channel(memoryview(bytes(5000)))
    with pytest.raises(RecordingError, match="metadata of 2000000 bytes"):
        parse_metadata(memoryview(bytes(2_000_000)))


@pytest.mark.parametrize("size", range(12))
def test_what_is_cut_off_is_malformed(size: int) -> None:
    whole = struct.pack("<HHI", 1, 0, 2) + b"ab" + struct.pack("<I", 3)
    with pytest.raises(MALFORMED):
        parse_channel(memoryview(whole[:size]))
    with pytest.raises(RecordingError):
        parse_metadata(memoryview((struct.pack("<I", 4) + b"name" + struct.pack("<I", 9))[:size]))
