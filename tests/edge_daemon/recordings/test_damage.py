"""Whatever becomes of a recording: every whole message is read, and nothing that never was."""

import os
import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.parts import pack_parts
from edge_daemon.recordings.recording import read_recording
from edge_daemon.recordings.writing import RecordingWriter

MAGIC_BYTES, RECORD_HEAD_BYTES = 8, 31
CUTS, FLIPS = 2000, 500


class Specimen:
    """A recording, and where in it each message stands."""

    def __init__(self, path: Path, *, messages: int, payload_bytes: int, per_chunk: int) -> None:
        rng = random.Random(payload_bytes)  # noqa: S311 - repeatable noise
        self.path = path
        self.messages = [
            (
                [b"top-%d" % (n % 3), b'{"seq":%d}' % n, rng.randbytes(payload_bytes)],
                1_700_000_000_000_000_000 + n,
            )
            for n in range(messages)
        ]
        with RecordingWriter(path) as writer:
            for n, (parts, received_ns) in enumerate(self.messages, 1):
                writer.write(parts, received_ns)
                if n % per_chunk == 0:
                    writer.sync()
        self.whole = path.read_bytes()
        packed = [pack_parts(parts) for parts, _ in self.messages]
        starts = [self.whole.index(each) - RECORD_HEAD_BYTES for each in packed]
        self.spans = [
            (start, start + RECORD_HEAD_BYTES + len(each))
            for start, each in zip(starts, packed, strict=True)
        ]
        self.data_end = self.whole.rindex(b"\x0f\x04\0\0\0\0\0\0\0")

    def read(self) -> tuple[list[tuple[list[bytes], int]], str]:
        """What could be read, and what the reader complained of at the end."""
        read = []
        try:
            for message in read_recording(self.path):
                read += [(message.parts, message.received_ns)]
        except RecordingError as error:
            return read, str(error)
        return read, ""

    def cuts(self, sizes: Iterable[int]) -> Iterator[int]:
        """Shorten the file step by step."""
        for size in sorted(sizes, reverse=True):
            os.truncate(self.path, size)
            yield size

    def flip(self, places: Iterable[int], rng: random.Random) -> None:
        """Write something else to some bytes of an otherwise whole file."""
        damaged = bytearray(self.whole)
        for place in places:
            damaged[place] ^= rng.randint(1, 255)
        self.path.write_bytes(damaged)

    def untouched(self, places: Iterable[int]) -> list[tuple[list[bytes], int]]:
        hit = sorted(places)
        return [
            message
            for message, (start, end) in zip(self.messages, self.spans, strict=True)
            if bisect_left(hit, start) == bisect_left(hit, end)
        ]

    def check(self, places: list[int]) -> None:
        """All that was not hit is read, in order; what was hit is read right or not at all."""
        read, complaint = self.read()
        untouched = self.untouched(places)
        assert [message for message in read if message in untouched] == untouched, places
        assert all(message in self.messages for message in read), places
        assert complaint or len(read) == len(self.messages), places


@pytest.fixture
def small(tmp_path: Path) -> Specimen:
    return Specimen(tmp_path / "small.mcap", messages=9, payload_bytes=40, per_chunk=3)


@pytest.fixture
def larger(tmp_path: Path) -> Specimen:
    return Specimen(tmp_path / "larger.mcap", messages=50, payload_bytes=8000, per_chunk=7)


def test_a_file_cut_at_any_byte_gives_exactly_the_messages_before_the_cut(small: Specimen) -> None:
    for size in small.cuts(range(len(small.whole))):
        read, complaint = small.read()
        assert read == [
            m for m, (_, end) in zip(small.messages, small.spans, strict=True) if end <= size
        ]
        assert complaint or size > small.data_end


def test_a_larger_file_cut_anywhere_gives_exactly_the_messages_before_the_cut(
    larger: Specimen,
) -> None:
    rng = random.Random(1)  # noqa: S311 - repeatable places
    for size in larger.cuts(rng.randrange(len(larger.whole)) for _ in range(CUTS)):
        read, _ = larger.read()
        assert len(read) == sum(end <= size for _, end in larger.spans)
        assert read == larger.messages[: len(read)]


def test_a_flip_of_any_byte_costs_no_message_but_its_own(small: Specimen) -> None:
    rng = random.Random(2)  # noqa: S311 - repeatable noise
    for place in range(MAGIC_BYTES, small.data_end):
        small.flip([place], rng)
        small.check([place])


def test_many_flips_cost_no_message_that_they_did_not_hit(larger: Specimen) -> None:
    rng = random.Random(3)  # noqa: S311 - repeatable noise
    heads = [  # where chunks and indexes stand: between messages
        place
        for (_, end), (start, _) in zip(larger.spans, larger.spans[1:], strict=False)
        for place in range(end, start)
    ]
    for n in range(FLIPS):
        few = rng.sample(range(MAGIC_BYTES, larger.data_end), rng.randint(1, 8))
        places = few + (rng.sample(heads, 4) if n % 2 else [])
        larger.flip(places, rng)
        larger.check(places)


def test_holes_as_a_power_cut_leaves_them_cost_no_message_beside_them(larger: Specimen) -> None:
    rng = random.Random(4)  # noqa: S311 - repeatable places
    for _ in range(200):
        start = rng.randrange(MAGIC_BYTES, larger.data_end)
        end = min(start + rng.choice((1, 100, 4096, 65536)), len(larger.whole))
        damaged = larger.whole[:start] + bytes(end - start) + larger.whole[end:]
        larger.path.write_bytes(damaged)
        larger.check(
            [place for place in range(start, end) if damaged[place] != larger.whole[place]]
        )


def test_a_stretch_that_is_missing_costs_no_message_beside_it(larger: Specimen) -> None:
    rng = random.Random(5)  # noqa: S311 - repeatable places
    for _ in range(200):
        start = rng.randrange(MAGIC_BYTES, larger.data_end)
        end = start + rng.choice((1, 7, 512, 20_000))
        larger.path.write_bytes(larger.whole[:start] + larger.whole[end:])
        read, complaint = larger.read()
        beside = [
            message
            for message, (first, last) in zip(larger.messages, larger.spans, strict=True)
            if last <= start or first >= end
        ]
        assert [message for message in read if message in beside] == beside
        assert all(message in larger.messages for message in read)
        assert complaint or len(read) == len(larger.messages)
