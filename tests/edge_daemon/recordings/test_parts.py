import struct
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.parts import pack_parts, packed_size, unpack_parts


def with_checksum(framed: bytes) -> bytes:
    return framed + struct.pack("<I", zlib.crc32(framed))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=64), max_size=8))
def test_any_parts_come_back_as_they_went_in(parts: list[bytes]) -> None:
    packed = pack_parts(parts)
    assert unpack_parts(packed) == parts
    assert len(packed) == packed_size(parts)


def test_a_view_is_packed_like_its_bytes() -> None:
    assert pack_parts([memoryview(b"abc")]) == pack_parts([b"abc"])


def test_the_framing_is_the_documented_one() -> None:
    framed = b"\2\0\0\0" + b"\2\0\0\0ab" + b"\0\0\0\0"
    assert pack_parts([b"ab", b""]) == with_checksum(framed)


def test_a_flipped_bit_anywhere_is_found() -> None:
    packed = pack_parts([b"ab", b"c"])
    for bit in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RecordingError):
            unpack_parts(bytes(damaged))


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_parts_or_are_refused(packed: bytes) -> None:
    packed = with_checksum(packed)
    try:
        parts = unpack_parts(packed)
    except RecordingError:
        return
    assert pack_parts(parts) == packed


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\1\0\0",
        bytes(4),
        with_checksum(b"\1\0\0"),
        with_checksum(struct.pack("<I", 1)),
        with_checksum(struct.pack("<I", 2**32 - 1)),
        with_checksum(struct.pack("<II", 1, 2**32 - 1) + b"x"),
        with_checksum(pack_parts([b"ab"])),
        pack_parts([b"ab"])[:-1],
    ],
)
def test_lengths_that_lie_are_refused(packed: bytes) -> None:
    with pytest.raises(RecordingError):
        unpack_parts(packed)
