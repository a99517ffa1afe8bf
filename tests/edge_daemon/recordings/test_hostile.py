"""What a file from elsewhere can cost: a stated memory, and time in proportion to its size."""

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from mcap.opcode import Opcode
from mcap.writer import MCAP0_MAGIC

from edge_daemon.recordings.parts import pack_parts

MIB = 2**20
MOST_MIB = 400
"""What docs/recordings.md states: reading takes no more, whatever is in the file."""
CPU_S = 20
READ = """
import json, resource, sys
from pathlib import Path
from edge_daemon.errors import RecordingError
from edge_daemon.recordings.recording import count_frames, read_metadata, read_recording, read_truth

def peak_kib():  # of this program alone: rusage also counts what was there before exec
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
before, path, frames = peak_kib(), Path(sys.argv[1]), 0
for read in (read_recording, read_truth, read_metadata):
    try:
        for _ in read(path):
            frames += read is read_recording
            del _
    except RecordingError:
        pass
count_frames(path)
print(json.dumps({"mib": (peak_kib() - before) / 1024, "frames": frames}))
"""


def framed(opcode: int, body: bytes, *, length: int | None = None) -> bytes:
    return struct.pack("<BQ", opcode, len(body) if length is None else length) + body


def channel(number: int, topic: bytes, encoding: bytes = b"edge-daemon.parts.v1") -> bytes:
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (topic, encoding))
    return framed(Opcode.CHANNEL, struct.pack("<HH", number, 0) + texts + bytes(4))


def message(number: int, data: bytes) -> bytes:
    return framed(Opcode.MESSAGE, struct.pack("<HIQQ", number, 0, 1, 1) + data)


def chunk(data: bytes, *, compression: bytes = b"", size: int | None = None) -> bytes:
    head = struct.pack("<QQQI", 0, 0, len(data) if size is None else size, zlib.crc32(data))
    name = struct.pack("<I", len(compression)) + compression
    return framed(Opcode.CHUNK, head + name + struct.pack("<Q", len(data)) + data)


def texts(count: int) -> bytes:
    """Metadata with so many different keys."""
    pairs = b"".join(struct.pack("<II", 4, n) + bytes(4) for n in range(count))
    return struct.pack("<I", 1) + b"x" + struct.pack("<I", len(pairs)) + pairs


def heads_in_heads() -> Iterator[bytes]:
    """Heads of messages that all promise the rest of the file, one within the other."""
    size = 31 * 200_000
    yield b"\xee" * 16  # no record, so that one is looked for
    for at in range(0, size, 31):
        yield struct.pack("<BQHIQQ", Opcode.MESSAGE, size - at - 9, 1, 0, 1, 1)


def chunks_in_chunks() -> Iterator[bytes]:
    size = 49 * 120_000
    for at in range(0, size, 49):
        left = size - at - 49
        yield struct.pack("<BQQQQIIQ", Opcode.CHUNK, left + 40, 0, 0, left, 7, 0, left)


def largest_message() -> bytes:
    return message(1, pack_parts([bytes(128 * MIB - 16)]))


def many_channels(start: int) -> bytes:
    return b"".join(channel(m, b"%d" % start + bytes(300)) for m in range(start, 65536, 16))


def many_topics(start: int) -> bytes:
    others = (channel(1, b"%d" % n, b"x") + message(1, b"x") for n in range(start, start + 20_000))
    return b"".join(others)


def truth(text: bytes) -> bytes:
    return chunk(channel(1, b"truth", b"json") + message(1, text))


HOSTILE: dict[str, Callable[[], Iterable[bytes]]] = {
    "the largest message": lambda: [chunk(channel(1, b"f") + largest_message())] * 2,
    "the largest message in a damaged chunk": lambda: (
        [chunk(largest_message() + b"x")[:-1] + b"y"] * 2
    ),
    "a record of 2^63 bytes": lambda: [framed(Opcode.CHUNK, b"x", length=2**63)],
    "a chunk that claims 8 TiB": lambda: [chunk(b"abc", size=2**43)],
    "a zstd bomb": lambda: [chunk(bytes(64), compression=b"zstd", size=2**31)],
    "an lz4 bomb": lambda: [chunk(bytes(64), compression=b"lz4", size=2**31)],
    "a message of 5 million parts": lambda: [
        chunk(message(1, sealed(struct.pack("<I", 5_000_000) + bytes(20_000_000))))
    ],
    "65,536 channels with long names": lambda: (chunk(many_channels(n)) for n in range(16)),
    "one channel with a name of 20 MiB": lambda: [chunk(channel(1, bytes(20 * MIB)))],
    "topics of others without number": lambda: (chunk(many_topics(n)) for n in (0, 20_000)),
    "schemas without number": lambda: [framed(Opcode.SCHEMA, bytes(14)) * 50_000],
    "metadata with a million keys": lambda: [framed(Opcode.METADATA, texts(1_000_000))],
    "metadata by the hundred": lambda: [framed(Opcode.METADATA, texts(5_000))] * 100,
    "20 MiB of JSON": lambda: [truth(b"[" + b"{}," * 7_000_000 + b"0]")],
    "as much JSON as is read": lambda: [truth(b"[" + b"{}," * 1_390_000 + b"0]")] * 3,
    "deep JSON": lambda: [truth(b"[" * 4_000_000)],
    "heads of messages in each other": heads_in_heads,
    "heads of chunks in each other": chunks_in_chunks,
    "nothing but empty records": lambda: [chunk(bytes(5 * MIB))],
}


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def read_in_a_process_of_its_own(path: Path) -> tuple[float, int]:
    """Read all of a file within limited processor time; MiB that it took, and frames."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(CPU_S)],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said["mib"], said["frames"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if "largest" in name else []) for name in HOSTILE],
)
def test_no_file_takes_more_than_the_stated_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.mcap"
    with path.open("wb") as file:
        file.write(MCAP0_MAGIC)
        for piece in HOSTILE[name]():
            file.write(piece)
        file.write(framed(Opcode.DATA_END, bytes(4)))
    mib, frames = read_in_a_process_of_its_own(path)
    assert mib < MOST_MIB
    assert frames == (2 if "largest message" in name else 0)
